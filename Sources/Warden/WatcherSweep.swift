import Host
import Integrity
import Ledger
import RulePacks

/// What is read again in the background, and the clock by which that is due.
extension Watcher {
    /// Nanoseconds that a service is left alone after its start.
    private static var firstDelay: Int64 { 60_000_000_000 }

    /// When the next one is due, by what the history tells of the last full look at everything.
    func scheduleSweep() throws {
        let every = setup.sweep.every
        nextSweep = nil
        if let gap = try setup.history.openGaps().first(where: { $0.reason == .clockStep }) {
            steppedGap = (gap.id, setup.bootClock())
            nextSweep = setup.bootClock()
        } else if every > 0 {
            var last = baseline.summary.created
            for mode in ["full", CheckEvent.sweepMode] {
                if let check = try setup.history.lastCheck(mode: mode) { last = max(last, check.finished) }
            }
            // A clock that was set back must not put it off for ever.
            let left = max(0, min(every, every - setup.clock().nanoseconds(since: last)))
            nextSweep = setup.bootClock() + max(left, min(every, Self.firstDelay))
        }
        noteSweep()
    }

    /// Takes what a sweep found, or begins one that is due.
    func sweep(at now: Int64) throws {
        if let result = sweeper.take() { try finish(result) }
        guard let due = nextSweep, due <= now, !sweeper.isRunning else { return }
        let survey = Survey(tree: tree, rules: rules, baseline: baseline, clock: setup.clock)
        var options = SurveyOptions()
        options.jobs = 0
        options.rate = ReadRate(bytesPerSecond: max(1, setup.sweep.rate), brake: sweepBrake)
        options.grownLogs = try setup.history.grownLogs(under: rules.rules)
        let (started, bootStarted) = (setup.clock(), now)
        nextSweep = nil
        do {
            try sweeper.start(bell: bell) { [options] progress, cancellation in
                var options = options
                options.cancellation = cancellation
                var result = SweepResult(started: started, bootStarted: bootStarted)
                do {
                    result.survey = try survey.run(options, progress: progress)
                    if cancellation.isCancelled { (result.survey, result.failure) = (nil, "cancelled") }
                } catch {
                    result.failure = "\(error)"
                }
                return result
            }
        } catch {
            board.noteTrouble("no thread for the sweep: \(error); it is tried again")
            nextSweep = now + Self.firstDelay
        }
        noteSweep()
    }

    /// Examines what the sweep found suspect, and notes that it took place.
    private func finish(_ result: SweepResult) throws {
        let now = setup.bootClock()
        nextSweep = setup.sweep.every > 0 ? now + setup.sweep.every : nil
        defer { noteSweep() }
        guard let survey = result.survey else {
            let reason = result.failure ?? "unknown"
            try append(
                .selfProtection(SelfEvent(message: "the sweep could not be carried through: \(reason)"))
            )
            return
        }
        // What is under way already takes its own course.
        takeEvents()
        let before = try setup.history.newestSeq()
        var suspects = Set(survey.deviations.map(\.finding.path))
        suspects.formUnion(survey.deviations.compactMap(\.finding.from))
        suspects.formUnion(survey.errors.map(\.path))
        suspects.formUnion(reported)
        let still = suspects.filter { !settle.isPending($0) }.sorted()
        try examine(still.map { Settled(path: $0, touches: .none, isOpen: false, wasHeld: true) })
        try reportUnwatched()
        let found = try newChanges(since: before)
        if let stepped = steppedGap, stepped.bootTime <= result.bootStarted {
            let time = setup.clock()
            try setup.history.write { (transaction) throws(HistoryError) in
                guard try transaction.snapshot.openGaps().contains(where: { $0.id == stepped.id }) else {
                    return
                }
                try transaction.closeGap(stepped.id, found: found, at: time)
            }
            steppedGap = nil
        } else if steppedGap != nil {
            nextSweep = now
        }
        try append(.check(event(survey, started: result.started)))
    }

    private func newChanges(since seq: Int64) throws -> Int {
        var filter = HistoryFilter()
        (filter.events, filter.seqs) = (["change"], seq + 1...Int64.max)
        return try setup.history.entries(filter).count
    }

    /// The same counts as those of a check at this moment, from what the history holds now.
    private func event(_ survey: SurveyResult, started: Timestamp) throws -> CheckEvent {
        var summary = CheckSummary()
        var findings: [Finding] = []
        for standing in try setup.history.allStanding() {
            guard var finding = try setup.history.finding(standing.seq) else { continue }
            finding.resolved = standing.resolved
            findings.append(finding)
            summary.count(finding)
        }
        summary.examined = survey.examined
        summary.unchanged = survey.unchanged
        summary.unbaselined = survey.unbaselined
        summary.unexamined = survey.unexamined.count
        summary.errors = survey.errors.count
        summary.openGaps = try setup.history.openGaps().count
        let isIncomplete = summary.errors > 0 || summary.openGaps > 0 || summary.unbaselined > 0
        return CheckEvent(
            mode: CheckEvent.sweepMode,
            started: started,
            finished: setup.clock(),
            generation: baseline.summary.generation,
            summary: summary,
            exit: findingBits(findings, CheckOptions()) | (isIncomplete ? 8 : 0),
            worst: findings.lazy.filter { $0.verdict == .unauthorized }.map(\.severity).max()
        )
    }

    private func noteSweep() {
        let last = try? setup.history.lastCheck(mode: CheckEvent.sweepMode)?.finished
        let (schedule, clock, bootClock, sweeper) = (setup.sweep, setup.clock, setup.bootClock, sweeper)
        let next = nextSweep
        board.attach(sweep: {
            let progress = sweeper.progress
            return SweepStatus(
                schedule: schedule,
                lastFinished: last,
                next: next.map { clock().adding(nanoseconds: $0 - bootClock()) },
                examined: progress?.files,
                bytes: progress?.bytes
            )
        })
    }

    // MARK: the clock

    /// Somebody set the system clock.
    ///
    /// A change time says nothing any more about what came first, so that a quick check may be wrong: all is read again,
    /// and until then a gap is open. A second more or less is no step, and neither is what a clock may have been slewed
    /// since the last one (adjtimex(2): 500 millionths at the most).
    func noteClock() throws {
        let (time, bootTime) = (setup.clock(), setup.bootClock())
        let offset = time.nanoseconds(since: Timestamp(seconds: 0)) - bootTime
        guard let base = clockBase else {
            clockBase = (offset, bootTime)
            return
        }
        let step = offset - base.offset
        let tolerance = 1_000_000_000 + (bootTime - base.bootTime) / 2_000
        guard step.magnitude > UInt64(max(0, tolerance)) else { return }
        clockBase = (offset, bootTime)
        let direction = step < 0 ? "back" : "forward"
        let seconds = Double(step.magnitude / 1_000_000) / 1_000
        let detail =
            "the system clock was set \(direction) by \(seconds) s: change times of before and after do not compare; "
            + "everything is read again now"
        if steppedGap == nil {
            let roots = rules.roots
            let (gap, _) = try setup.history.write { (transaction) throws(HistoryError) in
                try transaction.openGap(.clockStep, scope: roots, at: time, detail: detail)
            }
            steppedGap = (gap.id, bootTime)
        } else {
            steppedGap?.bootTime = bootTime
        }
        nextSweep = bootTime
        ring()
    }

    // MARK: interference

    /// Somebody let it go on that had been stopped, or wanted it to look so.
    func noteGoingOn(_ sender: SignalSender?) throws {
        let by = sender.map { " from pid \($0.pid), uid \($0.uid)" } ?? ""
        try append(
            .selfProtection(
                SelfEvent(
                    message: "SIGCONT came\(by): it may have been stopped, last seen at work at "
                        + "\(lastTurn); the kernel kept the events meanwhile"
                )
            )
        )
    }

    /// Tells once of each process that traces this one.
    func checkTracer(at now: Int64) throws {
        guard now >= nextTracerCheck else { return }
        nextTracerCheck = now + 10_000_000_000
        let tracer = SystemClock.tracer()
        defer { knownTracer = tracer }
        guard let tracer, tracer != knownTracer else { return }
        let exe =
            (try? HostFiles().target(of: RawPath("/proc/\(tracer)/exe"))).map { " (\(escaped($0)))" } ?? ""
        try append(
            .selfProtection(
                SelfEvent(
                    message:
                        "pid \(tracer)\(exe) traces this process and can alter what it sees and tells; restart "
                        + "the service, then run `millwarden check` and `millwarden history verify --against-journal`"
                )
            )
        )
    }
}
