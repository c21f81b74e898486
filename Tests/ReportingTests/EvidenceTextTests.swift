import Integrity
import Reporting
import TestSupport
import Testing

struct EvidenceTextTests {
    private func value(_ name: String, _ entry: Entry) -> String? {
        journalFields(for: entry).first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test func theJournalHasIt() throws {
        let (program, text) = (EvidenceSamples.entries[0], EvidenceSamples.entries[1])
        #expect(value("MILLWARDEN_DIFF", text) == EvidenceSamples.diff.text)
        #expect(value("MILLWARDEN_COPY", program) == Samples.digest(2).description)
        let elf = try #require(value("MILLWARDEN_ELF", program))
        #expect(
            elf.hasPrefix(
                "loader: /lib64/ld-linux-x86-64.so.2 -> /tmp/ld.so; needs: +libevil\\x1b[2K.so, -libz.so.1;"
            )
        )
        #expect(value("MILLWARDEN_DIFF", program) == nil && value("MILLWARDEN_COPY", text) == nil)
    }

    /// Whatever an attacker names sections, the field stays short.
    @Test func theFieldHasABound() throws {
        var summary = ELFSummary(is64Bit: true, isBigEndian: false, type: 3, machine: 62, entry: 0)
        summary.parts = (0..<1_000).map {
            .init(
                .section,
                name: [UInt8](repeating: UInt8($0 % 250 + 1), count: 4_000),
                size: 1,
                fingerprint: 1
            )
        }
        summary.needed = (0..<1_000).map { [UInt8](repeating: UInt8($0 % 250 + 1), count: 4_000) }
        let old = ELFSummary(is64Bit: true, isBigEndian: false, type: 3, machine: 62, entry: 0)
        let elf = try #require(ELFDifference(before: old, after: summary))
        #expect(elf.isPartial)
        let entry = Samples.entry(
            1,
            .change(Samples.finding("/a", .content) { $0.evidence = FileEvidence(elf: elf) })
        )
        #expect(try #require(value("MILLWARDEN_ELF", entry)).utf8.count < 9_000)
        #expect(entry.json.compact.utf8.count < 150_000)
    }

    @Test func itReadsBackEqual() throws {
        for finding in EvidenceSamples.findings {
            #expect(Finding(members: finding.members) == finding)
            let parsed = try JSON(parsing: Array(JSON.object(finding.members).compact.utf8))
            #expect(parsed.object.flatMap(Finding.init(members:)) == finding)
        }
    }

    /// Nothing in the text of a row moves the cursor, also where somebody else wrote the row.
    @Test func aForgedRowIsHarmless() {
        var finding = EvidenceSamples.findings[1]
        finding.evidence?.diff?.text = "+\u{1B}[2Khidden\n+\u{202E}\n"
        let page = historyText(for: Samples.entry(1, .change(finding)))
        #expect(page.contains(#"+\x1b[2Khidden"#))
        #expect(!page.unicodeScalars.contains("\u{1B}") && !page.unicodeScalars.contains("\u{202E}"))
    }
}
