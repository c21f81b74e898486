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
    ///
    /// Where another scope was approved, the rules are read anew and everything is examined: what came into scope may
    /// have changed between its approval and this moment.
    private func takeBaseline() {
        do {
            let opened = try setup.store.open(history: setup.history, trusting: setup.trusted)
            if opened.reader.scope != baseline.scope {
                wantsReload = true
                forgetUnbaselined()
            }
            baseline = opened.reader
            cursor = baseline.makeCursor()
            openRoom()
            compareScope()
            reported = Set(try setup.history.allStanding().filter(\.isCurrent).map(\.path))
            unexamined.append(contentsOf: try followLinks())
            dropUnneeded()
            noteScope()
            manager.status(watching)
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

    /// The contents belong to one baseline, the limits to one configuration.
    private func openRoom() {
        room = setup.room(for: baseline)
        examiner = Examiner(tree: tree, clock: setup.clock, copier: room.store)
        room.store?.prune(now: setup.clock())
    }

    /// What was not in scope until now has been recorded as it stands: what was done to it before is no change of it, and
    /// what it is by now the reload examines.
    private func forgetUnbaselined() {
        settle.forget { path in
            guard let rule = step(path).rule, (try? baseline.record(for: path, with: &cursor)) == nil else {
                return false
            }
            return !question.wasInScope(path, rule: rules.rules[rule].id)
        }
    }

    func compareScope() {
        difference = ScopeDifference(baseline: baseline, rules: rules)
        question = difference.makeQuestion()
    }

    private func noteScope() {
        board.noteScope(baseline: baseline.summary, packs: rules.packNames, rules: rules.rules.count)
    }

    private var watching: String {
        "watching \(table.withLock { $0.count }) directories, \(baseline.summary.entries) paths"
    }

    /// SIGHUP: configuration and rules are read anew, everything in scope is watched and examined.
    ///
    /// No moment is blind: what happened so far is taken in under the rules it happened under, the survey adds every
    /// watch that is new, and only then those go that nothing needs any more. Rules that cannot be loaded leave those
    /// in force as they are.
    func reload() throws {
        manager.reloading()
        takeEvents()
        takeBaseline()
        wantsReload = false
        try configure()
        var options = SurveyOptions()
        options.isQuick = true
        options.jobs = setup.jobs
        _ = try survey(options)
        dropUnneeded()
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
        noteScope()
        manager.ready(status: watching)
    }

    private func configure() throws {
        guard let configure = setup.configure else { return }
        let new: WatchConfiguration
        do {
            new = try configure(baseline.scope.packs)
        } catch {
            let reason = "\(error)".split(separator: "\n").joined(separator: "; ")
            let message = "the rules could not be taken up, those in force stay: \(reason)"
            ruleTrouble = message
            board.noteTrouble(message)
            try append(.selfProtection(SelfEvent(message: message)))
            return
        }
        if ruleTrouble != nil { board.noteTrouble(nil) }
        ruleTrouble = nil
        setup.rules = new.rules
        setup.trusted = new.trusted
        setup.catchUpIsFull = new.catchUpIsFull
        setup.evidence = new.evidence
        if setup.sweep != new.sweep {
            setup.sweep = new.sweep
            if !sweeper.isRunning { try scheduleSweep() }
        }
        openRoom()
        matcher = rules.matcher()
        hasNameRules = rules.rules.contains { $0.profile == .directory }
        board.noteRules(rules.digest, new.packs)
        compareScope()
    }

    // MARK: what has to be watched

    /// Follows the hops and targets of links, which no rule selects by itself, as the baseline has them.
    ///
    /// - Returns: Those that were not followed before.
    /// - Throws: `BaselineError` where a block is damaged.
    func followLinks() throws(BaselineError) -> [RawPath] {
        let before = linked
        linked = [:]
        linkedDirectories = []
        try baseline.forEachRecord { (view) throws(BaselineError) in
            if view.via != nil { follow(try view.decode()) }
        }
        return linked.keys.filter { before[$0] == nil }.sorted()
    }

    /// The hop or target of a link: its directory is watched for this one name, and so are all above it.
    private func follow(_ record: Record) {
        linked[record.path] = record
        var directory = record.path
        repeat {
            directory = directory.parent
            linkedDirectories.insert(directory)
            guard table.withLock({ $0.watch(for: directory) }) == nil else { continue }
            guard let descriptor = try? tree.openDirectory(directory) else { continue }
            watch(directory, descriptor)
        } while !directory.isRoot
    }

    /// Gives up the watches of directories in which nothing is in scope any more.
    private func dropUnneeded() {
        let needless = table.withLock { Array($0.directories) }.filter { !isNeeded($0) }
        for directory in needless {
            for watch in table.withLock({ $0.remove(subtree: directory) }) where watch != stateWatch {
                inotify.remove(watch)
            }
        }
    }

    private func isNeeded(_ directory: RawPath) -> Bool {
        let step = step(directory)
        return step.below != nil || linkedDirectories.contains(directory) || countsNames(step.rule)
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
