package import Integrity
package import Ledger
package import RulePacks

/// What the rules in force and the scope that was approved disagree about.
///
/// A baseline keeps what decides which paths its rules select, so that "was this path in scope then" is answered by
/// asking the approved rules, not by guessing from names. Whoever edits a rule to hide a file that is added is counted;
/// whoever adds a rule is not drowned in findings.
package struct ScopeDifference: Sendable {
    package private(set) var newRules: [RuleID] = []
    package private(set) var changedRules: [RuleID] = []
    package private(set) var goneRules: [RuleID] = []
    package private(set) var newHomes: [RawPath] = []
    package private(set) var goneHomes: [RawPath] = []
    /// False where both select the same paths, and the same counts on them.
    package let isThere: Bool
    /// The directories that the difference is about; those of all rules where that cannot be told.
    package private(set) var roots: [RawPath]
    /// Nil where there is no difference: nobody asks then, and taking all globs apart is work.
    private let approved: ApprovedScope?
    private let definition: [ScopeRule]
    private let approvedRules: Set<RuleID>
    private let rulesInForce: Digest

    package init(baseline: BaselineReader, rules: RuleSet) {
        let scope = baseline.scope
        rulesInForce = rules.digest
        roots = rules.roots
        approvedRules = Set(scope.definition?.map(\.id) ?? baseline.rules)
        self.definition = scope.definition ?? []
        if scope.definition == rules.definition {
            (approved, isThere) = (nil, false)
            return
        }
        guard let definition = scope.definition, let approved = ApprovedScope(definition) else {
            approved = nil
            isThere = scope.rules != rules.digest || scope.homes != rules.homes
            if isThere { compareNames(rules) }
            compareHomes(scope.homes, rules.homes)
            return
        }
        (self.approved, isThere) = (approved, true)
        compare(definition, rules.definition)
        compareHomes(scope.homes, rules.homes)
    }

    /// Decides as the approved rules did; nil where there is no difference, or where the baseline does not keep them.
    func approvedMatcher() -> Matcher? { approved?.matcher() }

    /// The rule that an index of that matcher stands for.
    func approvedRule(_ index: Int) -> RuleID { definition[index].id }

    /// Asks, path by path, whether the approved rules selected it; one asker a thread.
    package func makeQuestion() -> Question {
        Question(matcher: approvedMatcher(), difference: self)
    }

    package struct Question: Sendable {
        private var matcher: Matcher?
        private let difference: ScopeDifference

        fileprivate init(matcher: Matcher?, difference: ScopeDifference) {
            self.matcher = matcher
            self.difference = difference
        }

        /// Whether a path, which a rule in force selects, was in scope when the baseline was approved.
        package mutating func wasInScope(_ path: RawPath, rule: RuleID) -> Bool {
            guard difference.isThere else { return true }
            guard matcher == nil else { return matcher?.rule(for: path) != nil }
            return difference.approvedRules.contains(rule)
                && !difference.newHomes.contains { path.isWithin($0) }
        }
    }

    // MARK: what differs

    private mutating func compare(_ old: [ScopeRule], _ new: [ScopeRule]) {
        let before = Dictionary(old.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        newRules = new.map(\.id).filter { before[$0] == nil }
        goneRules = old.map(\.id).filter { after[$0] == nil }
        changedRules = new.map(\.id).filter { id in before[id].map { $0 != after[id] } ?? false }
        var concerned: Set<RawPath> = []
        for id in newRules + goneRules { concerned.formUnion((after[id] ?? before[id])?.roots ?? []) }
        for id in changedRules {
            guard let one = before[id], let other = after[id] else { continue }
            concerned.formUnion(one.rootsThatDiffer(from: other))
        }
        let kept = new.map(\.id).filter { before[$0] != nil }
        if kept != old.map(\.id).filter({ after[$0] != nil }) { concerned.formUnion(roots) }
        if !concerned.isEmpty { roots = concerned.sorted() }
    }

    private mutating func compareNames(_ rules: RuleSet) {
        let now = rules.rules.map(\.id)
        newRules = now.filter { !approvedRules.contains($0) }
        goneRules = approvedRules.subtracting(now).sorted()
    }

    private mutating func compareHomes(_ old: [RawPath], _ new: [RawPath]) {
        newHomes = new.filter { !old.contains($0) }
        goneHomes = old.filter { !new.contains($0) }
    }

    // MARK: the gap

    /// What an open gap of this difference begins with; one that begins otherwise is about another difference.
    package var sentence: String {
        let counts = [
            (newRules.count, "new rule"), (changedRules.count, "changed rule"),
            (goneRules.count, "rule fewer"), (newHomes.count, "new home"), (goneHomes.count, "home fewer"),
        ]
        let parts = counts.filter { $0.0 > 0 }.map { count, noun in
            let words = noun.split(separator: " ")
            return count == 1
                ? "1 \(noun)"
                : "\(count) "
                    + (noun.hasSuffix("fewer") ? "\(words[0])s fewer" : "\(noun)s")
        }
        let what = parts.isEmpty ? "their order or their text differs" : parts.joined(separator: ", ")
        return "the rules (\(rulesInForce.description.prefix(15))) are not those that were approved: \(what)"
    }

    /// The whole sentence, with what to do.
    ///
    /// - Parameters:
    ///   - unbaselined: How many paths came into scope.
    ///   - fallenOut: How many paths fell out of it.
    ///   - hidden: How many of these have no record: they were added since.
    /// - Returns: It, on one line.
    package func detail(unbaselined: Int, fallenOut: Int, hidden: Int) -> String {
        let added = hidden > 0 ? " (\(words(hidden: hidden)))" : ""
        return
            "\(sentence); paths that came into scope: \(unbaselined), that fell out: \(fallenOut)\(added); "
            + "approve with `millwarden baseline accept --scope --reason TEXT` (--dry-run lists them), or put the rules back"
    }

    private func words(hidden: Int) -> String {
        "\(hidden) of them without a record: added and never reviewed"
    }

    /// Opens the gap where there is a difference and none is open about it; closes those about what is no more.
    ///
    /// How many paths came in or fell out may change while it is open; another number of paths that are hidden without
    /// a record is another gap.
    ///
    /// - Returns: Whether a row was written.
    /// - Throws: `HistoryError`.
    @discardableResult
    package func settleGap(
        unbaselined: Int,
        fallenOut: Int,
        hidden: Int,
        in history: History,
        at time: Timestamp
    ) throws(HistoryError) -> Bool {
        guard needsRow(try history.openGaps(), hidden) else { return false }
        let detail = detail(unbaselined: unbaselined, fallenOut: fallenOut, hidden: hidden)
        let roots = roots
        return try history.write { (transaction) throws(HistoryError) in
            // Asked again: another process may have closed it meanwhile, by an approval or a check.
            let open = try transaction.snapshot.openGaps()
            guard needsRow(open, hidden) else { return false }
            let known = open.filter { $0.reason == .scope }
            let stale = known.filter { isStale($0, hidden) }
            for gap in stale { try transaction.closeGap(gap.id, found: 0, at: time) }
            if isThere, stale.count == known.count {
                _ = try transaction.openGap(.scope, scope: roots, at: time, detail: detail)
            }
            return true
        }.result
    }

    private func needsRow(_ open: [Gap], _ hidden: Int) -> Bool {
        let known = open.filter { $0.reason == .scope }
        return known.isEmpty ? isThere : known.contains { isStale($0, hidden) }
    }

    /// It is about another difference than this one.
    private func isStale(_ gap: Gap, _ hidden: Int) -> Bool {
        guard isThere, let detail = gap.detail, detail.hasPrefix(sentence + ";") else { return true }
        return hidden > 0 && !detail.contains(words(hidden: hidden))
    }
}
