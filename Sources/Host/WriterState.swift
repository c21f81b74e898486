import Integrity

/// What the threads that ask a `WriterSource` share: which handles are in scope, who did what there, and which process was
/// which.
struct WriterState: ~Copyable {
    var processes = ProcessTable()
    var writers = WriterTable()
    /// Directories by what names them in events, and by path.
    private(set) var directories: [FileHandle: RawPath] = [:]
    private var handles: [RawPath: FileHandle] = [:]
    /// Files with several names, and those of them that are in scope.
    private var files: [FileHandle: [RawPath]] = [:]
    private var fileHandles: [RawPath: FileHandle] = [:]
    private(set) var unmarked: Set<RawPath> = []
    private var live = LiveProcesses()
    private let reader = ProcessFiles()
    private let hasConnector: Bool
    private let own: Int32
    /// When the queue was empty last: what it gives since was queued later.
    private var emptyAt = SystemClock.monotonicTime()
    private var events = [UInt8](repeating: 0, count: 32_768)
    private var datagram = [UInt8](repeating: 0, count: 4_096)
    /// How far the real time was ahead of the monotonic one, and since when it has been.
    private var steadyOffset = SystemClock.realTimeOffset()
    private var steadySince = SystemClock.monotonicTime()
    /// Renames of whole directories: the deed of what is below them.
    private var moves: [Move] = []

    init(hasConnector: Bool, own: Int32) {
        self.hasConnector = hasConnector
        self.own = own
    }

    // MARK: Directories

    mutating func name(_ handle: FileHandle, _ path: RawPath) {
        if let old = directories[handle], old != path { handles[old] = nil }
        if let old = handles[path], old != handle { directories[old] = nil }
        directories[handle] = path
        handles[path] = handle
        unmarked.remove(path)
    }

    /// Notes a further name of a file; false where it is noted already, or where there are too many.
    mutating func name(_ handle: FileHandle, file path: RawPath) -> Bool {
        guard fileHandles[path] != handle else { return false }
        forget(file: path)
        guard fileHandles.count < 4_096 else { return false }
        files[handle, default: []].append(path)
        fileHandles[path] = handle
        return true
    }

    /// The name stands for another file from now on, or for none.
    private mutating func forget(file path: RawPath) {
        guard let handle = fileHandles.removeValue(forKey: path) else { return }
        files[handle]?.removeAll { $0 == path }
        if files[handle]?.isEmpty == true { files[handle] = nil }
    }

    mutating func unmark(_ path: RawPath) {
        if let handle = handles.removeValue(forKey: path) { directories[handle] = nil }
        if unmarked.count < 65_536 { unmarked.insert(path) }
    }

    mutating func forget(subtree: RawPath) {
        guard handles[subtree] != nil || unmarked.contains(subtree) else { return }
        for path in fileHandles.keys where path.isWithin(subtree) { forget(file: path) }
        for (path, handle) in handles where path.isWithin(subtree) {
            handles[path] = nil
            directories[handle] = nil
        }
        unmarked = unmarked.filter { !$0.isWithin(subtree) }
    }

    func isMarked(_ path: RawPath) -> Bool { handles[path] != nil }

    // MARK: Draining

    /// Reads of both queues; false where they were empty.
    ///
    /// The order is what makes an answer certain. What processes did is taken first and looked into last: between lies
    /// the moment at which fanotify's queue is found empty, as soon after an exec as can be, so that what is written
    /// later was written by the new program. And what a writer did before it wrote is in the connector's queue by the
    /// time its event is read.
    mutating func drain(_ fanotify: Fanotify, _ connector: ProcessConnector?) -> Bool {
        var heard = connector.map { hear($0) } ?? []
        let asked = SystemClock.monotonicTime()
        let count = (try? fanotify.read(into: &events)) ?? 0
        if count == 0 {
            emptyAt = asked
            note(heard)
            return !heard.isEmpty
        }
        let now = SystemClock.monotonicTime()
        if let connector { heard += hear(connector) }
        note(heard)
        let decoded = decodeFanotify(events[..<count])
        if decoded.hasGap { writers.noteLoss(at: now) }
        watchClock(now)
        for event in decoded.events {
            let pidfd = OwnedDescriptor(owning: event.pidfd ?? -1)
            pidfd.lend { take(event, $0, at: now) }
        }
        return true
    }

    /// What processes did, nil for a loss.
    private mutating func hear(_ connector: ProcessConnector) -> [ProcessEvent?] {
        var heard: [ProcessEvent?] = []
        while let received = try? connector.receive(into: &datagram) {
            if received.lost { heard.append(nil) }
            guard received.count > 0 else { return heard }
            heard += decodeProcessEvents(datagram[..<received.count]).events
        }
        return heard
    }

    private mutating func note(_ heard: [ProcessEvent?]) {
        let reader = reader
        for event in heard {
            if let event {
                processes.note(event) { reader.facts($0) }
            } else {
                processes.noteLoss()
            }
        }
    }

    private mutating func take(_ event: FanotifyEvent, _ pidfd: CInt, at now: UInt64) {
        guard event.pid != own else { return }
        let paths = paths(of: event)
        guard !paths.isEmpty else { return }
        let process = process(event.pid, pidfd, at: now)
        let isRename = !event.mask.isDisjoint(with: [.movedFrom, .movedTo])
        if event.mask.contains(.onDirectory), isRename, let path = paths.first {
            if event.mask.contains(.movedFrom) { forget(subtree: path) }
            moves.append(Move(path: path, process: process, from: emptyAt, to: now))
            if moves.count > 256 { moves.removeFirst(128) }
        }
        let isOfNames = WriterDeed(event.mask).contains(.name)
        for path in paths {
            if isOfNames { forget(file: path) }
            writers.note(
                path,
                WriterDeed(event.mask),
                isNew: event.mask.contains(.create),
                by: process,
                from: emptyAt,
                to: now
            )
        }
    }

    /// The names in scope of what it happened to; empty for what lies elsewhere.
    private func paths(of event: FanotifyEvent) -> [RawPath] {
        var paths = event.object.flatMap { files[$0] } ?? []
        if let place = event.place, let directory = directories[place.directory] {
            let path = place.name.isEmpty ? directory : directory.appending(place.name)
            if !paths.contains(path) { paths.append(path) }
        }
        return paths
    }

    /// Which process it was, with what can be read of it; nil where that is not certain.
    private mutating func process(_ pid: Int32, _ pidfd: CInt, at now: UInt64) -> KnownProcess? {
        // 0 stands for whoever is outside of this PID namespace.
        guard pid > 0 else { return nil }
        let reader = reader
        guard hasConnector else {
            return pidfd < 0 ? nil : live.find(pid, pidfd: pidfd, reader, at: now)
        }
        var known: KnownProcess?
        switch processes.find(pid, between: emptyAt, and: now) {
        case .process(let process):
            guard process.exited == nil, process.images.last?.facts == nil else { return process }
            known = process
        case .unheard: break
        case .ambiguous, .uncertain: return nil
        }
        guard pidfd >= 0 else { return known }
        return processes.look(at: pid) {
            reader.facts($0, pidfd: pidfd)
        } others: {
            reader.facts($0)
        }
    }

    // MARK: Asking

    func actor(of path: RawPath, _ change: ChangeKind, asOf position: UInt64, _ modified: Timestamp?)
        -> (actor: Actor, position: UInt64)?
    {
        for deeds in change.deeds {
            guard let found = writers.writer(of: path, deeds, asOf: position) else { continue }
            guard var actor = actor(found.writer.process, found.moment.from, found.moment.to) else {
                return nil
            }
            actor.others = found.others
            // All that one did whose first event came late is told with this; of another's, what was seen before.
            let isLate = found.writer.first > position
            return (actor, isLate ? found.moment.number : position)
        }
        guard change.isOfNames, let move = moves.last(where: { path != $0.path && path.isWithin($0.path) }),
            !writers.knows(path), move.to + WriterState.recently > SystemClock.monotonicTime()
        else { return nil }
        return actor(move.process, move.from, move.to).map { ($0, position) }
    }

    /// Before which moment the last write did not take place, by the time that it left on the file.
    ///
    /// That time may be put back or forward, which would be a deed of its own; and of a file that somebody else wrote to
    /// as well it may be the other's.
    private func writeTime(_ writer: PathWriter, _ others: Int, _ modified: Timestamp?) -> UInt64? {
        guard let modified, others == 0, let deed = writer.content, writer.attributes == nil,
            let offset = SystemClock.realTimeOffset(), let steady = steadyOffset, deed.from > steadySince,
            abs(offset - steady) < WriterState.jitter
        else { return nil }
        let since = modified.nanoseconds(since: Timestamp(seconds: 0))
        let (moment, overflow) = since.subtractingReportingOverflow(offset + 2 * WriterState.jitter)
        return overflow || moment < 0 ? nil : UInt64(moment)
    }

    /// The real time may be set; only a write since it was set last can be told by it.
    private mutating func watchClock(_ now: UInt64) {
        guard let offset = SystemClock.realTimeOffset() else { return }
        if let steady = steadyOffset, abs(offset - steady) < WriterState.jitter { return }
        (steadyOffset, steadySince) = (offset, now)
    }

    /// How exactly the distance of two clocks can be read, in nanoseconds.
    private static let jitter: Int64 = 25_000

    /// How long a rename of a directory explains what is below it, in nanoseconds.
    private static let recently: UInt64 = 2_000_000_000

    /// As it is known by now: an exec in between may have told that less is certain.
    private func actor(_ process: KnownProcess?, _ from: UInt64, _ to: UInt64) -> Actor? {
        guard let process else { return nil }
        let newest = hasConnector ? processes.process(process.serial) ?? process : process
        return newest.actor(between: from, and: to)
    }
}

/// A whole directory was renamed, with all that is below it.
private struct Move {
    var path: RawPath
    var process: KnownProcess?
    var from: UInt64
    var to: UInt64
}

extension WriterDeed {
    /// What an event says that was done.
    init(_ mask: FanotifyMask) {
        self = []
        if !mask.isDisjoint(with: [.modify, .closeWrite]) { insert(.content) }
        if mask.contains(.attrib) { insert(.attributes) }
        if !mask.isDisjoint(with: [.create, .delete, .movedFrom, .movedTo]) { insert(.name) }
    }
}

extension ChangeKind {
    /// What can have had such a change as its effect; the first of these that somebody did counts.
    fileprivate var deeds: [WriterDeed] {
        switch self {
        case .shadowed: []
        case .added, .content, .transient: [[.content, .name]]
        case .removed, .moved, .type, .replaced: [.name]
        // Writing takes set-user-ID bits and capabilities away.
        case .metadata: [[.attributes, .name], .content]
        case .touched: [[.content, .attributes, .name]]
        }
    }

    /// It may be the effect of a rename of a directory above.
    fileprivate var isOfNames: Bool {
        switch self {
        case .added, .removed, .moved: true
        default: false
        }
    }
}
