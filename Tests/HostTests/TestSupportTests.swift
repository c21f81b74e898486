import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// What the tests of every module stand on.
struct TestSupportTests {
    /// What blocks is told apart from what is slow to be begun.
    @Test func whatBlocksIsOverdue() throws {
        let gate = Monitor(false)
        defer {
            gate.withLock { $0 = true }
            gate.notify()
        }
        #expect(throws: Overdue.self) {
            try inTime(0) { gate.await(timeout: 60_000_000_000) { $0 ? true : nil } }
        }
        #expect(try inTime(60) { 7 } == 7)
        #expect(throws: Errno.invalid) { try inTime(60) { () throws -> Int in throw Errno.invalid } }
    }

    @Test func aTemporaryDirectoryGoesWithEverythingInIt() throws {
        var directory: TemporaryDirectory? = try TemporaryDirectory()
        let path = try #require(directory?.path)
        try directory?.write("a/b/closed/file", "x")
        try directory?.write("kept", "x")
        try directory?.symlink("link", to: "/etc")
        try unsafe path.appending("a/b/closed").call { unsafe chmod($0, 0) }
        if isRoot {
            let tree = KernelTree()
            let file = try tree.openFile(ArraySlice("kept".utf8), in: try tree.openDirectory(path))
            file.lend { _ = mw_setflags($0, FileFlags.immutable.rawValue) }
        }
        directory = nil
        #expect(realPath(path) == nil)
        #expect(realPath("/etc/passwd") != nil)
    }

    @Test func aProcessIsRunAndItsOutputKept() throws {
        let result = try run("sh", ["-c", "cat; echo err >&2; exit 3"], input: Array("in".utf8))
        #expect(result.status == .exited(3) && result.text == "in" && result.errorText == "err\n")
        #expect(try run("sh", ["-c", "kill -9 $$"]).status == .signaled(9))
        #expect(try run("cat").text.isEmpty)
        #expect(try run("pwd", directory: "/").text == "/\n")
        #expect(try run("env", environment: ["A": "b"]).text == "A=b\n")
        #expect(throws: Errno.noEntry) { try run("/no/such/program") }
    }

    @Test func aProcessThatTakesTooLongIsKilled() throws {
        let child = try ChildProcess("sh", ["-c", "echo ready; exec sleep 1000"])
        #expect(child.read { $0.output == Array("ready\n".utf8) })
        #expect(child.finish(timeout: 0).status == .timedOut)
    }

    @Test func aProcessIsSignalled() throws {
        let script = "trap 'kill $!; echo bye; exit 7' TERM; sleep 1000 & echo ready; wait"
        let child = try ChildProcess("sh", ["-c", script])
        #expect(child.read { $0.output == Array("ready\n".utf8) })
        child.send(SIGTERM)
        let result = child.finish()
        #expect(result.status == .exited(7) && result.text == "ready\nbye\n", "\(result)")
    }

    @Test func muchOutputIsNoDeadlock() throws {
        let result = try run("sh", ["-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"])
        #expect(result.output.count == 3_000_000 && result.errors.count == 3_000_000)
    }

    @Test func theSameSeedGivesTheSameNumbers() {
        var (one, two) = (SeededGenerator(seed: 7), SeededGenerator(seed: 7))
        #expect(one.bytes(100) == two.bytes(100))
        #expect(one.description == "repeat with MILLWARDEN_SEED=7")
    }

    @Test func aMemoryWorldSetsTheTimesThatLinuxSets() throws {
        let tree = MemoryTree()
        tree.change { $0.write("/a", "1") }
        let before = try #require(tree.change { try? $0.node(at: "/a").status })
        tree.change {
            $0.link("/b", to: "/a")
            $0.update("/a") { $0.mode = 0o700 }
        }
        let after = try #require(tree.change { try? $0.node(at: "/b").status })
        #expect(after.inode == before.inode && after.links == 2 && after.mode == 0o700)
        #expect(after.mtime == before.mtime && after.ctime > before.ctime && after.btime == before.btime)
        tree.change { $0.remove("/a") }
        #expect(tree.change { try? $0.node(at: "/b").status.links } == 1)
    }
}
