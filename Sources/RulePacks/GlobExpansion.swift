package import Integrity

extension Glob {
    /// How many globs one may become when the alternatives in its directories are written out.
    static let expansionLimit = 128

    /// The globs that this one stands for on a host.
    ///
    /// `~/` is written out below every home, and the directories in front of the first wildcard have their links
    /// resolved, so that `/bin/gcc*` selects `/usr/bin/gcc*` and `/lib/**` selects `/usr/lib/**`.
    /// - Parameters:
    ///   - homes: what `~/` stands for.
    ///   - canonicalize: resolves every link of a directory's path, its last component too; what is missing stays as
    ///     written.
    /// - Returns: one glob for each home and alternative directory.
    package func resolved(homes: [RawPath], canonicalize: (RawPath) -> RawPath) -> [Glob] {
        expanded(homes: homes).map { Glob(text: text, nodes: $0.canonical(canonicalize).nodes) }
    }

    /// `~/` below every home; the others as they are.
    package func atHome(_ homes: [RawPath]) -> [Glob] {
        guard anchor == .home else { return [self] }
        return homes.map { Glob(text: text, nodes: LiteralPath.nodes($0) + nodes) }
    }

    /// Without `~/`, and without alternatives in front of the first wildcard as far as they lie in directories.
    func expanded(homes: [RawPath]) -> [[GlobNode]] {
        atHome(homes).flatMap { glob in
            glob.nodes.expandedDirectories() ?? [glob.nodes]
        }
    }
}

enum LiteralPath {
    /// Nothing for the root, so that a slash can follow.
    static func nodes(_ path: RawPath) -> [GlobNode] {
        path.isRoot ? [] : path.bytes.map { $0 == slash ? .slash : .byte($0) }
    }
}

extension [GlobNode] {
    /// Writes leading alternatives out, breadth first; nil where that would be too many.
    fileprivate func expandedDirectories() -> [[GlobNode]]? {
        var done: [[GlobNode]] = []
        var pending: [[GlobNode]] = [self]
        while let nodes = pending.popLast() {
            guard let index = nodes.firstIndex(where: { !$0.isLiteral }),
                case .group(let branches) = nodes[index],
                branches.contains(where: { $0.contains(where: \.holdsSlash) })
                    || nodes[(index + 1)...].contains(where: \.holdsSlash)
            else {
                done.append(nodes)
                continue
            }
            guard done.count + pending.count + branches.count <= Glob.expansionLimit else { return nil }
            for branch in branches.reversed() {
                pending.append(nodes[..<index] + branch + nodes[(index + 1)...])
            }
        }
        return done
    }

    /// The directories in front of the first wildcard with links resolved, and the path as written where it differs.
    func canonical(_ canonicalize: (RawPath) -> RawPath) -> (
        nodes: [GlobNode], directory: RawPath, written: RawPath?
    ) {
        let prefix = GlobNode.literalPrefix(self)
        guard let cut = prefix.lastIndex(of: slash), cut > 0 else { return (self, .root, nil) }
        let directory = RawPath(bytes: [UInt8](prefix[..<cut]))
        let components = directory.components
        // Alternatives may leave doubled slashes behind.
        let isTidy = components.reduce(0) { $0 + $1.count + 1 } == cut
        let written = isTidy ? directory : RawPath(components: components)
        // `..` is not taken lexically: no canonical path holds one, so that such a glob matches nothing, and must not
        // come to match something else.
        guard !components.contains(where: { $0 == [0x2E] || $0 == [0x2E, 0x2E] }) else {
            return (self, written, nil)
        }
        let resolved = canonicalize(written)
        if isTidy, resolved == written { return (self, written, nil) }
        return (LiteralPath.nodes(resolved) + self[cut...], resolved, resolved == written ? nil : written)
    }
}

extension GlobNode {
    fileprivate var isLiteral: Bool {
        switch self {
        case .byte, .slash: true
        default: false
        }
    }
}

private func + (left: ArraySlice<GlobNode>, right: [GlobNode]) -> [GlobNode] { Array(left) + right }
