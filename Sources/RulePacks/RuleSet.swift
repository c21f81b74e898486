package import Integrity

/// A pack in force, with the place it came from.
package struct LoadedPack: Sendable {
    package var pack: RulePack
    /// The place of its directory in the configured order, 0 shipped, then the site's; the higher one decides.
    package var precedence: Int

    package init(pack: RulePack, precedence: Int) {
        self.pack = pack
        self.precedence = precedence
    }
}

/// Why packs that are each well formed cannot be in force together.
package enum RuleSetError: Error, Hashable, Sendable, CustomStringConvertible {
    case repeatedRule(id: RuleID, here: RulePosition, there: RulePosition)
    case repeatedPack(name: String, here: String, there: String)
    case tooLarge(limit: Int)

    package var description: String {
        switch self {
        case .repeatedRule(let id, let here, let there):
            "\(here): the id `\(id)` is used at \(there) already; give one of the two rules another id"
        case .repeatedPack(let name, let here, let there):
            "\(here): the pack `\(name)` is in \(there) already; rename one, or give both files the same name so that"
                + " the later place hides the earlier"
        case .tooLarge(let limit):
            "the globs of all rule packs need more than \(limit) automaton states; switch packs off, or use fewer globs"
        }
    }
}

/// A literal directory of a glob, as written, that is reached through a link.
package struct LinkedRoot: Hashable, Sendable {
    package var path: RawPath
    /// The index of the rule.
    package var rule: Int

    package init(path: RawPath, rule: Int) {
        self.path = path
        self.rule = rule
    }
}

/// Every rule in force, and which one decides for a path.
package struct RuleSet: Sendable {
    /// Two million: some twenty thousand globs, or a thousand homes.
    package static let stateLimit = 2_000_000

    package let packs: [LoadedPack]
    /// In the order of the packs; a rule's index here is what matchers return.
    package let rules: [Rule]
    /// Over the digests of all files, in order of precedence, then of names.
    package let digest: Digest
    /// The homes that `~/` stands for, sorted.
    package let homes: [RawPath]
    private let unsortedRoots: Set<RawPath>
    /// Every literal directory that is written through a link, so that the link itself can be recorded.
    package let linkedRoots: [LinkedRoot]
    let program: RuleProgram
    /// What decides which paths the rules select: what a baseline keeps of them.
    package let definition: [ScopeRule]

    /// Puts packs in force.
    /// - Parameters:
    ///   - packs: those that are on.
    ///   - homes: what `~/` stands for.
    ///   - hash: SHA-256.
    ///   - stateLimit: bounds the memory that globs and homes can take together.
    ///   - canonicalize: resolves every link of a directory's path, its last component too; what is missing stays as
    ///     written.
    /// - Throws: what two packs use both.
    package init(
        packs: [LoadedPack],
        homes: [RawPath],
        hash: ([UInt8]) -> Digest,
        stateLimit: Int = RuleSet.stateLimit,
        canonicalize: (RawPath) -> RawPath
    ) throws(RuleSetError) {
        let sorted = packs.sorted { left, right in
            left.precedence != right.precedence
                ? left.precedence < right.precedence
                : left.pack.name.utf8.lexicographicallyPrecedes(right.pack.name.utf8)
        }
        try RuleSet.checkNames(sorted)
        var builder = RuleSetBuilder(homes: homes, stateLimit: stateLimit, ranks: RuleSet.ranks(sorted))
        for (index, loaded) in sorted.enumerated() { try builder.add(loaded, index, canonicalize) }
        self.packs = sorted
        self.homes = homes.sorted()
        rules = builder.rules
        unsortedRoots = builder.roots
        linkedRoots = builder.linkedRoots
        program = builder.program
        definition = builder.definition
        digest = hash(sorted.flatMap(\.pack.digest.bytes))
    }

    /// Precedences without holes: an empty place in front of the others changes nothing about a scope.
    private static func ranks(_ packs: [LoadedPack]) -> [Int: UInt16] {
        var ranks: [Int: UInt16] = [:]
        for pack in packs where ranks[pack.precedence] == nil {
            ranks[pack.precedence] = UInt16(clamping: ranks.count)
        }
        return ranks
    }

    private static func checkNames(_ packs: [LoadedPack]) throws(RuleSetError) {
        var files: [String: String] = [:]
        var positions: [RuleID: RulePosition] = [:]
        for pack in packs.lazy.map(\.pack) {
            if let there = files.updateValue(pack.file, forKey: pack.name) {
                throw .repeatedPack(name: pack.name, here: pack.file, there: there)
            }
            for (rule, position) in zip(pack.rules, pack.positions) {
                if let there = positions.updateValue(position, forKey: rule.id) {
                    throw .repeatedRule(id: rule.id, here: position, there: there)
                }
            }
        }
    }

    /// The literal directories in front of the `watch` globs' first wildcards, links resolved; sorted, each once.
    package var roots: [RawPath] { unsortedRoots.sorted() }

    /// The names of the packs in force, sorted.
    package var packNames: [String] { packs.map(\.pack.name).sorted() }

    package func index(of id: RuleID) -> Int? { rules.firstIndex { $0.id == id } }

    /// A matcher for one thread.
    /// - Parameters:
    ///   - paths: shows only what one of these matches, and everything below that; nil shows all. Expand them with
    ///     `Glob.resolved` first.
    ///   - shown: shows only what the rules of these names decide; nil shows all.
    /// - Returns: one that hides decisions and never changes which rule decides.
    package func matcher(paths: [Glob]? = nil, rules shown: Set<RuleID>? = nil) -> Matcher {
        var program = program
        for glob in paths ?? [] where glob.anchor != .home {
            program.add(glob.nodes, .filter, rule: -1, text: glob.text)
        }
        return Matcher(program, MatcherView(isVisible: visible(shown), isFiltered: paths != nil))
    }

    /// A matcher that shows a rule only for the paths that one of its `absent` globs selects.
    package func absentMatcher() -> Matcher {
        Matcher(program, MatcherView(isVisible: visible(nil), isFiltered: false, showsOnlyAbsent: true))
    }

    /// A matcher that shows what a rule of the profile `ignore` takes out of scope, and nothing else; nil where no rule
    /// has that profile.
    package func ignoredMatcher() -> Matcher? {
        let ignored = rules.map { $0.profile == .ignore }
        guard ignored.contains(true) else { return nil }
        return Matcher(program, MatcherView(isVisible: ignored, isFiltered: false))
    }

    private func visible(_ shown: Set<RuleID>?) -> [Bool] {
        rules.map { rule in rule.profile != .ignore && shown?.contains(rule.id) ?? true }
    }

    /// A matcher for globs alone, such as those of a pack's `detect`; its only rule has the index 0.
    package static func matcher(for globs: [Glob]) -> Matcher {
        var program = RuleProgram()
        program.standings = [
            RuleProgram.Standing(pack: 0, precedence: 0, severity: .low, nameOrder: 0, isIgnored: false)
        ]
        for glob in globs where glob.anchor != .home {
            program.add(glob.nodes, .watch, rule: 0, text: glob.text)
        }
        return Matcher(program, MatcherView(isVisible: [true], isFiltered: false))
    }
}

private struct RuleSetBuilder {
    let homes: [RawPath]
    let stateLimit: Int
    let ranks: [Int: UInt16]
    var rules: [Rule] = []
    var roots: Set<RawPath> = []
    var linkedRoots: [LinkedRoot] = []
    var program = RuleProgram()
    var definition: [ScopeRule] = []
    private var known: [RawPath: RawPath] = [:]

    init(homes: [RawPath], stateLimit: Int, ranks: [Int: UInt16]) {
        self.homes = homes
        self.stateLimit = stateLimit
        self.ranks = ranks
    }

    mutating func add(
        _ loaded: LoadedPack,
        _ pack: Int,
        _ canonicalize: (RawPath) -> RawPath
    ) throws(RuleSetError) {
        for (rule, globs) in zip(loaded.pack.rules, loaded.pack.globs) {
            let index = rules.count
            rules.append(rule)
            program.standings.append(
                RuleProgram.Standing(
                    pack: pack,
                    precedence: loaded.precedence,
                    severity: rule.severity,
                    nameOrder: pack,
                    isIgnored: rule.profile == .ignore
                )
            )
            definition.append(
                ScopeRule(
                    id: rule.id,
                    pack: loaded.pack.name,
                    precedence: ranks[loaded.precedence] ?? 0,
                    severity: rule.severity,
                    profile: rule.profile
                )
            )
            for glob in globs.watch { try add(glob, .watch, index, canonicalize) }
            for glob in globs.absent { try add(glob, .absent, index, canonicalize) }
            for glob in globs.except { try add(glob, .except, index, canonicalize) }
        }
    }

    private mutating func add(
        _ glob: Glob,
        _ role: RuleProgram.Role,
        _ rule: Int,
        _ canonicalize: (RawPath) -> RawPath
    ) throws(RuleSetError) {
        for nodes in glob.expanded(homes: homes) {
            let canonical = nodes.canonical { resolve($0, canonicalize) }
            if role.selects, rules[rule].profile != .ignore {
                if role == .watch { roots.insert(canonical.directory) }
                if let written = canonical.written {
                    let linked = LinkedRoot(path: written, rule: rule)
                    if !linkedRoots.contains(linked) { linkedRoots.append(linked) }
                }
            }
            program.add(canonical.nodes, role, rule: rule, text: glob.text)
            definition[rule].add(GlobNode.text(canonical.nodes), role)
            guard program.automaton.count <= stateLimit else { throw .tooLarge(limit: stateLimit) }
        }
    }

    private mutating func resolve(_ directory: RawPath, _ canonicalize: (RawPath) -> RawPath) -> RawPath {
        if let path = known[directory] { return path }
        let path = canonicalize(directory)
        known[directory] = path
        return path
    }
}
