package import Integrity

/// Which rule decides for a path, and why the others that select it do not.
package struct Explanation: Sendable {
    /// A rule that selects the path.
    package struct Match: Hashable, Sendable {
        /// The index of the rule.
        package var rule: Int
        /// The glob that selects it, as written: of several the one with the longest literal prefix.
        package var glob: String
        /// One of the rule's `absent` globs selects it.
        package var isAbsent: Bool
    }

    /// A rule that selects the path and does not decide.
    package struct Loser: Hashable, Sendable {
        package var match: Match
        package var reason: Reason
    }

    package enum Reason: Hashable, Sendable {
        /// The rule's own `except` glob took the path, or a directory above it.
        case excepted(glob: String)
        /// A rule further down in the same file decides.
        case laterInFile(RuleID)
        /// A rule from a later place, such as the site's, decides.
        case precedence(RuleID)
        case severity(RuleID)
        case longerPrefix(RuleID)
        case packName(RuleID)
    }

    package var path: RawPath
    /// The rule in charge, also where its profile is `ignore`.
    package var match: Match?
    package var losers: [Loser]
    /// False where no rule selects the path, or the one that decides ignores it.
    package var isInScope: Bool
}

extension Explanation.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .excepted(let glob): "its own except `\(glob)` takes the path out"
        case .laterInFile(let id): "\(id) stands later in the same file"
        case .precedence(let id): "\(id) comes from a place that decides over this one"
        case .severity(let id): "\(id) is more severe"
        case .longerPrefix(let id): "\(id) has the longer literal prefix"
        case .packName(let id): "\(id) belongs to the pack that comes first by name"
        }
    }
}

extension RuleSet {
    /// Explains a path, which has to be canonical except for its last component.
    package func decide(_ path: RawPath) -> Explanation {
        let accepted = program.automaton.accepted(path).sorted()
        var excepts: [Int: String] = [:]
        for index in accepted.lazy.map(Int.init) where program.patterns[index].role == .except {
            excepts[program.patterns[index].rule] = program.patterns[index].text
        }
        let candidates = program.candidates(accepted, without: Set(excepts.keys))
        let winner = program.winner(candidates)
        var losers: [Explanation.Loser] = []
        for candidate in program.candidates(accepted, without: []) where candidate.rule != winner?.rule {
            guard let reason = reason(candidate, excepts, winner, candidates) else { continue }
            losers.append(Explanation.Loser(match: match(candidate.rule, accepted), reason: reason))
        }
        return Explanation(
            path: path,
            match: winner.map { match($0.rule, accepted) },
            losers: losers.sorted { $0.match.rule < $1.match.rule },
            isInScope: winner.map { rules[$0.rule].profile != .ignore } ?? false
        )
    }

    /// Whether the rule that decides for a path says that it must not exist.
    package func isAbsent(_ path: RawPath) -> Bool { absentGlob(path) != nil }

    /// The glob, as written, by which the rule that decides for a path says that it must not exist.
    package func absentGlob(_ path: RawPath) -> String? {
        guard let rule = decide(path).match?.rule else { return nil }
        return program.automaton.accepted(path).lazy.map { program.patterns[Int($0)] }
            .first { $0.rule == rule && $0.role == .absent }?.text
    }

    /// Says of a new name, or of one that came and went, that it should not exist, where a rule does.
    package func noteAbsence(_ finding: inout Finding) {
        let isNew = finding.before == nil || finding.change == .moved
        if isNew { finding.absent = absentGlob(finding.path) }
    }

    private func match(_ rule: Int, _ accepted: [Automaton.Pattern]) -> Explanation.Match {
        let own = accepted.lazy.map { program.patterns[Int($0)] }.filter {
            $0.rule == rule && $0.role.selects
        }
        var best: RuleProgram.Pattern?
        for pattern in own where pattern.prefixLength > best?.prefixLength ?? -1 { best = pattern }
        return Explanation.Match(
            rule: rule,
            glob: best?.text ?? "",
            isAbsent: own.contains { $0.role == .absent }
        )
    }

    private func reason(
        _ loser: RuleProgram.Candidate,
        _ excepts: [Int: String],
        _ winner: RuleProgram.Candidate?,
        _ candidates: [RuleProgram.Candidate]
    ) -> Explanation.Reason? {
        if let glob = excepts[loser.rule] { return .excepted(glob: glob) }
        guard let winner else { return nil }
        // Who speaks for the loser's own file stands before the comparison of files.
        let pack = program.standings[loser.rule].pack
        if let later = candidates.map(\.rule).filter({ program.standings[$0].pack == pack }).max(),
            later > loser.rule
        {
            return .laterInFile(rules[later].id)
        }
        let id = rules[winner.rule].id
        return switch program.advantage(of: winner, over: loser) {
        case .laterInFile: .laterInFile(id)
        case .precedence: .precedence(id)
        case .severity: .severity(id)
        case .longerPrefix: .longerPrefix(id)
        case .packName, nil: .packName(id)
        }
    }
}
