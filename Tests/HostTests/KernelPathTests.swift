import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Host

/// Names and paths that nobody would choose, on the real file system.
struct KernelPathTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    static let trees = [KernelTree(), KernelTree(withoutOpenat2: ())]

    private static let hostile: [[UInt8]] = [
        Array("a\nb".utf8), Array("\u{1B}]0;owned\u{7}".utf8), [0xFF, 0xFE], Array(" ".utf8),
        Array("-rf".utf8),
        Array("\u{202E}gpj.exe".utf8), [UInt8](repeating: 0x61, count: 255), Array("...".utf8),
        Array("%s%n".utf8),
        [0xC3], Array("name ".utf8), Array("\\x41".utf8), [0x01],
    ]

    @Test func hostileNamesComeBackAsTheyAre() throws {
        let tree = KernelTree()
        for name in Self.hostile { try directory.path.appending(name).write(name) }
        var listing = DirectoryListing()
        let opened = try tree.openDirectory(directory.path)
        try tree.list(opened, into: &listing)
        listing.sort()
        let names = listing.entries.map { Array(listing.name(of: $0)) }
        #expect(names == Self.hostile.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(listing.entries.allSatisfy { listing.names[$0.offset + $0.length] == 0 })
        var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
        for entry in listing.entries {
            let name = listing.name(of: entry)
            let found = try #require(try examiner.examine(name, in: opened, hint: entry.type))
            #expect(found.attributes.content == .digest(SHA256Hasher.digest(of: Array(name))))
            #expect(found.attributes.inode == entry.inode)
            let byPath = try examiner.examine(directory.path.appending(name))
            #expect(byPath?.attributes == found.attributes)
        }
        var again = DirectoryListing()
        try tree.list(opened, into: &again)
        #expect(
            again.entries.count == Self.hostile.count,
            "a second listing of the same descriptor begins anew"
        )
    }

    @Test func aLargeDirectoryIsListedWhole() throws {
        let count = 3_000
        for number in 0..<count {
            try directory.write(String(number) + String(repeating: "x", count: 100), "")
        }
        var listing = DirectoryListing()
        let tree = KernelTree()
        try tree.list(try tree.openDirectory(directory.path), into: &listing)
        #expect(Set(listing.entries.map { Array(listing.name(of: $0)) }).count == count)
    }

    @Test(arguments: trees) func aPathLongerThanPathMaxIsOpened(tree: KernelTree) throws {
        let name = [UInt8](repeating: UInt8(ascii: "d"), count: 250)
        var path = directory.path
        var current = try tree.openDirectory(path)
        while path.bytes.count < 2 * Int(PATH_MAX) {
            current.lend { number in
                unsafe (name + [0]).withUnsafeBytes { buffer in
                    guard let start = buffer.baseAddress else { return }
                    _ = unsafe mkdirat(number, start.assumingMemoryBound(to: CChar.self), 0o755)
                }
            }
            current = try tree.openDirectory(name[...], in: current)
            path = path.appending(name)
        }
        let opened = try tree.openDirectory(path)
        #expect(try tree.status(of: opened).inode == tree.status(of: current).inode)
        var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
        #expect(try examiner.examine(path)?.attributes.type == .directory)
        #expect(try examiner.examine(path.appending("none")) == nil)
        #expect(PathResolver(tree: tree).canonical(path) == path)
        #expect(PathResolver(tree: tree).resolve(path).final == path)
    }

    @Test(arguments: trees) func noComponentMayBeALink(tree: KernelTree) throws {
        try directory.makeDirectory("real/below/deeper")
        try directory.symlink("link", to: "real")
        try directory.write("file", "")
        #expect(throws: Errno.tooManyLinks) { try discard(tree.openDirectory(directory.appending("link"))) }
        #expect(throws: Errno.tooManyLinks) {
            try discard(tree.openDirectory(directory.appending("link/below")))
        }
        #expect(throws: Errno.notDirectory) { try discard(tree.openDirectory(directory.appending("file"))) }
        #expect(throws: Errno.notDirectory) { try discard(tree.openDirectory(directory.appending("file/x"))) }
        #expect(throws: Errno.noEntry) { try discard(tree.openDirectory(directory.appending("none/x"))) }
        #expect(throws: Errno.invalid) { try discard(tree.openDirectory("relative")) }
        #expect(throws: Errno.invalid) { try discard(tree.openDirectory(RawPath(bytes: [slash, 0x61, 0]))) }
        try discard(tree.openDirectory(directory.appending("real/below/deeper")))
        try discard(tree.openDirectory(.root))
    }

    @Test func namesWithANulNameNothing() throws {
        let tree = KernelTree()
        try directory.write("tool", "x")
        let opened = try tree.openDirectory(directory.path)
        let cut = ArraySlice("tool".utf8) + [0, 0x78]
        #expect(throws: Errno.invalid) { try discard(tree.openFile(cut, in: opened)) }
        #expect(throws: Errno.invalid) { try tree.status(of: cut, in: opened) }
    }

    @Test func nothingLeadsOutOfARoot() throws {
        try directory.write("root/etc/passwd", "inside")
        try directory.symlink("root/passwd", to: "/etc/passwd")
        try directory.symlink("root/up", to: "../../../../../../etc/passwd")
        try directory.symlink("alias", to: "root")
        for start in ["root", "alias"] {
            let tree = try KernelTree(root: directory.appending(start))
            var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
            let inside = ContentDigest.digest(SHA256Hasher.digest(of: Array("inside".utf8)))
            #expect(try examiner.examine("/etc/passwd")?.attributes.content == inside)
            #expect(try examiner.examine(.root)?.attributes.type == .directory)
            let resolver = PathResolver(tree: tree)
            #expect(resolver.resolve("/passwd").final == "/etc/passwd")
            #expect(resolver.resolve("/up").final == "/etc/passwd")
            #expect(try resolver.readFile("/up", limit: 100) == Array("inside".utf8))
            #expect(throws: Errno.noEntry) { try discard(tree.openDirectory("/usr")) }
        }
        #expect(throws: Errno.noEntry) { try KernelTree(root: directory.appending("none")) }
        #expect(throws: Errno.notDirectory) { try KernelTree(root: directory.appending("root/etc/passwd")) }
    }

    /// What getdents64(2) writes, cut and changed at random: never a crash, never a name from beyond the end.
    @Test func brokenListingsAreReadAsFarAsTheyGo() {
        var random = SeededGenerator()
        for _ in 0..<2_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let name = random.bytes(Int.random(in: 1...20, using: &random), mostlyFrom: [0x61, 0x2E])
                let length = UInt16((19 + name.count + 1 + 7) / 8 * 8)
                var entry = random.bytes(16)
                entry.append(little: length)
                entry += [8] + name
                entry += [UInt8](repeating: 0, count: Int(length) - entry.count)
                bytes += entry
            }
            for _ in 0..<Int.random(in: 0..<3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...max(0, bytes.count), using: &random)))
            var listing = DirectoryListing()
            unsafe bytes.withUnsafeBytes { unsafe listing.append(entries: $0) }
            for entry in listing.entries {
                let name = listing.name(of: entry)
                #expect(!name.isEmpty && !name.contains(0) && name.count <= bytes.count, "\(random)")
            }
        }
    }

    private func discard(_ descriptor: consuming OwnedDescriptor) {}
}
