package import Integrity

/// Decides path by path which rule is in charge: a deterministic automaton that is built as it is asked.
///
/// Nothing is allocated for a name whose bytes have been seen in the same place before; about a nanosecond a byte. A copy
/// is independent: one thread, one matcher. States may be handed from one matcher to another of the same rule set with
/// the same restriction.
package struct Matcher: PathMatcher {
    /// What is left of the rules in a directory.
    package struct State: Hashable, Sendable {
        let positions: [Automaton.State]
    }

    /// Beyond so many the tables are dropped and built anew.
    static let stateLimit = 4_096

    private struct Key: Hashable {
        var positions: [Automaton.State]
        /// -1 where no rule decides, -2 within a name.
        var decision: Int32
    }

    private static let unknown = UInt32.max
    /// The state from which nothing can be selected.
    private static let dead: UInt32 = 0

    private let program: RuleProgram
    private let view: MatcherView
    private let classes: [UInt8]
    /// A state's row in the table has two to this power of cells, one for each class of bytes.
    private let shift: Int
    package let root: State

    private var marks: Automaton.Marks
    private var table: [UInt32] = []
    private var sets: [[Automaton.State]] = []
    private var steps: [MatchStep<State>] = []
    private var numbers: [Key: UInt32] = [:]
    /// The number of each state in which a directory was entered.
    private var entered: [State: UInt32] = [:]
    private var latest: (state: State, number: UInt32)
    private let rootStep: MatchStep<State>

    init(_ program: RuleProgram, _ view: MatcherView) {
        self.program = program
        self.view = view
        let (classes, count) = program.automaton.classes
        self.classes = classes
        shift = count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
        marks = Automaton.Marks(program.automaton)
        let settled = program.settle(program.automaton.step([Automaton.start], slash, &marks), view)
        root = State(positions: settled.below)
        rootStep = MatchStep(rule: settled.rule, below: settled.below.isEmpty ? nil : root)
        latest = (State(positions: []), Matcher.dead)
        forget()
    }

    /// How many states have been built and not dropped.
    var stateCount: Int { sets.count }

    package mutating func step(_ directory: State, _ name: ArraySlice<UInt8>) -> MatchStep<State> {
        let isRoomy = sets.count <= Matcher.stateLimit
        var number = isRoomy && directory == latest.state ? latest.number : enter(directory)
        var position = name.startIndex
        while true {
            let isKnown = run(&number, name, &position)
            if isKnown { break }
            number = build(number, name[position])
            position += 1
        }
        let next = table[Int(number) << shift | Int(classes[Int(slash)])]
        return steps[Int(next == Matcher.unknown ? build(number, slash) : next)]
    }

    /// Follows a name as far as it leads to states that are known; false where one has to be built.
    private func run(_ number: inout UInt32, _ name: ArraySlice<UInt8>, _ position: inout Int) -> Bool {
        let bytes = name.span
        let classes = classes.span
        let table = table.span
        var index = position - name.startIndex
        defer { position = name.startIndex + index }
        while index < bytes.count {
            let next = table[Int(number) << shift | Int(classes[Int(bytes[index])])]
            if next == Matcher.unknown { return false }
            number = next
            index += 1
        }
        return true
    }

    /// The step that leads to a path, from the root through every directory above it.
    package mutating func find(_ path: RawPath) -> MatchStep<State> {
        var step = rootStep
        for name in path.components {
            guard let below = step.below else { return MatchStep(rule: nil, below: nil) }
            step = self.step(below, name)
        }
        return step
    }

    /// The index of the rule that decides for a path.
    package mutating func rule(for path: RawPath) -> Int? { find(path).rule }

    // MARK: Building

    private mutating func forget() {
        table.removeAll(keepingCapacity: true)
        sets.removeAll(keepingCapacity: true)
        steps.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
        entered.removeAll(keepingCapacity: true)
        latest = (State(positions: []), Matcher.dead)
        _ = number(of: [], rule: nil, isInside: true)
        entered[latest.state] = Matcher.dead
    }

    private mutating func enter(_ directory: State) -> UInt32 {
        // Only here, between two names, is no number in use.
        if sets.count > Matcher.stateLimit { forget() }
        let number = entered[directory] ?? self.number(of: directory.positions, rule: nil, isInside: true)
        entered[directory] = number
        latest = (directory, number)
        return number
    }

    private mutating func build(_ number: UInt32, _ byte: UInt8) -> UInt32 {
        let reached = program.automaton.step(sets[Int(number)], byte, &marks)
        let next: UInt32
        if byte == slash {
            let settled = program.settle(reached, view)
            next = self.number(of: settled.below, rule: settled.rule, isInside: true)
        } else {
            next = self.number(of: program.canSelect(reached) ? reached : [], rule: nil, isInside: false)
        }
        table[Int(number) << shift | Int(classes[Int(byte)])] = next
        return next
    }

    private mutating func number(of set: [Automaton.State], rule: Int?, isInside: Bool) -> UInt32 {
        if set.isEmpty, rule == nil, !sets.isEmpty { return Matcher.dead }
        let key = Key(positions: set, decision: isInside ? Int32(rule ?? -1) : -2)
        if let known = numbers[key] { return known }
        let number = UInt32(sets.count)
        numbers[key] = number
        sets.append(set)
        steps.append(MatchStep(rule: rule, below: !isInside || set.isEmpty ? nil : State(positions: set)))
        // From nowhere nothing leads on.
        let isDead = number == Matcher.dead
        table.append(contentsOf: repeatElement(isDead ? Matcher.dead : Matcher.unknown, count: 1 << shift))
        return number
    }
}

// MARK: - Names that can be looked up

extension Matcher {
    /// Beyond so many, listing a directory is cheaper than looking names up.
    private static let nameLimit = 128
    /// NAME_MAX.
    private static let nameLength = 255

    package func literalNames(_ directory: State) -> [[UInt8]]? {
        if view.isFiltered, !directory.positions.contains(where: isPassedFilter) {
            // The name must lead on towards the filter's globs as well as the rules'; either list will do.
            if let names = names(directory.positions, { $0 == .filter }) { return names }
        }
        return names(directory.positions, \.selects)
    }

    private func isPassedFilter(_ state: Automaton.State) -> Bool {
        program.automaton.isAccepting(state) && program.pattern(state).role == .filter
    }

    private func names(_ positions: [Automaton.State], _ counts: (RuleProgram.Role) -> Bool) -> [[UInt8]]? {
        let automaton = program.automaton
        func relevant(_ states: [Automaton.State]) -> [Automaton.State] {
            states.filter { state in
                guard automaton.isTrie(state) else { return counts(program.pattern(state).role) }
                return automaton.patterns(below: state).contains { counts(program.patterns[Int($0)].role) }
            }
        }
        let first = relevant(positions)
        guard automaton.literalSteps(first) != nil else { return nil }
        var found: [[UInt8]] = []
        var marks = Automaton.Marks(automaton)
        var pending: [(name: [UInt8], states: [Automaton.State])] = [([], first)]
        var budget = Matcher.nameLimit * Matcher.nameLength
        while let (name, states) = pending.popLast() {
            budget -= 1
            guard budget > 0, let bytes = automaton.literalSteps(states) else { return nil }
            for byte in bytes {
                if byte == slash {
                    guard !name.isEmpty else { continue }
                    found.append(name)
                    if found.count > Matcher.nameLimit { return nil }
                } else if name.count < Matcher.nameLength {
                    let next = relevant(automaton.step(states, byte, &marks))
                    if !next.isEmpty { pending.append((name + [byte], next)) }
                }
            }
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
