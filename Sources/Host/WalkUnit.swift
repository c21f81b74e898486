package import Integrity

/// One entry of a directory that a rule selects.
package struct WalkEntry: Sendable {
    /// In the listing's own array, where a NUL follows it.
    package var name: ArraySlice<UInt8>
    /// As the listing told it; nil where the file system does not.
    ///
    /// It may have changed since.
    package var type: FileType?
    /// The index of the rule that decides.
    package var rule: Int
    /// 0 where the name was looked up and could not be examined.
    package var inode: UInt64
}

/// A run of entries of one directory, sorted by name, handed to one visitor.
package struct WalkUnit {
    private let listing: WalkListing
    private let first: Int
    private var position: Int
    private var end: Int
    /// Puts a range of the listing into the plan, right behind this unit.
    private let putBehind: (Range<Int>) -> Void

    init(_ listing: WalkListing, _ range: Range<Int>, putBehind: @escaping (Range<Int>) -> Void) {
        self.listing = listing
        first = range.lowerBound
        position = range.lowerBound
        end = range.upperBound
        self.putBehind = putBehind
    }

    package var directory: RawPath { listing.path }

    /// True where no selected name of the directory stands before this unit.
    package var isFirst: Bool { first == 0 }

    /// True where no selected name of the directory stands behind this unit.
    ///
    /// `splitRest` makes it false.
    package var isLast: Bool { end == listing.selected.count }

    /// The last name of the directory's unit before this one; nil for the first.
    package var precedingName: ArraySlice<UInt8>? { isFirst ? nil : listing.name(first - 1) }

    /// How many entries have not been taken yet.
    package var remaining: Int { end - position }

    /// How many entries have been taken.
    var taken: Int { position - first }

    /// Takes the next entry; nil at the end.
    package mutating func next() -> WalkEntry? {
        guard position < end else { return nil }
        defer { position += 1 }
        return listing.entry(position)
    }

    /// Makes what has not been taken a unit of its own right behind this one, for any worker to take.
    ///
    /// Call it as soon as an entry turns out to be large.
    package mutating func splitRest() {
        guard position < end else { return }
        putBehind(position..<end)
        end = position
    }
}

/// A directory that was listed: its descriptor, and what is selected in it.
///
/// Several workers may have units of it, and it is closed behind the last of them.
final class WalkListing: Sendable {
    struct Selected: Sendable {
        /// Into the entries of the directory.
        var index: UInt32
        var rule: Int32
    }

    let path: RawPath
    let descriptor: OwnedDescriptor
    let selected: [Selected]
    private let names: DirectoryListing

    /// Takes over a directory with its selected entries in the order of their names.
    init(
        _ path: RawPath,
        _ descriptor: consuming OwnedDescriptor,
        _ names: DirectoryListing,
        _ selected: [Selected]
    ) {
        self.path = path
        self.descriptor = descriptor
        self.names = names
        self.selected = selected
    }

    func name(_ position: Int) -> ArraySlice<UInt8> {
        names.name(of: names.entries[Int(selected[position].index)])
    }

    func entry(_ position: Int) -> WalkEntry {
        let choice = selected[position]
        let entry = names.entries[Int(choice.index)]
        return WalkEntry(
            name: names.name(of: entry),
            type: entry.type,
            rule: Int(choice.rule),
            inode: entry.inode
        )
    }
}

/// The subdirectories of one directory that are still to be walked, sorted by name.
///
/// It holds copies of their names, so that the listing, which may be a hundred times as large, can go before
/// they are entered.
struct WalkSubdirectories: Sendable {
    private let parent: RawPath
    /// The file system the parent lies on.
    let device: DeviceNumber
    /// The names, each followed by NUL.
    private var names: [UInt8] = []
    private var position = 0

    init(of parent: RawPath, on device: DeviceNumber) {
        self.parent = parent
        self.device = device
    }

    var isEmpty: Bool { position == names.count }

    mutating func append(_ name: ArraySlice<UInt8>) {
        names.append(contentsOf: name)
        names.append(0)
    }

    /// Takes the first path that is left.
    mutating func next() -> RawPath? {
        guard let end = names[position...].firstIndex(of: 0) else { return nil }
        defer { position = end + 1 }
        return parent.appending(names[position..<end])
    }
}
