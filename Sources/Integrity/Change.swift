/// The kinds of change, in the order in which the first that applies is taken.
package enum ChangeKind: UInt8, Hashable, Sendable, CaseIterable {
    case shadowed = 1
    case added = 2
    case removed = 3
    case moved = 4
    case type = 5
    case content = 6
    case metadata = 7
    case replaced = 8
    case transient = 9
    case touched = 10

    package var name: String { String(describing: self) }

    package init?(name: String) {
        guard let match = ChangeKind.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}

/// One thing that is compared; the closed list of the interface.
package enum AttributeName: Hashable, Sendable {
    case type, digest, size, mode, uid, gid, mtime, ctime, inode, links, flags, target, device, names
    case xattr([UInt8])

    /// The bytes of the name; an xattr's name may be anything.
    package var bytes: [UInt8] {
        switch self {
        case .xattr(let name): Array("xattr:".utf8) + name
        default: Array(String(describing: self).utf8)
        }
    }

    package init?(bytes: [UInt8]) {
        if bytes.starts(with: "xattr:".utf8) {
            self = .xattr(Array(bytes.dropFirst(6)))
            return
        }
        let plain: [AttributeName] = [
            .type, .digest, .size, .mode, .uid, .gid, .mtime, .ctime, .inode, .links, .flags, .target,
            .device, .names,
        ]
        guard let match = plain.first(where: { $0.bytes == bytes }) else { return nil }
        self = match
    }
}

/// What differs on one path, before anybody judged it.
package struct Change: Hashable, Sendable {
    package var kind: ChangeKind
    /// All that differ, counted or not; `ctime` only where nothing else does.
    package var attributes: [AttributeName]
    /// Those of them that count under the rule's profile; all of them where nothing is compared.
    package var counted: [AttributeName]
    /// True for growth under `append-only`: the recorded bytes still are the beginning.
    package var isGrowth: Bool

    package init(
        _ kind: ChangeKind,
        _ attributes: [AttributeName] = [],
        counted: [AttributeName]? = nil,
        isGrowth: Bool = false
    ) {
        self.kind = kind
        self.attributes = attributes
        self.counted = counted ?? attributes
        self.isGrowth = isGrowth
    }
}

/// What the event source saw happen to a path since it was last examined, in the terms that tell a
/// swap-and-restore from a plain rewrite.
///
/// A walk has seen nothing: all zero.
package struct Touches: Hashable, Sendable {
    /// Write cycles: closes after writing, plus one for writing that has not been closed.
    package var writes = 0
    /// The name was renamed away or deleted, and the same or another file took it again.
    package var leftAndCame = false
    /// The name was made and is gone again.
    package var cameAndLeft = false
    /// Mode, owner, times, xattrs or the link count were set.
    package var attributes = false
    /// The change falls into this gap: whatever happened inside it raised no event.
    package var gap: Int64?

    package init(
        writes: Int = 0,
        leftAndCame: Bool = false,
        cameAndLeft: Bool = false,
        attributes: Bool = false,
        gap: Int64? = nil
    ) {
        self.writes = writes
        self.leftAndCame = leftAndCame
        self.cameAndLeft = cameAndLeft
        self.attributes = attributes
        self.gap = gap
    }

    package static let none = Touches()
}
