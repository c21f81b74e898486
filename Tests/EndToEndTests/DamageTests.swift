import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Whatever is damaged, full or unreadable: the status of the contract, one sentence, and nothing lost.
@Suite struct DamageTests {
    @Test func aBaselineWithAnyByteChangedIsNotTrusted() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let whole = try world.baselineFile.contents()
        var random = SeededGenerator()
        var places = [0, whole.count / 2, whole.count - 1]
        for _ in 0..<5 { places.append(Int.random(in: 0..<whole.count, using: &random)) }
        for place in places {
            var damaged = whole
            damaged[place] ^= 0x20
            try world.baselineFile.write(damaged)
            let result = try world.run("check")
            #expect(result.status == .exited(16), "byte \(place) of \(whole.count), \(random): \(result)")
            result.expectOneSentence(naming: "baseline")
            #expect(try world.baselineFile.contents() == damaged)
        }
        let verified = try world.expect(1, "baseline", "verify")
        verified.expectOneSentence()
        try world.expect(16, "watch").expectOneSentence()
        try world.baselineFile.write(whole)
        try world.expect(0, "check")
    }

    @Test func aCutBaselineIsNotTrusted() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let whole = try world.baselineFile.contents()
        for length in [0, 1, 16, whole.count / 2, whole.count - 1] {
            try world.baselineFile.write(Array(whole.prefix(length)))
            let result = try world.run("check")
            #expect(result.status == .exited(16), "\(length) of \(whole.count) bytes: \(result)")
            result.expectOneSentence(naming: "baseline")
        }
        try world.baselineFile.write(whole + [0])
        try world.expect(16, "check")
    }

    @Test(arguments: [
        ["check"], ["watch"], ["history", "list"], ["baseline", "accept", "--all", "--reason", "x"],
    ])
    func aDamagedHistoryIsSaidAndLeftAlone(command: [String]) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let database = world.state.appending("history.db")
        try #require(try !database.contents().isEmpty)
        for file in ["history.db-wal", "history.db-shm"] { try? world.state.appending(file).delete() }
        let damaged = [UInt8](repeating: 0x5A, count: 8_192)
        try database.write(damaged)
        let result = try world.run(command)
        #expect(result.status == .exited(65), "\(result)")
        result.expectOneSentence(naming: "history.db")
        #expect(try database.contents() == damaged)
        #expect(!isThere(world.text(world.state.appending("history.db-wal"))))
    }

    @Test func anAlteredHistoryIsFoundByVerify() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.compiler.append([1])
        try world.expect(4, "check")
        try world.verifyHistory()
        // What root does with an editor: the bytes of a row change, the database stays well formed.
        let database = world.state.appending("history.db")
        var bytes = try database.contents()
        let needle = Array("\"unauthorized\"".utf8)
        let place = bytes.indices.first { bytes[$0...].starts(with: needle) }
        if let place {
            bytes.replaceSubrange(place..<place + needle.count, with: Array("\"unauthorised\"".utf8))
            try database.write(bytes)
            try world.expect(1, "history", "verify").expectOneSentence(naming: "row")
        } else {
            // It still lies in the write-ahead log: cutting that off loses rows, which the chain alone cannot tell.
            try Test.cancel("the row lies in the write-ahead log")
        }
    }

    @Test func whatCannotBeReadIsRecordedAndNoLongerCounts() throws {
        let world = try Ordinary.world()
        let secret = world.tools.appending("secret")
        try secret.makeDirectory()
        try secret.appending("file").write([1])
        try secret.setMode(0)
        try world.adopt(secret)
        let created = try world.document(8, "baseline", "create")
        let unexamined = created["unexamined"]?.elements ?? []
        #expect(unexamined.contains { $0.object?.bytes("path") == secret.bytes }, "\(created.pretty)")
        #expect(unexamined.first?.object?["error"]?.text == "EACCES", "\(created.pretty)")
        try world.expect(0, "check")
        try world.expect(8, "check", "--strict")
        // What was examined for the baseline has to be examined now.
        try world.compiler.setMode(0)
        let report = try world.document(8, "check")
        #expect(
            (report["errors"]?.elements ?? []).contains { $0.object?.bytes("path") == world.compiler.bytes }
        )
    }

    @Test func createRefusesWithStrict() throws {
        let world = try Ordinary.world()
        let secret = world.tools.appending("secret")
        try secret.write([1])
        try world.adopt(secret)
        try secret.setMode(0)
        let result = try world.run("baseline", "create", "--strict")
        #expect(result.status == .exited(8), "\(result)")
        result.expectOneSentence(naming: "secret")
        try world.expect(16, "check")
    }

    @Test func aStateDirectoryThatCannotBeWrittenTakesNothingFromTheResult() throws {
        let world = try Ordinary.world()
        try world.createBaseline()
        try world.compiler.append([1])
        try world.adopt(world.state)
        let before = try world.history().count
        try world.setStateWritable(false)
        let result = try world.run("check")
        #expect(result.status == .exited(4), "\(result)")
        result.expectOneSentence(naming: "not recorded")
        #expect(result.text.contains("cc"), "\(result)")
        try world.setStateWritable(true)
        #expect(try world.history().count == before)
        try world.expect(4, "check")
    }

    @Test func aStateDirectoryThatCannotBeMadeIsSaid() throws {
        let world = try Millwarden()
        try world.state.write([])
        let result = try world.run("baseline", "create")
        #expect([73, 77].contains(result.code), "\(result)")
        result.expectOneSentence(naming: "state")
    }

    @Test(.enabled(if: isRoot, "only root may mount a small file system"))
    func aFullDiskLosesNothing() throws {
        let world = try Millwarden()
        let files = (0..<60).map { world.tools.appending("file-\($0)") }
        for file in files { try file.write([0]) }
        try world.state.makeDirectory()
        try world.state.setMode(0o700)
        let disk = try SmallDisk(at: world.state, kibibytes: 4_096)
        try world.createBaseline()
        let whole = try world.baselineFile.contents()
        let ballast = world.state.appending("ballast")
        disk.fill(ballast)

        let forced = try world.run("baseline", "create", "--force")
        #expect([73, 74].contains(forced.code), "\(forced)")
        forced.expectOneSentence(naming: "no space left")
        #expect(try world.baselineFile.contents() == whole)

        for file in files { try file.append([1]) }
        let checked = try world.run("check")
        #expect(checked.status == .exited(74), "\(checked)")
        checked.expectOneSentence(naming: "no space left")
        try ballast.delete()
        let report = try world.document(4, "check")
        #expect(report.count("changed") == 60, "\(report.pretty)")
        #expect(try world.history("--event", "change").count == 60)
        try world.verifyHistory()
    }

    @Test(.enabled(if: isRoot, "only root may mount a small file system"))
    func aServiceOnAFullDiskSaysSoAndCatchesUp() throws {
        let world = try Millwarden()
        try world.state.makeDirectory()
        try world.state.setMode(0o700)
        let disk = try SmallDisk(at: world.state, kibibytes: 4_096)
        try world.createBaseline()
        let daemon = try world.watch()
        let ballast = world.state.appending("ballast")
        disk.fill(ballast)
        let files = (0..<40).map { world.tools.appending("new-\($0)") }
        for file in files { try file.write([1]) }
        try world.compiler.append([1])
        // Each question takes as long as a process does; the answer comes with the first failed write.
        let deadline = ContinuousClock.now + .seconds(Daemon.patience)
        var trouble: String?
        while trouble == nil, ContinuousClock.now < deadline {
            trouble = try world.document(0, "status")["service"]?.object?["trouble"]?.text
        }
        #expect(trouble?.contains("no space left") == true, "\(trouble ?? daemon.errors)")
        try ballast.delete()
        try daemon.change("content", on: world.compiler)
        for file in files { try daemon.change("added", on: file) }
        try daemon.terminate()
        let rows = try world.history("--event", "change")
        #expect(rows.changes(on: world.compiler).count == 1, "\(rows.listing)")
        #expect(rows.filter { $0.change == "added" }.count == 40, "\(rows.listing)")
        try world.verifyHistory()
    }

    /// The journal may be gone for as long as it likes.
    ///
    /// It is one per host, so it is hidden from this one process.
    @Test(.enabled(if: isRoot, "only root may hide the journal's socket in a mount namespace of its own"))
    func withoutAJournalTheServiceGoesOn() throws {
        let hide = "mount -t tmpfs none /run/systemd/journal 2>/dev/null || true; exec \"$0\" \"$@\""
        let world = try Millwarden(launcher: [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", hide,
        ])
        try world.createBaseline()
        let daemon = try world.watch()
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)
        try world.mark(daemon)
        try world.expect(0, "status")
        try daemon.terminate()
        #expect(try world.history("--event", "change").changes(on: world.compiler).count == 1)
    }
}
