import Host
import Integrity
import Ledger
import RulePacks
import Synchronization

/// From settled paths to durable rows: examine, compare, judge, record.
extension Watcher {
    /// Examines what settled; commits at least every 5 ms, so that a long queue does not delay its first rows.
    func examine(_ settled: [Settled]) throws {
        guard !settled.isEmpty else { return }
        var batch: [(Outcome, Settled)] = []
        var began = setup.bootClock()
        var moved: Set<RawPath> = []
        // Arrivals first: a pair of names becomes one finding, on the new one.
        let ordered = settled.filter { $0.from != nil } + settled.filter { $0.from == nil }
        for item in ordered where !moved.contains(item.path) {
            try tolerating(began) {
                if let outcome = try outcome(of: item, moved: &moved) { batch.append((outcome, item)) }
            } orElse: {
                retries.append(item)
            }
            if setup.bootClock() - began > 5_000_000 {
                try commit(batch)
                batch = []
                began = setup.bootClock()
                manager.extend(microseconds: 30_000_000)
            }
        }
        try commit(batch)
    }

    func remember(_ outcome: Outcome) {
        if let finding = outcome.finding, !finding.change.isPassing {
            reported.insert(outcome.path)
        } else {
            reported.remove(outcome.path)
        }
    }

    /// One settled path examined, compared and judged; nil where it was put back or could not be examined.
    private func outcome(of settled: Settled, moved: inout Set<RawPath>) throws -> Outcome? {
        let recorded = try baseline.record(for: settled.path, with: &cursor)
        guard let rule = rule(for: settled.path, recorded: recorded) else { return nil }
        // In scope, but nobody approved that yet: the gap that is open counts it.
        if recorded == nil, !question.wasInScope(settled.path, rule: rule.id) { return nil }
        let grown =
            rule.profile == .appendOnly
            ? LastObserved(try setup.history.currentStanding(settled.path), rule: rule) : nil
        // Who wrote so far had a part in what is read now; who writes while it is read may have had.
        let position = writers?.position()
        let examined: Examined?
        switch Examination(
            of: settled.path,
            recorded: recorded,
            rule: rule,
            prefix: grown?.size,
            content: room.wish(under: rule, known: recorded?.state.attributes?.digest),
            with: &examiner
        ) {
        case .found(let found): examined = found
        case .absent: examined = nil
        case .failed(let failure):
            try openUnreadable(settled.path, failure)
            return nil
        }
        try closeUnreadable(settled.path)
        if case .unexamined? = recorded?.state { return nil }

        let origin = try origin(of: settled, recorded: recorded, examined: examined)
        var touches = settled.touches
        if settled.onto != nil { touches.cameAndLeft = false }
        var compared = (
            recorded: recorded?.state.attributes, observation: examined?.observation ?? .absent,
            isContinuation: false
        )
        // A rotated log has no record; that it is gone is told by what was last observed of it.
        if let grown, examined == nil, recorded == nil { compared.recorded = grown.attributes }
        if let grown, examined != nil {
            compared = grown.comparison(baseline: compared.recorded, observation: compared.observation)
        }
        compared.observation.isCopy = baseline.isCopy
        var subject = Subject(
            path: settled.path,
            rule: rule,
            recorded: compared.recorded,
            observation: compared.observation,
            touches: touches,
            via: recorded?.via,
            from: origin?.path
        )
        subject.isContinuation = compared.isContinuation
        let assessed = assess(subject, asking: setup.witnesses, .event)
        var finding = assessed.finding
        if assessed.isPending, !isEnding {
            awaited.append(settled)
            awaitAt = awaitAt ?? setup.bootClock() + awaitInterval
            return nil
        }
        if let change = finding?.change, change.canBeRotation, finding?.verdict == .unauthorized,
            try isRotation(settled, rule, grown?.attributes ?? recorded?.state.attributes, examined)
        {
            finding?.verdict = .expected
        }
        if finding?.change == .moved, let origin {
            finding?.before = origin.state.attributes
            moved.insert(origin.path)
        }
        if var noted = finding {
            rules.noteAbsence(&noted)
            noted.evidence = room.evidence(
                under: rule,
                recorded: noted.before,
                observed: examined?.attributes,
                content: examined?.content
            )
            finding = noted
        }
        if finding?.change.isPassing ?? false, touches.writes == 0, try isReturn(settled) { return nil }
        // What equals the baseline is not urgent: more of the same story may follow, and becomes one row with it.
        if finding?.change.isPassing ?? true, !settled.wasHeld, recorded != nil, settled.touches != .none {
            settle.hold(settled, at: setup.bootClock())
            return nil
        }
        if let attributes = examined?.attributes { markLinked(settled.path, attributes) }
        let state = examined.map { RecordedState.examined($0.attributes, isRacy: $0.isRacy) }
        var outcome = Outcome(path: settled.path, rule: rule, finding: finding, state: state)
        let modified = examined.flatMap { $0.attributes.type == .file ? $0.attributes.mtime : nil }
        if let position { attribute(&outcome, asOf: position, modified: modified) }
        return outcome
    }

    /// Who writes to it through a name elsewhere is known from now on.
    private func markLinked(_ path: RawPath, _ attributes: Attributes) {
        guard let writers, attributes.type == .file, attributes.links > 1,
            let directory = try? tree.openDirectory(path.parent),
            let file = try? tree.openFile(path.name, in: directory),
            (try? tree.status(of: file))?.inode == attributes.inode
        else { return }
        writers.mark(file: path, file)
    }

    /// Says who it was, where that is certain.
    private func attribute(_ outcome: inout Outcome, asOf position: UInt64, modified: Timestamp?) {
        outcome.told = [(outcome.path, position)]
        guard let writers, let finding = outcome.finding else { return }
        if let from = finding.from { outcome.told.append((from, position)) }
        let (path, change) = (outcome.path, finding.change)
        guard let answer = writers.actor(of: path, change, asOf: position, modified: modified) else { return }
        outcome.finding?.actor = answer.actor
        outcome.told[0].position = answer.position
    }

    /// It came back from where a reported move had taken it: that the move is undone says it all.
    private func isReturn(_ settled: Settled) throws -> Bool {
        guard let source = settled.from, let standing = try setup.history.currentStanding(source),
            let move = try setup.history.finding(standing.seq)
        else { return false }
        return move.change == .moved && move.from == settled.path
    }

    /// The record of the name it was renamed from, where that name is in the baseline and gone now.
    private func origin(of settled: Settled, recorded: Record?, examined: Examined?) throws -> Record? {
        guard recorded == nil, examined != nil, let from = settled.from,
            let origin = try baseline.record(for: from, with: &cursor),
            let rule = rule(for: from, recorded: origin)
        else { return nil }
        guard case .absent = Examination(of: from, recorded: origin, rule: rule, with: &examiner) else {
            return nil
        }
        return origin
    }

    private func rule(for path: RawPath, recorded: Record?) -> Rule? {
        if let index = step(path).rule { return rules.rules[index] }
        // What no rule selects is in scope as the hop or target of a link only.
        guard let recorded, recorded.via != nil else { return nil }
        return rules.rules.first { $0.id == recorded.rule }
    }

    // MARK: gaps

    private func openUnreadable(_ path: RawPath, _ failure: Failure) throws {
        guard unreadable[path] == nil else { return }
        let error = Errno(failure.errno)
        let time = setup.clock()
        let (gap, _) = try setup.history.write { (transaction) throws(HistoryError) in
            try transaction.openGap(
                .unreadable,
                scope: [path],
                at: time,
                detail:
                    "\(failure.operation.name) failed: \(error.message); it is examined again when it changes"
            )
        }
        unreadable[path] = gap.id
        ring()
    }

    private func closeUnreadable(_ path: RawPath) throws {
        guard let id = unreadable[path], canBeEntered(path) else { return }
        // One gap may stand for many directories: the last one closes it.
        if !unreadable.contains(where: { $0.key != path && $0.value == id }) {
            let time = setup.clock()
            try setup.history.write { (transaction) throws(HistoryError) in
                guard try transaction.snapshot.openGaps().contains(where: { $0.id == id }) else { return }
                try transaction.closeGap(id, found: 0, at: time)
            }
            ring()
        }
        unreadable[path] = nil
        // A directory that could not be entered: nothing below it was seen, or watched.
        if step(path).below != nil { settle.markDirty(path, at: setup.bootClock()) }
    }

    /// A directory has attributes also where it cannot be listed; what is none, or gone, has nothing to be entered for.
    private func canBeEntered(_ path: RawPath) -> Bool {
        guard step(path).below != nil else { return true }
        do {
            _ = try tree.openDirectory(path)
            return true
        } catch {
            return error.isAbsence || error == .tooManyLinks
        }
    }

    /// Directories that could not be watched become one open gap.
    func reportUnwatched() throws {
        let failed = unwatched.withLock { failed in
            defer { failed = [:] }
            return failed
        }
        let still = failed.filter { entry in unreadable[entry.key] == nil }
        guard !still.isEmpty else { return }
        let time = setup.clock()
        let isLimit = still.values.contains(.noSpace)
        let scope = still.keys.sorted()
        let detail =
            isLimit
            ? "no watches are left; `millwarden doctor` says who uses them and how many are needed; raise the limit, "
                + "then restart the service"
            : "cannot be watched: \(still[scope[0]]?.message ?? "unknown"); give the service read permission"
        let gap: Gap
        do {
            gap = try setup.history.write { (transaction) throws(HistoryError) in
                try transaction.openGap(
                    isLimit ? .watchLimit : .unreadable,
                    scope: scope,
                    at: time,
                    detail: detail
                )
            }.result
        } catch {
            unwatched.withLock { $0.merge(still) { newer, _ in newer } }
            throw error
        }
        for path in scope { unreadable[path] = gap.id }
        ring()
    }

    // MARK: surveys

    /// Arms every watch, and reports what changed while the service was down.
    func catchUp() throws {
        let history = setup.history
        let last = try history.lastRun()
        for standing in try history.allStanding() where standing.isCurrent { reported.insert(standing.path) }
        let opened = setup.clock()
        var gap: Int64?
        if let last {
            let (down, _) = try history.write { (transaction) throws(HistoryError) in
                try transaction.openGap(
                    last.isUnclean ? .uncleanStop : .down,
                    scope: self.rules.roots,
                    at: opened,
                    since: last.stopped ?? last.lastEntry,
                    detail: last.isUnclean
                        ? "the service ended without a stop; its last sign of life is of \(last.lastEntry)"
                        : "the service did not run"
                )
            }
            gap = down.id
            ring()
        }
        _ = try followLinks()
        var options = SurveyOptions()
        options.isQuick = !setup.catchUpIsFull
        options.jobs = setup.jobs
        options.gap = gap
        let found = try survey(options)
        try closeGaps(found: found, except: unreadable.values)
        try reportUnwatched()
        let count = table.withLock { $0.count }
        try append(
            .start(
                StartEvent(
                    version: setup.version,
                    pid: Int64(processID),
                    generation: baseline.summary.generation,
                    directories: count,
                    rules: rules.digest,
                    afterUncleanStop: last?.isUnclean ?? false
                )
            )
        )
        board.noteReady(directories: count, at: setup.clock())
        manager.ready(status: "watching \(count) directories, \(baseline.summary.entries) paths")
    }

    /// Examines everything, or everything below a directory, and records what differs.
    ///
    /// Returns how many changes were new.
    func survey(_ options: SurveyOptions) throws -> Int {
        let inotify = inotify
        let survey = Survey(
            tree: tree,
            rules: rules,
            baseline: baseline,
            room: room,
            witnesses: setup.witnesses,
            clock: setup.clock
        )
        let watcher = Unchecked(self)
        manager.extend(microseconds: 60_000_000)
        var options = options
        options.grownLogs = try setup.history.grownLogs(under: rules.rules)
        let result = try survey.run(
            options,
            willList: { directory, descriptor in
                watcher.value.arm(directory, descriptor, inotify: inotify, mask: .scope)
            }
        )
        try openUnreadable(result.errors)
        // Where the rules in force are not those on disk for certain, `check` may know better than this.
        if options.subtree == nil, blindness == nil, ruleTrouble == nil { try settleScope(result) }
        return try record(result, options)
    }

    private func openUnreadable(_ errors: [ExaminationError]) throws {
        for error in errors where unreadable[error.path] == nil {
            try openUnreadable(error.path, error.failure)
        }
    }

    /// What the rules and the approved scope disagree about is one open gap.
    private func settleScope(_ result: SurveyResult) throws {
        let isNew = try difference.settleGap(
            unbaselined: result.unbaselined,
            fallenOut: result.fallenOut,
            hidden: result.hiddenCount,
            in: setup.history,
            at: setup.clock()
        )
        if isNew { ring() }
    }

    private func record(_ result: SurveyResult, _ options: SurveyOptions) throws -> Int {
        if !options.isRestricted {
            board.noteSurvey(unexamined: result.unexamined.count, notEntered: result.notEntered)
        }
        var outcomes = result.deviations.map {
            Outcome(path: $0.finding.path, rule: $0.subject.rule, finding: $0.finding, state: $0.state)
        }
        let found = Set(outcomes.map(\.path))
        for path in reported where !found.contains(path) && result.hasSettled(path) {
            // The directory itself is an entry of its parent and was not examined.
            if let subtree = options.subtree, path == subtree || !path.isWithin(subtree) { continue }
            let record = try baseline.record(for: path, with: &cursor)
            guard let rule = rule(for: path, recorded: record),
                try setup.history.currentStanding(path)?.isLostLog(under: rule, recorded: record) != true
            else { continue }
            outcomes.append(Outcome(path: path, rule: rule, finding: nil, state: nil))
        }
        var new = 0
        for start in stride(from: 0, to: outcomes.count, by: 256) {
            let batch = Array(outcomes[start..<min(start + 256, outcomes.count)])
            let entries = try recorder.record(batch, at: setup.clock())
            new += entries.count
            board.noteRecorded(entries)
            for outcome in batch { remember(outcome) }
            manager.extend(microseconds: 60_000_000)
        }
        if new > 0 { ring() }
        return new
    }

    /// Closes every open gap that a full re-examination answers.
    ///
    /// What the rules and the baseline disagree about, and a baseline that the history does not know, it
    /// leaves as they are; a clock that was set is answered by the sweep, which believes no change time.
    private func closeGaps(found: Int, except kept: some Collection<Int64>) throws {
        let open = try setup.history.openGaps().filter { gap in
            !kept.contains(gap.id) && gap.reason != .scope && gap.reason != .history
                && gap.reason != .clockStep
        }
        guard !open.isEmpty else { return }
        let time = setup.clock()
        try setup.history.write { (transaction) throws(HistoryError) in
            let still = Set(try transaction.snapshot.openGaps().map(\.id))
            for gap in open where still.contains(gap.id) {
                try transaction.closeGap(gap.id, found: found, at: time)
            }
        }
        ring()
    }

    /// A directory whose new names were too many to keep apart.
    func reexamine(_ directory: RawPath, gap: Int64?) throws {
        var options = SurveyOptions()
        options.isQuick = true
        options.jobs = setup.jobs
        options.gap = gap
        options.subtree = directory.isRoot ? nil : directory
        _ = try survey(options)
    }

    /// Events were lost: a gap, everything examined again, the gap closed with what was found.
    func closeBlindness() throws {
        let time = setup.clock()
        let scope = rules.roots
        let gap =
            try blindness
            ?? setup.history.write { (transaction) throws(HistoryError) in
                try transaction.openGap(
                    .queueOverflow,
                    scope: scope,
                    at: time,
                    detail: "the kernel dropped events; everything in scope is examined again"
                )
            }.result
        blindness = gap
        ring()
        // What comes after this moment is seen again: the reader goes on draining while the survey runs.
        isBlind = false
        var options = SurveyOptions()
        options.isQuick = true
        options.jobs = setup.jobs
        options.gap = gap.id
        let found = try survey(options)
        let closed = setup.clock()
        try setup.history.write { (transaction) throws(HistoryError) in
            try transaction.closeGap(gap.id, found: found, at: closed)
        }
        blindness = nil
        ring()
    }
}

/// A value that crosses threads although the compiler cannot see that this is safe.
///
/// Used for the watcher inside a survey only: the workers touch nothing but its table and its list of failures, each
/// behind its own lock, and the watcher's thread waits for them.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
