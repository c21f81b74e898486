internal import CLinux
import Integrity
import RulePacks

/// Asks the matcher about every name of a directory.
///
/// Compiled once more for the types that the program itself uses: it runs for every file of the host.
/// - Returns: the selected entries and the directories to enter, each sorted by name and once.
@_specialize(where Tree == KernelTree, Matcher == RulePacks.Matcher)
func select<Tree: FileTree, Matcher: PathMatcher>(
    _ names: DirectoryListing,
    _ state: Matcher.State,
    _ matcher: inout Matcher,
    _ tree: Tree,
    _ descriptor: borrowing OwnedDescriptor
) -> (selected: [WalkListing.Selected], below: [UInt32]) {
    var selected: [WalkListing.Selected] = []
    var below: [UInt32] = []
    selected.reserveCapacity(min(names.entries.count, 4_096))
    for (position, entry) in names.entries.enumerated() {
        let name = names.name(of: entry)
        let step = matcher.step(state, name)
        let index = UInt32(truncatingIfNeeded: position)
        if let rule = step.rule { selected.append(.init(index: index, rule: Int32(clamping: rule))) }
        if step.below != nil, mayBeDirectory(name, entry.type, tree, descriptor) { below.append(index) }
    }
    return (sortedByName(selected, names) { $0.index }, sortedByName(below, names) { $0 })
}

private func mayBeDirectory(
    _ name: ArraySlice<UInt8>,
    _ type: FileType?,
    _ tree: some FileTree,
    _ descriptor: borrowing OwnedDescriptor
) -> Bool {
    if let type { return type == .directory }
    do {
        return try tree.status(of: name, in: descriptor).type == .directory
    } catch {
        // Opening it will tell.
        return !error.isAbsence
    }
}

/// Sorts indices of entries by the bytes of their names and drops all but one of each name: while names come and go, a
/// listing may give one twice.
private func sortedByName<Element>(
    _ elements: [Element],
    _ listing: DirectoryListing,
    _ index: (Element) -> UInt32
) -> [Element] {
    guard elements.count > 1 else { return elements }
    return unsafe listing.names.withUnsafeBufferPointer { bytes in
        let names = unsafe NameOrder(bytes, listing.entries)
        var sorted = elements.count <= largestKeyed ? sortedByKey(elements, names, index) : elements
        if elements.count > largestKeyed { sorted.sort { names.precedes(index($0), index($1)) } }
        var kept = 1
        for position in 1..<sorted.count
        where names.precedes(index(sorted[kept - 1]), index(sorted[position])) {
            sorted[kept] = sorted[position]
            kept += 1
        }
        sorted.removeSubrange(kept...)
        return sorted
    }
}

/// Beyond so many entries a key for each costs more memory than it saves time.
private let largestKeyed = 65_536

/// Eight bytes of each name, from where they begin to differ, spare most comparisons of the names themselves.
private func sortedByKey<Element>(
    _ elements: [Element],
    _ names: NameOrder,
    _ index: (Element) -> UInt32
) -> [Element] {
    let common = names.commonPrefix(elements.lazy.map(index))
    var keyed = elements.map { (key: names.key(index($0), from: common), element: $0) }
    keyed.sort { left, right in
        left.key == right.key
            ? names.precedes(index(left.element), index(right.element)) : left.key < right.key
    }
    return keyed.map(\.element)
}

/// The names of a listing as memcmp(3) orders them.
@safe
private struct NameOrder {
    // What a listing promises of its entries: every name lies in `bytes`. It lives no longer than the closure that was
    // given the bytes.
    private let bytes: UnsafeBufferPointer<UInt8>
    private let entries: [DirectoryListing.Entry]

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ entries: [DirectoryListing.Entry]) {
        unsafe self.bytes = bytes
        self.entries = entries
    }

    func precedes(_ left: UInt32, _ right: UInt32) -> Bool {
        let (first, second) = (entries[Int(left)], entries[Int(right)])
        guard let base = unsafe bytes.baseAddress else { return false }
        let order = unsafe memcmp(base + first.offset, base + second.offset, min(first.length, second.length))
        return order == 0 ? first.length < second.length : order < 0
    }

    /// How many bytes all these names have in common at their beginning.
    func commonPrefix(_ indices: some Collection<UInt32>) -> Int {
        guard let first = indices.first else { return 0 }
        let model = entries[Int(first)]
        var common = model.length
        for index in indices.dropFirst() {
            let entry = entries[Int(index)]
            common = min(common, entry.length)
            var same = 0
            while same < common, unsafe bytes[model.offset + same] == bytes[entry.offset + same] { same += 1 }
            common = same
        }
        return common
    }

    /// The eight bytes from `start` as a number that compares as they do; NUL stands behind the end of a name.
    func key(_ index: UInt32, from start: Int) -> UInt64 {
        let entry = entries[Int(index)]
        var key: UInt64 = 0
        for position in start..<start + 8 {
            let byte = position < entry.length ? unsafe bytes[entry.offset + position] : 0
            key = key << 8 | UInt64(byte)
        }
        return key
    }
}
