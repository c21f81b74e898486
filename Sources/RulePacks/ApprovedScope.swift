package import Integrity

/// The scope that a baseline was approved with, ready to be asked about a path whatever the rules say by now.
package struct ApprovedScope: Sendable {
    private let program: RuleProgram

    /// Nil where a glob of the definition is none: another program's file.
    package init?(_ definition: [ScopeRule]) {
        var program = RuleProgram()
        var packs: [String: Int] = [:]
        for (index, rule) in definition.enumerated() {
            let pack = packs[rule.pack, default: packs.count]
            packs[rule.pack] = pack
            program.standings.append(
                RuleProgram.Standing(
                    pack: pack,
                    precedence: Int(rule.precedence),
                    severity: rule.severity,
                    nameOrder: pack,
                    isIgnored: rule.profile == .ignore
                )
            )
            for (role, globs) in [
                (RuleProgram.Role.watch, rule.watch), (.absent, rule.absent), (.except, rule.except),
            ] {
                for glob in globs {
                    guard let nodes = try? GlobParser.reread(glob) else { return nil }
                    program.add(nodes, role, rule: index, text: escaped(glob))
                }
            }
        }
        self.program = program
        isVisible = definition.map { $0.profile != .ignore }
    }

    private let isVisible: [Bool]

    /// Decides as the approved rules did; the indices are places in the definition.
    package func matcher() -> Matcher {
        Matcher(program, MatcherView(isVisible: isVisible, isFiltered: false))
    }
}

extension ScopeRule {
    /// The literal directories in front of the first wildcards of what it selects.
    package var roots: [RawPath] {
        (watch + absent).compactMap { glob in
            guard let nodes = try? GlobParser.reread(glob) else { return nil }
            let prefix = GlobNode.literalPrefix(nodes)
            return prefix.lastIndex(of: slash).map { cut in
                cut == 0 ? .root : RawPath(bytes: Array(prefix[..<cut]))
            }
        }
    }

    /// Where only globs came or went, their directories; else all that the rule is about.
    package func rootsThatDiffer(from other: ScopeRule) -> Set<RawPath> {
        var selecting = self
        selecting.watch =
            watch.filter { !other.watch.contains($0) } + other.watch.filter { !watch.contains($0) }
        selecting.absent =
            absent.filter { !other.absent.contains($0) } + other.absent.filter { !absent.contains($0) }
        var rest = other
        rest.watch = watch
        rest.absent = absent
        return rest == self ? Set(selecting.roots) : Set(roots + other.roots)
    }

    mutating func add(_ glob: [UInt8], _ role: RuleProgram.Role) {
        switch role {
        case .watch: watch.append(glob)
        case .absent: absent.append(glob)
        case .except: except.append(glob)
        case .filter: break
        }
    }
}

extension GlobNode {
    /// The elements written as a glob that is read back to the same meaning, whatever bytes are in it.
    static func text(_ nodes: [GlobNode]) -> [UInt8] {
        var text: [UInt8] = []
        var stars = 0
        for node in nodes {
            switch node {
            case .star: stars = max(stars, 1)
            case .deepStar: stars = 2
            default:
                // Where alternatives were written out, stars may stand side by side; so many are one.
                text.append(contentsOf: repeatElement(UInt8(ascii: "*"), count: stars))
                stars = 0
                append(node, to: &text)
            }
        }
        return text + repeatElement(UInt8(ascii: "*"), count: stars)
    }

    private static func append(_ node: GlobNode, to text: inout [UInt8]) {
        switch node {
        case .byte(let byte):
            if special.contains(byte) { text.append(UInt8(ascii: "\\")) }
            text.append(byte)
        case .slash: text.append(UInt8(ascii: "/"))
        case .set(let set): append(set, to: &text)
        case .group(let branches):
            text.append(UInt8(ascii: "{"))
            for (index, branch) in branches.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                text.append(contentsOf: self.text(branch))
            }
            text.append(UInt8(ascii: "}"))
        case .star, .deepStar: break
        }
    }

    private static func append(_ set: ByteSet, to text: inout [UInt8]) {
        guard set != .component else { return text.append(UInt8(ascii: "?")) }
        // NUL cannot be written: a set that holds it was written as everything but.
        let isInverted = set.contains(0)
        text.append(contentsOf: isInverted ? [UInt8(ascii: "["), UInt8(ascii: "!")] : [UInt8(ascii: "[")])
        for range in (isInverted ? set.inverted : set).ranges {
            append(member: range.lowerBound, to: &text)
            guard range.count > 1 else { continue }
            text.append(UInt8(ascii: "-"))
            append(member: range.upperBound, to: &text)
        }
        text.append(UInt8(ascii: "]"))
    }

    private static func append(member byte: UInt8, to text: inout [UInt8]) {
        if classSpecial.contains(byte) { text.append(UInt8(ascii: "\\")) }
        text.append(byte)
    }

    private static let special = Set("*?[]{},\\".utf8)
    private static let classSpecial = Set("]\\-!^[".utf8)
}
