import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Watches follow the names: into what appears, away from what leaves, along links.
@Suite struct TreeTests {
    private let world: Millwarden

    init() throws {
        world = try Millwarden()
    }

    @Test func whatHappensInsideANewDirectoryIsSeen() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let deep = world.tools.appending("1").appending("2")
        try world.tools.appending("1").makeDirectory()
        try deep.makeDirectory()
        let file = deep.appending("file")
        try file.write([1])
        let first = try daemon.change("added", on: file)
        try file.append([2])
        let second = try daemon.change("added", on: file, after: first.seq)
        #expect(second.after?["digest"]?.text == digestText(of: [1, 2]), "\(second)")
        try deep.appending("other").write([3])
        try daemon.change("added", on: deep.appending("other"))
        try daemon.terminate()
        try world.expect(1, "check")
        try world.verifyHistory()
    }

    @Test func aDirectoryThatComesBackIsWatchedAgain() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let library = world.tools.appending("lib")
        let away = world.outside.appending("lib")
        try library.rename(to: away)
        let gone = try daemon.change("removed", on: library.appending("a.so"))
        try away.appending("outside").write([1])
        try away.appending("outside").delete()
        try away.rename(to: library)
        try daemon.entry("that it came back") { $0.event == "resolved" && $0.resolves == gone.seq }
        try library.appending("a.so").append([1])
        try daemon.change("content", on: library.appending("a.so"))
        try daemon.terminate()
        #expect(
            !daemon.entries.contains { $0.path?.isWithin(world.outside) ?? false },
            "\(daemon.entries.listing)"
        )
        try world.verifyHistory()
    }

    @Test func aDirectoryMadeAnewIsWatched() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let library = world.tools.appending("lib")
        for name in ["a.so", "b.so"] { try library.appending(name).delete() }
        try library.deleteDirectory()
        try daemon.change("removed", on: library)
        try library.makeDirectory()
        try daemon.entry("that the directory is back, another one") { entry in
            (entry.event == "resolved" || entry.change == "replaced") && entry.path == library
        }
        try library.appending("a.so").write(Array("another\n".utf8))
        try daemon.entry("another file of the name") {
            $0.isChange && $0.path == library.appending("a.so") && $0.after != nil
        }
        try daemon.terminate()
        try world.verifyHistory()
    }

    /// A directory renamed inside the scope: each entry moved, and the new name is watched.
    @Test func aDirectoryRenamedInsideTheScopeMovesItsEntries() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let library = world.tools.appending("lib")
        let renamed = world.tools.appending("lib64")
        try library.rename(to: renamed)
        for name in ["a.so", "b.so"] {
            let entry = try daemon.change("moved", on: renamed.appending(name))
            #expect(entry.from == library.appending(name), "\(entry)")
        }
        try renamed.appending("a.so").append([1])
        try daemon.entry("what happens under the new name") {
            $0.path == renamed.appending("a.so")
                && $0.after?["digest"]?.text == digestText(of: Array("library a\n".utf8) + [1])
        }
        try daemon.terminate()
        try world.expect(
            3,
            "check",
            "--path",
            world.text(renamed.appending("b.so")),
            "--path",
            world.text(library.appending("b.so"))
        )
        try world.verifyHistory()
    }

    /// `cc` → `hop` → the compiler, both where no rule looks: every hop is recorded, the compiler under the link's rule.
    @Test func theWayALinkTakesIsWatched() throws {
        let real = try world.home.write("outside/deep/real", "the real one\n", mode: 0o755)
        let hop = world.outside.appending("hop")
        let link = world.tools.appending("linked")
        try hop.makeLink(to: RawPath("deep/real"))
        try link.makeLink(to: hop)
        try world.createBaseline()
        try world.expect(0, "check")
        let daemon = try world.watch()

        try real.append([1])
        let changed = try daemon.change("content", on: real)
        #expect(changed.rule == "demo.tools" && changed.severity == "critical", "\(changed)")
        #expect(changed.json.bytes("via") == link.bytes, "\(changed)")

        try daemon.paused {
            let other = world.outside.appending("other")
            try other.makeLink(to: world.compiler)
            try other.rename(to: hop)
        }
        let retargeted = try daemon.change("content", on: hop)
        #expect(retargeted.attributes.contains("target"), "\(retargeted)")
        #expect(retargeted.json.bytes("via") == link.bytes, "\(retargeted)")

        // What else lies beside the target is nobody's business.
        try world.outside.appending("deep").appending("neighbour").write([1])
        try world.mark(daemon)
        try daemon.terminate()
        #expect(
            !daemon.entries.contains { $0.path == world.outside.appending("deep").appending("neighbour") }
        )
        try world.expect(4, "check")
        try world.verifyHistory()
    }

    /// The directory of a link's target is renamed away: nothing happens in it, and yet the compiler is gone.
    @Test func theDirectoryOfALinksTargetIsWatched() throws {
        let real = try world.home.write("outside/deep/real", "the real one\n", mode: 0o755)
        try world.tools.appending("linked").makeLink(to: real)
        try world.createBaseline()
        let daemon = try world.watch()
        let deep = world.outside.appending("deep")
        try deep.rename(to: world.outside.appending("elsewhere"))
        let gone = try daemon.change("removed", on: real)
        try world.outside.appending("elsewhere").rename(to: deep)
        try daemon.entry("that it came back") { $0.event == "resolved" && $0.resolves == gone.seq }
        try daemon.terminate()
        try world.verifyHistory()
    }

    /// However many new names come, what is recorded does not wait behind them, and none of them is lost.
    @Test func aFloodOfNewNamesHidesNothing() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let flood = world.tools.appending("flood")
        try flood.makeDirectory()
        try daemon.paused {
            for number in 0..<1_000 { try flood.appending("\(number)").write([]) }
            try world.compiler.append([1])
        }
        try daemon.change("content", on: world.compiler)
        try daemon.terminate()
        let added = try world.history("--event", "change").filter { $0.path?.parent == flood }
        #expect(added.count == 1_000)
        #expect(Set(added.compactMap(\.path)).count == 1_000)
        try world.verifyHistory()
    }
}
