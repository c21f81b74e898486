import Host
import Integrity
import TestSupport
import Testing

/// The examination, against a world in which races happen exactly where a test wants them.
struct ExamineMemoryTests {
    let tree = MemoryTree()

    private func examine(_ path: RawPath, _ options: ExamineOptions = ExamineOptions()) throws -> Examined? {
        var examiner = Examiner(tree: tree, clock: tree.clock)
        return try examiner.examine(path, options: options)
    }

    private func examine(_ name: String, hint: FileType?) throws -> Examined? {
        var examiner = Examiner(tree: tree, clock: tree.clock)
        let root = try tree.openDirectory(.root)
        return try examiner.examine(ArraySlice(name.utf8), in: root, hint: hint)
    }

    private func digest(_ text: String) -> ContentDigest {
        .digest(SHA256Hasher.digest(of: Array(text.utf8)))
    }

    // MARK: What stands there

    @Test func aFileHasItsDigestAndAttributes() throws {
        tree.change {
            $0.write("/bin/cc", "hello", mode: 0o4755)
            $0.setXattr("/bin/cc", "user.b", [1])
            $0.setXattr("/bin/cc", "user.a", [])
            $0.update("/bin/cc") { $0.flags = [.immutable] }
        }
        let found = try #require(try examine("/bin/cc"))
        #expect(found.attributes.type == .file)
        #expect(found.attributes.content == digest("hello"))
        #expect(found.attributes.size == 5)
        #expect(found.attributes.mode == 0o4755)
        #expect(found.attributes.flags == [.immutable])
        #expect(found.attributes.xattrs.map(\.name) == [Array("user.a".utf8), Array("user.b".utf8)])
        #expect(
            found.attributes.xattrs.map(\.value) == [
                SHA256Hasher.digest(of: []), SHA256Hasher.digest(of: [1]),
            ]
        )
        #expect(found.attributes.target == nil && found.attributes.names == nil)
        #expect(!found.isRacy && !found.isUnstable && found.hasStableIdentity)
    }

    @Test(arguments: [FileType?.none, .file, .directory, .link, .fifo, .socket, .characterDevice])
    func theHintIsNeverBelieved(hint: FileType?) throws {
        tree.change {
            $0.write("/file", "x")
            $0.makeDirectory("/directory")
            $0.symlink("/link", to: "nowhere")
            $0.makeNode("/fifo", .fifo)
            $0.makeNode("/socket", .socket)
            $0.makeNode("/device", .blockDevice, node: DeviceNumber(major: 8, minor: 16))
        }
        let expected: [(String, FileType)] = [
            ("file", .file), ("directory", .directory), ("link", .link), ("fifo", .fifo), ("socket", .socket),
            ("device", .blockDevice),
        ]
        for (name, type) in expected {
            let found = try #require(try examine(name, hint: hint))
            #expect(found.attributes.type == type)
            #expect(found.attributes.target == (type == .link ? Array("nowhere".utf8) : nil))
            #expect(found.attributes.node == (type.isDevice ? DeviceNumber(major: 8, minor: 16) : nil))
            #expect(found.attributes.content == (type == .file ? digest("x") : nil))
            #expect(!found.isUnstable)
        }
        #expect(try examine("missing", hint: hint) == nil)
    }

    @Test func onlyFilesAndDirectoriesAreOpenedForReading() throws {
        tree.change {
            $0.symlink("/link", to: "nowhere")
            $0.makeNode("/fifo", .fifo)
            $0.makeNode("/socket", .socket)
            $0.makeNode("/tape", .characterDevice)
            $0.makeDirectory("/directory")
        }
        for name in ["link", "fifo", "socket", "tape", "directory"] { _ = try examine(name, hint: nil) }
        #expect(tree.openedForReading == [.directory])
    }

    @Test func theRootIsExaminedToo() throws {
        #expect(try examine(.root)?.attributes.type == .directory)
    }

    @Test(arguments: ["/none", "/none/below", "/file/below", "/link/below", "/directory/none"])
    func whatHasNoNameIsAbsent(path: String) throws {
        tree.change {
            $0.write("/file", "x")
            $0.makeDirectory("/directory")
            $0.symlink("/link", to: "directory")
        }
        #expect(try examine(RawPath(path)) == nil)
        var examiner = Examiner(tree: tree, clock: tree.clock)
        #expect(try examiner.status(RawPath(path)) == nil)
    }

    @Test func aNameLongerThanAnyIsAbsent() throws {
        #expect(try examine(RawPath("/" + String(repeating: "n", count: 256))) == nil)
    }

    @Test func statusTellsWithoutOpening() throws {
        tree.change { $0.write("/file", "four", mode: 0o600) }
        var examiner = Examiner(tree: tree, clock: tree.clock)
        let status = try #require(try examiner.status("/file"))
        #expect(status.size == 4 && status.mode == 0o600 && status.content == nil)
        #expect(!tree.openedForReading.contains(.file))
    }

    // MARK: Names and prefixes

    @Test func theNamesOfADirectoryAreHashedInOrder() throws {
        tree.change {
            for name in ["b", "a", "é", "a.b"] { $0.write(RawPath("/d/" + name), "") }
        }
        let names = try #require(try examine("/d", ExamineOptions(names: true))?.attributes.names)
        #expect(names == SHA256Hasher.digest(of: Array("a\0a.b\0b\0é\0".utf8)))
        #expect(try examine("/d")?.attributes.names == nil)
        tree.change { $0.rename("/d/b", to: "/d/c") }
        #expect(try examine("/d", ExamineOptions(names: true))?.attributes.names != names)
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 150_000, 199_999, 200_000])
    func thePrefixIsHashedByItself(length: Int) throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        tree.change { $0.write("/log", bytes) }
        let found = try #require(try examine("/log", ExamineOptions(prefix: UInt64(length))))
        #expect(found.attributes.content == .digest(SHA256Hasher.digest(of: bytes)))
        #expect(found.prefix == SHA256Hasher.digest(of: Array(bytes.prefix(length))))
        if length == 200_000 { #expect(found.attributes.content == found.prefix.map(ContentDigest.digest)) }
    }

    @Test func aFileShorterThanThePrefixHasNone() throws {
        tree.change { $0.write("/log", "short") }
        #expect(try examine("/log", ExamineOptions(prefix: 6))?.prefix == nil)
    }

    // MARK: Times

    @Test(arguments: [(19_999_999, true), (20_000_000, false), (-1, true)] as [(Int64, Bool)])
    func aCtimeCloseToTheExaminationIsRacy(age: Int64, isRacy: Bool) throws {
        tree.change { $0.write("/file", "x") }
        let ctime = try #require(tree.change { try? $0.node(at: "/file").status.ctime })
        var examiner = Examiner(tree: tree, clock: { ctime.adding(nanoseconds: age) })
        let found = try #require(try examiner.examine("/file"))
        #expect(found.isRacy == isRacy)
    }

    @Test func aCtimeInWholeSecondsIsRacyForLonger() throws {
        let old = MemoryTree(start: Timestamp(seconds: 1_700_000_000))
        old.change { $0.write("/file", "x") }
        var examiner = Examiner(tree: old, clock: old.clock)
        #expect(try examiner.examine("/file")?.isRacy == true)
        old.change { $0.advance(nanoseconds: 1_000_000_000) }
        #expect(try examiner.examine("/file")?.isRacy == false)
    }

    @Test func coarseTimesAreRacyForLonger() throws {
        tree.change {
            $0.mount("/boot", FileSystem(magic: 0x4D44), device: DeviceNumber(major: 8, minor: 2))
            $0.write("/boot/grub", "x")
            $0.advance(nanoseconds: 900_000_000)
        }
        #expect(try examine("/boot/grub")?.isRacy == true)
        tree.change { $0.advance(nanoseconds: 100_000_001) }
        #expect(try examine("/boot/grub")?.isRacy == false)
    }

    @Test func identityIsNotJudgedOnOverlays() throws {
        tree.change {
            $0.mount("/merged", FileSystem(magic: 0x794C_7630), device: DeviceNumber(major: 0, minor: 50))
            $0.write("/merged/file", "x")
        }
        #expect(try examine("/merged/file")?.hasStableIdentity == false)
        var examiner = Examiner(tree: tree, clock: tree.clock)
        #expect(try examiner.examine("/merged/file")?.hasStableIdentity == false)
        tree.change {
            $0.mount("/merged", FileSystem(magic: 0x0102_1994), device: DeviceNumber(major: 0, minor: 50))
        }
        examiner.forgetFileSystems()
        #expect(try examiner.examine("/merged")?.hasStableIdentity == true)
    }
}
