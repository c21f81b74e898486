package import Host
package import Integrity
import Synchronization
package import Ledger
package import RulePacks

/// What a check is asked to do, beside what to survey.
package struct CheckOptions: Sendable {
    package var survey = SurveyOptions()
    /// Findings less severe than this set no exit bit.
    package var failOn = Severity.low
    /// `touched` and recorded-as-unexamined count as well.
    package var isStrict = false

    package init() {}
}

/// The periodic audit: a survey, compared with the baseline only, and put beside what the history knows.
package struct Check<Tree: FileTree> {
    let survey: Survey<Tree>
    let rules: RuleSet
    let baseline: BaselineReader
    /// Nil where it is not this host that is checked, or not against its own baseline: then nothing is known beside the
    /// baseline, and nothing is recorded.
    let history: History?
    let host: HostIdentity
    let clock: @Sendable () -> Timestamp
    /// The baseline is there and the history has never heard of it: nobody can tell whether it was rolled back.
    let isAnchorMissing: Bool

    package init(
        tree: Tree,
        rules: RuleSet,
        baseline: BaselineReader,
        isAnchorMissing: Bool,
        room: EvidenceRoom = .none,
        witnesses: Witnesses = .none,
        history: History?,
        host: HostIdentity,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.survey = Survey(
            tree: tree,
            rules: rules,
            baseline: baseline,
            room: room,
            witnesses: witnesses,
            clock: clock
        )
        self.rules = rules
        self.baseline = baseline
        self.isAnchorMissing = isAnchorMissing
        self.history = history
        self.host = host
        self.clock = clock
    }

    /// Examines the scope and puts the result beside what the history knows; where it can, records it.
    ///
    /// - Parameters:
    ///   - options: What to look at.
    ///   - canRecord: False where the state directory cannot be written: the result stands all the same.
    ///   - progress: Counts along.
    /// - Returns: The report, its exit status included.
    /// - Throws: `BaselineError`, `HistoryError`.
    package func run(_ options: CheckOptions, canRecord: Bool, progress: SurveyProgress? = nil) throws
        -> CheckReport
    {
        let started = clock()
        var asked = options.survey
        if let history { asked.grownLogs = try history.grownLogs(under: rules.rules) }
        let result = try survey.run(asked, progress: progress)
        var report = CheckReport(
            host: host,
            started: started,
            finished: clock(),
            mode: options.survey.isQuick ? "quick" : "full",
            baseline: baseline.summary
        )
        report.failOn = options.failOn
        report.errors = result.errors
        report.skipped = result.skipped
        report.bytes = result.bytes
        if baseline.isCopy || history == nil { report.origin = BaselineOrigin(baseline.manifest) }
        report.isCopy = baseline.isCopy
        if canRecord, let history { try record(result, options.survey, in: history) }
        report.findings = try findings(of: result, options.survey)
        report.gaps = try gaps(result, options.survey, canRecord: canRecord)
        report.finished = clock()
        summarize(result, options, &report)
        if canRecord, let history {
            let event = CheckEvent(
                mode: report.mode,
                started: report.started,
                finished: report.finished,
                generation: report.baseline.generation,
                summary: report.summary,
                exit: report.exit,
                worst: report.findings.lazy.filter { $0.verdict == .unauthorized }.map(\.severity).max()
            )
            let time = report.finished
            try history.write { (transaction) throws(HistoryError) in
                _ = try transaction.append(.check(event), at: time)
            }
        }
        return report
    }

    /// A row for every state that was not observed before, and for every one that is gone.
    private func record(_ result: SurveyResult, _ options: SurveyOptions, in history: History) throws {
        var outcomes = result.deviations.map {
            Outcome(path: $0.finding.path, rule: $0.subject.rule, finding: $0.finding, state: $0.state)
        }
        let seen = Set(outcomes.map(\.path))
        let filter = RecordFilter(options)
        var selection = Selection(rules)
        for standing in try history.allStanding() where standing.isCurrent {
            let record = try baseline.record(for: standing.path)?.record
            // What fell out of scope was not looked at: nothing about it is settled.
            let decided = record.map { selection.rule(for: $0) } ?? selection.rule(for: standing.path)
            guard decided != nil, !seen.contains(standing.path), result.hasSettled(standing.path),
                filter.allows(path: standing.path, rule: standing.rule),
                let rule = rules.rules.first(where: { $0.id == standing.rule }),
                !standing.isLostLog(under: rule, recorded: record)
            else { continue }
            outcomes.append(Outcome(path: standing.path, rule: rule, finding: nil, state: record?.state))
        }
        let recorder = Recorder(history: history)
        for start in stride(from: 0, to: outcomes.count, by: 1_024) {
            try recorder.record(Array(outcomes[start..<min(start + 1_024, outcomes.count)]), at: clock())
        }
    }

    /// What differs now, with what the history knows of it; and what is no longer visible on disk and was not
    /// acknowledged.
    private func findings(of result: SurveyResult, _ options: SurveyOptions) throws -> [Finding] {
        let filter = RecordFilter(options)
        let standing = Dictionary(grouping: try history?.allStanding() ?? [], by: \.path)
        var findings: [RawPath: Finding] = [:]
        for deviation in result.deviations {
            var finding = deviation.finding
            let known = standing[finding.path] ?? []
            if let current = known.first(where: \.isCurrent), let row = try history?.finding(current.seq),
                row.change == finding.change
            {
                finding.actor = row.actor
                finding.gap = row.gap
                finding.severity = row.severity
                finding.verdict = row.verdict
                finding.authorization = row.authorization
                finding.explainedBy = row.explainedBy
                finding.contradictedBy = row.contradictedBy
                finding.vouchedBy = row.vouchedBy
            }
            findings[finding.path] = finding
        }
        for (path, known) in standing {
            guard let past = known.filter({ !$0.isCurrent }).max(by: { $0.seq < $1.seq }),
                findings[path].map(\.change.isPassing) ?? true, past.verdict != .expected,
                filter.allows(path: path, rule: past.rule), var finding = try history?.finding(past.seq)
            else { continue }
            finding.resolved = past.resolved
            findings[path] = finding
        }
        for (path, known) in standing where findings[path] == nil {
            guard let current = known.first(where: \.isCurrent),
                filter.allows(path: path, rule: current.rule),
                let rule = rules.rules.first(where: { $0.id == current.rule }),
                current.isLostLog(under: rule, recorded: try baseline.record(for: path)?.record)
            else { continue }
            findings[path] = try history?.finding(current.seq)
        }
        return findings.values.sorted { $0.path < $1.path }
    }

    /// Open gaps that touch what was checked; what the rules and the baseline disagree about is one of them.
    private func gaps(_ result: SurveyResult, _ options: SurveyOptions, canRecord: Bool) throws -> [Gap] {
        guard !options.isRestricted else {
            let filter = RecordFilter(options)
            return try restrictedGaps(result).filter { gap in
                gap.scope.isEmpty || gap.scope.contains { filter.touches($0) }
            }
        }
        let open = try scopeGaps(result, canRecord: canRecord)
        let anchor =
            isAnchorMissing
            ? "the history knows no approval of this baseline: it was deleted or begun anew" : nil
        return try settle(.history, anchor, open, canRecord: canRecord)
    }

    /// A part of the scope does not settle what the rules and the approved scope disagree about, but it knows of it.
    private func restrictedGaps(_ result: SurveyResult) throws -> [Gap] {
        let open = try history?.openGaps() ?? []
        let difference = ScopeDifference(baseline: baseline, rules: rules)
        guard difference.isThere, !open.contains(where: { $0.reason == .scope }) else { return open }
        let detail =
            "\(difference.sentence); run `millwarden check` without --path and --rule to count what that is about"
        return open + [Gap(id: 0, reason: .scope, scope: difference.roots, opened: clock(), detail: detail)]
    }

    /// What the rules and the approved scope disagree about is one gap; it closes where they agree again.
    private func scopeGaps(_ result: SurveyResult, canRecord: Bool) throws -> [Gap] {
        let difference = ScopeDifference(baseline: baseline, rules: rules)
        let time = clock()
        let detail = difference.detail(
            unbaselined: result.unbaselined,
            fallenOut: result.fallenOut,
            hidden: result.hiddenCount
        )
        if canRecord, let history {
            try difference.settleGap(
                unbaselined: result.unbaselined,
                fallenOut: result.fallenOut,
                hidden: result.hiddenCount,
                in: history,
                at: time
            )
            // The row keeps the counts of when it was opened; the report says those of now.
            return try history.openGaps().map { gap in
                var gap = gap
                if gap.reason == .scope { gap.detail = detail }
                return gap
            }
        }
        let others = try (history?.openGaps() ?? []).filter { $0.reason != .scope }
        guard difference.isThere else { return others }
        return others
            + [Gap(id: 0, reason: .scope, scope: difference.roots, opened: time, detail: detail)]
    }

    /// Opens a gap of the reason where there is something to say and none is open.
    private func settle(_ reason: Gap.Reason, _ detail: String?, _ open: [Gap], canRecord: Bool) throws
        -> [Gap]
    {
        guard let detail, !open.contains(where: { $0.reason == reason }) else { return open }
        let time = clock()
        guard canRecord, let history else {
            return open + [Gap(id: 0, reason: reason, scope: rules.roots, opened: time, detail: detail)]
        }
        let roots = rules.roots
        let (gap, _) = try history.write { (transaction) throws(HistoryError) in
            try transaction.openGap(reason, scope: roots, at: time, detail: detail)
        }
        return open + [gap]
    }

    private func summarize(_ result: SurveyResult, _ options: CheckOptions, _ report: inout CheckReport) {
        var summary = CheckSummary()
        for finding in report.findings { summary.count(finding) }
        summary.examined = result.examined
        summary.unchanged = result.unchanged
        summary.unbaselined = result.unbaselined
        summary.unexamined = result.unexamined.count
        summary.errors = result.errors.count
        summary.openGaps = report.gaps.count(where: \.isOpen)
        report.summary = summary
        report.exit = exitBits(report, options)
    }
}

/// The bits of the interface: 1 added, 2 removed, 4 changed, 8 coverage incomplete.
package func exitBits(_ report: CheckReport, _ options: CheckOptions) -> Int {
    var bits = findingBits(report.findings, options)
    if !report.errors.isEmpty || report.summary.openGaps > 0 || report.summary.unbaselined > 0 { bits |= 8 }
    if options.isStrict && report.summary.unexamined > 0 { bits |= 8 }
    return bits
}

/// Those of them that findings set.
func findingBits(_ findings: [Finding], _ options: CheckOptions) -> Int {
    var bits = 0
    for finding in findings where finding.severity >= options.failOn {
        if finding.change == .touched {
            if options.isStrict { bits |= 4 }
            continue
        }
        guard finding.verdict == .unauthorized else { continue }
        // Undone and not acknowledged: nothing is added, removed or moved on disk any more.
        guard finding.resolved == nil else {
            bits |= 4
            continue
        }
        switch finding.change {
        case .added: bits |= 1
        case .removed: bits |= 2
        case .moved: bits |= 3
        default: bits |= 4
        }
    }
    return bits
}

extension BaselineOrigin {
    /// What a baseline says of the host whose files were recorded.
    package init(_ manifest: BaselineManifest) {
        self.init(host: manifest.hostName, machineID: manifest.machineID)
    }
}
