package import Integrity

/// One path as a walk or the watch left it: what the baseline has, what stands there, what was seen to happen.
package struct Subject: Sendable {
    package var path: RawPath
    package var rule: Rule
    package var recorded: Attributes?
    package var observation: Observation
    package var touches: Touches
    package var via: RawPath?
    /// Where it came from, for a name that is not in the baseline.
    package var from: RawPath?
    /// Under `append-only`, it goes on from what was last observed, which was expected.
    package var isContinuation = false

    package init(
        path: RawPath,
        rule: Rule,
        recorded: Attributes?,
        observation: Observation,
        touches: Touches = .none,
        via: RawPath? = nil,
        from: RawPath? = nil
    ) {
        self.path = path
        self.rule = rule
        self.recorded = recorded
        self.observation = observation
        self.touches = touches
        self.via = via
        self.from = from
    }
}

/// Compares and judges one path: the way from a subject to its finding, for every command.
///
/// Nil where the path is as approved and nothing happened to it.
package func assess(_ subject: Subject, evidence: Evidence = .none) -> Finding? {
    let change = compare(
        recorded: subject.recorded,
        observed: subject.observation,
        profile: subject.rule.profile,
        touches: subject.touches
    )
    guard var change else { return nil }
    if change.kind == .added, subject.from != nil { change.kind = .moved }
    var evidence = evidence
    evidence.gap = evidence.gap ?? subject.touches.gap
    let judgement = judge(
        change,
        severity: subject.rule.severity,
        profile: subject.rule.profile,
        evidence: evidence
    )
    var finding = Finding(
        path: subject.path,
        change: change.kind,
        rule: subject.rule.id,
        severity: judgement.severity,
        verdict: judgement.verdict
    )
    if subject.isContinuation, judgement.verdict == .unauthorized, change.kind.canBeRotation {
        finding.verdict = .expected
    }
    finding.attributes = change.attributes
    finding.before = subject.recorded
    finding.after = subject.observation.attributes
    finding.from = change.kind == .moved ? subject.from : nil
    finding.via = subject.via
    finding.tags = subject.rule.tags
    finding.authorization = judgement.authorization
    finding.explainedBy = judgement.explainedBy
    finding.contradictedBy = judgement.contradictedBy
    finding.vouchedBy = evidence.vouches
    finding.gap = evidence.gap
    return finding
}

/// Finds which added names are removed ones under another name: inode, birth time, type and digest pair uniquely.
///
/// Takes the removed halves out and turns the added ones into `moved`. Directories are paired by their entries.
package func pairMoves(_ findings: [Finding]) -> [Finding] {
    struct Identity: Hashable {
        var inode: UInt64
        var birth: Timestamp?
        var type: FileType
        var content: ContentDigest?
        var target: [UInt8]?

        init(_ attributes: Attributes) {
            inode = attributes.inode
            birth = attributes.btime
            type = attributes.type
            content = attributes.content
            target = attributes.target
        }
    }
    let gone = findings.enumerated().filter { $0.element.change == .removed && $0.element.before != nil }
    guard !gone.isEmpty else { return findings }
    let byIdentity = Dictionary(grouping: gone) { $0.element.before.map(Identity.init) }
    let come = findings.enumerated().filter { $0.element.change == .added && $0.element.after != nil }
    let arrivals = Dictionary(grouping: come) { $0.element.after.map(Identity.init) }

    var paired = findings.map(Optional.some)
    for (identity, sources) in byIdentity {
        guard sources.count == 1, let source = sources.first, let targets = arrivals[identity],
            targets.count == 1, let target = targets.first
        else { continue }
        var moved = target.element
        moved.change = .moved
        moved.from = source.element.path
        moved.before = source.element.before
        moved.severity = max(moved.severity, source.element.severity)
        if source.element.verdict == .unauthorized { moved.verdict = .unauthorized }
        paired[target.offset] = moved
        paired[source.offset] = nil
    }
    return paired.compactMap { $0 }
}
