internal import CLinux
internal import Host
package import Integrity

/// The baseline in force, `baseline.mwb`, and how another one takes its place.
///
/// The file and the history are two stores, and a crash may come between them. So an approval is first noted as
/// intended, then the file is made durable and renamed, then the approval is noted as done. Whoever finds an intent
/// that nothing followed compares the root on the disk with the intended one: it was carried through, or it was not.
package struct BaselineStore: Sendable {
    /// The steps of an approval, in their order.
    package enum Step: Hashable, Sendable, CaseIterable {
        case intend, syncFile, rename, syncDirectory, complete
    }

    /// What a test makes happen in front of a step.
    package enum Fault: Sendable {
        /// The step fails with this error.
        case fail(Int32)
        /// Nothing more happens, as after a power cut.
        case crash
    }

    package let directory: RawPath
    private let fault: @Sendable (Step) -> Fault?

    package init(stateDirectory: RawPath, fault: @escaping @Sendable (Step) -> Fault? = { _ in nil }) {
        directory = stateDirectory
        self.fault = fault
    }

    package var path: RawPath { directory.appending("baseline.mwb") }
    private static let temporaryPrefix = Array(".baseline.new.".utf8)

    /// A new name beside the baseline, for `BaselineWriter`.
    package func temporaryPath() -> RawPath {
        let suffix = "\(getpid()).\(UInt64.random(in: .min ... .max))"
        return directory.appending(BaselineStore.temporaryPrefix + Array(suffix.utf8))
    }

    /// The number of the next approval.
    package func nextGeneration(after current: BaselineSummary?, history: History?) throws(BaselineError)
        -> Int64
    {
        var last = max(0, current?.generation ?? 0)
        if let history { last = max(last, try highestGeneration(history)) }
        guard last < .max else { throw .malformed("there is no generation after \(last)") }
        return last + 1
    }

    /// Of all that were approved: an imported baseline has the number of the host it comes from.
    private func highestGeneration(_ history: History) throws(BaselineError) -> Int64 {
        var highest: Int64 = 0
        do {
            var filter = HistoryFilter()
            filter.events = ["baseline"]
            try history.forEachEntry(filter) { entry throws(HistoryError) in
                if case .baseline(let event) = entry.event, event.action != .abandoned {
                    highest = max(highest, event.baseline.generation)
                }
                return true
            }
        } catch {
            throw .history(error)
        }
        return highest
    }

    // MARK: Replacing

    /// Puts a finished file into the place of the baseline and records the approval.
    ///
    /// What the approval settles is settled with it: `accepted` takes its changes off the list of standing states,
    /// `created` and `imported` clear the list; where the scope was approved, its gap is closed.
    /// - Parameters:
    ///   - temporary: A complete baseline in the state directory; its writer must still be alive.
    ///   - event: `created`, `accepted` or `imported`, with the summary of that file.
    ///   - basedOn: The root of the baseline that the new one was derived from; nil where that does not matter.
    ///   - history: Where the approval is recorded.
    ///   - time: Of the approval.
    /// - Throws: `BaselineError.superseded` where another approval came first; `.unconfirmed` where the new baseline is
    ///   in force, but its approval is completed by the next start only; after any other error the old one stays.
    /// - Returns: The entry of the approval.
    @discardableResult
    package func replace(
        with temporary: RawPath,
        event: BaselineEvent,
        basedOn: Digest? = nil,
        history: History,
        at time: Timestamp
    ) throws(BaselineError) -> Entry {
        let lock = try takeLock()
        defer { withExtendedLifetime(lock) {} }
        _ = try settle(history, at: time)
        let known = try approvals(history).done?.event.baseline
        if let basedOn, let known, known.root != basedOn { throw .superseded(known: known) }
        guard try BaselineReader.claimedSummary(of: temporary) == event.baseline else {
            throw .malformed("the file is not the one that is to be approved")
        }
        try step(.intend)
        try intend(event, history, time)
        do {
            try put(temporary)
        } catch {
            // What cannot be noted now is found by the next start.
            if error != .stopped { _ = try? abandon(event, history, time) }
            throw error
        }
        do {
            try step(.syncDirectory)
            try syncDirectory()
            try step(.complete)
            return try complete(event, history, time)
        } catch {
            if error == .stopped { throw error }
            throw .unconfirmed(path, reason: "\(error)")
        }
    }

    private func put(_ temporary: RawPath) throws(BaselineError) {
        try step(.syncFile)
        do { try LedgerFile(reading: temporary).sync() } catch { throw BaselineError(temporary, error) }
        try step(.rename)
        do { try LedgerFile.rename(temporary, to: path, isReplacing: true) } catch {
            throw BaselineError(path, error)
        }
    }

    private func step(_ step: Step) throws(BaselineError) {
        switch fault(step) {
        case nil: return
        case .crash: throw .stopped
        case .fail(let code): throw .io(path, operation: "\(step)", errno: Errno(code))
        }
    }

    // MARK: Opening

    /// Settles what a crash left behind: an approval that was intended is completed where the file is in its place,
    /// else abandoned; files that nobody is writing any more are removed.
    package func recover(history: History, at time: Timestamp) throws(BaselineError) -> Recovery {
        let lock = try takeLock()
        defer { withExtendedLifetime(lock) {} }
        let outcome = try settle(history, at: time)
        removeLeftovers()
        return outcome
    }

    /// Opens the baseline in force.
    ///
    /// The signature alone is not enough: an older baseline is signed as well. It has to be the one that the history
    /// saw approved last.
    /// - Parameters:
    ///   - history: Nil where there is none, or it cannot be read: the caller says so to the user.
    ///   - keys: Those whose signature is believed.
    /// - Returns: The open file, and what the history says of it.
    /// - Throws: `BaselineError.rolledBack` and what `BaselineReader.open` throws.
    package func open(history: History?, trusting keys: [PublicKey]) throws(BaselineError) -> OpenedBaseline {
        guard let history else {
            return OpenedBaseline(reader: try BaselineReader.open(path, trusting: keys), anchor: .missing)
        }
        let id = history.id
        // Another process may be between its rename and its row: look at the history, the file, the history again.
        while true {
            let before = try approvals(history)
            let isKnown = before.done != nil || before.pending != nil
            // One that comes from elsewhere was imported; without a history nobody can say that it was.
            let reader = try BaselineReader.open(
                path,
                trusting: keys,
                isCopy: { isKnown && $0.historyID != id }
            )
            // The root alone: a row keeps its times to the microsecond, the file to the nanosecond.
            if before.pending?.event.baseline.root == reader.summary.root {
                return OpenedBaseline(reader: reader, anchor: .pending)
            }
            if before.done?.event.baseline.root == reader.summary.root {
                return OpenedBaseline(reader: reader, anchor: .confirmed)
            }
            guard try approvals(history).newest == before.newest else { continue }
            guard let known = before.done?.event.baseline else {
                return OpenedBaseline(reader: reader, anchor: .missing)
            }
            throw .rolledBack(path, found: reader.summary, known: known)
        }
    }

    /// A copy of a baseline in the state directory, verified to the last record and ready to be put into place; an
    /// `import` begins with it.
    ///
    /// It is the copy that is verified, so that nobody changes the file in between; errors name the source.
    package func stage(copyOf source: RawPath, trusting keys: [PublicKey]) throws(BaselineError) -> (
        copy: StagedBaseline, reader: BaselineReader
    ) {
        let copy = try StagedBaseline(copyOf: source, at: temporaryPath(), mode: 0o600)
        let reader = try BaselineReader.open(copy.path, named: source, trusting: keys)
        try reader.verifyRecords()
        guard (1..<Int64.max).contains(reader.summary.generation) else {
            throw .damaged(source, part: "its generation")
        }
        return (copy, reader)
    }

    /// Writes a copy of the baseline in force to a name that is not taken; `export`.
    package func export(_ summary: BaselineSummary, to target: RawPath, trusting keys: [PublicKey])
        throws(BaselineError)
    {
        try BaselineStore.copy(path, summary, to: target, trusting: keys)
    }

    /// Writes a durable copy of a baseline to a name that is not taken.
    ///
    /// It is the copy that is verified, to the last record.
    package static func copy(
        _ source: RawPath,
        _ summary: BaselineSummary,
        to target: RawPath,
        trusting keys: [PublicKey]
    ) throws(BaselineError) {
        let copy = try StagedBaseline(copyOf: source, at: target, mode: 0o644)
        let written = try BaselineReader.open(target, named: source, trusting: keys)
        try written.verifyRecords()
        guard written.summary == summary else { throw .superseded(known: written.summary) }
        do {
            try LedgerFile(reading: target).sync()
            try LedgerFile.syncDirectory(target.parent)
        } catch {
            throw .io(target, operation: error.operation, errno: error.errno)
        }
        copy.keep()
    }

    // MARK: The history's side

    private func settle(_ history: History, at time: Timestamp) throws(BaselineError) -> Recovery {
        guard let pending = try approvals(history).pending else { return .nothing }
        let event = pending.event
        do {
            guard try BaselineReader.claimedSummary(of: path).root == event.baseline.root else {
                return .abandoned(try abandon(event, history, time))
            }
        } catch {
            // Where the file cannot be read there is no telling; opening it says why.
            guard case .missing = error else { return .undecided }
            return .abandoned(try abandon(event, history, time))
        }
        try syncDirectory()
        return .completed(try complete(event, history, time))
    }

    private func approvals(_ history: History) throws(BaselineError) -> Approvals {
        do {
            return try history.read { snapshot throws(HistoryError) in try snapshot.approvals() }
        } catch {
            throw .history(error)
        }
    }

    private func intend(_ event: BaselineEvent, _ history: History, _ time: Timestamp) throws(BaselineError) {
        try write(history) { transaction throws(HistoryError) in
            var intent = event
            intent.action = .intended
            try transaction.append(.baseline(intent), at: time)
            try transaction.setMeta("intent", Array(event.action.rawValue.utf8))
        }
    }

    private func complete(
        _ event: BaselineEvent,
        _ history: History,
        _ time: Timestamp
    ) throws(BaselineError) -> Entry {
        try write(history) { transaction throws(HistoryError) in
            var done = event
            if done.action == .intended {
                let noted = try transaction.snapshot.meta("intent").flatMap {
                    String(validating: $0, as: UTF8.self)
                }
                done.action = noted.flatMap(BaselineEvent.Action.init(rawValue:)) ?? .accepted
            }
            try transaction.setMeta("intent", nil)
            if done.scope != nil || done.action == .created { try closeScopeGaps(&transaction, time) }
            if done.action == .accepted {
                try transaction.clearStanding(seqs: done.accepted)
            } else {
                try transaction.clearAllStanding()
            }
            return try transaction.append(.baseline(done), at: time)
        }
    }

    /// The scope was approved as it is.
    private func closeScopeGaps(_ transaction: inout HistoryTransaction, _ time: Timestamp)
        throws(HistoryError)
    {
        for gap in try transaction.snapshot.openGaps() where gap.reason == .scope {
            try transaction.closeGap(gap.id, found: 0, at: time)
        }
    }

    private func abandon(
        _ event: BaselineEvent,
        _ history: History,
        _ time: Timestamp
    ) throws(BaselineError) -> Entry {
        try write(history) { transaction throws(HistoryError) in
            var abandoned = event
            abandoned.action = .abandoned
            try transaction.setMeta("intent", nil)
            return try transaction.append(.baseline(abandoned), at: time)
        }
    }

    private func write<Result>(
        _ history: History,
        _ body: (inout HistoryTransaction) throws(HistoryError) -> Result
    ) throws(BaselineError) -> Result {
        do { return try history.write(body).result } catch { throw .history(error) }
    }

    // MARK: Files

    /// Held from the intent to the end of an approval, so that nobody takes one that is under way for one that crashed.
    private func takeLock() throws(BaselineError) -> HeldLock {
        do {
            return try HeldLock(directory.appending("baseline.lock"))
        } catch {
            throw .io(directory.appending("baseline.lock"), operation: error.operation, errno: error.errno)
        }
    }

    private func syncDirectory() throws(BaselineError) {
        do { try LedgerFile.syncDirectory(directory) } catch { throw BaselineError(directory, error) }
    }

    private func removeLeftovers() {
        for name in (try? LedgerFile.names(in: directory)) ?? []
        where name.starts(with: BaselineStore.temporaryPrefix) {
            let leftover = directory.appending(name)
            // A writer that is alive holds the lock of its file.
            guard let file = try? LedgerFile(reading: leftover), (try? file.lock(isWaiting: false)) == true
            else { continue }
            try? LedgerFile.remove(leftover)
        }
    }
}

/// What a start found of an approval that was under way.
package enum Recovery: Hashable, Sendable {
    case nothing
    case completed(Entry)
    case abandoned(Entry)
    /// The baseline cannot be read, so that nobody can tell.
    case undecided
}

/// A baseline that was opened, and what the history says of it.
package struct OpenedBaseline: Sendable {
    package enum Anchor: Hashable, Sendable {
        /// It is the one that was approved last.
        case confirmed
        /// It is the one whose approval was under way; `recover` completes it.
        case pending
        /// The history knows of no approval, or there is none: whether this is the last one cannot be told. A gap.
        case missing
    }

    package let reader: BaselineReader
    package let anchor: Anchor
}

/// An advisory lock that is held as long as this lives.
private final class HeldLock {
    private let file: LedgerFile

    init(_ path: RawPath) throws(FileFailure) {
        file = try LedgerFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        _ = try file.lock(isWaiting: true)
    }
}
