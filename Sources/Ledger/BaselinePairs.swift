import Integrity

/// Two baselines side by side: every path that either has, once and in their order, with its record in each.
///
/// Holds one block of each in memory.
package struct BaselinePairs: Sendable {
    private var left: BaselineCursor
    private var right: BaselineCursor
    private var ahead: (left: RecordView?, right: RecordView?)

    /// - Throws: `BaselineError.damaged` where a block's bytes are not those that were signed.
    package init(_ left: BaselineReader, _ right: BaselineReader) throws(BaselineError) {
        (self.left, self.right) = (left.makeCursor(), right.makeCursor())
        ahead.left = try self.left.next()
        ahead.right = try self.right.next()
    }

    /// The next path's records, one of which may be nil; nil behind the last.
    /// - Throws: `BaselineError.damaged` where a block's bytes are not those that were signed.
    package mutating func next() throws(BaselineError) -> (left: RecordView?, right: RecordView?)? {
        var pair = ahead
        switch pair {
        case (nil, nil): return nil
        case (.some(let first), .some(let second)):
            if first.precedes(second) {
                pair.right = nil
            } else if second.precedes(first) {
                pair.left = nil
            }
        default: break
        }
        if pair.left != nil { ahead.left = try left.next() }
        if pair.right != nil { ahead.right = try right.next() }
        return pair
    }
}
