import Integrity
import Reporting

/// Findings with evidence of every kind.
enum EvidenceSamples {
    static let elf: ELFDifference = {
        var before = ELFSummary(is64Bit: true, isBigEndian: false, type: 3, machine: 62, entry: 0x1040)
        before.interpreter = Array("/lib64/ld-linux-x86-64.so.2".utf8)
        before.needed = [Array("libc.so.6".utf8), Array("libz.so.1".utf8)]
        before.buildID = Array(1...20)
        before.parts = [
            .init(.header, size: 64, fingerprint: 1),
            .init(.section, name: Array(".text".utf8), size: 40, fingerprint: 2),
            .init(.section, name: Array(".data".utf8), size: 40, fingerprint: 3),
        ]
        var after = before
        after.interpreter = Array("/tmp/ld.so".utf8)
        after.needed = [Array("libevil\u{1B}[2K.so".utf8), Array("libc.so.6".utf8)]
        after.runPath = Array("/tmp:$ORIGIN".utf8)
        after.buildID = Array(2...21)
        after.entry = 0x2000
        after.parts[1].fingerprint = 9
        after.parts.append(.init(.section, name: [0x2E, 0xFF], size: 1, fingerprint: 4))
        after.parts.append(.init(.rest, size: 7, fingerprint: 5))
        after.isPartial = true
        return ELFDifference(before: before, after: after) ?? ELFDifference()
    }()

    static let diff = TextDifference(
        text: """
            --- approved
            +++ observed
            @@ -1,3 +1,3 @@
            -registry=https://good/
            +registry=https://evil/a/very/long/path/that/does/not/fit/into/a/line/of/eighty/columns
             //good/:_authToken=[masked]
            +\\x1b[2K\\\\

            """,
        added: 2,
        removed: 1,
        masked: 1,
        isCut: true
    )

    private static func content(_ path: RawPath, _ evidence: FileEvidence) -> Finding {
        Samples.finding(path, .content, .critical) { finding in
            (finding.before, finding.after) = (Samples.file(), Samples.file(2))
            finding.attributes = [.digest]
            finding.evidence = evidence
        }
    }

    static let findings = [
        content("/usr/bin/gcc-12", FileEvidence(elf: elf, copy: Samples.digest(2))),
        content("/etc/npmrc", FileEvidence(diff: diff)),
        content("/etc/pip.conf", FileEvidence(missing: ["no diff: it is not text", "and \u{202E}another"])),
    ]

    static let entries = findings.enumerated().map {
        Samples.entry(Int64($0.offset + 1), .change($0.element))
    }

    /// With the copy in its place, with nothing to know of it, and with the copy gone.
    static let pages: String = {
        let place = RawPath("/var/lib/millwarden/evidence/sha256/\(hex(Samples.digest(2).bytes))")
        var pages = [historyText(for: entries[0], copy: .there(place))]
        pages += entries.dropFirst().map { historyText(for: $0) }
        pages.append(historyText(for: entries[0], copy: .removed))
        return pages.joined(separator: "\n")
    }()
}
