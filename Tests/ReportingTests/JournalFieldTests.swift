import Integrity
import Reporting
import Testing

/// The tables of the interface, word for word.
struct JournalFieldTests {
    private func finding(_ severity: Severity, _ verdict: Verdict) -> Event {
        .change(Samples.finding("/a", .content, severity, verdict))
    }

    private func expect(
        _ event: Event,
        _ identifier: String,
        _ level: Int,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let entry = Samples.entry(1, event)
        #expect(messageID(for: entry) == identifier, sourceLocation: location)
        #expect(priority(for: entry) == level, sourceLocation: location)
        let fields = journalFields(for: entry)
        #expect(fields.contains(JournalField("MESSAGE_ID", Array(identifier.utf8))), sourceLocation: location)
        #expect(fields.contains(JournalField("PRIORITY", Array("\(level)".utf8))), sourceLocation: location)
    }

    @Test func changesAndResolutions() {
        for (severity, level) in [(Severity.critical, 2), (.high, 3), (.medium, 4), (.low, 5)] {
            expect(finding(severity, .unauthorized), "5e922ca65303473c9ca0469bf5b74a82", level)
            expect(finding(severity, .authorized), "14758fa2734b4705a27b514533aa31bc", 6)
            expect(finding(severity, .expected), "14758fa2734b4705a27b514533aa31bc", 6)
        }
        let resolution = Resolution(path: "/a", resolves: 1, rule: "r", change: .content, severity: .critical)
        expect(.resolved(resolution), "6591aa34660e4b2bbe57f5a12d34a5eb", 6)
    }

    @Test func gapsAndService() throws {
        expect(.gapOpened(Samples.openGap), "a73b8a05a62944bd95d67e21500c3baf", 3)
        expect(.gapClosed(Samples.closedGap), "e6b3aa640ee342d298d6aa9aabec4fea", 5)
        let expected = [
            "start": "0783109d51fa434fb9268bd34f191e95", "stop": "b194ec9eac4940419e0909754b4f6541",
            "reload": "c2a1702c67e14ff5b440db74b9b063b2",
        ]
        for (name, identifier) in expected {
            let entry = try #require(Samples.entries.first { $0.event.name == name })
            expect(entry.event, identifier, 6)
        }
        expect(.selfProtection(SelfEvent(message: "m")), "8a6bd801bb284752b9cb5c4bed076042", 2)
    }

    @Test(arguments: [(nil, 6), (.low, 5), (.medium, 4), (.high, 3), (.critical, 2)] as [(Severity?, Int)])
    func aCheckIsAsUrgentAsItsWorstFinding(worst: Severity?, level: Int) {
        let check = CheckEvent(
            mode: "full",
            started: Samples.start,
            finished: Samples.start,
            generation: 1,
            summary: CheckSummary(),
            exit: 0,
            worst: worst
        )
        expect(.check(check), "5fa914cf1f5d425a9f49cee751e93a49", level)
    }

    @Test(arguments: [
        (BaselineEvent.Action.created, 5), (.accepted, 5), (.imported, 5), (.intended, 6), (.abandoned, 6),
    ])
    func approvals(action: BaselineEvent.Action, level: Int) {
        let event = BaselineEvent(
            action: action,
            baseline: Samples.baseline,
            reason: nil,
            uid: 0,
            loginuid: nil,
            paths: 0
        )
        expect(.baseline(event), "83db1a80c41f41ed9a2f571d0b674960", level)
    }

    @Test func fieldNamesAreThoseThatJournaldTakes() {
        for entry in Samples.entries + Hostile.entries {
            for field in journalFields(for: entry) {
                #expect(field.name.utf8.count <= 64)
                #expect(
                    field.name.utf8.allSatisfy {
                        (65...90).contains($0) || $0 == UInt8(ascii: "_") || (48...57).contains($0)
                    }
                )
                #expect(field.name.first?.isLetter == true)
            }
        }
    }

    /// Only the paths of a gap and of self-protection may come more than once.
    @Test func everyFieldComesOnce() {
        for entry in Samples.entries {
            let names = journalFields(for: entry).map(\.name).filter { $0 != "MILLWARDEN_PATH" }
            #expect(Set(names).count == names.count)
        }
    }

    @Test func theChainIsTheTextOfTheJSON() throws {
        for entry in Samples.entries {
            let chain = try #require(entry.json.object?["chain"]?.text)
            #expect(journalFields(for: entry).contains(JournalField("MILLWARDEN_CHAIN", Array(chain.utf8))))
        }
    }

    @Test func aLongCommandLineIsClippedAndAPathIsNot() throws {
        var finding = Samples.content
        finding.path = RawPath(bytes: Array(repeating: UInt8(ascii: "/"), count: 200_000))
        finding.actor?.cmdline = Array(
            repeating: Array(repeating: UInt8(ascii: "x"), count: 1_000),
            count: 1_000
        )
        let fields = journalFields(for: Samples.entry(1, .change(finding)))
        let line = try #require(fields.first { $0.name == "MILLWARDEN_ACTOR_CMDLINE" })
        #expect(line.value.count == 8_192 + "…".utf8.count)
        #expect(fields.contains(JournalField("MILLWARDEN_PATH", finding.path.bytes)))
    }

    @Test func aForbiddenNameSaysByWhichPattern() {
        var finding = Samples.added
        finding.absent = "/etc/ld.so.*"
        let fields = journalFields(for: Samples.entry(1, .change(finding)), stateDirectory: "/srv/state")
        #expect(fields.contains(JournalField("MILLWARDEN_ABSENT", Array("/etc/ld.so.*".utf8))))
        #expect(fields.contains(JournalField("MILLWARDEN_STATE_DIRECTORY", Array("/srv/state".utf8))))
        #expect(
            !journalFields(for: Samples.entry(1, .change(Samples.added))).contains {
                $0.name == "MILLWARDEN_ABSENT"
            }
        )
    }

    @Test func aGapNamesAtMost64Paths() {
        var gap = Samples.openGap
        gap.scope = (0..<1_000).map { RawPath("/d/\($0)") }
        let paths = journalFields(for: Samples.entry(1, .gapOpened(gap))).filter {
            $0.name == "MILLWARDEN_PATH"
        }
        #expect(paths.count == 64)
    }
}
