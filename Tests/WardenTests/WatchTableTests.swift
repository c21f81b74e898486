import Integrity
import Testing

@testable import Warden

struct WatchTableTests {
    private func table(_ entries: (Int32, RawPath)...) -> WatchTable {
        var table = WatchTable()
        for (watch, path) in entries { table.insert(watch, for: path) }
        return table
    }

    @Test func findsBothWays() {
        let table = table((1, "/"), (2, "/usr"))
        #expect(table.path(of: 1) == .root)
        #expect(table.watch(for: "/usr") == 2)
        #expect(table.path(of: 3) == nil)
        #expect(table.watch(for: "/usr/bin") == nil)
        #expect(table.count == 2)
    }

    @Test func aWatchFollowsItsInode() {
        var table = table((1, "/a"), (2, "/a/x"))
        table.insert(1, for: "/b")
        #expect(table.path(of: 1) == "/b")
        #expect(table.watch(for: "/a") == nil)
        #expect(table.watch(for: "/b") == 1)
        #expect(table.count == 2)
    }

    @Test func anotherInodeTakesThePath() {
        var table = table((1, "/a"))
        table.insert(2, for: "/a")
        #expect(table.watch(for: "/a") == 2)
        #expect(table.path(of: 1) == "/a", "what is still queued was about this path")
        #expect(table.count == 1)
        #expect(table.ignored(1) == nil, "it was given up by ourselves")
        #expect(table.path(of: 1) == nil)
        #expect(table.watch(for: "/a") == 2)
    }

    @Test func removesASubtreeAndNothingElse() {
        var table = table((1, "/"), (2, "/a"), (3, "/a/x"), (4, "/a/x/y"), (5, "/ab"), (6, "/a/z"))
        #expect(table.remove(subtree: "/a").sorted() == [2, 3, 4, 6])
        #expect(Set(table.directories) == ["/", "/ab"])
        #expect(table.path(of: 4) == "/a/x/y", "its queued events are still about this path")
        #expect(table.remove(subtree: "/a") == [])
    }

    @Test func aSubtreeHoldsTogetherWithoutItsMiddle() {
        var table = table((1, "/a"), (2, "/a/unwatched/deep/er"))
        #expect(table.remove(subtree: "/a/unwatched") == [2])
        table.insert(3, for: "/a/unwatched/deep/er")
        #expect(table.remove(subtree: "/a").sorted() == [1, 3])
        #expect(table.count == 0)
    }

    @Test func aMiddleThatIsGoneStillLeadsBelow() {
        var table = table((1, "/a"), (2, "/a/b"), (3, "/a/b/c"))
        #expect(table.ignored(2) == "/a/b")
        #expect(table.remove(subtree: "/a").sorted() == [1, 3])
    }

    @Test func theKernelDropsAWatchByItself() {
        var table = table((1, "/a"))
        #expect(table.ignored(1) == "/a")
        #expect(table.ignored(1) == nil)
        #expect(table.count == 0)
    }

    @Test func aNumberThatIsUsedAgainStandsForItsNewDirectory() {
        var table = table((1, "/a"))
        _ = table.remove(subtree: "/a")
        table.insert(1, for: "/b")
        #expect(table.path(of: 1) == "/b")
        #expect(table.ignored(1) == "/b", "its removal is news again")
    }

    @Test func aDirectoryThatComesBackIsTheSame() {
        var table = table((1, "/a"), (2, "/a/b"))
        _ = table.remove(subtree: "/a")
        table.insert(3, for: "/a")
        table.insert(4, for: "/a/b")
        #expect(table.ignored(1) == nil)
        #expect(table.ignored(2) == nil)
        #expect(table.remove(subtree: "/a").sorted() == [3, 4])
    }
}
