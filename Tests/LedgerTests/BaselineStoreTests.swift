import CLinux
import Dispatch
import Host
import Integrity
import Synchronization
import TestSupport
import Testing

@testable import Ledger

/// Approvals that are carried through, fail, or are cut short at every step.
@Suite struct BaselineStoreTests {
    let state: TemporaryDirectory
    let key: SigningKey
    let history: History

    init() throws {
        state = try TemporaryDirectory()
        key = try SigningKey.generate()
        history = try History.open(at: state.path, access: .readWrite)
    }

    private var trusted: [PublicKey] { [key.publicKey] }

    /// A writer of a finished file whose one record tells the generations apart.
    private func stage(_ generation: Int64, in store: BaselineStore) throws -> (
        BaselineWriter, BaselineSummary
    ) {
        let writer = try BaselineWriter(to: store.temporaryPath(), rules: someRules)
        for run in runs([record("/usr/bin/cc", inode: UInt64(generation))], rules: someRules) {
            try writer.append(run)
        }
        var manifest = someManifest
        manifest.generation = generation
        return (writer, try writer.finish(manifest, key: key))
    }

    private func event(_ action: BaselineEvent.Action, _ summary: BaselineSummary) -> BaselineEvent {
        BaselineEvent(
            action: action,
            baseline: summary,
            reason: "upgrade",
            uid: 0,
            loginuid: 1_000,
            accepted: [3],
            paths: 1
        )
    }

    @discardableResult
    private func approve(
        _ generation: Int64,
        _ action: BaselineEvent.Action = .accepted,
        in store: BaselineStore,
        basedOn: Digest? = nil
    ) throws -> BaselineSummary {
        let (writer, summary) = try stage(generation, in: store)
        try withExtendedLifetime(writer) {
            _ = try store.replace(
                with: writer.path,
                event: event(action, summary),
                basedOn: basedOn,
                history: history,
                at: noon
            )
        }
        return summary
    }

    private var store: BaselineStore { BaselineStore(stateDirectory: state.path) }

    private func actions() throws -> [BaselineEvent.Action] {
        try history.entries().compactMap { entry in
            guard case .baseline(let event) = entry.event else { return nil }
            return event.action
        }
    }

    @Test func anApprovalReplacesTheBaseline() throws {
        #expect(throws: BaselineError.missing(store.path)) {
            try store.open(history: history, trusting: trusted)
        }
        #expect(try store.nextGeneration(after: nil, history: history) == 1)
        let first = try approve(1, .created, in: store)
        let opened = try store.open(history: history, trusting: trusted)
        #expect(opened.reader.summary == first)
        #expect(opened.anchor == .confirmed)
        #expect(try store.nextGeneration(after: nil, history: history) == 2)
        let second = try approve(2, in: store, basedOn: first.root)
        #expect(try store.open(history: history, trusting: trusted).reader.summary == second)
        #expect(try history.newestBaseline()?.baseline == second)
        #expect(try actions() == [.intended, .created, .intended, .accepted])
        let files = try names(in: state.path).filter { !$0.hasPrefix("history") }
        #expect(files == ["baseline.lock", "baseline.mwb"])
    }

    @Test func anOlderOneIsARollback() throws {
        let first = try approve(1, .created, in: store)
        let old = try store.path.contents()
        let second = try approve(2, in: store)
        try store.path.write(old)
        #expect(throws: BaselineError.rolledBack(store.path, found: first, known: second)) {
            try store.open(history: history, trusting: trusted)
        }
        #expect(try store.recover(history: history, at: noon) == .nothing)
        #expect(throws: BaselineError.rolledBack(store.path, found: first, known: second)) {
            try store.open(history: history, trusting: trusted)
        }
    }

    /// Signed, of the right generation, and never approved.
    @Test func anotherOneOfTheSameGenerationIsARollback() throws {
        let known = try approve(1, .created, in: store)
        let found = try writeBaseline([record("/evil")], to: store.path, key: key)
        #expect(throws: BaselineError.rolledBack(store.path, found: found, known: known)) {
            try store.open(history: history, trusting: trusted)
        }
    }

    @Test func withoutAnApprovalInTheHistoryTheAnchorIsMissing() throws {
        let summary = try writeBaseline([record("/a")], to: store.path, key: key)
        let opened = try store.open(history: history, trusting: trusted)
        #expect((opened.anchor, opened.reader.summary) == (.missing, summary))
        #expect(try store.open(history: nil, trusting: trusted).anchor == .missing)
    }

    @Test func approvalsThatCrossAreRefused() throws {
        let first = try approve(1, .created, in: store)
        let second = try approve(2, in: store, basedOn: first.root)
        #expect(throws: BaselineError.superseded(known: second)) {
            try approve(2, in: store, basedOn: first.root)
        }
        #expect(try store.open(history: history, trusting: trusted).reader.summary == second)
        #expect(try actions().count == 4)
    }

    @Test func onlyTheAnnouncedFileIsApproved() throws {
        let (writer, summary) = try stage(1, in: store)
        var other = summary
        other.generation = 7
        #expect(throws: BaselineError.malformed("the file is not the one that is to be approved")) {
            try store.replace(with: writer.path, event: event(.created, other), history: history, at: noon)
        }
        #expect(try history.entries().isEmpty)
    }

    @Test func anApprovalSettlesWhatItAccepts() throws {
        try approve(1, .created, in: store)
        func stand(_ seq: Int64, isCurrent: Bool) -> Standing {
            Standing(
                path: "/usr/bin/cc",
                seq: seq,
                rule: "gcc.driver",
                state: nil,
                isCurrent: isCurrent,
                severity: .low,
                verdict: .unauthorized
            )
        }
        _ = try history.write { transaction throws(HistoryError) in
            try transaction.setStanding(stand(3, isCurrent: true))
            try transaction.setStanding(stand(4, isCurrent: false))
        }
        try approve(2, .accepted, in: store)
        #expect(try history.allStanding().map(\.seq) == [4])
        try approve(3, .created, in: store)
        #expect(try history.allStanding().isEmpty)
    }

    // MARK: Faults

    /// After a crash in front of any step the store opens, and is what was approved before or what is approved now.
    @Test(arguments: BaselineStore.Step.allCases, [true, false])
    func aCrashLeavesTheOldOrTheNew(step: BaselineStore.Step, isFirst: Bool) throws {
        let old = isFirst ? nil : try approve(1, .created, in: store)
        let crashing = BaselineStore(stateDirectory: state.path) { $0 == step ? .crash : nil }
        let (writer, new) = try stage(2, in: crashing)
        #expect(throws: BaselineError.stopped) {
            try crashing.replace(with: writer.path, event: event(.accepted, new), history: history, at: noon)
        }
        let isReplaced = step == .syncDirectory || step == .complete
        // Whoever opens before anything was recovered, and perhaps cannot write.
        let reader = try History.open(at: state.path, access: .readOnly)
        if let expected = isReplaced ? new : old {
            let opened = try store.open(history: reader, trusting: trusted)
            #expect(opened.reader.summary == expected)
            #expect(opened.anchor == (isReplaced ? .pending : .confirmed))
        } else {
            #expect(throws: BaselineError.missing(store.path)) {
                try store.open(history: reader, trusting: trusted)
            }
        }
        switch try store.recover(history: history, at: noon) {
        case .nothing: #expect(step == .intend)
        case .completed(let entry):
            #expect(isReplaced)
            #expect(entry.event == .baseline(event(.accepted, new)))
        case .abandoned(let entry):
            #expect(!isReplaced)
            #expect(entry.event == .baseline(event(.abandoned, new)))
        case .undecided: Issue.record("the store could be read")
        }
        #expect(try store.recover(history: history, at: noon) == .nothing)
        if let expected = isReplaced ? new : old {
            let opened = try store.open(history: history, trusting: trusted)
            #expect((opened.anchor, opened.reader.summary) == (.confirmed, expected))
        }
        // The next approval goes on from there.
        let next = try approve(3, in: store, basedOn: (isReplaced ? new : old)?.root)
        #expect(try store.open(history: history, trusting: trusted).reader.summary == next)
    }

    @Test(arguments: BaselineStore.Step.allCases, [ENOSPC, EIO, EROFS])
    func aFailureLeavesTheOldOrSaysSo(step: BaselineStore.Step, code: Int32) throws {
        let old = try approve(1, .created, in: store)
        let failing = BaselineStore(stateDirectory: state.path) { $0 == step ? .fail(code) : nil }
        let (writer, new) = try stage(2, in: failing)
        do {
            try failing.replace(with: writer.path, event: event(.accepted, new), history: history, at: noon)
            Issue.record("\(step) did not fail")
        } catch BaselineError.unconfirmed(let path, _) {
            #expect(step == .syncDirectory || step == .complete)
            #expect(path == store.path)
            #expect(try store.open(history: history, trusting: trusted).anchor == .pending)
        } catch {
            #expect(error == .io(store.path, operation: "\(step)", errno: Errno(code)))
            let opened = try store.open(history: history, trusting: trusted)
            #expect((opened.anchor, opened.reader.summary) == (.confirmed, old))
            #expect(try actions().last == (step == .intend ? .created : .abandoned))
        }
        try approve(3, in: store)
        #expect(try store.open(history: history, trusting: trusted).anchor == .confirmed)
    }

    /// The disk is full for the history alone: the intent cannot be written, so nothing happens.
    @Test func withoutAnIntentNothingHappens() throws {
        let old = try approve(1, .created, in: store)
        try history.limit(pages: 1)
        let (writer, new) = try stage(2, in: store)
        var wordy = event(.accepted, new)
        wordy.accepted = Array(0..<200_000)
        #expect(throws: BaselineError.history(.full(history.path))) {
            try store.replace(with: writer.path, event: wordy, history: history, at: noon)
        }
        #expect(try store.open(history: history, trusting: trusted).reader.summary == old)
    }

    /// A start that falls between another process's intent and its rename must not call it crashed.
    @Test func recoveryWaitsForAnApprovalUnderWay() throws {
        let (entered, isFree) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let slow = BaselineStore(stateDirectory: state.path) { step in
            guard step == .rename else { return nil }
            entered.signal()
            isFree.wait()
            return nil
        }
        let (writer, summary) = try stage(1, in: slow)
        let (path, approval, history, store) = (writer.path, event(.created, summary), history, store)
        let approving = try OSThread(name: "approving") {
            _ = try? slow.replace(with: path, event: approval, history: history, at: noon)
        }
        entered.wait()
        let outcome = Mutex<Recovery?>(nil)
        let recovering = try OSThread(name: "recovering") {
            let found = try? store.recover(history: history, at: noon)
            outcome.withLock { $0 = found }
        }
        // Whether the other thread has come to the lock yet or not: it gets it only behind the approval.
        isFree.signal()
        approving.join()
        recovering.join()
        withExtendedLifetime(writer) {}
        #expect(outcome.withLock { $0 } == .nothing)
        #expect(try actions() == [.intended, .created])
    }

    @Test func leftoversAreRemovedAndLiveFilesAreNot() throws {
        let (writer, _) = try stage(1, in: store)
        let leftover = store.temporaryPath()
        try leftover.write([1, 2, 3])
        try state.appending("unrelated").write([1])
        _ = try store.recover(history: history, at: noon)
        #expect(try LedgerFile.status(leftover) == nil)
        #expect(try LedgerFile.status(writer.path) != nil)
        #expect(try LedgerFile.status(state.appending("unrelated")) != nil)
    }

    @Test func aDamagedBaselineIsNoVerdictOnItsApproval() throws {
        let crashing = BaselineStore(stateDirectory: state.path) { $0 == .complete ? .crash : nil }
        #expect(throws: BaselineError.stopped) { try approve(1, .created, in: crashing) }
        let whole = try store.path.contents()
        try store.path.write(Array(whole.dropLast()))
        #expect(try store.recover(history: history, at: noon) == .undecided)
        #expect(throws: BaselineError.cutOff(store.path)) {
            try store.open(history: history, trusting: trusted)
        }
        try store.path.write(whole)
        guard case .completed = try store.recover(history: history, at: noon) else {
            Issue.record("the restored baseline completes its approval")
            return
        }
        #expect(try actions() == [.intended, .created])
    }

    // MARK: Copies

    @Test func exportsAndImportsAreCopies() throws {
        let summary = try approve(1, .created, in: store)
        let file = state.appending("export.mwb")
        try store.export(summary, to: file, trusting: trusted)
        #expect(try file.contents() == store.path.contents())
        #expect(throws: BaselineError.io(file, operation: "open", errno: .exists)) {
            try store.export(summary, to: file, trusting: trusted)
        }
        try approve(2, in: store)
        // Bringing back an old one on purpose is an approval like any other, and no rollback.
        let staged = try store.stage(copyOf: file, trusting: trusted)
        #expect(staged.reader.summary == summary)
        try withExtendedLifetime(staged.copy) {
            _ = try store.replace(
                with: staged.copy.path,
                event: event(.imported, summary),
                history: history,
                at: noon
            )
        }
        let opened = try store.open(history: history, trusting: trusted)
        #expect((opened.anchor, opened.reader.summary) == (.confirmed, summary))
        #expect(
            try store.nextGeneration(after: summary, history: history) == 3,
            "no number is given twice, whatever was imported"
        )
        #expect(throws: BaselineError.missing(state.appending("none"))) {
            try store.stage(copyOf: state.appending("none"), trusting: trusted)
        }
    }

    /// Whatever is wrong with a file, its own name is told and nothing of it stays.
    @Test func whatCannotBeImportedLeavesNothingBehind() throws {
        let summary = try approve(1, .created, in: store)
        let file = state.appending("export.mwb")
        try store.export(summary, to: file, trusting: trusted)
        let whole = try file.contents()
        let before = try names(in: state.path)
        for place in stride(from: 0, to: whole.count, by: 7) {
            var damaged = whole
            damaged[place] ^= 0x01
            try file.write(damaged)
            #expect(throws: BaselineError.self, "byte \(place)") {
                try store.stage(copyOf: file, trusting: trusted)
            }
        }
        try file.write(whole)
        let stranger = try SigningKey.generate().publicKey
        #expect(throws: BaselineError.unknownKey(file, found: key.id, trusted: [stranger.id])) {
            try store.stage(copyOf: file, trusting: [stranger])
        }
        #expect(throws: BaselineError.notABaseline("/dev/zero")) {
            try store.stage(copyOf: "/dev/zero", trusting: trusted)
        }
        #expect(throws: BaselineError.notABaseline(state.path)) {
            try store.stage(copyOf: state.path, trusting: trusted)
        }
        #expect(try names(in: state.path) == before)
    }

    @Test func anExportOfAnotherBaselineThanTheOneOpenedIsNone() throws {
        let summary = try approve(1, .created, in: store)
        let newer = try approve(2, in: store)
        let file = state.appending("export.mwb")
        #expect(throws: BaselineError.superseded(known: newer)) {
            try store.export(summary, to: file, trusting: trusted)
        }
        var damaged = try store.path.contents()
        damaged[20] ^= 1
        try store.path.write(damaged)
        #expect(throws: BaselineError.self) { try store.export(newer, to: file, trusting: trusted) }
        #expect(try !names(in: state.path).contains("export.mwb"))
    }

    /// An imported baseline was made with another history: its inodes are those of other files.
    @Test func onlyAnImportedBaselineIsOfCopies() throws {
        let writer = try BaselineWriter(to: store.path, rules: someRules)
        let summary = try writer.finish(someManifest, key: key)
        try withExtendedLifetime(writer) {
            #expect(
                try !store.open(history: history, trusting: trusted).reader.isCopy,
                "a history begun anew"
            )
            try history.write { (transaction) throws(HistoryError) in
                _ = try transaction.append(.baseline(event(.imported, summary)), at: noon)
            }
            #expect(try store.open(history: history, trusting: trusted).reader.isCopy)
        }
        let own = try BaselineWriter(to: state.appending("own"), rules: someRules)
        var manifest = someManifest
        manifest.historyID = history.id
        let created = try own.finish(manifest, key: key)
        try LedgerFile.rename(own.path, to: store.path, isReplacing: true)
        try history.write { (transaction) throws(HistoryError) in
            _ = try transaction.append(.baseline(event(.created, created)), at: noon)
        }
        #expect(try !store.open(history: history, trusting: trusted).reader.isCopy)
    }
}
