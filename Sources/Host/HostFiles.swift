package import Integrity

/// The host's own files, under a root that tests choose: every read and every listing has a bound.
package struct HostFiles: Sendable {
    private let root: RawPath
    private let tree = KernelTree()

    package init(root: RawPath = .root) {
        self.root = root
    }

    /// Where a path of the host lies.
    package func place(_ path: RawPath) -> RawPath {
        path.components.reduce(root) { $0.appending($1) }
    }

    /// - Throws: As the function of that name.
    package func read(_ path: RawPath, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
        try readFile(place(path), limit: limit)
    }

    /// The file as text without white space around it.
    ///
    /// - Throws: As `read`; `EINVAL` where it is not UTF-8.
    package func text(_ path: RawPath, limit: Int = 4_096) throws(Errno) -> String {
        guard let text = String(validating: trimmed(try read(path, limit: limit)), as: UTF8.self) else {
            throw .invalid
        }
        return text
    }

    /// The first number in a file, as most of /proc/sys holds one.
    ///
    /// - Throws: As `read`; `EINVAL` where it does not begin with one.
    package func number(_ path: RawPath) throws(Errno) -> Int {
        let text = try text(path)
        guard let number = Int(text.prefix { $0.isASCII && !$0.isWhitespace }) else { throw .invalid }
        return number
    }

    /// The names in a directory, sorted; links on the way to it are followed.
    ///
    /// - Throws: `ENOENT`, `EACCES`, …; `EFBIG` where there are more names than `limit`.
    package func names(in path: RawPath, limit: Int = 65_536) throws(Errno) -> [[UInt8]] {
        let final = try final(path)
        var listing = DirectoryListing()
        try tree.list(try tree.openDirectory(final), into: &listing)
        guard listing.entries.count <= limit else { throw .tooLarge }
        listing.sort()
        return listing.entries.map { Array(listing.name(of: $0)) }
    }

    /// What a link says, also one of the kernel's own such as /proc/self/ns/mnt.
    ///
    /// - Throws: `EACCES`, `ENOENT`; `EINVAL` for what is no link.
    package func target(of link: RawPath) throws(Errno) -> [UInt8] {
        let canonical = PathResolver(tree: tree).canonical(place(link))
        let parent = try tree.openToLook(canonical.parent)
        return try tree.target(of: try tree.openPlace(canonical.name, in: parent))
    }

    /// The status of what a path leads to, links followed.
    ///
    /// - Throws: `ENOENT`, `EACCES`, ….
    package func status(_ path: RawPath) throws(Errno) -> Attributes {
        let final = try final(path)
        let parent = try tree.openToLook(final.parent)
        return try tree.status(of: final.nameInParent, in: parent)
    }

    /// Where a path leads to, its last component followed too.
    private func final(_ path: RawPath) throws(Errno) -> RawPath {
        let resolution = PathResolver(tree: tree).resolve(place(path))
        guard let final = resolution.final else {
            throw resolution.failure.map { Errno($0.errno) } ?? .noEntry
        }
        return final
    }

    /// Whether something is there.
    package func exists(_ path: RawPath) -> Fact<Bool> {
        Fact { () throws(Errno) in
            do throws(Errno) {
                _ = try status(path)
                return true
            } catch {
                guard error.isAbsence else { throw error }
                return false
            }
        }
    }

    /// How many lines of a file begin with a word, however long the file is: it is read piece by piece.
    ///
    /// - Throws: As `read`.
    package func count(linesBeginning word: String, in path: RawPath) throws(Errno) -> Int {
        let canonical = PathResolver(tree: tree).canonical(place(path))
        let parent = try tree.openToLook(canonical.parent)
        let file = try tree.openFile(canonical.name, in: parent)
        var counter = LineCounter(word)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe room.deallocate() }
        while true {
            let count = try unsafe tree.read(file, into: room)
            if count == 0 { return counter.count }
            for position in 0..<count { counter.take(unsafe room[position]) }
        }
    }
}

/// Counts the lines that begin with a word, byte by byte.
struct LineCounter {
    private let word: [UInt8]
    /// How many bytes of the word this line has shown; nil once it has shown another.
    private var matched: Int? = 0
    private(set) var count = 0

    init(_ word: String) {
        self.word = Array(word.utf8)
    }

    mutating func take(_ byte: UInt8) {
        if byte == UInt8(ascii: "\n") {
            matched = 0
        } else if let position = matched {
            matched = position < word.count && byte == word[position] ? position + 1 : nil
            if matched == word.count { (count, matched) = (count + 1, nil) }
        }
    }
}

/// Without ASCII white space at both ends.
func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> [UInt8] {
    let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    let rest = bytes.drop(while: isBlank)
    guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return [] }
    return Array(rest[...last])
}

/// The lines of a text, without those that are empty.
func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] { bytes.split(separator: UInt8(ascii: "\n")) }
