import CLinux
import Integrity
import TestSupport
import Testing

@testable import Host

/// Whole files, the state directory, the lock, and what the host is called.
struct SystemFilesTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func aFileIsReadUpToItsLimit() throws {
        let bytes = [UInt8](repeating: 3, count: 200_000)
        let path = try directory.write("file", bytes)
        #expect(try readFile(path, limit: 200_000) == bytes)
        #expect(throws: Errno.tooLarge) { try readFile(path, limit: 199_999) }
        #expect(throws: Errno.tooLarge) { try readFile("/dev/zero", limit: 1_000) }
        let link = try directory.symlink("link", to: "file")
        #expect(try readFile(link, limit: 200_000) == bytes)
        #expect(try PathResolver(tree: KernelTree()).readFile(link, limit: 200_000) == bytes)
        #expect(try readFile("/dev/null", limit: 0) == [])
    }

    @Test func whatIsNoFileIsRefused() throws {
        let fifo = directory.appending("fifo")
        try unsafe fifo.call { unsafe mkfifo($0, 0o600) }
        #expect(throws: Errno.invalid) { try inTime(60) { try readFile(fifo, limit: 10) } }
        #expect(throws: Errno.isDirectory) { try readFile(directory.path, limit: 10) }
        #expect(throws: Errno.noEntry) { try readFile(directory.appending("none"), limit: 10) }
        let loop = try directory.symlink("loop", to: "loop")
        #expect(throws: Errno.tooManyLinks) { try readFile(loop, limit: 10) }
        #expect(throws: Errno.noEntry) { try PathResolver(tree: KernelTree()).readFile(loop, limit: 10) }
    }

    @Test func theStateDirectoryIsMadeForItsOwnerAlone() throws {
        let path = directory.appending("a/b/state")
        try StateDirectory.prepare(path)
        try StateDirectory.prepare(path)
        let status = try #require(try status(path))
        #expect(status.type == .directory && status.mode == 0o700)
    }

    @Test func aStateDirectoryThatOthersMayWriteInIsRefused() throws {
        let path = try directory.makeDirectory("state")
        for mode in [0o770, 0o702, 0o777, 0o1777] {
            try unsafe path.call { unsafe chmod($0, mode_t(mode)) }
            #expect(throws: Errno.permission) { try StateDirectory.prepare(path) }
            #expect(try status(path)?.mode == UInt16(mode), "it is left as it is")
        }
        try unsafe path.call { unsafe chmod($0, 0o755) }
        try StateDirectory.prepare(path)
        let file = try directory.write("file", "")
        #expect(throws: Errno.notDirectory) { try StateDirectory.prepare(file) }
        #expect(throws: Errno.notDirectory) { try StateDirectory.prepare(file.appending("below")) }
    }

    @Test func oneHoldsTheLock() throws {
        let path = directory.appending("watch.lock")
        do {
            let first = try LockFile(path)
            #expect(throws: Errno.again) { try LockFile(path) }
            first.release()
            _ = try LockFile(path)
        }
        // What goes gives the lock back, and a file that was there before is no hindrance.
        _ = try LockFile(path)
        let link = try directory.symlink("link.lock", to: path)
        #expect(throws: Errno.tooManyLinks) { try LockFile(link) }
        #expect(throws: Errno.noEntry) { try LockFile(directory.appending("none/lock")) }
    }

    @Test func aLockOnARemovedFileDoesNotCount() throws {
        let path = directory.appending("lock")
        let first = try LockFile(path)
        try unsafe path.call { unsafe unlink($0) }
        let second = try LockFile(path)
        #expect(throws: Errno.again) { try LockFile(path) }
        _ = (first, second)
    }

    @Test(
        arguments: [
            ("4294967295", nil), ("1000\n", 1_000), ("0", 0), ("", nil), ("-1", nil), ("x", nil),
            ("99999999999", nil),
        ] as [(String, Int64?)]
    )
    func nobodyLoggedInIsNobody(text: String, uid: Int64?) {
        #expect(SystemClock.loginUID(Array(text.utf8)) == uid)
    }

    @Test(arguments: [
        ("0123456789abcdef0123456789ABCDEF\n", "0123456789abcdef0123456789abcdef"),
        ("01234567-89ab-cdef-0123-456789abcdef\n", "0123456789abcdef0123456789abcdef"),
        ("uninitialized\n", ""), ("", ""), ("0123456789abcdef0123456789abcde\u{1B}", ""),
    ])
    func identifiersAreHexadecimalOrEmpty(text: String, shown: String) {
        #expect(SystemClock.identifier(Array(text.utf8)) == shown)
    }

    @Test func theHostHasANameAndABoot() throws {
        let host = SystemClock.host()
        let name = try run("uname", ["-n"]).text
        #expect(host.name + "\n" == name)
        #expect(host.bootID.utf8.count == 32)
    }

    @Test func clocksGoForward() {
        let (boot, monotonic, real) = (SystemClock.bootTime(), SystemClock.monotonicTime(), SystemClock.now())
        #expect(SystemClock.bootTime() >= boot && SystemClock.monotonicTime() >= monotonic)
        #expect(boot > 0 && monotonic > 0 && real > Timestamp(seconds: 1_700_000_000))
    }

    private func status(_ path: RawPath) throws -> Attributes? {
        var examiner = Examiner(tree: KernelTree(), clock: { SystemClock.now() })
        return try examiner.status(path)
    }
}
