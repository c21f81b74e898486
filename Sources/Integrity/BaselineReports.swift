/// The result of `baseline export`.
package struct ExportReport: Hashable, Sendable {
    package var baseline: BaselineSummary
    /// The copy.
    package var file: RawPath
    /// The file of the public key that verifies it.
    package var keyFile: RawPath

    package init(baseline: BaselineSummary, file: RawPath, keyFile: RawPath) {
        self.baseline = baseline
        self.file = file
        self.keyFile = keyFile
    }
}

/// The result of `baseline import`.
package struct ImportReport: Hashable, Sendable {
    package var baseline: BaselineSummary
    /// The file that was read.
    package var file: RawPath
    package var origin: BaselineOrigin
    package var scope: Scope
    /// The host that it was imported on.
    package var host: HostIdentity
    /// It was not made with the history of this host: what was recorded are taken for other files than those here.
    package var isCopy: Bool
    /// What was in force before; nil where there was nothing, or nothing that could be trusted.
    package var replaced: BaselineSummary?

    package init(
        baseline: BaselineSummary,
        file: RawPath,
        origin: BaselineOrigin,
        scope: Scope,
        host: HostIdentity,
        isCopy: Bool,
        replaced: BaselineSummary?
    ) {
        self.baseline = baseline
        self.file = file
        self.origin = origin
        self.scope = scope
        self.host = host
        self.isCopy = isCopy
        self.replaced = replaced
    }

    /// It was made on this machine.
    package var isOwn: Bool { !host.machineID.isEmpty && host.machineID == origin.machineID }
}

/// One path whose records in two baselines differ.
package struct BaselineDifference: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case change(ChangeKind)
        /// One of the two could not read it, so that nobody can tell.
        case unexamined
    }

    package var kind: Kind
    /// Those that differ and count.
    package var attributes: [AttributeName] = []
    package var before: Record?
    package var after: Record?

    package init(_ kind: Kind, before: Record?, after: Record?) {
        self.kind = kind
        self.before = before
        self.after = after
    }

    package var path: RawPath { after?.path ?? before?.path ?? .root }

    /// The name in every report.
    package var name: String {
        switch kind {
        case .change(let change): change.name
        case .unexamined: "unexamined"
        }
    }
}

extension BaselineDifference.Kind {
    package static let added = BaselineDifference.Kind.change(.added)
    package static let removed = BaselineDifference.Kind.change(.removed)
    package static let touched = BaselineDifference.Kind.change(.touched)
}

/// How many paths of two baselines differ, and how.
package struct DifferenceSummary: Hashable, Sendable {
    /// Paths that either has.
    package var paths = 0
    package var added = 0
    package var removed = 0
    /// Recorded in both, and not alike.
    package var changed = 0
    /// Read by one of the two only.
    package var unexamined = 0

    package init() {}

    package var different: Int { added + removed + changed + unexamined }
    package var equal: Int { paths - different }

    package mutating func count(_ difference: BaselineDifference) {
        switch difference.kind {
        case .added: added += 1
        case .removed: removed += 1
        case .change: changed += 1
        case .unexamined: unexamined += 1
        }
    }
}

/// The result of `baseline diff`, but for the differences, which may be more than fit into memory.
package struct DifferenceReport: Hashable, Sendable {
    /// One of the two baselines.
    package struct Side: Hashable, Sendable {
        /// Nil for this host's own.
        package var file: RawPath?
        package var baseline: BaselineSummary
        package var origin: BaselineOrigin
        package var scope: Scope

        package init(file: RawPath?, baseline: BaselineSummary, origin: BaselineOrigin, scope: Scope) {
            self.file = file
            self.baseline = baseline
            self.origin = origin
            self.scope = scope
        }
    }

    package var before: Side
    package var after: Side
    /// Made of the same files: identity and change time are compared as well.
    package var isOfSameFiles: Bool
    /// What somebody asked to leave out.
    package var ignored: [AttributeName]
    package var summary: DifferenceSummary

    package init(
        before: Side,
        after: Side,
        isOfSameFiles: Bool,
        ignored: [AttributeName],
        summary: DifferenceSummary
    ) {
        self.before = before
        self.after = after
        self.isOfSameFiles = isOfSameFiles
        self.ignored = ignored
        self.summary = summary
    }

    /// The names of what was compared; `xattr` stands for all of them but those that are ignored.
    package var compared: [String] {
        let names: [AttributeName] = [
            .type, .digest, .size, .mode, .uid, .gid, .mtime, .ctime, .inode, .links, .flags, .target,
            .device, .names,
        ]
        let left = names.filter { name in
            !ignored.contains(name) && (isOfSameFiles || (name != .inode && name != .ctime))
        }
        return left.map { String(describing: $0) } + ["xattr"]
    }
}
