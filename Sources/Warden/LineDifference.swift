/// A run of lines of the old text that a run of the new one takes the place of; one of them may be empty.
package struct LineEdit: Hashable, Sendable {
    package var old: Range<Int>
    package var new: Range<Int>

    package init(old: Range<Int>, new: Range<Int>) {
        self.old = old
        self.new = new
    }
}

/// Finds what must be taken out of one sequence and put in to get the other.
///
/// The shortest such list, by Myers' algorithm in linear space ("An O(ND) Difference Algorithm and Its Variations",
/// 1986), as long as that takes no more than `budget` steps in all. Whoever writes both files can ask for the square of
/// their length; when the budget is used up, whatever is not compared yet is one edit, which is right and not short.
///
/// - Parameters:
///   - old: One number a line, equal where the lines are.
///   - new: The same.
///   - budget: How many lines are looked at altogether.
/// - Returns: The edits in order, with at least one common line between two.
package func lineEdits(_ old: [Int32], _ new: [Int32], budget: Int = 2_000_000) -> [LineEdit] {
    var search = EditSearch(old, new, budget)
    search.compare(old.indices, new.indices)
    return search.edits
}

private struct EditSearch {
    private let old: [Int32]
    private let new: [Int32]
    private var budget: Int
    /// The furthest place reached on each diagonal, from the beginning and from the end.
    private var forward: [Int]
    private var backward: [Int]
    private(set) var edits: [LineEdit] = []

    init(_ old: [Int32], _ new: [Int32], _ budget: Int) {
        (self.old, self.new, self.budget) = (old, new, budget)
        let diagonals = old.count + new.count + 3
        forward = [Int](repeating: 0, count: diagonals)
        backward = [Int](repeating: 0, count: diagonals)
    }

    /// Each split halves the number of edits, so that this goes some twenty calls deep at the most.
    mutating func compare(_ oldRange: Range<Int>, _ newRange: Range<Int>) {
        var (start, newStart) = (oldRange.lowerBound, newRange.lowerBound)
        var (end, newEnd) = (oldRange.upperBound, newRange.upperBound)
        while start < end, newStart < newEnd, old[start] == new[newStart] {
            (start, newStart) = (start + 1, newStart + 1)
        }
        while start < end, newStart < newEnd, old[end - 1] == new[newEnd - 1] {
            (end, newEnd) = (end - 1, newEnd - 1)
        }
        if start == end, newStart == newEnd { return }
        guard start < end, newStart < newEnd, let middle = middle(start..<end, newStart..<newEnd) else {
            add(LineEdit(old: start..<end, new: newStart..<newEnd))
            return
        }
        compare(start..<middle.old, newStart..<middle.new)
        compare(middle.old..<end, middle.new..<newEnd)
    }

    private mutating func add(_ edit: LineEdit) {
        if let last = edits.last, last.old.upperBound == edit.old.lowerBound,
            last.new.upperBound == edit.new.lowerBound
        {
            edits[edits.count - 1] = LineEdit(
                old: last.old.lowerBound..<edit.old.upperBound,
                new: last.new.lowerBound..<edit.new.upperBound
            )
        } else {
            edits.append(edit)
        }
    }

    /// A place in the middle of a shortest path; nil once the budget is used up.
    ///
    /// Both ranges begin and end with lines that differ, so that the place is neither corner.
    private mutating func middle(_ oldRange: Range<Int>, _ newRange: Range<Int>) -> (old: Int, new: Int)? {
        let (width, height) = (oldRange.count, newRange.count)
        let delta = width - height
        let isOdd = !delta.isMultiple(of: 2)
        let origin = height + 1
        for cost in 0...(width + height + 1) / 2 {
            for diagonal in diagonals(cost, width, height) {
                var x = next(forward, origin, diagonal, cost, width, height)
                if x >= 0 {
                    var y = x - diagonal
                    let (first, newFirst) = (oldRange.lowerBound, newRange.lowerBound)
                    while x < width, y < height, old[first + x] == new[newFirst + y] {
                        (x, y, budget) = (x + 1, y + 1, budget - 1)
                    }
                }
                forward[origin + diagonal] = x
                let opposite = reached(backward, origin, delta - diagonal, cost - 1, width, height)
                if isOdd, x >= 0, opposite >= 0, x + opposite >= width {
                    return (oldRange.lowerBound + x, newRange.lowerBound + x - diagonal)
                }
                budget -= 1
            }
            for diagonal in diagonals(cost, width, height) {
                var x = next(backward, origin, diagonal, cost, width, height)
                if x >= 0 {
                    var y = x - diagonal
                    let (last, newLast) = (oldRange.upperBound - 1, newRange.upperBound - 1)
                    while x < width, y < height, old[last - x] == new[newLast - y] {
                        (x, y, budget) = (x + 1, y + 1, budget - 1)
                    }
                }
                backward[origin + diagonal] = x
                let opposite = reached(forward, origin, delta - diagonal, cost, width, height)
                if !isOdd, x >= 0, opposite >= 0, x + opposite >= width {
                    return (oldRange.upperBound - x, newRange.upperBound - (x - diagonal))
                }
                budget -= 1
            }
            if budget <= 0 { return nil }
        }
        return nil
    }

    /// The diagonals that a path of so many edits can end on, within the two lengths.
    private func diagonals(_ cost: Int, _ width: Int, _ height: Int) -> StrideThrough<Int> {
        let low = cost <= height ? -cost : -height + (cost - height) % 2
        let high = cost <= width ? cost : width - (cost - width) % 2
        return stride(from: low, through: high, by: 2)
    }

    /// How far one gets on a diagonal with one edit more; -1 where nothing leads there.
    private func next(
        _ furthest: [Int],
        _ origin: Int,
        _ diagonal: Int,
        _ cost: Int,
        _ width: Int,
        _ height: Int
    ) -> Int {
        if cost == 0 { return 0 }
        let above = reached(furthest, origin, diagonal + 1, cost - 1, width, height)
        let left = reached(furthest, origin, diagonal - 1, cost - 1, width, height)
        let down = above >= 0 && above - diagonal <= height ? above : -1
        let right = left >= 0 && left < width ? left + 1 : -1
        return max(down, right)
    }

    /// What was reached on a diagonal with so many edits; -1 for one that lies beyond.
    private func reached(
        _ furthest: [Int],
        _ origin: Int,
        _ diagonal: Int,
        _ cost: Int,
        _ width: Int,
        _ height: Int
    ) -> Int {
        guard diagonal >= -min(cost, height), diagonal <= min(cost, width) else { return -1 }
        return furthest[origin + diagonal]
    }
}
