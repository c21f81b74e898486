package import Host
package import Integrity
package import Ledger
package import RulePacks
import Synchronization

/// What a reload reads anew.
package struct WatchConfiguration: Sendable {
    package var rules: RuleSet
    package var trusted: [PublicKey]
    package var catchUpIsFull: Bool
    package var evidence: EvidenceLimits
    package var sweep: SweepSchedule
    /// Why each pack is on or off, for `status`.
    package var packs: [PackState]

    package init(
        rules: RuleSet,
        trusted: [PublicKey],
        catchUpIsFull: Bool,
        evidence: EvidenceLimits = EvidenceLimits(),
        sweep: SweepSchedule = SweepSchedule(),
        packs: [PackState] = []
    ) {
        self.rules = rules
        self.evidence = evidence
        self.sweep = sweep
        self.packs = packs
        self.trusted = trusted
        self.catchUpIsFull = catchUpIsFull
    }
}

/// What the service is made of.
package struct WatchSetup: Sendable {
    package var rules: RuleSet
    package var history: History
    package var store: BaselineStore
    package var trusted: [PublicKey]
    package var stateDirectory: RawPath
    package var version: String
    package var catchUpIsFull = false
    package var evidence = EvidenceLimits()
    package var sweep = SweepSchedule()
    package var jobs = 2
    package var clock: @Sendable () -> Timestamp
    /// Boot time in nanoseconds.
    package var bootClock: @Sendable () -> Int64
    package var timing = Settle.Timing()
    /// Who wrote; nil where the kernel does not tell.
    package var writers: WriterSource?
    /// Who may know why a path changed.
    package var witnesses = Witnesses.none
    /// Reads configuration and rules anew, given the packs of the baseline in force: a pack once on stays on.
    package var configure: (@Sendable ([String]) throws -> WatchConfiguration)?

    package init(
        rules: RuleSet,
        history: History,
        store: BaselineStore,
        trusted: [PublicKey],
        stateDirectory: RawPath,
        version: String,
        clock: @escaping @Sendable () -> Timestamp,
        bootClock: @escaping @Sendable () -> Int64
    ) {
        self.rules = rules
        self.history = history
        self.store = store
        self.trusted = trusted
        self.stateDirectory = stateDirectory
        self.version = version
        self.clock = clock
        self.bootClock = bootClock
    }
}

extension WatchSetup {
    /// Opens what a baseline keeps beside itself.
    func room(for baseline: BaselineReader) -> EvidenceRoom {
        EvidenceRoom(stateDirectory: stateDirectory, contents: baseline.manifest.contents, limits: evidence)
    }
}

/// What the service tells its manager; `Reporting` provides sd_notify(3).
package protocol ServiceManager: Sendable {
    func ready(status: String)
    func status(_ text: String)
    func reloading()
    func stopping()
    func watchdog()
    /// More time is needed: microseconds from now.
    func extend(microseconds: UInt64)
    /// Nanoseconds between two signs of life at the most; nil where nobody waits for them.
    var watchdogInterval: Int64? { get }
}

/// The pipeline behind `watch`: kernel events in, durable rows out.
///
/// All of it runs on one thread, in the order event source, settle, examine, compare, judge, record. Beside it only the
/// reader drains the kernel's queue, and each outbox publishes.
package final class Watcher<Tree: FileTree> {
    let tree: Tree
    var setup: WatchSetup
    let inotify: Inotify
    let bell: EventBell
    let reader: EventReader
    let recorder: Recorder
    let outboxes: [Outbox]
    let manager: any ServiceManager
    let board: StatusBoard
    /// Also asked on the threads of a survey, while `setup` is not.
    let writers: WriterSource?

    var rules: RuleSet { setup.rules }
    var matcher: Matcher
    /// Some rule looks at the names in a directory.
    var hasNameRules: Bool
    /// What the rules in force and the approved scope disagree about.
    var difference: ScopeDifference
    var question: ScopeDifference.Question
    var baseline: BaselineReader
    var cursor: BaselineCursor
    var examiner: Examiner<Tree>
    /// What the baseline in force keeps of its files, and where altered ones are saved.
    var room: EvidenceRoom
    let table = Mutex(WatchTable())
    var settle: Settle
    var rename = RenamePairs()
    /// Records that no rule selects by itself: the hops and targets of links.
    var linked: [RawPath: Record] = [:]
    /// Their directories, up to the root.
    var linkedDirectories: Set<RawPath> = []
    /// Paths to be examined in the next turn although nothing was seen to happen to them.
    var unexamined: [RawPath] = []
    /// Configuration and rules are to be read anew.
    var wantsReload = false
    /// Why the rules in force are not those on disk.
    var ruleTrouble: String?
    /// Where logs were renamed to, by their name before, and what they were when their name got something else.
    var rotated = RotatedLogs()
    /// Paths that differ from the baseline and were reported.
    var reported: Set<RawPath> = []
    /// Open gaps of the reason `unreadable`, by path.
    var unreadable: [RawPath: Int64] = [:]
    /// Directories that could not be watched, with the first errno; emptied when the gap is opened.
    let unwatched = Mutex<[RawPath: Errno]>([:])
    /// Events were lost: everything is examined again.
    var isBlind = false
    /// The gap that was opened for it and could not be closed yet.
    var blindness: Gap?
    let sweeper = Sweeper()
    /// When the next sweep is due; nil while one runs, or where there is none.
    var nextSweep: Int64?
    /// The open gap of a set clock, and since when everything has to be read again.
    var steppedGap: (id: Int64, bootTime: Int64)?
    /// How far the wall clock stood from the boot clock, and when that was noted.
    var clockBase: (offset: Int64, bootTime: Int64)?
    var lastTurn = Timestamp(seconds: 0)
    var knownTracer: Int64?
    var nextTracerCheck: Int64 = 0
    var stateWatch: Int32?
    var pulse: Pulse
    /// Outcomes that could not be written, because the history does not take them: the paths to be examined again.
    var retryAt: Int64?
    var retries: [Settled] = []
    /// Paths that a witness wants to be asked about again, and when.
    var awaited: [Settled] = []
    var awaitAt: Int64?
    /// The service ends: what is not answered now is told without an answer.
    var isEnding = false
    /// How many paths waited for the history, where that is still to be told.
    var delayed: Int?

    package init(
        tree: Tree,
        setup: WatchSetup,
        baseline: BaselineReader,
        inotify: Inotify,
        bell: EventBell,
        reader: EventReader,
        outboxes: [Outbox],
        manager: any ServiceManager,
        board: StatusBoard
    ) {
        self.tree = tree
        self.setup = setup
        self.inotify = inotify
        self.bell = bell
        self.reader = reader
        self.recorder = Recorder(history: setup.history)
        self.outboxes = outboxes
        self.manager = manager
        self.board = board
        self.writers = setup.writers
        self.matcher = setup.rules.matcher()
        self.baseline = baseline
        self.cursor = baseline.makeCursor()
        self.room = setup.room(for: baseline)
        self.examiner = Examiner(tree: tree, clock: setup.clock, copier: room.store)
        self.hasNameRules = setup.rules.rules.contains { $0.profile == .directory }
        self.difference = ScopeDifference(baseline: baseline, rules: setup.rules)
        self.question = difference.makeQuestion()
        self.settle = Settle(timing: setup.timing)
        self.pulse = Pulse(directory: setup.stateDirectory, interval: manager.watchdogInterval)
    }

    /// Watches until a signal ends it.
    ///
    /// - Returns: The name of the signal.
    /// - Throws: `HistoryError`, `BaselineError` or `Errno` where the service cannot go on.
    package func run(signals: SignalSource) throws -> String {
        try watchState()
        let clockSteps = try ClockSteps()
        try noteClock()
        try catchUp()
        try scheduleSweep()
        var poller = Poller([bell, signals, clockSteps])
        while true {
            let timeout = nextMoment().map { UInt64(max(0, $0 - setup.bootClock())) }
            _ = try poller.wait(timeout: timeout)
            if let (signal, sender) = try signals.next() {
                switch signal {
                case .hangUp: wantsReload = true
                case .goOn: try noteGoingOn(sender)
                case .terminate, .interrupt:
                    try stop(signal.name)
                    return signal.name
                }
            }
            if try clockSteps.take() { try noteClock() }
            bell.clear()
            try turn()
        }
    }

    /// One turn of the pipeline: whatever was read, whatever is due.
    func turn() throws {
        takeEvents()
        let now = setup.bootClock()
        lastTurn = setup.clock()
        if let retryAt, retryAt <= now { try retry(now) }
        if retryAt == nil {
            try tolerating(now) {
                try checkTracer(at: now)
                try sweep(at: now)
            } orElse: {
            }
        }
        if wantsReload && retryAt == nil {
            try tolerating(now) {
                try reload()
            } orElse: {
                wantsReload = true
            }
        }
        if !unexamined.isEmpty {
            let paths = unexamined
            unexamined = []
            try examine(paths.map { Settled(path: $0, touches: .none, isOpen: false, wasHeld: true) })
        }
        if let awaitAt, awaitAt <= now { try examineAwaited() }
        let due = settle.take(at: now)
        try examine(due.paths)
        for directory in due.directories {
            try tolerating(now) {
                try reexamine(directory, gap: nil)
            } orElse: {
                settle.markDirty(directory, at: now + retryInterval)
            }
        }
        if isBlind && retryAt == nil {
            try tolerating(now) {
                try closeBlindness()
            } orElse: {
                isBlind = true
            }
        }
        if retryAt == nil {
            try tolerating(now) {
                try reportUnwatched()
            } orElse: {
            }
        }
        if let beat = pulse.due(at: now) { beat.send() }
        board.update(pending: settle.pendingCount, watches: table.withLock { $0.count })
    }

    /// The next moment at which something is due without an event.
    private func nextMoment() -> Int64? {
        [settle.nextDue, pulse.next, retryAt, awaitAt, nextSweep].compactMap { $0 }.min()
    }

    func stop(_ signal: String) throws {
        manager.stopping()
        sweeper.cancel()
        reader.stop()
        takeEvents()
        isEnding = true
        try examineAwaited()
        // Twice: what equals the baseline is put back once, to be told with what follows.
        for _ in 0..<2 { try examine(settle.take(at: setup.bootClock(), all: true).paths) }
        if retryAt != nil { try retry(setup.bootClock()) }
        try append(.stop(StopEvent(reason: signal, pid: Int64(processID))))
    }

    // MARK: record

    func append(_ event: Event) throws {
        let time = setup.clock()
        try setup.history.write { (transaction) throws(HistoryError) in
            _ = try transaction.append(event, at: time)
        }
        ring()
    }

    func ring() {
        for outbox in outboxes { outbox.ring() }
    }

    /// Writes outcomes; where the history does not take them, keeps what is needed to examine the paths again.
    func commit(_ outcomes: [(Outcome, Settled)]) throws {
        guard !outcomes.isEmpty else { return }
        do {
            let entries = try recorder.record(outcomes.map(\.0), at: setup.clock())
            if !entries.isEmpty { ring() }
            board.noteRecorded(entries)
            for (outcome, _) in outcomes {
                remember(outcome)
                for (path, position) in outcome.told { writers?.forget(path, upTo: position) }
            }
        } catch {
            guard error.mayPass else { throw error }
            retries.append(contentsOf: outcomes.map(\.1))
            postpone(setup.bootClock(), error)
        }
    }

    /// Does something again later where the history does not take rows for a while; `orElse` keeps what is to be done.
    func tolerating(_ now: Int64, _ body: () throws -> Void, orElse keep: () -> Void) throws {
        do {
            try body()
        } catch let error as HistoryError where error.mayPass {
            keep()
            postpone(now, error)
        }
    }

    func postpone(_ now: Int64, _ error: HistoryError) {
        retryAt = now + retryInterval
        board.noteTrouble("the history does not take rows: \(error)")
    }

    private func examineAwaited() throws {
        awaitAt = nil
        let waiting = awaited
        awaited = []
        try examine(waiting)
    }

    private func retry(_ now: Int64) throws {
        retryAt = nil
        let waiting = retries
        retries = []
        try examine(waiting)
        delayed = (delayed ?? 0) + waiting.count - retries.count
        guard retryAt == nil, let found = delayed else { return }
        try tolerating(now) {
            let time = setup.clock()
            try setup.history.write { (transaction) throws(HistoryError) in
                let gap = try transaction.openGap(
                    .history,
                    scope: [setup.stateDirectory],
                    at: time,
                    detail:
                        "the history could not be written for a while; what happened meanwhile was kept and is "
                        + "recorded now"
                )
                try transaction.closeGap(gap.id, found: found, at: time)
            }
            delayed = nil
            board.noteTrouble(ruleTrouble)
            ring()
        } orElse: {
        }
    }
}

/// Nanoseconds until the history is asked again.
private let retryInterval: Int64 = 1_000_000_000

/// Nanoseconds until a witness is asked again.
let awaitInterval: Int64 = 100_000_000

/// Which renames wait for their other half.
struct RenamePairs {
    struct Departure {
        var path: RawPath
        var isDirectory: Bool
    }

    private var departures: [UInt32: Departure] = [:]
    private var order: [UInt32] = []

    /// The halves of one rename follow each other closely; older ones never find theirs.
    private static let limit = 1_024

    mutating func depart(_ cookie: UInt32, _ departure: Departure) {
        departures[cookie] = departure
        order.append(cookie)
        guard order.count > RenamePairs.limit else { return }
        for stale in order.prefix(RenamePairs.limit / 2) { departures[stale] = nil }
        order.removeFirst(RenamePairs.limit / 2)
    }

    mutating func arrive(_ cookie: UInt32) -> Departure? {
        departures.removeValue(forKey: cookie)
    }
}

extension HistoryError {
    /// The same may succeed later: space is freed, a lock is released.
    package var mayPass: Bool {
        switch self {
        case .full, .busy, .readOnly, .io: true
        default: false
        }
    }
}

extension ProgramSignal {
    /// `SIGTERM`.
    package var name: String {
        switch self {
        case .terminate: "SIGTERM"
        case .interrupt: "SIGINT"
        case .hangUp: "SIGHUP"
        case .goOn: "SIGCONT"
        }
    }
}
