import Integrity

/// The globs of all rules as one automaton, with what is needed to say which rule decides.
struct RuleProgram: Sendable {
    enum Role: Sendable {
        case watch
        case absent
        /// Takes a path, and what is below it, from its own rule.
        case except
        /// One of the globs a command was restricted to; belongs to no rule.
        case filter

        var selects: Bool { self == .watch || self == .absent }
    }

    struct Pattern: Sendable {
        /// The index of the rule; -1 for a filter.
        var rule: Int
        var role: Role
        /// The bytes in front of the first wildcard.
        var prefixLength: Int
        /// As written in the pack.
        var text: String
    }

    /// What the order of rules is judged by.
    struct Standing: Sendable {
        /// The index of the pack: within it the later rule decides.
        var pack: Int
        var precedence: Int
        var severity: Severity
        /// The place of the pack's name among all names.
        var nameOrder: Int
        var isIgnored: Bool
    }

    var automaton = Automaton()
    var patterns: [Pattern] = []
    /// By rule index.
    var standings: [Standing] = []

    mutating func add(_ nodes: [GlobNode], _ role: Role, rule: Int, text: String) {
        automaton.add(nodes, as: Automaton.Pattern(patterns.count), isSticky: !role.selects)
        let prefixLength = GlobNode.literalPrefix(nodes).count
        patterns.append(Pattern(rule: rule, role: role, prefixLength: prefixLength, text: text))
    }

    func pattern(_ state: Automaton.State) -> Pattern { patterns[Int(automaton.owner(state))] }
}

// MARK: - Which rule decides

extension RuleProgram {
    /// One rule that selects a path, through the glob of its own that says most.
    struct Candidate: Sendable {
        var rule: Int
        var prefixLength: Int
    }

    /// Why one candidate comes before another.
    enum Advantage: Sendable {
        case laterInFile, precedence, severity, longerPrefix, packName
    }

    /// The rule that decides among those that select a path and have not excepted it.
    ///
    /// Within a file the later rule speaks for the file; then the files are compared. (Comparing rules pairwise would
    /// lead in circles: a file's last rule may be its mildest.)
    func winner(_ candidates: [Candidate]) -> Candidate? {
        let speakers = candidates.filter { candidate in
            !candidates.contains {
                standings[$0.rule].pack == standings[candidate.rule].pack && $0.rule > candidate.rule
            }
        }
        guard var best = speakers.first else { return nil }
        for candidate in speakers.dropFirst() where advantage(of: candidate, over: best) != nil {
            best = candidate
        }
        return best
    }

    /// What puts the left one first; nil where the other one comes first.
    func advantage(of left: Candidate, over right: Candidate) -> Advantage? {
        let (mine, other) = (standings[left.rule], standings[right.rule])
        if mine.pack == other.pack { return left.rule > right.rule ? .laterInFile : nil }
        if mine.precedence != other.precedence {
            return mine.precedence > other.precedence ? .precedence : nil
        }
        if mine.severity != other.severity { return mine.severity > other.severity ? .severity : nil }
        if left.prefixLength != right.prefixLength {
            return left.prefixLength > right.prefixLength ? .longerPrefix : nil
        }
        return mine.nameOrder < other.nameOrder ? .packName : nil
    }

    /// One candidate a rule, without the rules in `excepted`.
    func candidates(_ accepted: some Sequence<Automaton.Pattern>, without excepted: Set<Int>) -> [Candidate] {
        var found: [Candidate] = []
        for index in accepted {
            let pattern = patterns[Int(index)]
            guard pattern.role.selects, !excepted.contains(pattern.rule) else { continue }
            if let known = found.firstIndex(where: { $0.rule == pattern.rule }) {
                found[known].prefixLength = max(found[known].prefixLength, pattern.prefixLength)
            } else {
                found.append(Candidate(rule: pattern.rule, prefixLength: pattern.prefixLength))
            }
        }
        return found
    }
}

// MARK: - What is left below a directory

/// What a matcher shows of the rules' decisions.
struct MatcherView: Sendable {
    /// By rule index.
    var isVisible: [Bool]
    /// Whether only paths under a filter's glob are shown.
    var isFiltered: Bool
    /// Whether only decisions over paths that must not exist are shown.
    var showsOnlyAbsent = false
}

extension RuleProgram {
    /// What the states behind a slash say of the directory's own path, and which of them still matter below it.
    struct Settled {
        var rule: Int?
        /// Empty where nothing below can be selected.
        var below: [Automaton.State]
    }

    func settle(_ states: [Automaton.State], _ view: MatcherView) -> Settled {
        var sight = Sight(states, self, view)
        let chosen = winner(candidates(sight.accepted, without: sight.excepted))
        let rule = chosen.flatMap { sight.shows($0.rule) ? $0.rule : nil }
        sight.dropShadowed()
        return Settled(rule: rule, below: sight.statesBelow())
    }

    /// True where a state of a rule's own globs is left: without one nothing can be selected any more.
    func canSelect(_ states: [Automaton.State]) -> Bool {
        states.contains { automaton.isTrie($0) || pattern($0).role.selects }
    }
}

/// The states behind a slash, sorted by what they mean.
private struct Sight {
    let states: [Automaton.State]
    let program: RuleProgram
    let view: MatcherView
    var accepted: [Automaton.Pattern] = []
    /// Rules that lost this path and everything below it.
    var excepted: Set<Int> = []
    var isWithinFilter: Bool
    private var canEnterFilter = false
    /// Rules that may still select something below.
    private var live: [Bool]
    /// Rules whose globs go on in the trie.
    private var liveInTrie: [Bool]
    /// Rules that may still lose something below.
    private var losing: [Bool]

    init(_ states: [Automaton.State], _ program: RuleProgram, _ view: MatcherView) {
        self.states = states
        self.program = program
        self.view = view
        isWithinFilter = !view.isFiltered
        live = [Bool](repeating: false, count: program.standings.count)
        liveInTrie = live
        losing = live
        for state in states where program.automaton.isAccepting(state) {
            let pattern = program.pattern(state)
            switch pattern.role {
            case .watch, .absent: accepted.append(program.automaton.owner(state))
            case .except: excepted.insert(pattern.rule)
            case .filter: isWithinFilter = true
            }
        }
        for state in states where !program.automaton.isAccepting(state) {
            if program.automaton.isTrie(state) {
                for index in program.automaton.patterns(below: state) {
                    note(program.patterns[Int(index)], isInTrie: true)
                }
            } else {
                note(program.pattern(state), isInTrie: false)
            }
        }
        for rule in excepted { live[rule] = false }
    }

    private mutating func note(_ pattern: RuleProgram.Pattern, isInTrie: Bool) {
        switch pattern.role {
        case .watch, .absent:
            live[pattern.rule] = true
            if isInTrie { liveInTrie[pattern.rule] = true }
        case .except: losing[pattern.rule] = true
        case .filter: canEnterFilter = true
        }
    }

    func shows(_ rule: Int) -> Bool {
        guard isWithinFilter, view.isVisible[rule] else { return false }
        return !view.showsOnlyAbsent
            || accepted.contains {
                program.patterns[Int($0)].rule == rule && program.patterns[Int($0)].role == .absent
            }
    }

    /// A glob `dir/**` whose rule excepts nothing below takes it all: rules that it beats wherever they match are done.
    mutating func dropShadowed() {
        for state in states where program.automaton.isUniversal(state) {
            let rule = program.pattern(state).rule
            guard program.pattern(state).role.selects, live[rule], !losing[rule] else { continue }
            dropShadowed(by: rule)
        }
    }

    private mutating func dropShadowed(by rule: Int) {
        let mine = program.standings[rule]
        var unbeaten: Set<Int> = []
        var hasLater = false
        for other in live.indices where live[other] && other != rule {
            let standing = program.standings[other]
            if standing.pack == mine.pack {
                // A later rule of the same file may still speak for the file, more mildly.
                if other < rule { live[other] = false } else { hasLater = true }
            } else if !isBeaten(standing, by: mine) {
                unbeaten.insert(standing.pack)
            }
        }
        if hasLater { return }
        // A file whose rules are all beaten is done; one beaten rule alone may still hide an earlier one of its file.
        for other in live.indices where live[other] && program.standings[other].pack != mine.pack {
            live[other] = unbeaten.contains(program.standings[other].pack)
        }
    }

    private func isBeaten(_ other: RuleProgram.Standing, by mine: RuleProgram.Standing) -> Bool {
        other.precedence == mine.precedence
            ? other.severity < mine.severity : other.precedence < mine.precedence
    }

    func statesBelow() -> [Automaton.State] {
        guard isWithinFilter || canEnterFilter,
            live.indices.contains(where: { live[$0] && view.isVisible[$0] })
        else {
            return []
        }
        var hasFilter = false
        return states.filter { state in
            if program.automaton.isTrie(state) { return true }
            let pattern = program.pattern(state)
            let isAccepting = program.automaton.isAccepting(state)
            switch pattern.role {
            case .watch, .absent: return !isAccepting && live[pattern.rule]
            case .except: return isAccepting ? liveInTrie[pattern.rule] : live[pattern.rule]
            case .filter:
                guard isWithinFilter else { return true }
                defer { hasFilter = hasFilter || isAccepting }
                return isAccepting && !hasFilter
            }
        }
    }
}
