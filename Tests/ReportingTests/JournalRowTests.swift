import Integrity
import Reporting
import TestSupport
import Testing

/// What makes a row of a journal entry that anybody may have written.
struct JournalRowTests {
    private static let record = JournalSamples.record(Samples.entry(2, .change(Samples.content)))

    @Test func everyKindOfEntryIsARow() throws {
        let rows = try Samples.entries.map { try #require(JournalRow(JournalSamples.record($0))) }
        try expectGolden(rows.map { $0.json.compact + "\n" }.joined(), "history-journal.jsonl")
        try expectGolden(
            journalHeader + "\n" + rows.map { journalLine(for: $0) + "\n" }.joined(),
            "history-journal.txt"
        )
        #expect(rows.allSatisfy { $0.ignored == 0 })
    }

    @Test func hostileNamesKeepTheirBytesAndOneLine() throws {
        for entry in Hostile.entries {
            let row = try #require(JournalRow(JournalSamples.record(entry, host: "evil\n\u{1B}[31m")))
            let sent = journalFields(for: entry).filter { $0.name == "MILLWARDEN_PATH" }.map(\.value)
            let read = try JSON(parsing: row.json.compact.utf8)
            #expect(read.object?.list("paths").map(Set.init) == Set(sent), "\(entry.seq)")
            for line in [journalLine(for: row), row.json.compact] {
                let raw = line.unicodeScalars.filter { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator: true
                    default: false
                    }
                }
                #expect(raw.isEmpty, "\(entry.seq): \(raw)")
            }
        }
    }

    /// Without these there is no row, nor where one is there twice or is something else.
    @Test(arguments: [
        ("MILLWARDEN_SEQ", ["0", "-1", "+", "1e3", "9223372036854775808", "", "1 "]),
        ("MILLWARDEN_CHAIN", ["sha256:12", "md5:00", "", String(repeating: "0", count: 64)]),
        ("MILLWARDEN_EVENT", ["alert", "", "change\n"]),
        ("_MACHINE_ID", ["", "alpha", "../../etc", "3d1219c7c4c5404aaa1f6d2a48adfda"]),
        ("_UID", ["root", "-1", ""]), ("_TRANSPORT", ["stdout", "syslog", "kernel"]),
    ])
    func whatMakesARow(name: String, wrong: [String]) {
        var record = JournalRowTests.record
        record.fields.removeAll { $0.name == name }
        #expect(JournalRow(record) == nil)
        let others = record.fields
        for text in wrong {
            record.fields = others + [JournalField(name, Array(text.utf8))]
            #expect(JournalRow(record) == nil, "\(text)")
        }
        record.fields = JournalRowTests.record.fields.flatMap { $0.name == name ? [$0, $0] : [$0] }
        #expect(JournalRow(record) == nil)
    }

    @Test func wrongDetailsAreLeftOutAndCounted() throws {
        var record = JournalRowTests.record
        record.fields.removeAll {
            ["MILLWARDEN_CHANGE", "MILLWARDEN_SEVERITY", "MILLWARDEN_PATH", "MILLWARDEN_ACTOR_PID"]
                .contains($0.name)
        }
        let wrong: [(String, [UInt8])] = [
            ("MILLWARDEN_CHANGE", Array("worse".utf8)), ("MILLWARDEN_SEVERITY", [0xFF]),
            ("MILLWARDEN_PATH", Array("relative".utf8)), ("MILLWARDEN_PATH", Array("/nul\0".utf8)),
            ("MILLWARDEN_ACTOR_PID", Array("1.5".utf8)), ("MILLWARDEN_BUILD", []), ("MILLWARDEN_BUILD", [1]),
        ]
        record.fields += wrong.map { JournalField($0.0, $0.1) }
        let row = try #require(JournalRow(record))
        #expect(row.ignored == 6)
        #expect(row.change == nil && row.severity == nil && row.paths.isEmpty)
        let names = row.json.object?.members.map(\.name) ?? []
        #expect(!names.contains("actor_pid") && !names.contains("build"))
    }

    /// The order of equal fields is lost in a journal file, and with it must not be lost that two copies are equal.
    @Test func theOrderOfPathsIsNoDifference() throws {
        var gap = Samples.openGap
        gap.scope = ["/usr/lib", "/etc", "/opt"]
        var record = JournalSamples.record(Samples.entry(1, .gapOpened(gap)))
        var sieve = JournalSieve(trusted: [0])
        #expect(sieve.take(record)?.paths == ["/etc", "/opt", "/usr/lib"])
        record.fields.reverse()
        #expect(sieve.take(record) == nil)
        #expect(sieve.tally.duplicates == 1 && sieve.tally.contradictions == 0)
    }

    @Test func pathsAreBounded() throws {
        var record = JournalRowTests.record
        record.fields += (0..<100).map { JournalField("MILLWARDEN_PATH", Array("/p\($0)".utf8)) }
        let row = try #require(JournalRow(record))
        #expect(row.paths.count == 64 && row.ignored == 37)
    }

    @Test func randomFieldsNeverMakeMoreThanARow() {
        var random = SeededGenerator()
        let names = JournalRowTests.record.fields.map(\.name)
        for _ in 0..<2_000 {
            var record = JournalRowTests.record
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let value = random.bytes(
                    Int.random(in: 0...80, using: &random),
                    mostlyFrom: Array("0123456789/:-".utf8)
                )
                let name = names.randomElement(using: &random) ?? "MESSAGE"
                if Bool.random(using: &random) { record.fields.removeAll { $0.name == name } }
                record.fields.append(JournalField(name, value))
            }
            guard let row = JournalRow(record) else { continue }
            #expect(row.seq > 0 && row.machineID.utf8.count == 32, "\(random)")
            #expect((try? JSON(parsing: row.json.compact.utf8)) != nil, "\(random)")
            #expect(!journalLine(for: row).contains("\n"), "\(random)")
        }
    }
}

/// Each row once, and only from those who are believed.
struct JournalSieveTests {
    @Test func theSameRowTwiceIsOne() {
        var sieve = JournalSieve(trusted: [0])
        var record = JournalSamples.record(Samples.entry(2, .change(Samples.content)))
        #expect(sieve.take(record) != nil)
        // Sent once more after a restart: filed later, under a name that the host has only now.
        record.time = Samples.time(900)
        #expect(sieve.take(record) == nil)
        #expect(sieve.tally.rows == 1 && sieve.tally.duplicates == 1)
        #expect(sieve.tally.remarks == nil)
    }

    /// A forged row cannot hide a true one by taking its chain value first.
    @Test func aContradictionIsShownAndSaid() throws {
        var sieve = JournalSieve(trusted: [0])
        let entry = Samples.entry(2, .change(Samples.content))
        #expect(sieve.take(JournalSamples.record(entry, machineID: JournalSamples.otherMachine)) != nil)
        #expect(sieve.take(JournalSamples.record(entry)) != nil)
        #expect(sieve.tally.contradictions == 1)
        #expect(sieve.tally.remarks?.contains("one of them is forged") == true)
    }

    @Test func strangersAndRubbishAreCounted() {
        var sieve = JournalSieve(trusted: [0, 990])
        let entry = Samples.entry(2, .change(Samples.content))
        #expect(sieve.take(JournalSamples.record(entry, uid: 1_000)) == nil)
        #expect(sieve.take(JournalRecord(time: Samples.start, fields: [])) == nil)
        #expect(sieve.take(JournalSamples.record(entry, uid: 990)) != nil)
        #expect(sieve.tally.strangers == 1 && sieve.tally.malformed == 1 && sieve.tally.rows == 1)
        #expect(sieve.tally.remarks == "1 entry of another user left out; 1 entry that make no row left out")
    }
}

/// What the journal still knows, against what the history says today.
struct JournalComparisonTests {
    private func known(_ seqs: ClosedRange<Int64>) throws -> JournalComparison {
        var comparison = JournalComparison(stateDirectory: JournalSamples.state)
        for seq in seqs { comparison.add(try JournalSamples.row(seq)) }
        return comparison
    }

    private func chains(_ seqs: ClosedRange<Int64>) -> [Int64: Digest] {
        Dictionary(uniqueKeysWithValues: seqs.map { ($0, Samples.entry($0, .change(Samples.content)).chain) })
    }

    @Test func rowsThatStandAgree() throws {
        #expect(try known(1...5).outcome(against: chains(1...5)) == .agrees(rows: 5, missing: 0))
        // The journal forgets its oldest, and the newest is not sent yet.
        #expect(try known(3...5).outcome(against: chains(1...6)) == .agrees(rows: 3, missing: 3))
    }

    @Test func aRowThatIsMissingIsNamed() throws {
        guard case .differs(4, let reason) = try known(1...5).outcome(against: chains(1...3)) else {
            Issue.record("the cut is not seen")
            return
        }
        #expect(reason.hasPrefix("it is missing; the journal filed it at 2026-03-01"))
    }

    @Test func theFirstRowThatDiffersIsNamed() throws {
        var chains = chains(1...5)
        chains[3] = Samples.digest(99)
        chains[4] = Samples.digest(100)
        guard case .differs(3, let reason) = try known(1...5).outcome(against: chains) else {
            Issue.record("the rewriting is not seen")
            return
        }
        #expect(reason.contains("\(Samples.digest(99))"))
    }

    @Test func aHistoryBegunAnewIsSaid() throws {
        var comparison = try known(1...5)
        let others = Dictionary(
            uniqueKeysWithValues: (Int64(1)...3).map { ($0, Samples.digest(UInt64($0 + 90))) }
        )
        guard case .differs(1, let reason) = comparison.outcome(against: others) else {
            Issue.record("the new history is not seen")
            return
        }
        #expect(
            reason.contains("deleted and begun anew") && reason.contains("5 rows of another one, up to row 5")
        )
        // The rows of the new one arrive in the journal too.
        for (seq, chain) in others.sorted(by: { $0.key < $1.key }) {
            var row = try JournalSamples.row(seq)
            (row.chain, row.time) = (chain, Samples.time(1_000 + seq))
            comparison.add(row)
        }
        guard case .differs(1, let later) = comparison.outcome(against: others) else {
            Issue.record("the new history is not seen any more")
            return
        }
        #expect(later.contains("deleted and begun anew"))
    }

    @Test func anEmptyJournalProvesNothing() throws {
        let comparison = JournalComparison(stateDirectory: JournalSamples.state)
        #expect(comparison.isEmpty)
        #expect(comparison.outcome(against: chains(1...2)) == .nothing)
        #expect(comparison.outcome(against: [:]) == .agrees(rows: 0, missing: 0))
    }

    /// A trial with a state directory of its own has rows 1, 2, 3 as well.
    @Test func aHistoryInAnotherPlaceIsLeftOut() throws {
        var comparison = try known(1...2)
        let trial = JournalSamples.record(Samples.entry(9, .change(Samples.added)), state: "/tmp/trial/state")
        comparison.add(try #require(JournalRow(trial)))
        #expect(comparison.outcome(against: chains(1...2)) == .agrees(rows: 2, missing: 0))
        #expect(
            comparison.remark
                == "left out: 1 row whose history is not in /var/lib/millwarden, but in /tmp/trial/state for instance"
        )
        // The program always says where: a row that does not is none of this history's.
        let silent = JournalSamples.record(Samples.entry(9, .change(Samples.added)), state: nil)
        comparison.add(try #require(JournalRow(silent)))
        #expect(comparison.outcome(against: chains(1...2)) == .agrees(rows: 2, missing: 0))
        #expect(comparison.remark?.hasPrefix("left out: 2 rows") == true)
    }
}
