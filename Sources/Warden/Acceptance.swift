package import Host
package import Integrity
package import Ledger
package import RulePacks

/// Which of the standing changes somebody wants to approve.
package struct AcceptSelection: Sendable {
    package var all = false
    package var paths: [Glob] = []
    package var rules: Set<RuleID> = []
    package var seqs: Set<Int64> = []

    package init() {}

    func selects(_ standing: Standing) -> Bool {
        if all || seqs.contains(standing.seq) || rules.contains(standing.rule) { return true }
        return paths.contains { $0.matches(standing.path) }
    }
}

/// The work of `baseline accept`: makes reviewed changes part of the baseline.
///
/// What is accepted is the state that was last observed and shown, never what happens to stand on disk: a path that
/// differs from that by now is refused. One that left nothing on disk is acknowledged.
package struct Acceptance<Tree: FileTree>: Sendable {
    let tree: Tree
    let rules: RuleSet
    let history: History
    let baseline: BaselineReader
    let clock: @Sendable () -> Timestamp

    package init(
        tree: Tree,
        rules: RuleSet,
        history: History,
        baseline: BaselineReader,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.tree = tree
        self.rules = rules
        self.history = history
        self.baseline = baseline
        self.clock = clock
    }

    /// What an approval would do: the items, and the records to be put in or taken out.
    package struct Plan: Sendable {
        package var items: [AcceptReport.Item] = []
        /// The new record of each path; nil takes it out.
        package var changes: [RawPath: Record?] = [:]
        /// Of these, what should not exist.
        package var presentAbsent: Set<RawPath> = []
        /// Rows that need no record: what was undone or passed by.
        package var acknowledged: [Int64] = []
    }

    package func plan(_ selection: AcceptSelection) throws -> Plan {
        var plan = Plan()
        var examiner = Examiner(tree: tree, clock: clock)
        let standing = try history.allStanding()
        var links: Set<RawPath> = []
        for item in standing where selection.selects(item) {
            guard let finding = try history.finding(item.seq) else { continue }
            guard item.isCurrent else {
                plan.items.append(AcceptReport.Item(seq: item.seq, finding: finding))
                plan.acknowledged.append(item.seq)
                continue
            }
            let refusal = try take(item, finding, &plan, &examiner)
            let was = finding.before?.type == .link || finding.after?.type == .link
            if refusal == nil, was { links.insert(item.path) }
            plan.items.append(AcceptReport.Item(seq: item.seq, finding: finding, refusal: refusal))
        }
        for seq in selection.seqs.subtracting(standing.map(\.seq)).sorted() {
            guard let finding = try history.finding(seq) else { continue }
            plan.items.append(
                AcceptReport.Item(
                    seq: seq,
                    finding: finding,
                    refusal:
                        "row \(seq) is not pending: it was accepted, undone or overtaken by a later change"
                )
            )
        }
        plan.items.sort { $0.seq < $1.seq }
        try dropTargets(of: links, &plan)
        return plan
    }

    /// Where accepted links led before, and lead no more, is not followed any longer; unless another link leads there.
    private func dropTargets(of links: Set<RawPath>, _ plan: inout Plan) throws(BaselineError) {
        guard !links.isEmpty else { return }
        let resolver = PathResolver(tree: tree)
        let kept = Set(links.flatMap { resolver.resolve($0).all })
        var stale: [RawPath: Record] = [:]
        try baseline.forEachRecord { (view) throws(BaselineError) in
            guard let via = view.via, links.contains(via), !kept.contains(view.path) else { return }
            stale[view.path] = try view.decode()
        }
        guard !stale.isEmpty else { return }
        for path in stale.keys { plan.changes[path] = .some(nil) }
        try baseline.forEachRecord { (view) throws(BaselineError) in
            let record = try view.decode()
            guard record.state.attributes?.type == .link, !links.contains(record.path) else { return }
            for path in resolver.resolve(record.path).all {
                guard var target = stale.removeValue(forKey: path) else { continue }
                target.via = record.path
                plan.changes[path] = .some(target)
            }
        }
    }

    /// Nil where the change may be accepted; else why not.
    private func take(
        _ standing: Standing,
        _ finding: Finding,
        _ plan: inout Plan,
        _ examiner: inout Examiner<Tree>
    ) throws -> String? {
        let index = rules.rules.firstIndex { $0.id == standing.rule }
        let rule = index.map { rules.rules[$0] }
        let examination = Examination(of: standing.path, recorded: nil, rule: rule, with: &examiner)
        var record: Record?
        switch (examination, standing.state) {
        case (.absent, nil): break
        case (.found(let examined), .examined(let reviewed, _)?):
            guard examined.attributes.equals(reviewed) else {
                return
                    "it changed again after it was last observed; run `millwarden check` and review it anew"
            }
            record = Record(
                path: standing.path,
                state: .examined(examined.attributes, isRacy: examined.isRacy),
                rule: standing.rule,
                via: finding.via
            )
        case (.failed(let failure), _):
            let error = Errno(failure.errno)
            return
                "it cannot be examined now (\(failure.operation.name): \(error.message)); run accept with more privilege"
        case (.absent, _):
            return "it is gone since it was last observed; run `millwarden check` and review it anew"
        case (.found, _):
            return "it came back since it was last observed; run `millwarden check` and review it anew"
        }
        plan.changes[standing.path] = .some(record)
        if record != nil, rules.isAbsent(standing.path) { plan.presentAbsent.insert(standing.path) }
        if let from = finding.from, finding.change == .moved, isGone(from, &examiner) {
            plan.changes[from] = .some(nil)
        }
        if let record, let index, record.state.attributes?.type == .link {
            var result = CreationResult()
            let creation = Creation(tree: tree, rules: rules, clock: clock)
            for linked in creation.linkedRecords([Link(path: record.path, rule: index)], &result) {
                guard try baseline.record(for: linked.path) == nil else { continue }
                plan.changes[linked.path] = .some(linked)
            }
        }
        return nil
    }

    /// Nobody took the old name meanwhile; what did would be a change of its own, to be reviewed as such.
    private func isGone(_ path: RawPath, _ examiner: inout Examiner<Tree>) -> Bool {
        guard case .absent = Examination(of: path, recorded: nil, rule: nil, with: &examiner) else {
            return false
        }
        return true
    }

    /// Writes the new baseline beside the old one: every record of the old file but those of the plan.
    package func write(_ plan: Plan, to path: RawPath) throws(BaselineError) -> BaselineWriter {
        try merge(baseline, with: plan.changes, presentAbsent: plan.presentAbsent, to: path)
    }
}

/// Copies a baseline's records in order, with some put in, replaced or taken out.
package func merge(
    _ baseline: BaselineReader,
    with changes: [RawPath: Record?],
    presentAbsent: Set<RawPath> = [],
    to path: RawPath
) throws(BaselineError) -> BaselineWriter {
    let new = Set(changes.values.compactMap { $0?.rule }).subtracting(baseline.rules)
    let rules = baseline.rules + new.sorted()
    let index = Dictionary(
        rules.enumerated().map { ($1, UInt16(clamping: $0)) },
        uniquingKeysWith: { first, _ in first }
    )
    let writer = try BaselineWriter(to: path, rules: rules)
    let ordered = changes.keys.sorted()
    var next = ordered.startIndex
    var cursor = baseline.makeCursor()
    var ahead = try cursor.next()
    while ahead != nil || next < ordered.endIndex {
        if let view = ahead, next >= ordered.endIndex || view.path < ordered[next] {
            var run = EncodedRun(directory: view.directory, count: 1)
            RecordEncoder.append(view, ruleIndex: view.ruleIndex, to: &run.bytes)
            try writer.append(run)
            ahead = try cursor.next()
            continue
        }
        let path = ordered[next]
        if let record = changes[path] ?? nil {
            var run = EncodedRun(directory: path.parent)
            run.append(
                record,
                ruleIndex: index[record.rule] ?? 0,
                presentAbsent: presentAbsent.contains(path)
            )
            try writer.append(run)
        }
        if let view = ahead, view.path == path { ahead = try cursor.next() }
        next += 1
    }
    return writer
}

extension Host.Resolution {
    /// Every link on the way, and where it ends.
    fileprivate var all: [RawPath] { hops + (final.map { [$0] } ?? []) }
}
