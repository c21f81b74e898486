/// One path in the baseline: what was found there, under which rule, or why nothing could be found.
package struct Record: Hashable, Sendable {
    package var path: RawPath
    package var state: RecordedState
    /// The identifier of the rule that decided, `gcc.driver`.
    package var rule: RuleID
    /// The link whose final target this is, where no rule of its own selects the path.
    package var via: RawPath?

    package init(path: RawPath, state: RecordedState, rule: RuleID, via: RawPath? = nil) {
        self.path = path
        self.state = state
        self.rule = rule
        self.via = via
    }
}

/// What a record says of its path.
package enum RecordedState: Hashable, Sendable {
    /// `isRacy`: the ctime lay so close to the examination that a later write could leave it unchanged.
    case examined(Attributes, isRacy: Bool)
    /// Selected, but it could not be read when the baseline was made: the operation and its errno.
    case unexamined(Failure)

    package var attributes: Attributes? {
        guard case .examined(let attributes, _) = self else { return nil }
        return attributes
    }
}

/// A system call on one path that failed.
package struct Failure: Error, Hashable, Sendable {
    package enum Operation: UInt8, Hashable, Sendable, CaseIterable {
        case open = 1
        case stat = 2
        case read = 3
        case list = 4
        case readlink = 5
        case xattr = 6
        case watch = 7

        package var name: String { String(describing: self) }
    }

    package var operation: Operation
    /// As in errno(3).
    package var errno: Int32

    package init(_ operation: Operation, _ errno: Int32) {
        self.operation = operation
        self.errno = errno
    }
}
