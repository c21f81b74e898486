package import Integrity

/// What was last observed of a path that differs from the baseline, or did.
///
/// It is kept beside the baseline and never flows into it by itself.
package struct Standing: Hashable, Sendable {
    package var path: RawPath
    /// The row of its change.
    package var seq: Int64
    package var rule: RuleID
    /// Nil where nothing stands at the path.
    package var state: RecordedState?
    /// True while the path differs; false for what left nothing on disk and was not yet acknowledged.
    ///
    /// A path has one current standing at the most.
    package var isCurrent: Bool
    package var severity: Severity
    package var verdict: Verdict
    /// When the change was undone.
    package var resolved: Timestamp?

    package init(
        path: RawPath,
        seq: Int64,
        rule: RuleID,
        state: RecordedState?,
        isCurrent: Bool,
        severity: Severity,
        verdict: Verdict,
        resolved: Timestamp? = nil
    ) {
        self.path = path
        self.seq = seq
        self.rule = rule
        self.state = state
        self.isCurrent = isCurrent
        self.severity = severity
        self.verdict = verdict
        self.resolved = resolved
    }
}
