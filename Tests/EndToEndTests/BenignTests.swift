import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// What every host does all day must not wake anybody, and what is harmless is said to be.
@Suite struct BenignTests {
    @Test func readingIsNoEntry() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        for path in [world.compiler, world.linker, world.configuration] { _ = try path.contents() }
        try world.compiler.opened { _ in }
        try world.mark(daemon)
        try daemon.terminate()
        // Opening for writing and closing without a write is a write cycle to the kernel; reading is nothing.
        #expect(
            daemon.entries.allSatisfy { !$0.isFinding || $0.path == world.compiler },
            "\(daemon.entries.listing)"
        )
        #expect(daemon.entries.changes(on: world.compiler).count <= 1, "\(daemon.entries.listing)")
    }

    /// The kernel says of an access time that is set what it says of reading: nothing worth an entry.
    @Test func anAccessTimeIsNoEntry() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try world.compiler.setAccessed(timespec(tv_sec: 1_700_000_000, tv_nsec: 0))
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        #expect(try world.document(0, "check").count("touched") == 1)
    }

    @Test(arguments: ["chmod", "both times"])
    func anAttributeEventWithNothingChangedIsTouched(kind: String) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        if kind == "chmod" {
            try world.compiler.setMode(0o755)
        } else {
            try world.compiler.setTimes([timespec(tv_sec: 1_700_000_000, tv_nsec: 0), Millwarden.modified])
        }
        let entry = try daemon.change("touched", on: world.compiler)
        #expect(entry.verdict == "expected", "\(entry)")
        #expect(entry.severity == "low", "\(entry)")
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding) == [entry], "\(daemon.entries.listing)")
        let report = try world.document(0, "check")
        #expect(report.count("touched") == 1, "\(report.pretty)")
        try world.expect(4, "check", "--strict")
    }

    @Test func theSameBytesIntoAConfigurationFileAreTouched() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try world.configuration.write(Array("answer = 42\n".utf8))
        let entry = try daemon.change("touched", on: world.configuration)
        #expect(entry.verdict == "expected", "\(entry)")
        #expect(entry.rule == "demo.settings", "\(entry)")
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding) == [entry], "\(daemon.entries.listing)")
        try world.expect(0, "check")
    }

    /// A configuration manager replaces what is equal.
    @Test func anEqualFileRenamedOntoAConfigurationFileSetsNoBit() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try daemon.paused {
            let copy = world.settings.appending(".app.conf.tmp")
            try copy.write(Array("answer = 42\n".utf8))
            try copy.rename(to: world.configuration)
        }
        try world.mark(daemon)
        try daemon.terminate()
        #expect(
            daemon.entries.filter(\.isFinding).allSatisfy { $0.verdict == "expected" },
            "\(daemon.entries.listing)"
        )
        try world.expect(0, "check")
    }

    @Test(arguments: [true, false])
    func anEditorsTemporaryFileIsPartOfTheOneFinding(paused: Bool) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        let edit = {
            let temporary = world.settings.appending(".app.conf.swp")
            try temporary.write(Array("answer = 43\n".utf8))
            try temporary.rename(to: world.configuration)
        }
        if paused { try daemon.paused(edit) } else { try edit() }
        let entry = try daemon.change("content", on: world.configuration)
        #expect(entry.verdict == "unauthorized", "\(entry)")
        #expect(entry.severity == "medium", "\(entry)")
        #expect(entry.from == nil, "\(entry)")
        #expect(entry.after?["digest"]?.text == digestText(of: Array("answer = 43\n".utf8)), "\(entry)")
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding) == [entry], "\(daemon.entries.listing)")
        try world.expect(4, "check")
        try world.expect(0, "check", "--fail-on", "high")
    }

    /// vi moves the original aside, writes anew, and deletes the copy.
    @Test func anEditorsBackupIsPartOfTheOneFinding() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try daemon.paused {
            let backup = world.settings.appending("app.conf~")
            try world.configuration.rename(to: backup)
            try world.configuration.write(Array("answer = 43\n".utf8))
            try backup.delete()
        }
        try daemon.change("content", on: world.configuration)
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.changes(on: world.configuration).count == 1, "\(daemon.entries.listing)")
        #expect(
            !daemon.entries.contains { $0.change == "added" && $0.isFinding },
            "\(daemon.entries.listing)"
        )
    }

    @Test func aFileThatCameAndWentIsTransientWithNothingOnEitherSide() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        let file = world.tools.appending("specs")
        try daemon.paused {
            try file.write(Array("*cpp:\n".utf8))
            try file.delete()
        }
        let entry = try daemon.change("transient", on: file)
        #expect(entry.before == nil && entry.after == nil, "\(entry)")
        #expect(entry.verdict == "unauthorized", "\(entry)")
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding) == [entry], "\(daemon.entries.listing)")
        try world.expect(4, "check")
        try world.expect(0, "baseline", "accept", "--seq", "\(entry.seq)", "--reason", "a build's own")
        try world.expect(0, "check")
    }

    @Test func whatNoRuleSelectsIsNoEntry() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try world.outside.appending("x").write([1])
        try world.outside.appending("x").rename(to: world.path.appending("y"))
        try world.path.appending("y").delete()
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        try world.expect(0, "check")
    }

    /// The second of the contract, measured where nothing else runs in this test: the best of several.
    @Test func aChangeIsReportedWithinOneSecond() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        var best = Duration.seconds(3_600)
        for round in 1...5 {
            let text = Array("round \(round)\n".utf8)
            try world.compiler.write(text)
            let start = ContinuousClock.now
            try daemon.entry("round \(round)") { $0.after?["digest"]?.text == digestText(of: text) }
            best = min(best, ContinuousClock.now - start)
        }
        #expect(best < .seconds(1))
        try daemon.terminate()
        // Every round was a settled state of its own.
        #expect(daemon.entries.changes(on: world.compiler).count == 5, "\(daemon.entries.listing)")
    }
}
