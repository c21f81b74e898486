import Host
package import Integrity
import Ledger
import RulePacks

/// The work of `baseline accept --scope`: what came into scope is recorded as it stands, what fell out is dropped.
///
/// Every other record stays as it is: what differs from it still differs afterwards.
extension Acceptance {
    package struct ScopePlan: Sendable {
        package var plan = Plan()
        package var report = ScopeApproval()
        /// False where the scope is the approved one, in the form that this program writes.
        package var isNeeded = false
    }

    /// - Parameters:
    ///   - packs: Those that are on.
    ///   - jobs: Threads that read and hash.
    ///   - progress: Counts along.
    /// - Returns: The records to be put in and taken out, and the report of it.
    /// - Throws: `BaselineError`, `HistoryError`.
    package func planScope(packs: [String], jobs: Int, progress: SurveyProgress? = nil) throws -> ScopePlan {
        let difference = ScopeDifference(baseline: baseline, rules: rules)
        var options = SurveyOptions()
        options.isQuick = true
        options.jobs = jobs
        options.listsScope = true
        let survey = Survey(tree: tree, rules: rules, baseline: baseline, clock: clock)
        let found = try survey.run(options, progress: progress)

        var scope = ScopePlan()
        scope.report.rules = .init(new: difference.newRules, gone: difference.goneRules)
        scope.report.changedRules = difference.changedRules
        scope.report.packs = .init(
            new: packs.filter { !baseline.scope.packs.contains($0) },
            gone: baseline.scope.packs.filter { !packs.contains($0) }
        )
        scope.report.homes = .init(new: difference.newHomes, gone: difference.goneHomes)
        let incoming = try incoming(found, difference, &scope.report)
        let outgoing = try found.outgoing + targets(of: found.outgoing)
        for record in incoming { scope.plan.changes[record.path] = .some(record) }
        for record in outgoing where scope.plan.changes[record.path] == nil {
            scope.plan.changes[record.path] = .some(nil)
        }
        scope.plan.presentAbsent = Set(scope.report.presentAbsent)
        scope.report.incoming = ScopeApproval.Group.all(of: incoming)
        scope.report.outgoing = ScopeApproval.Group.all(of: outgoing)
        scope.report.hidden = found.hidden
        scope.report.dropped = try standing(of: Set(outgoing.map(\.path)))
        scope.isNeeded =
            difference.isThere || baseline.scope.definition == nil || baseline.scope.packs != packs
            || baseline.scope.rules != rules.digest || !scope.plan.changes.isEmpty
        return scope
    }

    /// What came in, with the hops and targets of links, and what could not be examined.
    private func incoming(
        _ found: SurveyResult,
        _ difference: ScopeDifference,
        _ report: inout ScopeApproval
    ) throws -> [Record] {
        var records = found.incoming
        var known = Set(records.map(\.path))
        var matcher = rules.matcher()
        var absent = rules.absentMatcher()
        var question = difference.makeQuestion()
        for error in found.errors where !known.contains(error.path) {
            guard let rule = matcher.rule(for: error.path).map({ rules.rules[$0] }),
                try baseline.record(for: error.path) == nil,
                !question.wasInScope(error.path, rule: rule.id)
            else { continue }
            records.append(Record(path: error.path, state: .unexamined(error.failure), rule: rule.id))
            known.insert(error.path)
            report.unexamined.append(error)
        }
        report.presentAbsent = records.map(\.path).filter { absent.rule(for: $0) != nil }.sorted()
        let links = records.compactMap { record -> Link? in
            guard record.state.attributes?.type == .link else { return nil }
            return matcher.rule(for: record.path).map { Link(path: record.path, rule: $0) }
        }
        var result = CreationResult()
        let creation = Creation(tree: tree, rules: rules, clock: clock)
        let roots = try rules.linkedRoots.filter { try !isRecorded($0) }
        for record in creation.linkedRecords(
            links + roots.map { Link(path: $0.path, rule: $0.rule) },
            includingRoots: false,
            &result
        ) where !known.contains(record.path) {
            guard try baseline.record(for: record.path) == nil else { continue }
            records.append(record)
        }
        report.unexamined.append(contentsOf: result.unexamined)
        return records
    }

    /// A root whose first hop is on record was in scope before: what became of its hops since is a change, to be
    /// reviewed as one.
    private func isRecorded(_ root: LinkedRoot) throws(BaselineError) -> Bool {
        guard let hop = PathResolver(tree: tree).resolve(root.path).hops.first else { return true }
        return try baseline.record(for: hop) != nil
    }

    /// The hops and targets of links that go out.
    private func targets(of records: [Record]) throws(BaselineError) -> [Record] {
        let links = Set(records.lazy.filter { $0.state.attributes?.type == .link }.map(\.path))
        guard !links.isEmpty else { return [] }
        var targets: [Record] = []
        try baseline.forEachRecord { (view) throws(BaselineError) in
            guard let via = view.via, links.contains(via) else { return }
            targets.append(try view.decode())
        }
        let paths = Set(records.map(\.path))
        return targets.filter { !paths.contains($0.path) }
    }

    private func standing(of paths: Set<RawPath>) throws -> [Int64] {
        try history.allStanding().filter { paths.contains($0.path) }.map(\.seq).sorted()
    }
}
