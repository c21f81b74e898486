import CLinux
import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// The whole pipeline over a real directory, turn by turn.
struct WatcherTests {
    @Test func nothingHappensWhereNothingHappened() throws {
        let bench = try WatchBench()
        try bench.settle()
        try bench.expect([])
        #expect(bench.manager.said == ["ready"])
        #expect(try bench.history.lastEntry(["start"]) != nil)
    }

    static let changes: [(String, @Sendable (WatchBench) throws -> Void, [String])] = [
        ("overwrite", { try $0.scope.write("bin/cc", "evil") }, ["content bin/cc"]),
        ("append", { try $0.path("bin/cc").append([0]) }, ["content bin/cc"]),
        ("truncate by path", { try $0.truncate("bin/cc", 1) }, ["content bin/cc"]),
        ("chmod", { try $0.setMode("bin/cc", 0o4755) }, ["metadata bin/cc"]),
        ("delete", { try $0.remove("bin/cc") }, ["removed bin/cc"]),
        ("rename", { try $0.rename("bin/cc", "bin/zz") }, ["moved bin/zz from bin/cc"]),
        ("out", { try $0.rename("bin/cc", "outside/cc") }, ["removed bin/cc"]),
        ("over", { try $0.rename("bin/cc", "bin/ld") }, ["content bin/ld", "removed bin/cc"]),
        ("new", { try $0.scope.write("bin/new", "x") }, ["added bin/new"]),
        ("link", { try $0.scope.symlink("bin/new", to: "/nowhere") }, ["added bin/new"]),
        (
            "deep", { try $0.scope.write("bin/a/b/c/d/e", "x") },
            ["added bin/a", "added bin/a/b", "added bin/a/b/c", "added bin/a/b/c/d", "added bin/a/b/c/d/e"]
        ),
        (
            "directory",
            { bench in
                try bench.remove("bin/cc")
                try bench.scope.makeDirectory("bin/cc")
            }, ["type bin/cc"]
        ),
        (
            "replaced",
            { bench in
                try bench.scope.write("outside/cc", "compiler", mode: 0o755)
                try bench.rename("outside/cc", "bin/cc")
            }, ["replaced bin/cc"]
        ),
        (
            "temporary file renamed over",
            { bench in
                try bench.scope.write("bin/cc.tmp", "evil", mode: 0o755)
                try bench.rename("bin/cc.tmp", "bin/cc")
            }, ["content bin/cc"]
        ),
        (
            "came and left",
            { bench in
                try bench.scope.write("bin/ghost", "x")
                try bench.remove("bin/ghost")
            }, ["transient bin/ghost"]
        ),
        (
            "directory moved", { try $0.rename("bin/lib", "bin/new") },
            ["moved bin/new from bin/lib", "moved bin/new/one.so from bin/lib/one.so"]
        ),
        (
            "directory out", { try $0.rename("bin/lib", "outside/lib") },
            ["removed bin/lib", "removed bin/lib/one.so"]
        ),
        (
            "root away", { try $0.rename("bin", "was-bin") },
            ["removed bin", "removed bin/cc", "removed bin/ld", "removed bin/lib", "removed bin/lib/one.so"]
        ),
    ]

    @Test(arguments: changes.indices) func everyChangeIsToldOnce(index: Int) throws {
        let (name, change, expected) = Self.changes[index]
        let bench = try WatchBench()
        try change(bench)
        try bench.settle()
        try bench.expect(expected, "\(name)", inAnyOrder: true)
        try bench.settle()
        try bench.restart()
        #expect(
            try bench.told().filter { !$0.contains("unclean-stop") } == [],
            "\(name): once, also after a restart"
        )
    }

    // MARK: Swap and restore

    static let swaps: [(String, @Sendable (WatchBench) throws -> Void)] = [
        (
            "rename dance",
            { bench in
                try bench.rename("bin/cc", "bin/cc.bak")
                try bench.scope.write("bin/cc", "evil", mode: 0o755)
                try bench.remove("bin/cc")
                try bench.rename("bin/cc.bak", "bin/cc")
            }
        ),
        (
            "through outside",
            { bench in
                try bench.rename("bin/cc", "outside/cc")
                try bench.rename("outside/cc", "bin/cc")
            }
        ),
        (
            "rename over and back",
            { bench in
                try bench.link("bin/cc", "outside/kept")
                try bench.scope.write("outside/evil", "evil", mode: 0o755)
                try bench.rename("outside/evil", "bin/cc")
                try bench.rename("outside/kept", "bin/cc")
            }
        ),
        (
            "exchange there and back",
            { bench in
                try bench.scope.write("outside/evil", "evil", mode: 0o755)
                try bench.exchange("outside/evil", "bin/cc")
                try bench.exchange("outside/evil", "bin/cc")
            }
        ),
        (
            "in place",
            { bench in
                try bench.scope.write("bin/cc", "evil")
                try bench.scope.write("bin/cc", "compiler")
            }
        ),
    ]

    @Test(arguments: swaps.indices) func aSwapAndRestoreIsOneTransient(index: Int) throws {
        let (name, swap) = Self.swaps[index]
        let bench = try WatchBench()
        try swap(bench)
        try bench.settle()
        try bench.expect(["transient bin/cc"], "\(name)")
    }

    /// Told while it stands, undone afterwards: a change and its end.
    @Test func aSwapThatIsSeenIsAChangeAndItsEnd() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        try bench.scope.write("bin/cc", "compiler")
        try bench.settle()
        let told = try bench.told()
        #expect(told.first == "content bin/cc")
        #expect(told.dropFirst().contains("resolved bin/cc"))
        #expect(told.count == 2)
    }

    @Test func aConfigurationThatIsWrittenAnewIsTouched() throws {
        let bench = try WatchBench(profile: "configuration")
        try bench.scope.write("bin/cc", "compiler")
        try bench.settle()
        try bench.expect(["touched bin/cc"])
    }

    // MARK: Directories

    @Test func whatHappensInANewDirectoryIsSeen() throws {
        let bench = try WatchBench()
        try bench.scope.makeDirectory("bin/new")
        try bench.settle()
        try bench.scope.write("bin/new/deep/file", "x")
        try bench.settle()
        try bench.scope.write("bin/new/deep/file", "y")
        try bench.settle()
        #expect(
            try bench.told() == [
                "added bin/new", "added bin/new/deep", "added bin/new/deep/file", "added bin/new/deep/file",
            ]
        )
    }

    @Test func aDirectoryThatMovesInIsWatched() throws {
        let bench = try WatchBench()
        try bench.scope.write("outside/in/file", "x")
        try bench.rename("outside/in", "bin/in")
        try bench.settle()
        try bench.expect(["added bin/in", "added bin/in/file"])
        try bench.scope.write("bin/in/file", "y")
        try bench.settle()
        try bench.expect(["added bin/in/file"], "a new state of what is new")
    }

    @Test func aRenamedDirectoryIsWatchedUnderItsNewNameAndBack() throws {
        let bench = try WatchBench()
        try bench.rename("bin/lib", "bin/lib2")
        try bench.settle()
        _ = try bench.told()
        try bench.scope.write("bin/lib2/one.so", "evil")
        try bench.settle()
        try bench.expect(["added bin/lib2/one.so"])
        try bench.scope.write("bin/lib2/one.so", "one")
        try bench.rename("bin/lib2", "bin/lib")
        try bench.settle()
        let standing = try bench.history.allStanding().filter { $0.isCurrent && $0.verdict == .unauthorized }
        #expect(standing.map(\.path) == [], "everything is back")
        try bench.scope.write("bin/lib/one.so", "evil")
        try bench.settle()
        #expect(try bench.told().last == "content bin/lib/one.so")
    }

    @Test func aDirectoryThatMovedOutIsWatchedNoMore() throws {
        let bench = try WatchBench()
        try bench.rename("bin/lib", "outside/lib")
        try bench.settle()
        _ = try bench.told()
        try bench.scope.write("outside/lib/one.so", "elsewhere")
        try bench.settle()
        try bench.expect([])
    }

    @Test func anImpostorInThePlaceOfTheRootIsSeen() throws {
        let bench = try WatchBench()
        try bench.rename("bin", "was-bin")
        try bench.scope.write("bin/cc", "evil", mode: 0o755)
        try bench.settle()
        let told = Set(try bench.told())
        #expect(told.isSuperset(of: ["content bin/cc", "removed bin/ld", "removed bin/lib/one.so"]))
        try bench.scope.write("bin/cc", "worse")
        try bench.settle()
        try bench.expect(["content bin/cc"])
        try bench.scope.write("was-bin/cc", "not ours any more")
        try bench.settle()
        try bench.expect([])
    }

    @Test func theRootComesBack() throws {
        let bench = try WatchBench()
        try bench.rename("bin", "was-bin")
        try bench.settle()
        try bench.rename("was-bin", "bin")
        try bench.settle()
        #expect(
            try bench.history.allStanding().filter(\.isCurrent).filter { $0.verdict == .unauthorized } == []
        )
        _ = try bench.told()
        try bench.scope.write("bin/lib/one.so", "evil")
        try bench.settle()
        try bench.expect(["content bin/lib/one.so"])
    }

    @Test func manyNewNamesAreStillFound() throws {
        let bench = try WatchBench()
        try bench.scope.makeDirectory("bin/flood")
        try bench.settle()
        for number in 0..<300 { try bench.scope.write("bin/flood/\(number)", "x") }
        bench.watcher.settle.markDirty(bench.path("bin/flood"), at: 0)
        try bench.settle()
        let told = try bench.told()
        #expect(told.count == 301)
        #expect(told.allSatisfy { $0.hasPrefix("added bin/flood") }, "and the directory itself is not undone")
    }
}

struct WatcherGapTests {
    @Test func afterAnOverflowEverythingIsExaminedAgain() throws {
        let bench = try WatchBench()
        // Dropped events: nothing but the gap leads to the change.
        bench.watcher.reader.stop()
        try bench.scope.write("bin/cc", "evil")
        bench.watcher.isBlind = true
        try bench.watcher.turn()
        try bench.expect(["gap queue-overflow", "content bin/cc", "closed queue-overflow 1"])
        #expect(try bench.history.openGaps() == [])
    }

    @Test func aSwapInsideAGapLeavesItsCtime() throws {
        let bench = try WatchBench()
        bench.watcher.reader.stop()
        try bench.setMode("bin/cc", 0o700)
        try bench.setMode("bin/cc", 0o755)
        bench.watcher.isBlind = true
        try bench.watcher.turn()
        try bench.expect(["gap queue-overflow", "transient bin/cc", "closed queue-overflow 1"])
    }

    @Test func whatChangedWhileItWasDownIsFoundOnTheNextStart() throws {
        let bench = try WatchBench()
        try bench.watcher.append(.stop(StopEvent(reason: "SIGTERM", pid: 1)))
        bench.watcher.reader.stop()
        try bench.scope.write("bin/cc", "evil")
        try bench.remove("bin/ld")
        try bench.restart()
        try bench.expect(["gap down", "content bin/cc", "removed bin/ld", "closed down 2"], inAnyOrder: true)
        try bench.restart()
        try bench.expect(["gap unclean-stop", "closed unclean-stop 0"])
    }

    @Test func whatWasUndoneWhileItWasDownIsResolved() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/new", "x")
        try bench.settle()
        try bench.watcher.append(.stop(StopEvent(reason: "SIGTERM", pid: 1)))
        bench.watcher.reader.stop()
        try bench.remove("bin/new")
        _ = try bench.told()
        try bench.restart()
        try bench.expect(["gap down", "resolved bin/new", "closed down 1"])
    }

    @Test func aScopeGapOutlivesARestart() throws {
        let bench = try WatchBench()
        try bench.write([bench.rule("t.program", watch: ["bin/*"])])
        try bench.restart()
        let gaps = try bench.history.openGaps()
        #expect(gaps.map(\.reason) == [.scope])
        try bench.restart()
        #expect(try bench.history.openGaps() == gaps, "one gap, however often it is seen")
        bench.rulesOnDisk.set(.success(bench.rules))
        try bench.restart()
        #expect(try bench.history.openGaps() == [])
    }

    @Test func whatCannotBeReadIsAGapUntilItCan() throws {
        let bench = try WatchBench()
        bench.tree.deny("cc")
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        try bench.expect(["gap unreadable"])
        bench.tree.deny()
        try bench.scope.write("bin/cc", "worse")
        try bench.settle()
        try bench.expect(["closed unreadable 0", "content bin/cc"], inAnyOrder: true)
    }

    /// Two directories behind one gap: the service goes on when both can be entered again, and sees what is in them.
    @Test func directoriesThatCanBeEnteredAgainAreWatched() throws {
        let bench = try WatchBench()
        bench.tree.deny("one", "two")
        try bench.scope.write("bin/one/file", "x")
        try bench.scope.write("bin/two/file", "x")
        try bench.settle()
        #expect(try bench.history.openGaps().map(\.reason) == [.unreadable])
        bench.tree.deny()
        try bench.setMode("bin/one", 0o700)
        try bench.setMode("bin/two", 0o700)
        try bench.settle()
        #expect(try bench.history.openGaps() == [])
        #expect(Set(try bench.told()).isSuperset(of: ["added bin/one/file", "added bin/two/file"]))
        try bench.scope.write("bin/two/file", "y")
        try bench.settle()
        try bench.expect(["added bin/two/file"], "a new state of what is new")
    }

    @Test func aHistoryThatTakesNothingDelaysAndLosesNothing() throws {
        let bench = try WatchBench()
        try bench.history.limit(pages: 1)
        // More than fits into what the file has left.
        for number in 0..<300 { try bench.scope.write("bin/\(number)", "x") }
        // A swap that leaves nothing on disk to be found later.
        try bench.scope.write("bin/cc", "evil")
        try bench.scope.write("bin/cc", "compiler")
        try bench.settle()
        #expect(bench.watcher.retryAt != nil)
        try bench.history.limit(pages: 1 << 20)
        bench.pass(1_000_000_000)
        try bench.settle()
        #expect(bench.watcher.retryAt == nil)
        let told = try bench.told()
        #expect(told.count { $0.hasPrefix("added") } == 300)
        #expect(told.contains("transient bin/cc"))
        #expect(told.contains("gap history"))
        #expect(try bench.history.openGaps() == [])
    }

    @Test func aGapThatCannotBeWrittenIsWrittenLater() throws {
        let bench = try WatchBench()
        try bench.history.limit(pages: 1)
        for number in 0..<300 { try bench.scope.write("bin/\(number)", "x") }
        bench.watcher.isBlind = true
        try bench.settle()
        try bench.history.limit(pages: 1 << 20)
        for _ in 0..<3 {
            bench.pass(1_000_000_000)
            try bench.settle()
        }
        let told = try bench.told()
        #expect(told.count { $0.hasPrefix("added") } == 300)
        #expect(told.contains { $0.hasPrefix("closed queue-overflow") })
        #expect(try bench.history.openGaps() == [])
    }

    @Test func aStopWritesWhatWasHeldBack() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/cc", "evil")
        try bench.scope.write("bin/cc", "compiler")
        try bench.scope.write("bin/new", "x")
        try bench.watcher.stop("SIGTERM")
        try bench.expect(["transient bin/cc", "added bin/new"], inAnyOrder: true)
        #expect(bench.manager.said.last == "stopping")
        #expect(try bench.history.lastRun()?.isUnclean == false)
    }

    @Test func aNewBaselineIsTakenUp() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/cc", "better")
        try bench.settle()
        try bench.recordAgain()
        try bench.settle()
        #expect(bench.watcher.baseline.summary.generation == 2)
        _ = try bench.told()
        try bench.scope.write("bin/cc", "compiler")
        try bench.settle()
        try bench.expect(["content bin/cc"], "what was good is a change now")
    }

    @Test func aForgedBaselineIsNotTakenUpAndToldOf() throws {
        let bench = try WatchBench()
        var bytes = try bench.store.path.contents()
        bytes[bytes.count - 1] ^= 1
        let forged = bench.state.appending("forged")
        try forged.write(bytes)
        try unsafe forged.call { from in
            (try? unsafe bench.store.path.call { to in unsafe mw_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0) })
                == nil ? -1 : 0
        }
        try bench.settle()
        #expect(try bench.history.lastEntry(["self"]) != nil)
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        try bench.expect(["content bin/cc"], "the old one is compared with still")
    }

    @Test func aReloadExaminesEverything() throws {
        let bench = try WatchBench()
        try bench.watcher.reload()
        #expect(bench.manager.said == ["ready", "reloading", "ready"])
        try bench.expect([])
    }
}
