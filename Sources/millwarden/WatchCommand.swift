import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Synchronization
import Warden

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "The daemon: watches, rehashes on change, reports.",
        discussion: """
            Stays in the foreground and follows sd_notify(3). Exit status: 0 on SIGTERM, 16 without a baseline that \
            can be trusted.
            """
    )
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.require(.text, .jsonl)
        SignalSource.block()
        let session = try Session(global)
        let signals = try SignalSource()
        let lock = try takeLock(session)
        let history = try session.openHistory()
        let opened = try session.openBaseline(history)
        let rules = try session.loadRules(baselinePacks: opened.reader.scope.packs)
        var setup = WatchSetup(
            rules: rules.set,
            history: history,
            store: session.store,
            trusted: try session.trustedKeys(),
            stateDirectory: session.stateDirectory,
            version: Millwarden.version,
            clock: Session.clock,
            bootClock: Session.bootClock
        )
        setup.catchUpIsFull = session.configuration.catchUpIsFull
        setup.evidence = session.configuration.evidence
        setup.sweep = session.configuration.sweep
        setup.jobs = processorCount()
        let options = global
        setup.configure = { packs in
            let session = try Session(options)
            let rules = try session.loadRules(baselinePacks: packs)
            return WatchConfiguration(
                rules: rules.set,
                trusted: try session.trustedKeys(),
                catchUpIsFull: session.configuration.catchUpIsFull,
                evidence: session.configuration.evidence,
                sweep: session.configuration.sweep,
                packs: rules.states
            )
        }
        let board = StatusBoard(version: Millwarden.version, pid: Int64(getpid()))
        setup.writers = openWriters(board)
        defer { setup.writers?.stop() }
        board.noteScope(baseline: opened.reader.summary, packs: rules.packsOn, rules: rules.set.rules.count)
        board.noteRules(rules.set.digest, rules.states)
        let outboxes = try makeOutboxes(history, session)
        for (index, outbox) in outboxes.enumerated() { try outbox.start(name: "publish-\(index)") }
        let control = try ControlServer(stateDirectory: session.stateDirectory, board: board) {
            for outbox in outboxes { outbox.ring() }
        }
        let controlThread = try OSThread(name: "control") { control.serve() }
        let inotify = try openInotify()
        let bell = try EventBell()
        let reader = try EventReader(inotify, bell: bell, clock: { UInt64(Session.bootClock()) })
        board.attach { queues(inotify, reader, outboxes) }
        let watcher = Watcher(
            tree: KernelTree(),
            setup: setup,
            baseline: opened.reader,
            inotify: inotify,
            bell: bell,
            reader: reader,
            outboxes: outboxes,
            manager: NotifiedManager(),
            board: board
        )
        _ = try watcher.run(signals: signals)
        control.stop()
        controlThread.join()
        for outbox in outboxes { outbox.stop() }
        lock.release()
    }

    /// Only one service a state directory.
    private func takeLock(_ session: Session) throws -> LockFile {
        try session.prepareStateDirectory()
        let file = session.stateDirectory.appending("watch.lock")
        do {
            return try LockFile(file)
        } catch .again {
            throw CommandFailure(
                ExitStatus.noPermission,
                "another `millwarden watch` runs on \(session.stateDirectory); stop it, or name another --state-dir"
            )
        } catch {
            throw CommandFailure(reaching: "lock", file, error, session.stateDirectory)
        }
    }

    /// The journal, and a copy for whoever looks at standard output, unless that is the journal itself.
    private func makeOutboxes(_ history: History, _ session: Session) throws -> [Outbox] {
        let journal = JournalPublisher(stateDirectory: realDirectory(session.stateDirectory))
        var outboxes = [try Outbox(history: history, publisher: journal, marks: true)]
        if !isJournal(STDOUT_FILENO) {
            let lines = LinePublisher(
                descriptor: STDOUT_FILENO,
                form: global.format == .jsonl ? .jsonl : .text(.terminal)
            )
            let newest = try history.newestSeq()
            outboxes.append(try Outbox(history: history, publisher: lines, marks: false, after: newest))
        }
        return outboxes
    }

    /// Who writes is told where the kernel grants it; everything else works without.
    private func openWriters(_ board: StatusBoard) -> WriterSource? {
        do throws(Errno) {
            let writers = try WriterSource()
            try writers.start()
            board.attach(writers: { writers.status })
            return writers
        } catch {
            board.attach(writers: { WriterStatus(level: .none(error)) })
            return nil
        }
    }

    private func openInotify() throws -> Inotify {
        do {
            return try Inotify()
        } catch {
            throw CommandFailure(
                ExitStatus.software,
                "cannot use inotify: \(error); `millwarden doctor` says who uses all instances and how to raise their number"
            )
        }
    }
}

/// What waits between the kernel and the journal now.
private func queues(_ inotify: Inotify, _ reader: EventReader, _ outboxes: [Outbox]) -> ServiceQueues {
    let held = reader.held
    return ServiceQueues(
        kernelBytes: inotify.queuedBytes,
        kernelEventLimit: try? HostFiles().number("/proc/sys/fs/inotify/max_queued_events"),
        readerBytes: held.bytes,
        readerLimit: held.limit,
        publishFailure: outboxes.compactMap(\.failure).first.map { "\($0)" }
    )
}

/// sd_notify(3) behind the pipeline's idea of a service manager.
final class NotifiedManager: ServiceManager {
    private let notifier = ServiceNotifier()
    /// Until when it has been given time, in nanoseconds of the boot clock.
    private let granted = Mutex<Int64>(0)

    func ready(status: String) { _ = notifier.ready(status: status) }
    func status(_ text: String) { _ = notifier.status(text) }
    func reloading() { _ = notifier.reloading(monotonic: SystemClock.monotonicTime()) }
    func stopping() { _ = notifier.stopping() }
    func watchdog() { _ = notifier.watchdog() }

    /// The pipeline asks after every few milliseconds of work; the manager hears it where that gains a second at least,
    /// because its socket holds few messages, and sending into a full one waits.
    func extend(microseconds: UInt64) {
        let wanted = Session.bootClock() + Int64(clamping: microseconds) * 1_000
        let isDue = granted.withLock { until in
            guard wanted - until >= 1_000_000_000 else { return false }
            until = wanted
            return true
        }
        if isDue { _ = notifier.extendTimeout(nanoseconds: microseconds * 1_000) }
    }

    var watchdogInterval: Int64? { ServiceNotifier.watchdogInterval().map { Int64(clamping: $0) } }
}

/// Hands rows over to the journal that this process wrote; a running service does it instead, when it is told.
func publishOnce(_ history: History, _ stateDirectory: RawPath) {
    if ControlClient.status(stateDirectory: stateDirectory) != nil { return }
    let journal = JournalPublisher(stateDirectory: realDirectory(stateDirectory))
    guard let outbox = try? Outbox(history: history, publisher: journal, marks: true),
        (try? outbox.start(name: "publish")) != nil
    else { return }
    outbox.stop()
}
