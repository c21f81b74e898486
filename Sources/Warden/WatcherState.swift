import CLinux
import Host
import Integrity
import Synchronization
import RulePacks
import Ledger

/// The service's own directory: a new baseline, and the pulse.
extension Watcher {
    /// Watches the state directory with the same queue as everything else, so that its events take their turn.
    func watchState() throws(Errno) {
        let directory = try tree.openDirectory(setup.stateDirectory)
        stateWatch = try inotify.add(directory, mask: [.movedTo, .attrib, .onlyDirectory])
    }

    func takeState(_ event: InotifyEvent) {
        if event.name.elementsEqual(Pulse.name.utf8) {
            // The pulse went through the kernel, the reader and the pipeline; the publisher is asked last.
            guard pulse.isOut, let outbox = outboxes.first else { return }
            pulse.isOut = false
            let manager = manager
            outbox.ring { manager.watchdog() }
        } else if event.name[...] == setup.store.path.name {
            takeBaseline()
        }
    }

    /// Somebody approved changes: the new baseline is what is compared with from now on.
    private func takeBaseline() {
        do {
            let opened = try setup.store.open(history: setup.history, trusting: setup.trusted)
            baseline = opened.reader
            cursor = baseline.makeCursor()
            reported = Set(try setup.history.allStanding().filter(\.isCurrent).map(\.path))
            board.noteScope(
                baseline: baseline.summary,
                packs: baseline.scope.packs,
                rules: rules.rules.count
            )
            manager.status(
                "watching \(table.withLock { $0.count }) directories, \(baseline.summary.entries) paths"
            )
        } catch {
            board.noteTrouble("the new baseline is not used: \(error)")
            try? append(
                .selfProtection(
                    SelfEvent(
                        message: "a baseline that cannot be trusted was put in place: \(error)",
                        paths: [setup.store.path]
                    )
                )
            )
        }
    }

    /// SIGHUP: everything in scope is watched and examined anew, without taking a watch away before.
    func reload() throws {
        manager.reloading()
        takeBaseline()
        var options = SurveyOptions()
        options.isQuick = true
        options.jobs = setup.jobs
        _ = try survey(options)
        try reportUnwatched()
        let count = table.withLock { $0.count }
        try append(
            .reload(
                StartEvent(
                    version: setup.version,
                    pid: Int64(processID),
                    generation: baseline.summary.generation,
                    directories: count,
                    rules: rules.digest,
                    afterUncleanStop: false
                )
            )
        )
        manager.ready(status: "watching \(count) directories, \(baseline.summary.entries) paths")
    }
}

/// The token behind `WATCHDOG=1`: a file in the state directory whose times are set.
///
/// Its event comes back through the kernel's queue, the reader, the pipeline and the publisher's thread, so
/// that a sign of life says that all of them live.
struct Pulse {
    static let name = "pulse"

    private let path: RawPath
    /// Half of what the manager waits for; nil where it does not wait.
    private let interval: Int64?
    private(set) var next: Int64?
    var isOut = false

    init(directory: RawPath, interval: Int64?) {
        path = directory.appending(Pulse.name)
        self.interval = interval.map { $0 / 2 }
        next = interval == nil ? nil : 0
    }

    mutating func due(at now: Int64) -> Pulse? {
        guard let interval, let next, next <= now else { return nil }
        self.next = now + interval
        isOut = true
        return self
    }

    func send() {
        var name = path.bytes.map { CChar(bitPattern: $0) }
        name.append(0)
        let descriptor = unsafe mw_openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        _ = futimens(descriptor, nil)
        _ = close(descriptor)
    }
}

/// The number of this process.
package var processID: Int32 { getpid() }
