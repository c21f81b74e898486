package import Integrity

/// A pattern over the bytes of a path.
///
/// `*` and `?` stop at `/`, `**` does not; `dir/**` is `dir` itself and everything below; `a/**/b` is also `a/b`;
/// `[a-z]`, `[!a-z]`, `{a,b}`; `\` quotes; a leading dot is nothing special.
package struct Glob: Hashable, Sendable, CustomStringConvertible {
    /// Where a glob's first component stands.
    enum Anchor: Hashable, Sendable {
        case root
        /// `~/`: below each home.
        case home
        /// Anywhere: as if `/**/` stood in front.
        case anywhere
    }

    /// As written.
    package let text: String
    let anchor: Anchor
    /// From the root on; for `.home` what follows the home, its slash first.
    let nodes: [GlobNode]

    /// Reads a glob.
    /// - Parameters:
    ///   - text: the glob.
    ///   - anywhere: whether it may begin without `/`, and then match at any depth (`except`).
    /// - Throws: what makes it impossible to match anything.
    package init(_ text: String, anywhere: Bool = false) throws(GlobError) {
        self.text = text
        var bytes = Array(text.utf8)
        if bytes.starts(with: "~/".utf8) {
            bytes.removeFirst()
            anchor = .home
        } else if bytes.first == UInt8(ascii: "/") {
            anchor = .root
        } else if bytes.isEmpty {
            throw .empty
        } else if bytes.first == UInt8(ascii: "~"), !anywhere || bytes.count == 1 {
            throw .otherHome
        } else if anywhere {
            anchor = .anywhere
        } else {
            throw .notAbsolute(orAnywhere: false)
        }
        let parsed = try GlobParser.parse(bytes)
        if anchor == .home, parsed == [.slash] { throw .trailingSlash }
        nodes = anchor == .anywhere ? [.slash, .deepStar, .slash] + parsed : parsed
    }

    /// A glob that matches this path and no other.
    package init(literally path: RawPath) {
        text = path.description
        anchor = .root
        nodes = path.bytes.map { $0 == slash ? .slash : .byte($0) }
    }

    init(text: String, nodes: [GlobNode]) {
        self.text = text
        self.anchor = .root
        self.nodes = nodes
    }

    package var description: String { text }

    /// The bytes in front of the first wildcard or alternative; for `~/` what follows the home.
    package var literalPrefix: [UInt8] { GlobNode.literalPrefix(nodes) }

    /// The path, where there is only one that can match.
    package var literal: RawPath? {
        let prefix = literalPrefix
        return anchor == .root && prefix.count == nodes.count ? RawPath(bytes: prefix) : nil
    }

    /// Matches the whole path; one with `~/` matches nothing before it is expanded.
    package func matches(_ path: RawPath) -> Bool {
        guard anchor != .home else { return false }
        var automaton = Automaton()
        automaton.add(nodes, as: 0, isSticky: false)
        return automaton.accepted(path).contains(0)
    }

    /// Matches the path or a directory above it.
    package func covers(_ path: RawPath) -> Bool {
        guard anchor != .home else { return false }
        var automaton = Automaton()
        automaton.add(nodes, as: 0, isSticky: true)
        return automaton.accepted(path).contains(0)
    }
}

extension GlobNode {
    static func literalPrefix(_ nodes: [GlobNode]) -> [UInt8] {
        var prefix: [UInt8] = []
        for node in nodes {
            switch node {
            case .byte(let byte): prefix.append(byte)
            case .slash: prefix.append(UInt8(ascii: "/"))
            default: return prefix
            }
        }
        return prefix
    }

    var holdsSlash: Bool {
        switch self {
        case .slash, .deepStar: true
        case .group(let branches): branches.contains { $0.contains(where: \.holdsSlash) }
        case .byte, .set, .star: false
        }
    }
}
