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

/// Lets this thread run as soon as it is woken, and for short: the sooner it looks, the more writers still live.
///
/// It works for some ten microseconds at a time. Where the host does not grant one of the two, less is known under load.
private func preferLatency() {
    // As far as RLIMIT_NICE or CAP_SYS_NICE allow.
    for nice: CInt in [-20, -15, -10, -5] where mw_set_nice(nice) == 0 { break }
    // A slice of the tenth of a millisecond is any thread's to ask for (sched_setattr(2), Linux 6.12).
    _ = mw_set_slice(100_000)
}
