package import Integrity

/// What one kernel event said about one path.
package enum PathEvent: Equatable, Sendable {
    /// A regular file was made and is open for writing; its close follows.
    case created
    /// A name appeared complete: a link, a hard link, a node, or something found when a directory was listed.
    case appeared
    case modified
    case closed
    case attributes
    case deleted
    /// Renamed away. `onto` is where it went, if that is in scope.
    case movedAway(onto: RawPath?)
    /// Renamed onto this name. `from` is where it came from, if that was in scope.
    case movedHere(from: RawPath?)
}

/// A path that is due to be examined, with all that was seen to happen to it.
package struct Settled: Equatable, Sendable {
    package var path: RawPath
    package var touches: Touches
    /// Where it was renamed from, in scope, last.
    package var from: RawPath?
    /// Where it was renamed to, in scope, last.
    package var onto: RawPath?
    /// Some writer has not closed it yet: what is read now may not be the end of it.
    package var isOpen: Bool
    /// It was held back once because it equalled the baseline.
    package var wasHeld: Bool
}

/// Decides when a path is examined: one small ordered automaton a path.
///
/// Pure: moments in boot-time nanoseconds go in, due paths come out. Merging never forgets that a write took place, nor
/// that a name left and came back.
///
/// - A known path (in the baseline, or reported before) is due at once when it is closed, renamed onto, or its
///   attributes are set. While it is written and not closed it is due after `openDelay`, then every `openInterval`.
/// - A name that went away is due after `absenceDelay`: renames come in pairs, and editors, package managers and
///   attackers put something back. Each further step of such a dance waits for `quiet` again, `longest` at the most.
/// - A new name is due `newDelay` after its last event, `longestNew` at the most, `openInterval` while it is written:
///   most new names are temporary files on their way onto another name.
package struct Settle: Sendable {
    package struct Timing: Sendable {
        package var openDelay: Int64 = 300_000_000
        package var openInterval: Int64 = 2_000_000_000
        package var absenceDelay: Int64 = 30_000_000
        package var quiet: Int64 = 25_000_000
        package var longest: Int64 = 300_000_000
        package var newDelay: Int64 = 250_000_000
        package var longestNew: Int64 = 700_000_000

        package init() {}
    }

    /// New names pending in one directory before it collapses to dirty.
    package static let newNamesLimit = 4_096
    /// Dirty directories before the root does.
    package static let dirtyLimit = 1_024

    /// A directory that is listed again once nothing new comes to it, and after `longestNew` at the latest.
    private struct DirtyState: Sendable {
        var first: Int64
        var due: Int64
    }

    fileprivate struct PathState: Sendable {
        var first: Int64
        var due: Int64
        var touches = Touches()
        var isKnown: Bool
        /// It existed when the first event came: everything but a creation says so.
        var existed: Bool
        var exists: Bool
        var isWriting = false
        var hasClosed = false
        var hasLeft = false
        var from: RawPath?
        var onto: RawPath?
        var wasHeld = false
    }

    private let timing: Timing
    private var known: [RawPath: PathState] = [:]
    private var new: [RawPath: PathState] = [:]
    private var newInDirectory: [RawPath: Int] = [:]
    private var dirty: [RawPath: DirtyState] = [:]
    /// Files that are open for writing and were examined meanwhile: not again before this moment.
    private var openUntil: [RawPath: Int64] = [:]

    package init(timing: Timing = Timing()) {
        self.timing = timing
    }

    package var pendingCount: Int { known.count + new.count + dirty.count }

    package func isPending(_ path: RawPath) -> Bool { known[path] != nil || new[path] != nil }

    /// Takes in one event.
    ///
    /// - Parameters:
    ///   - path: Where it happened.
    ///   - event: What happened.
    ///   - isKnown: The path is in the baseline or was reported; it is kept apart and never collapses.
    ///   - now: Boot time in nanoseconds.
    package mutating func note(_ path: RawPath, _ event: PathEvent, isKnown: Bool, at now: Int64) {
        if !isKnown && known[path] == nil && new[path] == nil && dirty[path.parent] != nil {
            putOff(path.parent, at: now)
            return
        }
        var state =
            known.removeValue(forKey: path) ?? new.removeValue(forKey: path)
            ?? {
                if !isKnown { newInDirectory[path.parent, default: 0] += 1 }
                let existed = event != .created && event != .appeared && !event.isArrival
                return PathState(first: now, due: now, isKnown: isKnown, existed: existed, exists: existed)
            }()
        state.apply(event)
        state.due = due(state, event, path, now)
        if case .movedHere(from: let source?) = event { postpone(source, until: state.due) }
        if state.isKnown || isKnown {
            if !state.isKnown { forgetNew(in: path.parent) }
            state.isKnown = true
            known[path] = state
        } else {
            new[path] = state
            if newInDirectory[path.parent, default: 0] > Settle.newNamesLimit { collapse(path.parent, now) }
        }
    }

    /// A new name went onto another path in scope: what happened to it is part of that path's story.
    package mutating func fold(_ path: RawPath) {
        if new.removeValue(forKey: path) != nil { forgetNew(in: path.parent) }
    }

    /// What happened to these paths so far is nobody's concern any more: it was not in scope when it happened.
    package mutating func forget(_ isMoot: (RawPath) -> Bool) {
        for path in known.keys where isMoot(path) { known[path] = nil }
        for path in new.keys where isMoot(path) {
            new[path] = nil
            forgetNew(in: path.parent)
        }
    }

    /// Both ends of a rename are examined together, so that they become one finding.
    private mutating func postpone(_ path: RawPath, until due: Int64) {
        if let pending = known[path] { known[path]?.due = max(pending.due, due) }
    }

    /// The whole directory has to be listed and examined again.
    package mutating func markDirty(_ directory: RawPath, at now: Int64) {
        if dirty.count >= Settle.dirtyLimit && dirty[directory] == nil {
            let first = dirty.values.lazy.map(\.first).min() ?? now
            dirty = [.root: DirtyState(first: first, due: now)]
            putOff(.root, at: now)
        } else if dirty[.root] == nil || directory.isRoot {
            putOff(directory, at: now)
        }
    }

    /// Waits for the last of many events, yet not for ever: whoever goes on making names must not put off the listing.
    private mutating func putOff(_ directory: RawPath, at now: Int64) {
        let first = dirty[directory]?.first ?? now
        let due = max(now, min(now + timing.newDelay, first + timing.longestNew))
        dirty[directory] = DirtyState(first: first, due: due)
    }

    /// Puts a settled path back because it equals the baseline: more may be to come, and nothing is urgent.
    package mutating func hold(_ settled: Settled, at now: Int64) {
        let fresh = known.removeValue(forKey: settled.path)
        var state =
            fresh
            ?? PathState(first: now, due: now, isKnown: true, existed: true, exists: true)
        var earlier = settled.touches
        if settled.isOpen {
            // The write that was counted before its close is the one that is closed since, or goes on.
            earlier.writes -= 1
            state.isWriting = state.isWriting || !state.hasClosed
        }
        state.touches = earlier.followed(by: state.touches)
        state.wasHeld = true
        state.from = state.from ?? settled.from
        state.onto = state.onto ?? settled.onto
        state.due = max(fresh?.due ?? 0, now + timing.quiet)
        known[settled.path] = state
    }

    /// The moment at which something is due; nil where nothing is pending.
    package var nextDue: Int64? {
        [
            known.values.lazy.map(\.due).min(), new.values.lazy.map(\.due).min(),
            dirty.values.lazy.map(\.due).min(),
        ]
        .compactMap { $0 }.min()
    }

    /// Takes out what is due, sorted by path; with `all`, everything that is pending.
    package mutating func take(at now: Int64, all: Bool = false) -> (paths: [Settled], directories: [RawPath])
    {
        var due: [Settled] = []
        for (path, state) in known where all || state.due <= now {
            known[path] = nil
            due.append(settled(path, state, now))
        }
        for (path, state) in new where all || state.due <= now {
            new[path] = nil
            forgetNew(in: path.parent)
            due.append(settled(path, state, now))
        }
        let directories = dirty.filter { all || $0.value.due <= now }.keys.sorted()
        for directory in directories { dirty[directory] = nil }
        return (due.sorted { $0.path < $1.path }, directories)
    }

    private mutating func settled(_ path: RawPath, _ state: PathState, _ now: Int64) -> Settled {
        if state.isWriting {
            openUntil[path] = now + timing.openInterval
            if openUntil.count > Settle.newNamesLimit { openUntil = openUntil.filter { $0.value > now } }
        } else {
            openUntil[path] = nil
        }
        var touches = state.touches
        if state.isWriting { touches.writes += 1 }
        return Settled(
            path: path,
            touches: touches,
            from: state.from,
            onto: state.onto,
            isOpen: state.isWriting,
            wasHeld: state.wasHeld
        )
    }

    private func due(_ state: PathState, _ event: PathEvent, _ path: RawPath, _ now: Int64) -> Int64 {
        if !state.isKnown && !(event.isArrivalFromScope || event.isDeparture) {
            let longest = state.isWriting ? timing.openInterval : timing.longestNew
            return max(now, min(now + timing.newDelay, state.first + longest))
        }
        if state.hasLeft || event.isDeparture || event.isArrivalFromScope {
            let wait = state.exists && !event.isArrivalFromScope ? timing.quiet : timing.absenceDelay
            return max(now, min(now + wait, state.first + timing.longest))
        }
        if state.isWriting {
            return max(state.first + timing.openDelay, openUntil[path] ?? 0)
        }
        // Held once, its further events are part of the same story until they pause.
        if state.wasHeld { return min(now + timing.quiet, state.first + timing.longest) }
        return now
    }

    private mutating func forgetNew(in directory: RawPath) {
        let left = newInDirectory[directory, default: 1] - 1
        newInDirectory[directory] = left > 0 ? left : nil
    }

    private mutating func collapse(_ directory: RawPath, _ now: Int64) {
        new = new.filter { $0.key.parent != directory }
        newInDirectory[directory] = nil
        markDirty(directory, at: now)
    }
}

extension Settle.PathState {
    fileprivate mutating func apply(_ event: PathEvent) {
        switch event {
        case .created:
            arrive()
            isWriting = true
        case .appeared: arrive()
        case .modified:
            exists = true
            isWriting = true
        case .closed:
            exists = true
            isWriting = false
            hasClosed = true
            touches.writes += 1
        case .attributes: touches.attributes = true
        case .deleted: leave()
        case .movedAway(let target):
            leave()
            onto = target
        case .movedHere(let source):
            // What stood here lost the name to what arrives. Whether that was the first time cannot be told: the kernel
            // merges equal events in a row, and one of them may be an implant renamed onto the name and the original
            // renamed back.
            touches.leftAndCame = true
            arrive()
            isWriting = false
            from = source
        }
    }

    private mutating func arrive() {
        if hasLeft { touches.leftAndCame = true }
        exists = true
    }

    private mutating func leave() {
        if !existed { touches.cameAndLeft = true }
        exists = false
        hasLeft = true
        isWriting = false
        from = nil
    }
}

extension PathEvent {
    fileprivate var isArrival: Bool {
        if case .movedHere = self { return true }
        return false
    }

    fileprivate var isArrivalFromScope: Bool {
        if case .movedHere(.some) = self { return true }
        return false
    }

    fileprivate var isDeparture: Bool {
        switch self {
        case .deleted, .movedAway: true
        default: false
        }
    }
}

extension Touches {
    /// What was seen earlier and then later: nothing is forgotten.
    package func followed(by later: Touches) -> Touches {
        Touches(
            writes: writes + later.writes,
            leftAndCame: leftAndCame || later.leftAndCame,
            cameAndLeft: cameAndLeft || later.cameAndLeft,
            attributes: attributes || later.attributes,
            gap: later.gap ?? gap
        )
    }
}
