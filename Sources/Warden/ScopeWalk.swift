package import Host
package import Integrity
package import RulePacks
import Synchronization

/// A file system on which something in scope lies.
package struct ScopeFileSystem: Hashable, Sendable {
    package var name: String
    /// The first directory on it that the walk came to.
    package var path: RawPath
    package var directories = 0
    /// It keeps when a file was made.
    package var hasBirthTimes: Bool
    package var hasCoarseTimes: Bool
    package var hasStableIdentity: Bool

    package init(
        name: String,
        path: RawPath,
        hasBirthTimes: Bool = true,
        hasCoarseTimes: Bool = false,
        hasStableIdentity: Bool = true
    ) {
        self.name = name
        self.path = path
        self.hasBirthTimes = hasBirthTimes
        self.hasCoarseTimes = hasCoarseTimes
        self.hasStableIdentity = hasStableIdentity
    }
}

/// What a walk over the scope counted, without reading a file.
package struct ScopeFacts: Hashable, Sendable {
    /// Directories that `watch` needs a watch for, those on the way to the scope included.
    package var directories = 0
    /// Paths that rules select.
    package var paths = 0
    /// Selected, but not readable for this user.
    package var unreadable = 0
    /// The first of them in the order of the walk.
    package var firstUnreadable: [ExaminationError] = []
    /// Directories that walks do not enter, with their file system.
    package var notEntered: [RawPath: String] = [:]
    package var fileSystems: [ScopeFileSystem] = []
    /// Paths that a rule of the profile `ignore` takes out of scope.
    package var ignored = IgnoredCount()

    package init() {}
}

/// How many paths rules take out of scope.
package struct IgnoredCount: Hashable, Sendable {
    package var paths = 0
    /// There are more: counting ended at its limit.
    package var isTruncated = false

    package init(paths: Int = 0, isTruncated: Bool = false) {
        self.paths = paths
        self.isTruncated = isTruncated
    }
}

/// Walks the scope to count it: the budget that `watch` will need, before it needs it.
package struct ScopeWalk<Tree: FileTree>: Sendable {
    let tree: Tree
    let rules: RuleSet
    let jobs: Int
    /// Asked of every regular file, why it cannot be read; nil where everything can be read anyway.
    package var refusal: (@Sendable (ArraySlice<UInt8>, borrowing OwnedDescriptor) -> Errno?)?

    package init(tree: Tree, rules: RuleSet, jobs: Int) {
        self.tree = tree
        self.rules = rules
        self.jobs = jobs
    }

    package func run() -> ScopeFacts {
        var facts = ScopeFacts()
        let tally = ScopeTally()
        let matcher = rules.matcher()
        _ = OrderedWalk(tree: tree, matcher: matcher, workers: jobs).run(
            visitor: { _ in
                ScopeVisitor(tree: tree, rules: rules, refusal: refusal, tally: tally, matcher: matcher)
            },
            emit: { outcome in
                facts.paths += outcome.paths
                facts.unreadable += outcome.unreadable.count
                let room = ScopeFacts.listed - facts.firstUnreadable.count
                facts.firstUnreadable += outcome.unreadable.prefix(room)
                if let (path, name) = outcome.notEntered { facts.notEntered[path] = name }
            }
        )
        (facts.directories, facts.fileSystems) = tally.result
        facts.ignored = countIgnored()
        return facts
    }

    /// Counts what rules take out of scope, up to a limit: it may be as large as the disk.
    package func countIgnored(limit: Int = 100_000) -> IgnoredCount {
        guard let matcher = rules.ignoredMatcher() else { return IgnoredCount() }
        var count = 0
        let cancellation = WalkCancellation()
        _ = OrderedWalk(tree: tree, matcher: matcher, workers: jobs).run(
            cancellation: cancellation,
            visitor: { _ in CountingVisitor() },
            emit: { paths in
                count += paths
                if count > limit { cancellation.cancel() }
            }
        )
        return IgnoredCount(paths: min(count, limit), isTruncated: count > limit)
    }
}

extension ScopeFacts {
    /// How many paths are named at the most.
    static let listed = 10
}

private struct ScopeOutcome: Sendable {
    var paths = 0
    var unreadable: [ExaminationError] = []
    var notEntered: (RawPath, String)?
}

/// What the workers count together: a directory in which nothing is selected has no outcome of its own.
private final class ScopeTally: Sendable {
    private struct State: Sendable {
        var directories = 0
        var systems: [DeviceNumber: ScopeFileSystem] = [:]
    }

    private let state = Mutex(State())

    var result: (directories: Int, systems: [ScopeFileSystem]) {
        state.withLock { ($0.directories, $0.systems.values.sorted { $0.path < $1.path }) }
    }

    func add(_ device: DeviceNumber?, _ system: () -> ScopeFileSystem?) {
        state.withLock { state in
            state.directories += 1
            guard let device else { return }
            if state.systems[device] == nil { state.systems[device] = system() }
            state.systems[device]?.directories += 1
        }
    }
}

private struct ScopeVisitor<Tree: FileTree>: WalkVisitor {
    let tree: Tree
    let rules: RuleSet
    let refusal: (@Sendable (ArraySlice<UInt8>, borrowing OwnedDescriptor) -> Errno?)?
    let tally: ScopeTally
    var matcher: Matcher

    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {
        guard let status = try? tree.status(of: descriptor),
            let system = try? tree.fileSystem(of: descriptor)
        else {
            tally.add(nil) { nil }
            return
        }
        tally.add(status.device) {
            ScopeFileSystem(
                name: system.name,
                path: directory,
                hasBirthTimes: status.btime != nil,
                hasCoarseTimes: system.hasCoarseTimes,
                hasStableIdentity: system.hasStableIdentity
            )
        }
    }

    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> ScopeOutcome {
        ScopeOutcome(unreadable: [ExaminationError(directory, failure)])
    }

    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> ScopeOutcome {
        ScopeOutcome(notEntered: (directory, fileSystem.name))
    }

    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> ScopeOutcome {
        var outcome = ScopeOutcome()
        while let entry = unit.next() {
            outcome.paths += 1
            if entry.type == .directory {
                countNames(entry, in: unit.directory)
            } else if let error = refused(entry, in: descriptor) {
                let path = unit.directory.appending(entry.name)
                outcome.unreadable.append(ExaminationError(path, Failure(.open, error.code)))
            }
        }
        return outcome
    }

    private func refused(_ entry: WalkEntry, in descriptor: borrowing OwnedDescriptor) -> Errno? {
        guard entry.type == .file || entry.type == nil, let refusal,
            let error = refusal(entry.name, descriptor), !error.isAbsence
        else { return nil }
        return error
    }

    /// A directory whose names count is watched although nothing in it is selected.
    private mutating func countNames(_ entry: WalkEntry, in directory: RawPath) {
        guard rules.rules[entry.rule].profile == .directory,
            matcher.find(directory.appending(entry.name)).below == nil
        else { return }
        tally.add(nil) { nil }
    }
}

private struct CountingVisitor: WalkVisitor {
    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}
    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> Int { 0 }
    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> Int { 0 }
    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> Int {
        let count = unit.remaining
        while unit.next() != nil {}
        return count
    }
}
