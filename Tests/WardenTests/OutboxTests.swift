import Host
import Integrity
import Ledger
import Synchronization
import TestSupport
import Testing

@testable import Warden

/// A journal that refuses as often as it is told to, and keeps what it took.
private final class Journal: Publisher {
    private struct State: Sendable {
        var refusals: Int
        var asked = 0
        var arrived: [Int64] = []
        var known: Set<Int64>?
        var lookups = 0
    }

    private let monitor: Monitor<State>

    init(refusals: Int = 0, known: Set<Int64>? = nil) {
        monitor = Monitor(State(refusals: refusals, known: known))
    }

    func publish(_ entry: Entry) throws(PublishError) {
        let isRefused = monitor.withLock { state in
            state.asked += 1
            if state.refusals > 0 {
                state.refusals -= 1
                return true
            }
            state.arrived.append(entry.seq)
            return false
        }
        monitor.notify()
        if isRefused { throw PublishError("the journal does not answer") }
    }

    func alreadyPublished(_ entries: [Entry]) -> Set<Int64>? {
        monitor.withLock { state in
            state.lookups += 1
            return state.known
        }
    }

    var arrived: [Int64] { monitor.withLock { $0.arrived } }
    var asked: Int { monitor.withLock { $0.asked } }
    var lookups: Int { monitor.withLock { $0.lookups } }

    /// Waits until a row has arrived; false where that takes longer than anybody would wait.
    func awaits(_ seq: Int64) -> Bool {
        monitor.await(timeout: 60_000_000_000) { $0.arrived.contains(seq) ? true : nil } ?? false
    }
}

/// Takes so many rows, and then does not come back until it is released.
private final class HangingReader: Publisher {
    private struct State: Sendable {
        var left: Int
        var isHanging = false
        var isReleased = false
    }

    private let monitor: Monitor<State>

    init(takes count: Int) { monitor = Monitor(State(left: count)) }

    func publish(_ entry: Entry) throws(PublishError) {
        monitor.withLock { state in
            state.left -= 1
            if state.left < 0 { state.isHanging = true }
        }
        monitor.notify()
        _ = monitor.await(timeout: 60_000_000_000) { $0.left >= 0 || $0.isReleased ? true : nil }
    }

    func alreadyPublished(_ entries: [Entry]) -> Set<Int64>? { nil }

    func awaitsHanging() { _ = monitor.await(timeout: 60_000_000_000) { $0.isHanging ? true : nil } }

    func release() {
        monitor.withLock { $0.isReleased = true }
        monitor.notify()
    }
}

struct OutboxTests {
    private let state: TemporaryDirectory
    private let history: History

    init() throws {
        state = try TemporaryDirectory()
        history = try History.open(at: state.path, access: .readWrite)
    }

    private func write(_ count: Int) throws {
        try history.write { (transaction) throws(HistoryError) in
            for number in 0..<count {
                try transaction.append(.stop(StopEvent(reason: "\(number)", pid: 1)), at: noon)
            }
        }
    }

    /// A pipe that nobody empties must not keep the service from ending, and the row is sent another time.
    @Test func aReaderThatHangsIsLeftBehind() throws {
        try write(3)
        let reader = HangingReader(takes: 1)
        let outbox = try Outbox(history: history, publisher: reader, marks: true)
        try outbox.start(name: "test")
        reader.awaitsHanging()
        #expect(!outbox.stop(patience: 1_000_000))

        // The end of the process would end the thread; here it has to hang on until all is looked at.
        defer { reader.release() }
        let journal = Journal()
        let next = try Outbox(history: history, publisher: journal, marks: true)
        try next.start(name: "next")
        #expect(next.stop())
        #expect(journal.arrived.last == 3)
    }

    @Test func whatIsThereIsSentInOrderAndMarked() throws {
        try write(600)
        let journal = Journal()
        let outbox = try Outbox(history: history, publisher: journal, marks: true)
        try outbox.start(name: "test")
        outbox.stop()
        #expect(journal.arrived == Array(1...600))
        #expect(try history.unpublished(limit: 1) == [])
        #expect(outbox.failure == nil)
    }

    @Test func aRingSendsWhatCameSince() throws {
        let journal = Journal()
        let outbox = try Outbox(history: history, publisher: journal, marks: true)
        try outbox.start(name: "test")
        for number in 1...5 {
            try write(1)
            outbox.ring()
            #expect(journal.awaits(Int64(number)))
        }
        outbox.stop()
        #expect(journal.arrived == [1, 2, 3, 4, 5])
    }

    @Test func aJournalThatRefusesIsAskedAgainAndNothingIsLostOrOutOfOrder() throws {
        try write(3)
        let journal = Journal(refusals: 2)
        let outbox = try Outbox(history: history, publisher: journal, marks: true)
        try outbox.start(name: "test")
        outbox.ring()
        #expect(journal.awaits(3))
        outbox.stop()
        #expect(journal.arrived == [1, 2, 3])
        #expect(journal.asked == 5)
        #expect(try history.unpublished(limit: 1) == [])
    }

    @Test func whatCannotBeSentStaysForTheNextStart() throws {
        try write(3)
        let silent = Journal(refusals: .max)
        let first = try Outbox(history: history, publisher: silent, marks: true)
        try first.start(name: "test")
        first.stop()
        #expect(first.failure == PublishError("the journal does not answer"))
        #expect(try history.unpublished(limit: 9).map(\.seq) == [1, 2, 3])

        let journal = Journal()
        let second = try Outbox(history: history, publisher: journal, marks: true)
        try second.start(name: "test")
        second.stop()
        #expect(journal.arrived == [1, 2, 3])
    }

    @Test func whatArrivedInAnEarlierRunIsLookedUpAndNotSentAgain() throws {
        try write(4)
        let journal = Journal(known: [1, 2])
        let outbox = try Outbox(history: history, publisher: journal, marks: true)
        try outbox.start(name: "test")
        #expect(journal.awaits(4))
        try write(1)
        outbox.ring()
        #expect(journal.awaits(5))
        outbox.stop()
        #expect(journal.arrived == [3, 4, 5])
        #expect(journal.lookups >= 1)
        #expect(try history.unpublished(limit: 1) == [])
    }

    @Test func whereNothingCanBeLookedUpItIsSentTwiceRatherThanNever() throws {
        try write(2)
        let journal = Journal(known: nil)
        let outbox = try Outbox(history: history, publisher: journal, marks: true)
        try outbox.start(name: "test")
        outbox.stop()
        #expect(journal.arrived == [1, 2])
    }

    @Test func aCopyBeginsBehindItsRowAndMarksNothing() throws {
        try write(5)
        let lines = Journal()
        let outbox = try Outbox(history: history, publisher: lines, marks: false, after: 3)
        try outbox.start(name: "test")
        #expect(lines.awaits(5))
        try write(1)
        outbox.stop()
        #expect(lines.arrived == [4, 5, 6])
        #expect(lines.lookups == 0)
        #expect(try history.unpublished(limit: 9).count == 6)
    }

    @Test func anEchoComesBackThroughTheThread() throws {
        let outbox = try Outbox(history: history, publisher: Journal(), marks: true)
        let echoed = Monitor(false)
        try outbox.start(name: "test")
        outbox.ring {
            echoed.withLock { $0 = true }
            echoed.notify()
        }
        #expect(echoed.await(timeout: 60_000_000_000) { $0 ? true : nil } == true)
        outbox.stop()
    }
}
