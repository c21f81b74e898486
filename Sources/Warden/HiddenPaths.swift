import Host
import Integrity
import Ledger
import RulePacks

/// Paths that the approved rules selected, that have no record, and that no rule in force selects: what was added there
/// would be told of, had the rules not been edited.
///
/// Their names are walked, nothing is opened or read; only where approved rules and those in force differ.
struct HiddenPaths<Tree: FileTree> {
    let tree: Tree
    let rules: RuleSet
    let baseline: BaselineReader
    let jobs: Int

    /// - Returns: One group a rule that had selected them, sorted by its name.
    /// - Throws: `BaselineError` where a block of the baseline is damaged.
    func find(_ difference: ScopeDifference) throws(BaselineError) -> [ScopeApproval.Group] {
        guard let approved = difference.approvedMatcher() else { return [] }
        var candidates: [Int: [RawPath]] = [:]
        _ = OrderedWalk(tree: tree, matcher: approved, workers: jobs).run(
            visitor: { _ in UnselectedVisitor(matcher: rules.matcher()) },
            emit: { unit in
                for (rule, path) in unit { candidates[rule, default: []].append(path) }
            }
        )
        var cursor = baseline.makeCursor()
        var groups: [ScopeApproval.Group] = []
        for (rule, paths) in candidates {
            var hidden: [RawPath] = []
            for path in paths where try baseline.record(for: path, with: &cursor) == nil {
                hidden.append(path)
            }
            guard !hidden.isEmpty else { continue }
            groups.append(
                ScopeApproval.Group(
                    rule: difference.approvedRule(rule),
                    count: hidden.count,
                    first: Array(hidden.sorted().prefix(ScopeApproval.Group.shown))
                )
            )
        }
        return groups.sorted { $0.rule < $1.rule }
    }
}

/// Of what the approved rules selected, what those in force do not.
private struct UnselectedVisitor: WalkVisitor {
    var matcher: Matcher

    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}
    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> [(Int, RawPath)] { [] }
    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> [(Int, RawPath)] { [] }

    mutating func visit(
        _ unit: inout WalkUnit,
        in descriptor: borrowing OwnedDescriptor
    ) -> [(Int, RawPath)] {
        var found: [(Int, RawPath)] = []
        while let entry = unit.next() {
            let path = unit.directory.appending(entry.name)
            if matcher.rule(for: path) == nil { found.append((entry.rule, path)) }
        }
        return found
    }
}
