import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// From the approved content and the altered one to the evidence of a finding.
struct EvidenceTests {
    static let settings = ruleText("t.settings", watch: ["/t/etc/**"], profile: "configuration", keep: "text")
    static let programs = ruleText("t.programs", watch: ["/t/bin/**"], keep: "copy")

    private func station() throws -> Station {
        let station = try Station([Self.settings, Self.programs]) { world in
            world.write("/t/etc/npmrc", "registry=https://good/\n_authToken=secret1\n")
            world.write("/t/etc/binary", [0, 1, 2, 3])
            world.write("/t/bin/cc", "compiler", mode: 0o755)
        }
        try station.create()
        return station
    }

    private func evidence(_ station: Station, _ path: RawPath) throws -> FileEvidence? {
        try station.check().findings.first { $0.path == path }?.evidence
    }

    @Test func aChangedTextHasAMaskedDiff() throws {
        let station = try station()
        station.tree.change { $0.write("/t/etc/npmrc", "registry=https://evil/\n_authToken=secret2\n") }
        let diff = try #require(try evidence(station, "/t/etc/npmrc")?.diff)
        let expected = """
            --- approved
            +++ observed
            @@ -1,2 +1,2 @@
            -registry=https://good/
            -_authToken=[masked]
            +registry=https://evil/
            +_authToken=[masked]

            """
        #expect(diff == TextDifference(text: expected, added: 2, removed: 2, masked: 2, isCut: false))
        // The row has it too, and reads back equal.
        let row = try #require(try station.history.currentStanding("/t/etc/npmrc"))
        #expect(try station.history.finding(row.seq)?.evidence?.diff == diff)
    }

    @Test func whatIsNewAndWhatIsGoneIsShown() throws {
        let station = try station()
        station.tree.change {
            $0.write("/t/etc/preload", "/tmp/evil.so\n")
            $0.remove("/t/etc/npmrc")
        }
        #expect(try evidence(station, "/t/etc/preload")?.diff?.text.contains("+/tmp/evil.so\n") == true)
        #expect(try evidence(station, "/t/etc/npmrc")?.diff?.removed == 2)
    }

    @Test func whatIsNoTextSaysSo() throws {
        let station = try station()
        station.tree.change {
            $0.write("/t/etc/binary", [0, 1, 2, 4])
            $0.write("/t/etc/npmrc", [0x7F, 0x45, 0])
            $0.write("/t/etc/large", String(repeating: "x\n", count: 200_000))
        }
        #expect(
            try evidence(station, "/t/etc/binary")?.missing == ["no diff: the approved text was not kept"]
        )
        #expect(try evidence(station, "/t/etc/npmrc")?.missing == ["no diff: it is not text"])
        #expect(
            try evidence(station, "/t/etc/large")?.missing == ["no diff: the file is larger than 256 KiB"]
        )
    }

    @Test func metadataAndEqualContentHaveNone() throws {
        let station = try station()
        station.tree.change { $0.update("/t/etc/npmrc") { $0.mode = 0o666 } }
        #expect(try station.check().findings.map(\.evidence) == [nil])
    }

    @Test func anAlteredProgramIsSavedAndTheApprovedOneIsNot() throws {
        let station = try station()
        station.tree.change { $0.write("/t/bin/cc", "implant!", mode: 0o755) }
        let digest = SHA256Hasher.digest(of: Array("implant!".utf8))
        #expect(try evidence(station, "/t/bin/cc")?.copy == digest)
        let store = EvidenceStore(stateDirectory: station.state.path)
        var saved: [UInt8] = []
        try store.read(digest) { saved += $0 }
        #expect(saved == Array("implant!".utf8))
        #expect(store.usage().files == 1)
    }

    @Test func aCopyThatCannotBeMadeLeavesTheFindingAsItIs() throws {
        let station = try station()
        station.tree.change { $0.write("/t/bin/cc", "implant!", mode: 0o755) }
        let room = try station.room(EvidenceLimits(bytes: 3, age: 1))
        let survey = Survey(
            tree: station.tree,
            rules: station.rules,
            baseline: try station.baseline(),
            room: room,
            clock: station.tree.clock
        )
        let found = try survey.run(Station.plain)
        #expect(found.told == ["content /t/bin/cc"])
        let missing = found.deviations.first?.finding.evidence?.missing
        #expect(
            missing == [
                "the altered file was not saved: it is larger than `retention: evidence: bytes:` allows"
            ]
        )
    }

    @Test func afterAnApprovalTheNewTextIsCompared() throws {
        let station = try station()
        station.tree.change { $0.write("/t/etc/npmrc", "registry=https://new/\n") }
        _ = try station.check()
        try station.accept(.everything)
        station.tree.change { $0.write("/t/etc/npmrc", "registry=https://newer/\n") }
        let text = try evidence(station, "/t/etc/npmrc")?.diff?.text
        #expect(text?.contains("-registry=https://new/\n+registry=https://newer/\n") == true)
    }

    /// What was not part of the approval is still compared with what was kept before it.
    @Test func anApprovalKeepsWhatIsStillInForce() throws {
        let station = try station()
        station.tree.change { $0.write("/t/etc/other", "one\n") }
        _ = try station.check()
        try station.accept(.everything)
        station.tree.change { $0.write("/t/etc/npmrc", "registry=https://evil/\n") }
        #expect(
            try evidence(station, "/t/etc/npmrc")?.diff?.text.contains("-registry=https://good/\n") == true
        )
    }

    @Test func contentsThatAreLostAreMissedAndNothingElse() throws {
        let station = try station()
        let kept = try #require(try station.baseline().manifest.contents)
        try #require(KeptFile.remove(kept, in: station.state.path))
        station.tree.change { $0.write("/t/etc/npmrc", "registry=https://evil/\n") }
        let report = try station.check()
        #expect(report.told == ["content /t/etc/npmrc"])
        let missing = report.findings.first?.evidence?.missing.first
        #expect(
            missing?.hasPrefix("no diff: the approved contents ") == true,
            "\(String(describing: missing))"
        )
    }

    /// An attacker who changes everything at once does not get to fill the memory.
    @Test func evidenceOfOneSurveyHasABound() throws {
        let budget = EvidenceBudget()
        let text = String(repeating: "x", count: 16 << 10)
        let diff = TextDifference(text: text, added: 1, removed: 0, masked: 0, isCut: false)
        var admitted = 0
        for _ in 0..<10_000 {
            let evidence = budget.admit(FileEvidence(diff: diff))
            if evidence?.diff != nil {
                admitted += 1
            } else {
                #expect(evidence?.missing.count == 1)
            }
        }
        #expect(admitted * text.utf8.count <= 32 << 20)
        #expect(admitted > 1_000)
    }
}

private enum KeptFile {
    static func remove(_ digest: Digest, in state: RawPath) -> Bool {
        let name = "approved." + hex(digest.bytes)
        return (try? run("/bin/rm", [state.appending("evidence").appending(name).description]))?.status
            == .exited(0)
    }
}
