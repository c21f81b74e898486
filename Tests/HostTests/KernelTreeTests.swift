import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// The real file system, examined as every command does it.
struct KernelTreeTests {
    let directory: TemporaryDirectory
    let tree = KernelTree()

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func examine(_ path: RawPath, _ options: ExamineOptions = ExamineOptions()) throws -> Examined? {
        var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
        return try examiner.examine(path, options: options)
    }

    // MARK: Types

    @Test func aFileIsAsStatTells() throws {
        let path = try directory.write("tool", "abc", mode: 0o600)
        try unsafe path.call { unsafe chmod($0, 0o4751) }
        var times = [timespec(tv_sec: 1_000_000_000, tv_nsec: 5), timespec(tv_sec: -3, tv_nsec: 999_999_999)]
        try unsafe path.call { unsafe utimensat(AT_FDCWD, $0, &times, 0) }
        try unsafe path.call { from in
            unsafe directory.appending("second").bytes.withTerminator { unsafe CLinux.link(from, $0) }
        }
        let found = try #require(try examine(path)).attributes
        #expect(found.type == .file && found.mode == 0o4751 && found.links == 2 && found.size == 3)
        // FIPS 180-2, appendix B.1
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(found.content == Digest(abc).map(ContentDigest.digest))
        #expect(found.mtime == Timestamp(seconds: -3, nanoseconds: 999_999_999))
        #expect(found.uid == geteuid())
        var status = stat()
        try unsafe path.call { unsafe lstat($0, &status) }
        #expect(found.inode == status.st_ino && found.gid == status.st_gid)
        #expect(
            found.ctime
                == Timestamp(
                    seconds: Int64(status.st_ctim.tv_sec),
                    nanoseconds: UInt32(status.st_ctim.tv_nsec)
                )
        )
        #expect(found.node == nil && found.target == nil)
    }

    @Test func digestsOfManySizesAgreeWithSha256sum() throws {
        var random = SeededGenerator()
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_003] {
            let bytes = random.bytes(size)
            let path = try directory.write("file", bytes)
            let found = try #require(try examine(path)).attributes
            let sum = try run("sha256sum", [], input: bytes)
            let expected = Digest("sha256:" + sum.text.prefix(64)).map(ContentDigest.digest)
            #expect(expected != nil && found.content == expected, "\(size) bytes, \(random)")
        }
    }

    @Test func everyTypeIsTold() throws {
        let fifo = directory.appending("fifo")
        try unsafe fifo.call { unsafe mkfifo($0, 0o600) }
        let link = try directory.symlink("link", to: RawPath(bytes: [0x2E, 0x2F, 0xFF, 0x0A]))
        let below = try directory.makeDirectory("directory")
        #expect(try examine(fifo)?.attributes.type == .fifo)
        let found = try #require(try examine(link)).attributes
        #expect(found.type == .link && found.target == [0x2E, 0x2F, 0xFF, 0x0A] && found.size == 4)
        #expect(try examine(below)?.attributes.type == .directory)
        let null = try #require(try examine("/dev/null")).attributes
        #expect(null.type == .characterDevice && null.node == DeviceNumber(major: 1, minor: 3))
        #expect(try examine(directory.appending("none")) == nil)
        #expect(try examine(directory.appending("link/none")) == nil)
    }

    @Test func aSocketIsTold() throws {
        let path = directory.appending("s")
        let socket = OwnedDescriptor(owning: CLinux.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        try #require(path.bytes.count < 100, "TMPDIR is too long for a socket's address")
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.bytes) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                socket.lend {
                    unsafe bind(
                        $0,
                        __CONST_SOCKADDR_ARG(__sockaddr__: pointer),
                        socklen_t(MemoryLayout<sockaddr_un>.size)
                    )
                }
            }
        }
        try #require(bound == 0)
        #expect(try examine(path)?.attributes.type == .socket)
    }

    @Test func aFifoInAFilesPlaceNeverBlocks() throws {
        let path = directory.appending("tool")
        try unsafe path.call { unsafe mkfifo($0, 0o600) }
        let examined = try inTime(60) { [tree, directory] in
            var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
            let parent = try tree.openDirectory(directory.path)
            return try examiner.examine(path.name, in: parent, hint: .file)
        }
        let found = try #require(examined)
        #expect(found.attributes.type == .fifo && found.attributes.content == nil)
    }

    // MARK: Extended attributes and flags

    @Test func extendedAttributesAreHashedAndSorted() throws {
        let path = try directory.write("tool", "x")
        let values: [(String, [UInt8])] = [
            ("user.z", Array("last".utf8)), ("user.empty", []),
            ("user.large", [UInt8](repeating: 7, count: 3_000)),
            ("user.\u{1B}[31m", [0]),
        ]
        for (name, value) in values {
            let result = setXattr(path, name, value)
            if result == ENOTSUP { try Test.cancel("the file system keeps no user.* attributes") }
            try #require(result == 0)
        }
        let expected = values.map {
            ExtendedAttribute(name: Array($0.utf8), value: SHA256Hasher.digest(of: $1))
        }
        .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        #expect(
            try examine(path)?.attributes.xattrs.filter { $0.name.starts(with: "user.".utf8) } == expected
        )
        // The same through a place, as for what may not be opened.
        let parent = try tree.openDirectory(directory.path)
        let place = try tree.openPlace(path.name, in: parent)
        #expect(try tree.xattrs(of: place).filter { $0.name.starts(with: "user.".utf8) } == expected)
    }

    @Test(.enabled(if: isRoot, "only root sets security.* and trusted.* attributes"))
    func capabilitiesAndAttributesOfLinksAreSeen() throws {
        let file = try directory.write("tool", "x")
        // cap_net_raw=ep: VFS_CAP_REVISION_2 with the effective bit (capabilities(7)).
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0] + [UInt8](repeating: 0, count: 12)
        guard setXattr(file, "security.capability", capability) == 0 else {
            try Test.cancel("the file system keeps no capabilities")
        }
        #expect(
            try examine(file)?.attributes.xattrs == [
                ExtendedAttribute(
                    name: Array("security.capability".utf8),
                    value: SHA256Hasher.digest(of: capability)
                )
            ]
        )
        let link = try directory.symlink("link", to: "tool")
        guard setXattr(link, "trusted.mark", [1]) == 0 else {
            try Test.cancel("the file system keeps no trusted.* attributes on links")
        }
        #expect(
            try examine(link)?.attributes.xattrs == [
                ExtendedAttribute(name: Array("trusted.mark".utf8), value: SHA256Hasher.digest(of: [1]))
            ]
        )
    }

    @Test func anAccessControlListIsSeen() throws {
        let path = try directory.write("tool", "x")
        // acl(5) as the kernel keeps it: version 2; user::rw- user:1234:rwx group::r-- mask::rwx other::r--
        let none: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        var list: [UInt8] = [2, 0, 0, 0]
        list += [1, 0, 6, 0] + none
        list += [2, 0, 7, 0, 0xD2, 0x04, 0, 0]
        list += [4, 0, 4, 0] + none
        list += [0x10, 0, 7, 0] + none
        list += [0x20, 0, 4, 0] + none
        guard setXattr(path, "system.posix_acl_access", list) == 0 else {
            try Test.cancel("the file system keeps no access control lists")
        }
        let found = try #require(try examine(path)).attributes
        #expect(found.xattrs.map(\.name) == [Array("system.posix_acl_access".utf8)])
        #expect(found.xattrs.map(\.value) == [SHA256Hasher.digest(of: list)])
    }

    @Test func flagsOfChattrAreSeen() throws {
        let path = try directory.write("tool", "x")
        guard setFlags(path, [.noDump]) else {
            try Test.cancel("the file system keeps no chattr(1) flags")
        }
        #expect(try examine(path)?.attributes.flags == [.noDump])
        if isRoot {
            guard setFlags(path, [.immutable]) else {
                try Test.cancel("may not set the immutable flag here")
            }
            #expect(try examine(path)?.attributes.flags == [.immutable])
        }
    }

    // MARK: Odd files

    @Test func aFileThatClaimsToBeEmptyIsReadAllTheSame() throws {
        let path = RawPath("/proc/sys/kernel/ostype")
        let found = try #require(try examine(path)).attributes
        #expect(found.size == 0)
        #expect(found.content == .digest(SHA256Hasher.digest(of: try path.contents())))
    }

    @Test func aFileThatClaimsMoreThanItHoldsEnds() throws {
        let path = RawPath("/sys/kernel/notes")
        let online = RawPath("/sys/devices/system/cpu/online")
        guard let bytes = try? online.contents() else { try Test.cancel("no sysfs at \(path.parent)") }
        let found = try #require(try examine(online))
        #expect(found.attributes.content == .digest(SHA256Hasher.digest(of: bytes)))
    }

    @Test(.enabled(if: !isRoot, "root may read everything"))
    func whatMayNotBeReadIsAFailure() throws {
        let path = try directory.write("secret", "x", mode: 0)
        #expect(throws: Failure(.open, EACCES)) { try examine(path) }
        let closed = try directory.makeDirectory("closed")
        try unsafe closed.call { unsafe chmod($0, 0o111) }
        #expect(try examine(closed)?.attributes.mode == 0o111)
        #expect(throws: Failure(.open, EACCES)) { try examine(closed, ExamineOptions(names: true)) }
        let below = try directory.write("passage/file", "x")
        try unsafe below.parent.call { unsafe chmod($0, 0o111) }
        #expect(try examine(below)?.attributes.size == 1, "a directory that may be passed is passed")
        try unsafe below.parent.call { unsafe chmod($0, 0) }
        #expect(throws: Failure(.open, EACCES)) { try examine(below) }
    }

    @Test func theSameExaminerServesManyFiles() throws {
        var random = SeededGenerator()
        var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
        let parent = try tree.openDirectory(directory.path)
        for number in 0..<200 {
            let bytes = random.bytes(Int.random(in: 0...200, using: &random))
            try directory.write("\(number)", bytes)
            let found = try examiner.examine(ArraySlice("\(number)".utf8), in: parent, hint: .file)
            #expect(found?.attributes.content == .digest(SHA256Hasher.digest(of: bytes)), "\(random)")
        }
        #expect(openDescriptors() < 100, "descriptors leak")
    }

    private func openDescriptors() -> Int {
        var listing = DirectoryListing()
        guard let own = try? tree.openDirectory(RawPath("/proc/\(getpid())/fd")) else { return 0 }
        try? tree.list(own, into: &listing)
        return listing.entries.count
    }

    private func setXattr(_ path: RawPath, _ name: String, _ value: [UInt8]) -> CInt {
        do throws(Errno) {
            try unsafe path.call { path in unsafe lsetxattr(path, name, value, value.count, 0) }
            return 0
        } catch {
            return error.code
        }
    }

    private func setFlags(_ path: RawPath, _ flags: FileFlags) -> Bool {
        guard let parent = try? tree.openDirectory(path.parent),
            let file = try? tree.openFile(path.name, in: parent)
        else { return false }
        return file.lend { number in
            var old: CUnsignedInt = 0
            guard unsafe mw_getflags(number, &old) == 0 else { return false }
            return mw_setflags(number, old & ~FileFlags.settable.rawValue | flags.rawValue) == 0
        }
    }
}
