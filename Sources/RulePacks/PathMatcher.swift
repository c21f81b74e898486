/// Decides, name by name from the root downwards, which rule is in charge of a path and whether anything below can be.
///
/// One matcher belongs to one thread: it may build its tables while it is asked.
package protocol PathMatcher: Sendable {
    /// Where a directory's path has led so far, its closing slash included.
    associatedtype State: Hashable, Sendable

    /// The state of `/`.
    var root: State { get }

    /// Follows one name from a directory.
    mutating func step(_ directory: State, _ name: ArraySlice<UInt8>) -> MatchStep<State>

    /// The only names that matter in a directory, where they can be listed: every glob goes on with a literal. Nil where
    /// a wildcard makes any name possible. A walk looks these up instead of listing the directory.
    func literalNames(_ directory: State) -> [[UInt8]]?
}

/// What one name means to a matcher.
package struct MatchStep<State: Hashable & Sendable>: Hashable, Sendable {
    /// The index of the rule that decides for the path that ends here; nil where none selects it.
    package var rule: Int?
    /// The state inside, should this be a directory; nil where nothing below it can be selected.
    package var below: State?

    package init(rule: Int?, below: State?) {
        self.rule = rule
        self.below = below
    }
}
