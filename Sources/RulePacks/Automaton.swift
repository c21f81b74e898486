import Integrity

/// One automaton over bytes for many globs, read once from the root down to a path's end.
///
/// A path is read with a slash behind its last component, so that the state inside a directory is the state in which
/// the directory itself is judged, and `dir/**` needs no case of its own: it is `dir/`, any bytes, `/`, where a slash
/// behind `**` may be the one just read. The literal beginnings of all globs share one trie; whatever stands behind a
/// glob's first wildcard is its own. Its size is linear in the length of the globs: alternatives are branches, never
/// written out.
struct Automaton: Sendable {
    typealias State = UInt32
    /// What a glob is called by whoever adds it.
    typealias Pattern = Int32

    private struct Edge: Sendable {
        enum Kind: UInt8, Sendable {
            case bytes, always
            /// Free, but only right behind a slash.
            case behindSlash
        }

        var kind: Kind
        var low: UInt8 = 0
        var high: UInt8 = 0
        var target: State
        /// The index of the state's next edge; -1 ends the list.
        var next: Int32
    }

    private struct Node: Sendable {
        var edges: Int32 = -1
        /// Edges that stay in the trie; only trie states have any.
        var trie: Int32 = -1
        /// The patterns that leave the trie here.
        var leaves: Int32 = -1
        /// -1 in the trie.
        var owner: Pattern
        var isAccepting = false
        /// Any byte leads back here, and the pattern ends here.
        var isUniversal = false
    }

    private var nodes = [Node(owner: -1)]
    private var edges: [Edge] = []
    private var leaves: [(pattern: Pattern, next: Int32)] = []
    /// Where a byte means something else than the byte before it.
    private(set) var boundaries = [Bool](repeating: false, count: 257)

    static let start: State = 0

    var count: Int { nodes.count }

    func owner(_ state: State) -> Pattern { nodes[Int(state)].owner }
    func isTrie(_ state: State) -> Bool { nodes[Int(state)].owner < 0 }
    func isAccepting(_ state: State) -> Bool { nodes[Int(state)].isAccepting }
    func isUniversal(_ state: State) -> Bool { nodes[Int(state)].isUniversal }

    /// The byte that every edge treats alike with the byte at the index, as a small number.
    var classes: (of: [UInt8], count: Int) {
        var map: [UInt8] = []
        map.reserveCapacity(256)
        var current = 0
        for byte in 0..<256 {
            // The slash has a class of its own: it also decides which free edges are open.
            let isOwn = byte == Int(slash) || byte == Int(slash) + 1
            if byte > 0, boundaries[byte] || isOwn { current += 1 }
            map.append(UInt8(current))
        }
        return (map, current + 1)
    }
}

// MARK: - Building

extension Automaton {
    /// Where the elements so far may have led, by what came last: the slash behind a `**`, or behind another slash, may
    /// be the one already read.
    private struct Frontier {
        var plain: State?
        var slash: State?
        var star: State?

        func forEach(_ body: (State) -> Void) {
            if let plain { body(plain) }
            if let slash { body(slash) }
            if let star { body(star) }
        }
    }

    /// Adds a glob.
    /// - Parameters:
    ///   - glob: the elements, from the root on.
    ///   - pattern: what it is called.
    ///   - isSticky: whether everything below what it matches is accepted too.
    mutating func add(_ glob: [GlobNode], as pattern: Pattern, isSticky: Bool) {
        var last = Automaton.start
        var index = 0
        while index < glob.count {
            guard let byte = glob[index].literalByte else { break }
            last = trieChild(of: last, byte)
            index += 1
        }
        leaves.append((pattern, nodes[Int(last)].leaves))
        nodes[Int(last)].leaves = Int32(leaves.count - 1)
        let isBehindSlash = index > 0 && glob[index - 1] == .slash
        var frontier = isBehindSlash ? Frontier(slash: last) : Frontier(plain: last)
        frontier = compile(glob[index...], from: frontier, pattern)
        if case .deepStar = glob.last, let loop = frontier.star { nodes[Int(loop)].isUniversal = true }
        let end = compile([.slash], from: frontier, pattern).slash
        guard let end else { return }
        nodes[Int(end)].isAccepting = true
        if isSticky { loop(end, 0...UInt8.max) }
    }

    private mutating func compile(_ glob: ArraySlice<GlobNode>, from start: Frontier, _ pattern: Pattern)
        -> Frontier
    {
        var frontier = start
        for node in glob {
            frontier =
                switch node {
                case .byte(let byte): one([byte...byte], from: frontier, pattern)
                case .set(let set):
                    one(set == .component ? ByteSet.componentRanges : set.ranges, from: frontier, pattern)
                case .slash: slashElement(from: frontier, pattern)
                case .star: starElement(from: frontier, pattern)
                case .deepStar: deepStarElement(from: frontier, pattern)
                case .group(let branches): group(branches, from: frontier, pattern)
                }
        }
        return frontier
    }

    private mutating func one(
        _ ranges: [ClosedRange<UInt8>],
        from frontier: Frontier,
        _ pattern: Pattern
    ) -> Frontier {
        let target = newState(pattern)
        frontier.forEach { state in
            for range in ranges { connect(state, range, target) }
        }
        return Frontier(plain: target)
    }

    private mutating func slashElement(from frontier: Frontier, _ pattern: Pattern) -> Frontier {
        let target = newState(pattern)
        frontier.forEach { connect($0, slash...slash, target) }
        if let state = frontier.slash { connect(state, .behindSlash, target) }
        if let state = frontier.star { connect(state, .behindSlash, target) }
        return Frontier(slash: target)
    }

    private mutating func starElement(from frontier: Frontier, _ pattern: Pattern) -> Frontier {
        // Behind `**` it adds nothing.
        var result = Frontier(star: frontier.star)
        guard frontier.plain != nil || frontier.slash != nil else { return result }
        let target = newState(pattern)
        if let state = frontier.plain { connect(state, .always, target) }
        if let state = frontier.slash { connect(state, .always, target) }
        for range in ByteSet.componentRanges { loop(target, range) }
        result.plain = target
        return result
    }

    private mutating func deepStarElement(from frontier: Frontier, _ pattern: Pattern) -> Frontier {
        let target = newState(pattern)
        frontier.forEach { connect($0, .always, target) }
        loop(target, 0...UInt8.max)
        return Frontier(star: target)
    }

    private mutating func group(_ branches: [[GlobNode]], from frontier: Frontier, _ pattern: Pattern)
        -> Frontier
    {
        let ends = branches.map { compile($0[...], from: frontier, pattern) }
        return Frontier(
            plain: merge(ends.compactMap(\.plain), pattern),
            slash: merge(ends.compactMap(\.slash), pattern),
            star: merge(ends.compactMap(\.star), pattern)
        )
    }

    private mutating func merge(_ states: [State], _ pattern: Pattern) -> State? {
        guard let first = states.first, states.count > 1 else { return states.first }
        if states.allSatisfy({ $0 == first }) { return first }
        let target = newState(pattern)
        for state in states { connect(state, .always, target) }
        return target
    }

    private mutating func newState(_ pattern: Pattern) -> State {
        nodes.append(Node(owner: pattern))
        return State(nodes.count - 1)
    }

    private mutating func trieChild(of state: State, _ byte: UInt8) -> State {
        var index = nodes[Int(state)].trie
        while index >= 0 {
            let edge = edges[Int(index)]
            if edge.low == byte { return edge.target }
            index = edge.next
        }
        let child = newState(-1)
        mark(byte...byte)
        edges.append(Edge(kind: .bytes, low: byte, high: byte, target: child, next: nodes[Int(state)].trie))
        nodes[Int(state)].trie = Int32(edges.count - 1)
        return child
    }

    private mutating func connect(_ state: State, _ range: ClosedRange<UInt8>, _ target: State) {
        mark(range)
        append(
            Edge(
                kind: .bytes,
                low: range.lowerBound,
                high: range.upperBound,
                target: target,
                next: nodes[Int(state)].edges
            ),
            to: state
        )
    }

    private mutating func connect(_ state: State, _ kind: Edge.Kind, _ target: State) {
        append(Edge(kind: kind, target: target, next: nodes[Int(state)].edges), to: state)
    }

    private mutating func loop(_ state: State, _ range: ClosedRange<UInt8>) { connect(state, range, state) }

    private mutating func append(_ edge: Edge, to state: State) {
        edges.append(edge)
        nodes[Int(state)].edges = Int32(edges.count - 1)
    }

    private mutating func mark(_ range: ClosedRange<UInt8>) {
        boundaries[Int(range.lowerBound)] = true
        boundaries[Int(range.upperBound) + 1] = true
    }
}

extension GlobNode {
    fileprivate var literalByte: UInt8? {
        switch self {
        case .byte(let byte): byte
        case .slash: UInt8(ascii: "/")
        default: nil
        }
    }
}

// MARK: - Running

extension Automaton {
    /// Which states are in a set that is being built, without clearing between sets.
    struct Marks: Sendable {
        private var stamps: [UInt32]
        private var stamp: UInt32 = 0

        init(_ automaton: Automaton) {
            stamps = [UInt32](repeating: 0, count: automaton.count)
        }

        mutating func begin() {
            stamp &+= 1
            guard stamp == 0 else { return }
            for index in stamps.indices { stamps[index] = 0 }
            stamp = 1
        }

        /// False where it was in already.
        mutating func insert(_ state: State) -> Bool {
            guard stamps[Int(state)] != stamp else { return false }
            stamps[Int(state)] = stamp
            return true
        }
    }

    /// Where a byte leads from a set of states; sorted, free edges followed.
    func step(_ set: [State], _ byte: UInt8, _ marks: inout Marks) -> [State] {
        marks.begin()
        var reached: [State] = []
        for state in set {
            follow(nodes[Int(state)].edges, byte, &reached, &marks)
            follow(nodes[Int(state)].trie, byte, &reached, &marks)
        }
        close(&reached, behindSlash: byte == slash, &marks)
        reached.sort()
        return reached
    }

    private func follow(_ first: Int32, _ byte: UInt8, _ reached: inout [State], _ marks: inout Marks) {
        var index = first
        while index >= 0 {
            let edge = edges[Int(index)]
            if edge.kind == .bytes, edge.low <= byte, byte <= edge.high, marks.insert(edge.target) {
                reached.append(edge.target)
            }
            index = edge.next
        }
    }

    private func close(_ reached: inout [State], behindSlash: Bool, _ marks: inout Marks) {
        var position = 0
        while position < reached.count {
            var index = nodes[Int(reached[position])].edges
            while index >= 0 {
                let edge = edges[Int(index)]
                if edge.kind == .always || edge.kind == .behindSlash && behindSlash, marks.insert(edge.target)
                {
                    reached.append(edge.target)
                }
                index = edge.next
            }
            position += 1
        }
    }

    /// The patterns that accept a path, each once.
    func accepted(_ path: RawPath) -> Set<Pattern> {
        var marks = Marks(self)
        var set = [Automaton.start]
        for byte in path.isRoot ? [slash] : path.bytes + [slash] {
            set = step(set, byte, &marks)
            if set.isEmpty { return [] }
        }
        return Set(set.lazy.filter(isAccepting).map(owner))
    }

    /// The patterns that hang below a trie state, each at least once.
    func patterns(below state: State) -> [Pattern] {
        var found: [Pattern] = []
        var pending = [state]
        while let next = pending.popLast() {
            var leaf = nodes[Int(next)].leaves
            while leaf >= 0 {
                found.append(leaves[Int(leaf)].pattern)
                leaf = leaves[Int(leaf)].next
            }
            var index = nodes[Int(next)].trie
            while index >= 0 {
                pending.append(edges[Int(index)].target)
                index = edges[Int(index)].next
            }
        }
        return found
    }

    /// The bytes that lead on from a state, where each is a single literal; nil where a wildcard is among them.
    func literalSteps(_ set: [State]) -> Set<UInt8>? {
        var bytes: Set<UInt8> = []
        for state in set {
            for first in [nodes[Int(state)].edges, nodes[Int(state)].trie] {
                var index = first
                while index >= 0 {
                    let edge = edges[Int(index)]
                    if edge.kind == .bytes {
                        guard edge.low == edge.high else { return nil }
                        bytes.insert(edge.low)
                    }
                    index = edge.next
                }
            }
        }
        return bytes
    }
}
