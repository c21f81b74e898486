import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// SUNSPOT's way: something else stands there while the compiler runs, and the original when anybody looks.
@Suite struct SwapTests {
    struct Swap: CustomTestStringConvertible, Sendable {
        var name: String
        var act: @Sendable (Millwarden) throws -> Void

        var testDescription: String { name }

        static let all = [
            Swap(name: "rename dance") { world in
                let kept = world.tools.appending("cc.kept")
                try world.compiler.rename(to: kept)
                try world.compiler.write(Array("an implant\n".utf8), mode: 0o755)
                try kept.rename(to: world.compiler)
            },
            Swap(name: "rename dance through another directory") { world in
                let kept = world.outside.appending("cc.kept")
                try world.compiler.rename(to: kept)
                try world.compiler.write(Array("an implant\n".utf8), mode: 0o755)
                try kept.rename(to: world.compiler)
            },
            Swap(name: "away and back") { world in
                let kept = world.outside.appending("cc.kept")
                try world.compiler.rename(to: kept)
                try kept.rename(to: world.compiler)
            },
            Swap(name: "in place through one descriptor") { world in
                try world.compiler.opened { descriptor in
                    try overwrite(descriptor, Array("THE".utf8))
                    try overwrite(descriptor, Array("the".utf8))
                }
            },
            Swap(name: "in place with times put back") { world in
                try world.compiler.write(Array("an implant\n".utf8))
                try world.compiler.write(Millwarden.compilerText)
                try world.compiler.setModified(Millwarden.modified)
            },
            Swap(name: "RENAME_EXCHANGE there and back") { world in
                let implant = world.outside.appending("implant")
                try implant.write(Array("an implant\n".utf8), mode: 0o755)
                try world.compiler.exchange(with: implant)
                try world.compiler.exchange(with: implant)
            },
            Swap(name: "a hard link keeps the original") { world in
                let kept = world.outside.appending("cc.kept")
                let implant = world.outside.appending("implant")
                try world.compiler.link(to: kept)
                try implant.write(Array("an implant\n".utf8), mode: 0o755)
                try implant.rename(to: world.compiler)
                try kept.rename(to: world.compiler)
            },
            Swap(name: "its whole directory changes places") { world in
                let other = world.outside.appending("tools")
                try other.makeDirectory()
                try other.appending("cc").write(Array("an implant\n".utf8), mode: 0o755)
                try world.tools.exchange(with: other)
                try world.tools.exchange(with: other)
            },
        ]
    }

    /// Faster than anybody can look: the events alone remain.
    @Test(arguments: Swap.all)
    func isTransientOnceAndListedUntilAcknowledged(_ swap: Swap) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try daemon.paused { try swap.act(world) }
        let entry = try daemon.entry("`transient` on \(world.compiler)") {
            $0.isFinding && $0.path == world.compiler
        }
        #expect(entry.change == "transient", "\(entry)")
        #expect(entry.verdict == "unauthorized", "\(entry)")
        #expect(entry.rule == "demo.tools", "\(entry)")
        #expect(entry.severity == "critical", "\(entry)")
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.changes(on: world.compiler) == [entry], "\(daemon.entries.listing)")
        #expect(try world.history("--event", "change").changes(on: world.compiler) == [entry])

        let report = try world.document(4, "check")
        #expect(
            report.findings.contains { $0.path == world.compiler && $0.change == "transient" },
            "\(report.pretty)"
        )
        for finding in daemon.entries.filter(\.isFinding) {
            try world.expect(0, "baseline", "accept", "--seq", "\(finding.seq)", "--reason", "an exercise")
        }
        try world.expect(0, "check")
        try world.verifyHistory()
    }

    /// Nobody stands still: whatever the program gets to see, it says that something unauthorized took place.
    @Test(arguments: Swap.all)
    func isSeenWhileItHappens(_ swap: Swap) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try swap.act(world)
        let first = try daemon.entry("something on \(world.compiler)") {
            $0.isFinding && $0.path == world.compiler
        }
        #expect(first.verdict == "unauthorized", "\(first)")
        try world.mark(daemon)
        try daemon.terminate()
        if first.change != "transient" {
            #expect(
                daemon.entries.contains { $0.event == "resolved" && $0.path == world.compiler },
                "\(daemon.entries.listing)"
            )
        }
        try world.verifyHistory()
    }

    /// The implant stands long enough to be seen, and is taken back.
    @Test func aSlowSwapIsAContentChangeAndIsResolved() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try world.compiler.opened { descriptor in
            // Nothing is closed: only the clock makes the program look.
            try overwrite(descriptor, Array("THE".utf8))
            try daemon.change("content", on: world.compiler)
            try overwrite(descriptor, Array("the".utf8))
        }
        try world.compiler.setModified(Millwarden.modified)
        let change = try daemon.change("content", on: world.compiler)
        try daemon.entry("that it was undone") { $0.event == "resolved" && $0.resolves == change.seq }
        try daemon.terminate()
        try world.expect(4, "check")
    }
}
