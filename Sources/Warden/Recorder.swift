package import Integrity
package import Ledger

/// One path after it was judged, on its way into the history.
package struct Outcome: Sendable {
    package var path: RawPath
    package var rule: Rule
    /// Nil where the path is as approved.
    package var finding: Finding?
    /// What stands there now; nil where nothing does.
    package var state: RecordedState?
    /// Whose writers are told with it, and up to which position of `WriterSource`.
    package var told: [(path: RawPath, position: UInt64)] = []

    package init(path: RawPath, rule: Rule, finding: Finding?, state: RecordedState?) {
        self.path = path
        self.rule = rule
        self.finding = finding
        self.state = state
    }
}

/// The stage *record*: decides what is new, and makes it durable before anybody is told.
///
/// The history keeps, beside its rows, what now differs from the baseline (*current*) and what differed and is gone from
/// disk without having been acknowledged (*past*). Each distinct settled state of a path is one row.
package struct Recorder: Sendable {
    package let history: History

    package init(history: History) {
        self.history = history
    }

    /// Writes what is new in one transaction.
    ///
    /// Returns the rows, in order, and each finding's row: new or standing.
    @discardableResult
    package func record(_ outcomes: [Outcome], at time: Timestamp) throws(HistoryError) -> [Entry] {
        var relevant: [Outcome] = []
        for outcome in outcomes {
            // Most paths are as approved and stand nowhere: they cost no transaction.
            let standing = outcome.finding == nil ? try history.currentStanding(outcome.path) : nil
            if outcome.finding != nil || standing != nil { relevant.append(outcome) }
        }
        guard !relevant.isEmpty else { return [] }
        return try history.write { (transaction) throws(HistoryError) in
            for outcome in relevant { try record(outcome, at: time, in: &transaction) }
        }.entries
    }

    package func record(
        _ outcome: Outcome,
        at time: Timestamp,
        in transaction: inout HistoryTransaction
    ) throws(HistoryError) {
        let standing = try transaction.snapshot.standing(outcome.path)
        let current = standing.first(where: \.isCurrent)
        if let finding = outcome.finding, !finding.change.isPassing {
            if var current, isSame(current, outcome) {
                // Nothing new to tell, yet `accept` compares with what was observed last.
                guard current.state != outcome.state else { return }
                current.state = outcome.state
                try transaction.setStanding(current)
                return
            }
            if var current, current.verdict == .expected, finding.verdict == .expected {
                // A log that goes on growing was told of once; only what was last observed moves on.
                current.state = outcome.state
                try transaction.setStanding(current)
                return
            }
            let entry = try transaction.append(.change(finding), at: time)
            try transaction.setStanding(Standing(outcome, finding, seq: entry.seq, isCurrent: true))
            return
        }
        if let current, current.verdict != .expected || outcome.finding == nil {
            try resolve(current, outcome, at: time, in: &transaction)
            return
        }
        guard let finding = outcome.finding else { return }
        // What was already told about this very state is not told again.
        if standing.contains(where: { $0.state == outcome.state && $0.state != nil }) { return }
        let entry = try transaction.append(.change(finding), at: time)
        let stays = finding.change == .touched
        try transaction.setStanding(Standing(outcome, finding, seq: entry.seq, isCurrent: stays))
    }

    /// The path equals the baseline again.
    ///
    /// The change stays on record, and `check` shows it until it is acknowledged.
    private func resolve(
        _ current: Standing,
        _ outcome: Outcome,
        at time: Timestamp,
        in transaction: inout HistoryTransaction
    ) throws(HistoryError) {
        guard current.verdict != .expected else {
            try transaction.clearStanding([outcome.path])
            return
        }
        let finding = try transaction.snapshot.finding(current.seq)
        let resolution = Resolution(
            path: outcome.path,
            resolves: current.seq,
            rule: current.rule,
            change: finding?.change ?? .content,
            severity: current.severity
        )
        _ = try transaction.append(.resolved(resolution), at: time)
        var past = current
        past.isCurrent = false
        past.resolved = time
        past.state = outcome.state
        try transaction.setStanding(past)
    }

    /// The state that stands recorded, as far as anything that counts goes.
    private func isSame(_ current: Standing, _ outcome: Outcome) -> Bool {
        switch (current.state?.attributes, outcome.state?.attributes) {
        case (nil, nil): return true
        case (.some(let before), .some(let after)):
            let change = compare(
                recorded: before,
                observed: Observation(after),
                profile: outcome.rule.profile
            )
            return change == nil || change?.kind == .touched
        default: return false
        }
    }
}

extension ChangeKind {
    /// What stands on disk equals the baseline in everything that counts.
    package var isPassing: Bool { self == .transient || self == .touched }
}

extension Standing {
    fileprivate init(_ outcome: Outcome, _ finding: Finding, seq: Int64, isCurrent: Bool) {
        self.init(
            path: outcome.path,
            seq: seq,
            rule: finding.rule,
            state: outcome.state,
            isCurrent: isCurrent,
            severity: finding.severity,
            verdict: finding.verdict,
            resolved: nil
        )
    }
}
