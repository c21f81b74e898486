internal import CLinux
package import Integrity
import Synchronization

/// How much can be said of who wrote, and why not more.
package enum WriterLevel: Hashable, Sendable {
    /// Writers that are gone before anybody can look are known too.
    case full
    /// Without the connector, because of this errno: only those are known that live when their event is read.
    case living(Errno)
    /// Without fanotify, because of this errno: nobody is known.
    case none(Errno)
}

/// How the source stands, for `status`.
package struct WriterStatus: Hashable, Sendable {
    package var level: WriterLevel
    /// Directories marked, and those on file systems that cannot be.
    package var marked = 0
    package var unmarked = 0
    /// How often events of writers, and of processes, were lost.
    package var lostWriters = 0
    package var lostProcesses = 0

    package init(level: WriterLevel) {
        self.level = level
    }
}

/// Who wrote to what lies in the directories of the scope.
///
/// Each directory has a mark of its own, so that what others do elsewhere costs nobody anything. A thread drains the
/// kernel's queues while the writers still live; whoever asks drains them too, so that an answer holds everything that
/// the kernel had to say by then. Nobody is kept from writing.
package final class WriterSource: Sendable {
    private let fanotify: Fanotify
    private let connector: ProcessConnector?
    private let level: WriterLevel
    private let state: Mutex<WriterState>
    private let control: EventBell
    private let stops = Atomic(false)
    private let thread = Mutex<OSThread?>(nil)
    /// Until when an event of what inotify told may still be on its way; monotonic nanoseconds.
    private let graceEnd = Atomic<UInt64>(0)

    /// How long after inotify told of a change its writer is waited for, in nanoseconds.
    package static let grace: UInt64 = 20_000_000

    /// Everything that can happen to a name in a directory, or to the directory itself.
    private static let mask: FanotifyMask = [
        .modify, .closeWrite, .attrib, .create, .delete, .movedFrom, .movedTo, .eventOnChild, .onDirectory,
    ]

    /// What can happen to a file whatever it is called.
    private static let fileMask: FanotifyMask = [.modify, .closeWrite, .attrib]

    /// Opens what the kernel grants; the thread has to be started.
    ///
    /// - Throws: What `Fanotify.init` throws: nobody can be known.
    package init() throws(Errno) {
        fanotify = try Fanotify()
        control = try EventBell()
        do {
            connector = try ProcessConnector()
            level = .full
        } catch {
            connector = nil
            level = .living(error)
        }
        state = Mutex(WriterState(hasConnector: connector != nil, own: getpid()))
    }

    /// Starts the thread.
    ///
    /// - Throws: `EAGAIN` where the host allows no further thread.
    package func start() throws(Errno) {
        let started = try OSThread(name: "mw-writers") { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Ends the thread and waits for it.
    package func stop() {
        stops.store(true, ordering: .relaxed)
        control.ring()
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    package var status: WriterStatus {
        state.withLock { state in
            var status = WriterStatus(level: level)
            status.marked = state.directories.count
            status.unmarked = state.unmarked.count
            status.lostWriters = state.writers.losses
            status.lostProcesses = state.processes.losses
            return status
        }
    }

    // MARK: Directories

    /// Marks the directory that is open, under the path that it has now.
    ///
    /// Where its file system cannot be marked, nobody is known of what it holds.
    package func mark(_ path: RawPath, _ opened: borrowing OwnedDescriptor) {
        do throws(Errno) {
            let handle = try FileHandle(of: opened)
            // What is queued was said of whatever had the path before. Then the name, so that no event comes under one
            // that is not known.
            drain()
            state.withLock { $0.name(handle, path) }
            try fanotify.mark(opened, mask: WriterSource.mask)
        } catch {
            state.withLock { $0.unmark(path) }
        }
    }

    /// Marks the inode of a file that has several names, so that who writes through one outside of scope is known too.
    ///
    /// - Parameters:
    ///   - path: A name in scope.
    ///   - opened: What stands there.
    package func mark(file path: RawPath, _ opened: borrowing OwnedDescriptor) {
        do throws(Errno) {
            let handle = try FileHandle(of: opened)
            guard state.withLock({ $0.name(handle, file: path) }) else { return }
            try fanotify.mark(opened, mask: WriterSource.fileMask)
        } catch {
            // Its directory is marked or not: what is written under its name in scope is known as before.
        }
    }

    /// The directory went away with all below it; what happens in them from now on is not in scope.
    package func forget(directory: RawPath) {
        state.withLock { $0.forget(subtree: directory) }
    }

    // MARK: Asking

    /// Inotify just told of changes: takes what fanotify has to say, and begins the time in which more may come.
    package func noteBatch() {
        graceEnd.store(SystemClock.monotonicTime() + WriterSource.grace, ordering: .relaxed)
        drain()
    }

    /// How far the writers are known; from right before a path is examined.
    package func position() -> UInt64 {
        drain()
        return state.withLock { $0.writers.position }
    }

    /// Who is behind a change that was just found; nil where that is not certain.
    ///
    /// - Parameters:
    ///   - path: What changed.
    ///   - change: How.
    ///   - position: `position()` from before it was examined.
    ///   - modified: The time of the last write that was found, of a file; no write came before it.
    /// - Returns: The writer, and up to where the writers are told with it.
    package func actor(
        of path: RawPath,
        _ change: ChangeKind,
        asOf position: UInt64,
        modified: Timestamp? = nil
    ) -> (actor: Actor, position: UInt64)? {
        var poller = Poller([fanotify])
        while true {
            drain()
            let found = state.withLock { state in
                (
                    answer: state.actor(of: path, change, asOf: position, modified),
                    isMarked: state.isMarked(path.parent)
                )
            }
            if found.answer != nil || !found.isMarked { return found.answer }
            let (end, now) = (graceEnd.load(ordering: .relaxed), SystemClock.monotonicTime())
            guard now < end else { return nil }
            // In steps: the thread may take the event before this one wakes.
            _ = try? poller.wait(timeout: min(end - now, 1_000_000))
        }
    }

    /// What stands at the path was recorded: who wrote up to then has been told.
    package func forget(_ path: RawPath, upTo position: UInt64) {
        state.withLock { $0.writers.forget(path, upTo: position) }
    }

    // MARK: Draining

    private func run() {
        preferLatency()
        var sources: [any PollSource] = [fanotify, control]
        if let connector { sources.append(connector) }
        var poller = Poller(sources)
        while !stops.load(ordering: .relaxed) {
            guard (try? poller.wait()) != nil else { return }
            control.clear()
            drain()
        }
    }

    /// Takes everything that the kernel has queued, within a bound: writers may be faster than any reader.
    private func drain() {
        for _ in 0..<WriterSource.rounds where state.withLock({ $0.drain(fanotify, connector) }) {}
    }

    private static let rounds = 64
}

/// What the threads share.
private struct WriterState: ~Copyable {
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

/// Lets this thread run as soon as it is woken, and for short: the sooner it looks, the more writers still live.
///
/// It works for some ten microseconds at a time. Where the host does not grant one of the two, less is known under load.
private func preferLatency() {
    // As far as RLIMIT_NICE or CAP_SYS_NICE allow.
    for nice: CInt in [-20, -15, -10, -5] where mw_set_nice(nice) == 0 { break }
    // A slice of the tenth of a millisecond is any thread's to ask for (sched_setattr(2), Linux 6.12).
    _ = mw_set_slice(100_000)
}
