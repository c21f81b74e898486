import CLinux
import Host
import Integrity
import Ledger
import RulePacks
import Synchronization
import TestSupport
import Testing

@testable import Warden

/// A service manager that only remembers what it was told.
final class SilentManager: ServiceManager {
    private let words = Mutex<[String]>([])

    var said: [String] { words.withLock { $0 } }

    func ready(status: String) { words.withLock { $0.append("ready") } }
    func status(_ text: String) {}
    func reloading() { words.withLock { $0.append("reloading") } }
    func stopping() { words.withLock { $0.append("stopping") } }
    func watchdog() {}
    func extend(microseconds: UInt64) {}
    var watchdogInterval: Int64? { nil }
}

/// The real files, of which some names may not be opened, whoever runs the tests.
final class DenyingTree: FileTree {
    private let base = KernelTree()
    private let denied = Mutex<Set<[UInt8]>>([])

    func deny(_ names: String...) { denied.withLock { $0 = Set(names.map { Array($0.utf8) }) } }

    private func admit(_ name: ArraySlice<UInt8>) throws(Errno) {
        if denied.withLock({ $0.contains(Array(name)) }) { throw .access }
    }

    func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        try admit(path.name)
        return try base.openDirectory(path)
    }
    func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor
    {
        try admit(name)
        return try base.openDirectory(name, in: directory)
    }
    func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor
    {
        try admit(name)
        return try base.openFile(name, in: directory)
    }
    func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor
    { try base.openPlace(name, in: directory) }
    func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes { try base.status(of: file) }
    func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> Attributes
    {
        try base.status(of: name, in: directory)
    }
    func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)
        -> Int
    {
        try unsafe base.read(file, into: buffer)
    }
    func read(
        _ file: borrowing OwnedDescriptor,
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try unsafe base.read(file, at: offset, into: buffer)
    }

    func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] { try base.target(of: link) }
    func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags? { try base.flags(of: file) }
    func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute] {
        try base.xattrs(of: file)
    }
    func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing) throws(Errno) {
        try base.list(directory, into: &listing)
    }
    func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem {
        try base.fileSystem(of: file)
    }
}

/// A watcher over a real directory whose clock moves only when it is told, stepped by hand.
final class WatchBench {
    let scope: TemporaryDirectory
    let state: TemporaryDirectory
    let tree = DenyingTree()
    let history: History
    let store: BaselineStore
    let rules: RuleSet
    /// What a reload reads: rules, or why there are none.
    let rulesOnDisk: RulesOnDisk
    let manager = SilentManager()
    private let key: SigningKey
    private let now: SharedMoment
    private(set) var watcher: Watcher<DenyingTree>

    /// Stands for the rule files.
    final class RulesOnDisk: Sendable {
        private let state: Mutex<Result<RuleSet, RuleLoadingError>>
        init(_ rules: RuleSet) { state = Mutex(.success(rules)) }
        func set(_ result: Result<RuleSet, RuleLoadingError>) { state.withLock { $0 = result } }
        func read() throws(RuleLoadingError) -> RuleSet { try state.withLock { $0 }.get() }
    }

    final class SharedMoment: Sendable {
        private let value = Mutex<Int64>(1_000_000_000_000)
        var current: Int64 {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }

    /// `bin/cc`, `bin/ld` and `bin/lib/one.so` under one rule on `bin/**`, recorded; the watcher is ready.
    init(profile: String = "executable") throws {
        scope = try TemporaryDirectory()
        state = try TemporaryDirectory()
        try scope.write("bin/cc", "compiler", mode: 0o755)
        try scope.write("bin/ld", "linker", mode: 0o755)
        try scope.write("bin/lib/one.so", "one")
        try scope.makeDirectory("outside")
        let glob = scope.appending("bin/**").description
        rules = try ruleSet([ruleText("t.program", watch: [glob], profile: profile)], tree: tree)
        rulesOnDisk = RulesOnDisk(rules)
        history = try History.open(at: state.path, access: .readWrite)
        key = try SigningKey.generate()
        store = BaselineStore(stateDirectory: state.path)
        now = SharedMoment()
        try Self.record(tree, rules, history, store, key)
        watcher = try Self.watcher(tree, rulesOnDisk, history, store, key, state.path, now, manager)
        try watcher.watchState()
        try watcher.catchUp()
    }

    private static func record(
        _ tree: DenyingTree,
        _ rules: RuleSet,
        _ history: History,
        _ store: BaselineStore,
        _ key: SigningKey
    ) throws {
        let writer = try BaselineWriter(to: store.temporaryPath(), rules: rules.rules.map(\.id))
        _ = try Creation(tree: tree, rules: rules, clock: SystemClock.now).run(into: writer, jobs: 0)
        let manifest = BaselineManifest(
            generation: try store.nextGeneration(after: nil, history: history),
            created: SystemClock.now(),
            scope: Scope(rules: rules.digest, packs: ["test"], homes: [], definition: rules.definition),
            hostName: "build-07",
            machineID: "",
            historyID: history.id
        )
        let summary = try writer.finish(manifest, key: key)
        let event = BaselineEvent(
            action: .created,
            baseline: summary,
            reason: nil,
            uid: 0,
            loginuid: nil,
            paths: summary.entries
        )
        try withExtendedLifetime(writer) {
            _ = try store.replace(with: writer.path, event: event, history: history, at: SystemClock.now())
        }
    }

    private static func watcher(
        _ tree: DenyingTree,
        _ rules: RulesOnDisk,
        _ history: History,
        _ store: BaselineStore,
        _ key: SigningKey,
        _ state: RawPath,
        _ now: SharedMoment,
        _ manager: SilentManager
    ) throws -> Watcher<DenyingTree> {
        var setup = WatchSetup(
            rules: try rules.read(),
            history: history,
            store: store,
            trusted: [key.publicKey],
            stateDirectory: state,
            version: "1",
            clock: SystemClock.now,
            bootClock: { now.current }
        )
        setup.jobs = 0
        let trusted = setup.trusted
        setup.configure = { _ in
            WatchConfiguration(rules: try rules.read(), trusted: trusted, catchUpIsFull: false)
        }
        let inotify = try Inotify()
        let bell = try EventBell()
        let reader = try EventReader(inotify, bell: bell, clock: { UInt64(now.current) })
        return Watcher(
            tree: tree,
            setup: setup,
            baseline: try store.open(history: history, trusting: [key.publicKey]).reader,
            inotify: inotify,
            bell: bell,
            reader: reader,
            outboxes: [],
            manager: manager,
            board: StatusBoard(version: "1", pid: 1)
        )
    }

    /// A new watcher on the same history, as after a stop or a crash.
    func restart() throws {
        watcher.reader.stop()
        watcher = try Self.watcher(tree, rulesOnDisk, history, store, key, state.path, now, manager)
        try watcher.watchState()
        try watcher.catchUp()
    }

    /// Puts other rules in place of those on disk; a reload or a restart reads them.
    func write(_ rules: [String]) throws { rulesOnDisk.set(.success(try ruleSet(rules, tree: tree))) }

    /// One rule over globs below the directory.
    func rule(_ id: String, watch: [String], except: [String] = [], profile: String = "executable") -> String
    {
        ruleText(
            id,
            watch: watch.map { path($0).description },
            except: except.map { path($0).description },
            profile: profile
        )
    }

    func openBaseline() throws -> BaselineReader {
        try store.open(history: history, trusting: [key.publicKey]).reader
    }

    /// SIGHUP.
    func reload() throws {
        watcher.wantsReload = true
        try step()
    }

    /// `baseline accept`, of changes or of the scope, beside the running service.
    func accept(_ selection: AcceptSelection? = nil) throws {
        let reader = try store.open(history: history, trusting: [key.publicKey]).reader
        let rules = try rulesOnDisk.read()
        let acceptance = Acceptance(
            tree: tree,
            rules: rules,
            history: history,
            baseline: reader,
            clock: SystemClock.now
        )
        var manifest = reader.manifest
        manifest.generation += 1
        let plan: Acceptance<DenyingTree>.Plan
        var counts: BaselineEvent.ScopeCounts?
        if let selection {
            plan = try acceptance.plan(selection)
        } else {
            let scope = try acceptance.planScope(packs: ["test"], jobs: 0)
            plan = scope.plan
            counts = .init(incoming: scope.report.incomingCount, outgoing: scope.report.outgoingCount)
            manifest.scope = Scope(
                rules: rules.digest,
                packs: ["test"],
                homes: [],
                definition: rules.definition
            )
        }
        let writer = try acceptance.write(plan, to: store.temporaryPath())
        let summary = try writer.finish(manifest, key: key)
        let event = BaselineEvent(
            action: .accepted,
            baseline: summary,
            reason: "reviewed",
            uid: 0,
            loginuid: nil,
            accepted: plan.items.filter { $0.refusal == nil }.map(\.seq),
            paths: plan.changes.count,
            scope: counts
        )
        try withExtendedLifetime(writer) {
            _ = try store.replace(with: writer.path, event: event, history: history, at: SystemClock.now())
        }
    }

    /// Records the scope anew, as `baseline create --force` beside a running service.
    func recordAgain() throws { try Self.record(tree, rules, history, store, key) }

    func path(_ name: String) -> RawPath { scope.appending(name) }

    /// Takes in whatever the kernel has queued, without letting time pass.
    func step() throws {
        watcher.reader.barrier()
        try watcher.turn()
    }

    /// Lets the clock run until nothing is pending.
    func settle() throws {
        for _ in 0..<100 {
            try step()
            guard let due = watcher.settle.nextDue else { return }
            now.current = max(now.current, due)
        }
    }

    func pass(_ nanoseconds: Int64) { now.current += nanoseconds }

    /// `content bin/cc`, one for each row that tells of a change or its end since the last time this was asked.
    func told() throws -> [String] {
        var filter = HistoryFilter()
        filter.events = ["change", "resolved", "gap"]
        filter.seqs = lastTold + 1...Int64.max
        let entries = try history.entries(filter)
        lastTold = entries.last?.seq ?? lastTold
        return entries.map { entry in
            switch entry.event {
            case .change(let finding):
                "\(finding.change) \(short(finding.path))" + (finding.from.map { " from \(short($0))" } ?? "")
            case .resolved(let resolution): "resolved \(short(resolution.path))"
            case .gapOpened(let gap): "gap \(gap.reason.rawValue)"
            case .gapClosed(let gap): "closed \(gap.reason.rawValue) \(gap.found ?? -1)"
            default: entry.event.name
            }
        }
    }
    private var lastTold: Int64 = 0

    /// Exactly these rows were told since the last time this was asked.
    func expect(
        _ expected: [String],
        _ comment: Comment? = nil,
        inAnyOrder: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let told = try told()
        if inAnyOrder {
            #expect(told.sorted() == expected.sorted(), comment, sourceLocation: sourceLocation)
        } else {
            #expect(told == expected, comment, sourceLocation: sourceLocation)
        }
    }

    private func short(_ path: RawPath) -> String {
        path.description.hasPrefix(scope.path.description)
            ? String(path.description.dropFirst(scope.path.description.count + 1)) : path.description
    }

    // MARK: system calls

    func rename(_ old: String, _ new: String) throws {
        try unsafe path(old).call { from in
            (try? unsafe path(new).call { to in unsafe mw_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0) }) == nil
                ? -1 : 0
        }
    }

    /// `RENAME_EXCHANGE` of renameat2(2).
    func exchange(_ one: String, _ other: String) throws {
        try unsafe path(one).call { from in
            (try? unsafe path(other).call { to in unsafe mw_renameat2(AT_FDCWD, from, AT_FDCWD, to, 2) })
                == nil ? -1 : 0
        }
    }

    func link(_ old: String, _ new: String) throws {
        try unsafe path(old).call { from in
            (try? unsafe path(new).call { to in unsafe CLinux.link(from, to) }) == nil ? -1 : 0
        }
    }

    func remove(_ name: String) throws { try unsafe path(name).call { unsafe CLinux.unlink($0) } }
    func removeDirectory(_ name: String) throws { try unsafe path(name).call { unsafe CLinux.rmdir($0) } }
    func setMode(_ name: String, _ mode: mode_t) throws {
        try unsafe path(name).call { unsafe chmod($0, mode) }
    }
    func append(_ name: String, _ text: String) throws { try path(name).append(Array(text.utf8)) }
    func truncate(_ name: String, _ length: Int) throws {
        try unsafe path(name).call { unsafe CLinux.truncate($0, length) }
    }
}
