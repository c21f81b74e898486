import CLinux
import GRDB
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

func finding(
    _ path: RawPath,
    _ change: ChangeKind = .content,
    rule: RuleID = "gcc.driver",
    severity: Severity = .critical,
    verdict: Verdict = .unauthorized
) -> Finding {
    var finding = Finding(path: path, change: change, rule: rule, severity: severity, verdict: verdict)
    finding.attributes = [.digest, .size]
    finding.before = attributes(1)
    finding.after = attributes(2)
    // What goes through JSON keeps microseconds.
    finding.after?.ctime = noon
    finding.before?.ctime = noon
    finding.before?.btime = noon
    finding.after?.btime = noon
    return finding
}

func stop(_ pid: Int64 = 1) -> Event { .stop(StopEvent(reason: "SIGTERM", pid: pid)) }

func start(_ pid: Int64 = 1) -> Event {
    .start(
        StartEvent(
            version: "1",
            pid: pid,
            generation: 1,
            directories: 2,
            rules: SHA256Hasher.digest(of: [1]),
            afterUncleanStop: false
        )
    )
}

@Suite struct HistoryTests {
    let state: TemporaryDirectory
    let history: History

    init() throws {
        state = try TemporaryDirectory()
        history = try History.open(at: state.path, access: .readWrite)
    }

    private func at(_ seconds: Int64) -> Timestamp {
        Timestamp(seconds: noon.seconds + seconds, nanoseconds: 7)
    }

    // MARK: Rows

    @Test func rowsComeBackAsTheyWere() throws {
        let hostile = finding(RawPath(bytes: Array("/usr/bin/a\n\"".utf8) + [0xFF, 0x1B]))
        let events: [Event] = [
            start(), .change(hostile), .selfProtection(SelfEvent(message: "x", paths: ["/a"])), stop(),
        ]
        let (count, written) = try history.write { transaction throws(HistoryError) in
            for (index, event) in events.enumerated() { try transaction.append(event, at: at(Int64(index))) }
            return events.count
        }
        #expect(count == 4)
        #expect(written.map(\.seq) == [1, 2, 3, 4])
        #expect(try history.entries() == written)
        #expect(try history.entry(2) == written[1])
        #expect(try history.finding(2) == hostile)
        #expect(try history.finding(1) == nil)
        #expect(try history.entry(9) == nil)
        #expect(try history.verify() == .intact(count: 4, head: written[3].chain))
        let status = try #require(try LedgerFile.status(history.path))
        #expect(status.st_mode & 0o7777 == 0o600)
    }

    @Test func chainValuesAreThoseOfTheDocument() throws {
        let entry = try history.append(stop(), at: at(0))
        let context = Array("millwarden history 1\0".utf8)
        let genesis = SHA256Hasher.digest(of: [UInt8](repeating: 0, count: 32) + context + history.id.bytes)
        let body = Array(#"{"reason":"SIGTERM","pid":1}"#.utf8)
        let time = UInt64(noon.seconds) * 1_000_000_000 + 7
        func little(_ value: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(value >> (8 * UInt64($0)) & 0xFF) }
        }
        let row =
            little(1, 8) + little(time, 8) + little(4, 4) + Array("stop".utf8) + little(UInt64(body.count), 4)
            + body
        #expect(entry.chain == SHA256Hasher.digest(of: genesis.bytes + row))
    }

    @Test func twoHistoriesNeverShareAValue() throws {
        let other = try TemporaryDirectory()
        let first = try history.append(stop(), at: at(0))
        let second = try History.open(at: other.path, access: .readWrite).append(stop(), at: at(0))
        #expect(first.event == second.event)
        #expect(first.chain != second.chain)
    }

    @Test func aTransactionThatFailsLeavesNothing() throws {
        try history.append(start(), at: at(0))
        #expect(throws: HistoryError.refused("no gap 3 is open")) {
            try history.write { transaction throws(HistoryError) in
                try transaction.append(stop(), at: at(1))
                _ = try transaction.openGap(.down, scope: ["/"], at: at(1))
                try transaction.closeGap(3, found: 0, at: at(1))
            }
        }
        #expect(try history.entries().count == 1)
        #expect(try history.openGaps().isEmpty)
        #expect(try history.append(stop(), at: at(2)).seq == 2)
        #expect(try history.verify() != .intact(count: 1, head: SHA256Hasher.digest(of: [])))
    }

    @Test func itOutlivesItsProcess() throws {
        let entry = try history.append(start(), at: at(0))
        try history.close()
        let again = try History.open(at: state.path, access: .readWrite)
        #expect(again.id == history.id)
        #expect(try again.entries() == [entry])
        #expect(try again.append(stop(), at: at(1)).seq == 2)
        let reader = try History.open(at: state.path, access: .readOnly)
        #expect(try reader.entries().count == 2)
        #expect(throws: HistoryError.readOnly(history.path)) { try reader.append(stop(), at: at(2)) }
    }

    /// What stands in the directory while the writer runs is what a killed writer leaves.
    @Test func aKilledWriterLosesNothingItReturned() throws {
        var written: [Entry] = []
        for round in 0..<20 {
            written.append(try history.append(stop(Int64(round)), at: at(Int64(round))))
            let crashed = try TemporaryDirectory()
            for name in try names(in: state.path) where !name.hasSuffix("-shm") {
                try crashed.appending(name).write(state.appending(name).contents())
            }
            let recovered = try History.open(at: crashed.path, access: .readWrite)
            #expect(try recovered.entries() == written)
            #expect(try recovered.unpublished(limit: 100) == written)
            #expect(try recovered.verify() == .intact(count: written.count, head: written[round].chain))
        }
    }

    @Test func twoConnectionsKeepOneChain() async throws {
        let state = state
        await withTaskGroup(of: Bool.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    guard let history = try? History.open(at: state.path, access: .readWrite) else {
                        return false
                    }
                    return (0..<50).allSatisfy { round in
                        (try? history.append(stop(Int64(writer * 1_000 + round)), at: noon)) != nil
                    }
                }
            }
            for await isDone in group { #expect(isDone) }
        }
        let entries = try history.entries()
        #expect(entries.map(\.seq) == Array(1...100))
        #expect(try history.verify() == .intact(count: 100, head: entries[99].chain))
        for writer in 0..<2 {
            let own = entries.compactMap { entry -> Int64? in
                guard case .stop(let event) = entry.event, event.pid / 1_000 == writer else { return nil }
                return event.pid % 1_000
            }
            #expect(own == Array(0..<50))
        }
    }

    @Test func twoProcessesThatMakeOneAtOnceShareIt() async throws {
        let fresh = try TemporaryDirectory()
        let ids = await withTaskGroup(of: HistoryID?.self) { group in
            for _ in 0..<4 { group.addTask { try? History.open(at: fresh.path, access: .readWrite).id } }
            var ids: [HistoryID?] = []
            for await id in group { ids.append(id) }
            return ids
        }
        #expect(ids.count == 4)
        #expect(Set(ids).count == 1)
        #expect(!ids.contains(nil))
        #expect(try names(in: fresh.path).filter { $0.contains("new") }.isEmpty)
    }

    // MARK: Queries

    @Test func filtersLetThroughWhatTheySay() throws {
        let findings = [
            finding("/a/1", rule: "r.1", severity: .low, verdict: .expected),
            finding("/a/2", rule: "r.2", severity: .high),
            finding("/b/3", rule: "r.1", severity: .critical, verdict: .authorized),
            finding("/b/4", rule: "r.3", severity: .medium),
        ]
        for (index, finding) in findings.enumerated() {
            try history.append(.change(finding), at: at(Int64(index)))
        }
        try history.append(start(), at: at(4))
        func seqs(_ change: (inout HistoryFilter) -> Void) throws -> [Int64] {
            var filter = HistoryFilter()
            change(&filter)
            return try history.entries(filter).map(\.seq)
        }
        #expect(try seqs { _ in } == [1, 2, 3, 4, 5])
        #expect(try seqs { $0.isNewestFirst = true } == [5, 4, 3, 2, 1])
        #expect(try seqs { $0.limit = 2 } == [1, 2])
        #expect(try seqs { $0.limit = 0 } == [])
        #expect(try seqs { $0.since = at(2) } == [3, 4, 5])
        #expect(try seqs { $0.until = at(2) } == [1, 2])
        #expect(try seqs { $0.seqs = 2...3 } == [2, 3])
        #expect(try seqs { $0.rules = ["r.1"] } == [1, 3])
        #expect(try seqs { $0.minimumSeverity = .high } == [2, 3])
        #expect(try seqs { $0.severities = [.low, .medium] } == [1, 4])
        #expect(try seqs { $0.verdicts = [.unauthorized] } == [2, 4])
        #expect(try seqs { $0.events = ["start"] } == [5])
        #expect(try seqs { $0.path = { $0.isWithin("/b") } } == [3, 4])
        #expect(
            try seqs { filter in
                filter.path = { $0.isWithin("/b") }
                (filter.isNewestFirst, filter.limit) = (true, 1)
            } == [4]
        )
    }

    @Test func theLastRunSaysHowItEnded() throws {
        #expect(try history.lastRun() == nil)
        try history.append(start(1), at: at(0))
        #expect(try history.lastRun()?.isUnclean == true)
        try history.append(stop(1), at: at(5))
        #expect(try history.lastRun()?.stopped == at(5))
        #expect(try history.lastRun()?.isUnclean == false)
        try history.append(start(2), at: at(6))
        try history.append(.change(finding("/a")), at: at(9))
        let run = try #require(try history.lastRun())
        #expect(run.isUnclean)
        #expect(run.start.pid == 2)
        #expect((run.started, run.lastEntry) == (at(6), at(9)))
    }

    // MARK: Gaps

    @Test func gapsCountUpAndCloseOnce() throws {
        let (gaps, _) = try history.write { transaction throws(HistoryError) in
            let first = try transaction.openGap(
                .queueOverflow,
                scope: ["/usr", "/etc"],
                at: noon,
                detail: "16384 events"
            )
            return [first, try transaction.openGap(.down, scope: ["/"], at: noon)]
        }
        #expect(gaps.map(\.id) == [1, 2])
        #expect(try history.openGaps() == gaps)
        let (closed, entries) = try history.write { transaction throws(HistoryError) in
            try transaction.closeGap(1, found: 3, at: noon.adding(nanoseconds: 1_000_000_000))
        }
        #expect((closed.found, closed.scope) == (3, gaps[0].scope))
        #expect(entries.map(\.event) == [.gapClosed(closed)])
        #expect(try history.openGaps() == [gaps[1]])
        #expect(throws: HistoryError.refused("no gap 1 is open")) {
            try history.write { transaction throws(HistoryError) in
                try transaction.closeGap(1, found: 0, at: noon)
            }
        }
        let (third, _) = try history.write { transaction throws(HistoryError) in
            try transaction.openGap(.scope, scope: [], at: noon)
        }
        #expect(third.id == 3)
    }

    // MARK: Standing states

    private func standing(_ path: RawPath, _ seq: Int64, isCurrent: Bool = true) -> Standing {
        Standing(
            path: path,
            seq: seq,
            rule: "gcc.driver",
            state: .examined(attributes(UInt64(seq)), isRacy: seq % 2 == 0),
            isCurrent: isCurrent,
            severity: .high,
            verdict: .unauthorized
        )
    }

    private func change(_ body: (inout HistoryTransaction) throws(HistoryError) -> Void) throws {
        _ = try history.write(body)
    }

    @Test func aPathHasOneCurrentStanding() throws {
        let odd = RawPath(bytes: [0x2F, 0xFF, 0x0A])
        var gone = standing("/gone", 4)
        gone.state = nil
        var refused = standing("/refused", 5)
        refused.state = .unexamined(Failure(.open, EACCES))
        try change { transaction throws(HistoryError) in
            try transaction.setStanding(standing(odd, 1))
            try transaction.setStanding(standing(odd, 2, isCurrent: false))
            try transaction.setStanding(standing(odd, 3))
            try transaction.setStanding(gone)
            try transaction.setStanding(refused)
        }
        #expect(try history.standing(odd) == [standing(odd, 3), standing(odd, 2, isCurrent: false)])
        #expect(try history.currentStanding(odd) == standing(odd, 3))
        #expect(try history.currentStanding("/gone") == gone)
        #expect(try history.currentStanding("/refused") == refused)
        #expect(try history.currentStanding("/other") == nil)
        #expect(try history.allStanding().map(\.seq) == [2, 3, 4, 5])
    }

    @Test func whatIsUndoneStaysUntilItIsAcknowledged() throws {
        try change { transaction throws(HistoryError) in try transaction.setStanding(standing("/a", 1)) }
        let (undone, _) = try history.write { transaction throws(HistoryError) in
            try transaction.undo("/a", at: noon)
        }
        #expect((undone?.isCurrent, undone?.resolved, undone?.seq) == (false, noon, 1))
        #expect(try history.allStanding() == [undone].compactMap { $0 })
        #expect(try history.currentStanding("/a") == nil)
        #expect(
            try history.write { transaction throws(HistoryError) in try transaction.undo("/a", at: noon) }
                .result == nil
        )
        try change { transaction throws(HistoryError) in
            try transaction.setStanding(standing("/b", 2))
            try transaction.acknowledge([1, 2])
        }
        // Acknowledging is not accepting: what differs goes on to differ.
        #expect(try history.allStanding() == [standing("/b", 2)])
        try change { transaction throws(HistoryError) in try transaction.clearStanding(["/b"]) }
        #expect(try history.allStanding().isEmpty)
    }

    @Test func acceptedChangesAreForgottenWhole() throws {
        try change { transaction throws(HistoryError) in
            try transaction.setStanding(standing("/new", 1))
            try transaction.setStanding(standing("/old", 1))
            try transaction.setStanding(standing("/x", 2))
            try transaction.clearStanding(seqs: [1])
        }
        #expect(try history.allStanding() == [standing("/x", 2)])
        try change { transaction throws(HistoryError) in try transaction.clearAllStanding() }
        #expect(try history.allStanding().isEmpty)
    }

    // MARK: Outbox

    @Test func entriesStayInTheOutboxUntilTheyAreMarked() throws {
        let entries = try (0..<5).map { try history.append(stop(Int64($0)), at: noon) }
        #expect(try history.unpublished(limit: 3) == Array(entries[..<3]))
        try history.markPublished([1, 3])
        #expect(try history.unpublished(limit: 9).map(\.seq) == [2, 4, 5])
        try history.close()
        let again = try History.open(at: state.path, access: .readWrite)
        #expect(try again.unpublished(limit: 9) == [entries[1], entries[3], entries[4]])
        // Publication stands outside the chain.
        #expect(try again.verify() == .intact(count: 5, head: entries[4].chain))
    }
}
