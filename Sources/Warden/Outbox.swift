package import Host
import Integrity
package import Ledger
import Synchronization

/// The stage *publish*: hands rows over, in order, on a thread of its own, so that a journal that does not answer never
/// holds up the pipeline.
///
/// At least once: a row is marked after it was handed over. What an earlier run left unmarked is first looked up where
/// it would have gone.
package final class Outbox: Sendable {
    private struct State: Sendable {
        var isStopping = false
        var lastPublished: Int64 = 0
        var failure: PublishError?
        var echo: (@Sendable () -> Void)?
    }

    private let history: History
    private let publisher: any Publisher
    private let marks: Bool
    private let state: Mutex<State>
    private let bell: EventBell
    /// Rung when the thread has ended.
    private let ended: EventBell
    private let thread: Mutex<OSThread?>

    /// Makes an outbox that does not send yet.
    ///
    /// - Parameters:
    ///   - history: Where the rows come from.
    ///   - publisher: Where they go.
    ///   - marks: Marks rows as published in the history; false for a copy, such as standard output, that starts behind
    ///     row `after` and is forgotten at the end.
    ///   - after: The last row that the copy leaves out.
    /// - Throws: The errno of eventfd(2).
    package init(history: History, publisher: any Publisher, marks: Bool, after: Int64 = 0) throws(Errno) {
        self.history = history
        self.publisher = publisher
        self.marks = marks
        self.state = Mutex(State(lastPublished: after))
        self.bell = try EventBell()
        self.ended = try EventBell()
        self.thread = Mutex(nil)
    }

    package func start(name: String) throws(Errno) {
        let started = try OSThread(name: name) {
            self.run()
            self.ended.ring()
        }
        thread.withLock { $0 = started }
    }

    /// There is something new, or somebody wants to know that the thread is alive.
    package func ring(echo: (@Sendable () -> Void)? = nil) {
        if let echo { state.withLock { $0.echo = echo } }
        bell.ring()
    }

    /// Why the last attempt did not succeed; nil while all is well.
    package var failure: PublishError? { state.withLock { $0.failure } }

    /// Sends what is left, if it can be sent now, and ends the thread.
    ///
    /// A reader that has stopped reading (a full pipe, a journal that hangs) must not keep the program from ending:
    /// where nothing moves for `patience`, the thread is left behind. What it did not send is unmarked, and the next
    /// start sends it.
    /// - Parameter patience: nanoseconds without a row handed over.
    /// - Returns: false where the thread was left behind.
    @discardableResult
    package func stop(patience: UInt64 = 5_000_000_000) -> Bool {
        state.withLock { $0.isStopping = true }
        bell.ring()
        guard let thread = thread.withLock({ $0.take() }) else { return true }
        var poller = Poller([ended])
        var last = state.withLock { $0.lastPublished }
        while (try? poller.wait(timeout: patience)) != true {
            let now = state.withLock { $0.lastPublished }
            if now == last { return false }
            last = now
        }
        thread.join()
        return true
    }

    private func run() {
        var isFirst = true
        var poller = Poller([bell])
        while true {
            bell.clear()
            // Asked before sending: what was written before the stop is sent with it.
            let isStopping = state.withLock { $0.isStopping }
            let sent = send(lookUp: isFirst && marks)
            if sent { isFirst = false }
            let echo = state.withLock { state in
                defer { state.echo = nil }
                return state.echo
            }
            echo?()
            if isStopping { return }
            // After a failure it is tried again every second; otherwise nothing wakes this thread but the bell.
            _ = try? poller.wait(timeout: sent ? nil : 1_000_000_000)
        }
    }

    /// Sends all there is; true where nothing is left.
    private func send(lookUp: Bool) -> Bool {
        do {
            while true {
                let after = state.withLock { $0.lastPublished }
                let batch = try marks ? history.unpublished(limit: 256) : entries(after: after)
                guard !batch.isEmpty else { break }
                let known = lookUp ? publisher.alreadyPublished(batch) ?? [] : []
                try send(batch, known)
            }
            state.withLock { $0.failure = nil }
            return true
        } catch let error as PublishError {
            state.withLock { $0.failure = error }
        } catch {
            state.withLock { $0.failure = PublishError("cannot read the history: \(error)") }
        }
        return false
    }

    private func entries(after seq: Int64) throws(HistoryError) -> [Entry] {
        var filter = HistoryFilter()
        filter.seqs = seq + 1...Int64.max
        filter.limit = 256
        return try history.entries(filter)
    }

    private func send(_ batch: [Entry], _ known: Set<Int64>) throws {
        var done: [Int64] = []
        do {
            for entry in batch {
                if !known.contains(entry.seq) { try publisher.publish(entry) }
                done.append(entry.seq)
                // At once, not with the batch: it tells who waits for the end whether anything moves.
                state.withLock { $0.lastPublished = entry.seq }
            }
        } catch {
            if marks { try history.markPublished(done) }
            throw error
        }
        if marks { try history.markPublished(done) }
    }
}
