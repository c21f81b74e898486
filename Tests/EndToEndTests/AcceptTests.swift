import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Approving: what was reviewed becomes the baseline, nothing else does, and a running service follows.
@Suite struct AcceptTests {
    private let world: Millwarden

    init() throws {
        world = try Millwarden()
        try world.createBaseline()
    }

    @Test func aDryRunChangesNothing() throws {
        try world.compiler.append([1])
        try world.expect(4, "check")
        let before = try world.baselineFile.contents()
        let rows = try world.history()
        let report = try world.document(0, "baseline", "accept", "--all", "--reason", "upgrade", "--dry-run")
        #expect(report["dry_run"] == .bool(true), "\(report.pretty)")
        #expect(report["items"]?.elements?.count == 1, "\(report.pretty)")
        #expect(try world.baselineFile.contents() == before)
        #expect(try world.history() == rows)
        try world.expect(4, "check")
    }

    @Test func acceptAllMakesTheCheckClean() throws {
        try world.compiler.append([1])
        try world.tools.appending("new").write([1])
        try world.linker.delete()
        try world.expect(7, "check")
        let report = try world.document(0, "baseline", "accept", "--all", "--reason", "upgrade of cc")
        #expect(report["baseline"]?.object?["generation"]?.integer == 2, "\(report.pretty)")
        let checked = try world.document(0, "check")
        #expect(checked["findings"] == .array([]), "\(checked.pretty)")
        try world.expect(0, "baseline", "verify")
        let shown = try world.document(0, "baseline", "show", world.text(world.tools.appending("new")))
        #expect(shown.pretty.contains(digestText(of: [1])), "\(shown.pretty)")
        try world.expect(66, "baseline", "show", world.text(world.linker))
        let approval = try #require(try world.history("--event", "baseline").last)
        #expect(approval.json["action"]?.text == "accepted", "\(approval)")
        #expect(approval.json["reason"]?.text == "upgrade of cc", "\(approval)")
        #expect(approval.json["uid"]?.integer == Int64(getuid()), "\(approval)")
        try world.verifyHistory()
        // It is compared with what was accepted now.
        try world.compiler.append([2])
        let later = try world.document(4, "check")
        let after = digestText(of: Millwarden.compilerText + [1])
        #expect(later.findings.first?.before?["digest"]?.text == after, "\(later.pretty)")
    }

    @Test func onlyWhatIsChosenIsAccepted() throws {
        try world.compiler.append([1])
        try world.linker.append([1])
        try world.configuration.append([1])
        try world.expect(4, "check")
        let linkerRow = try #require(try world.history("--event", "change").changes(on: world.linker).first)
        try world.expect(0, "baseline", "accept", "--rule", "demo.settings", "--reason", "one")
        #expect(Set(try world.document(4, "check").findings.map(\.path)) == [world.compiler, world.linker])
        try world.expect(
            0,
            "baseline",
            "accept",
            "--path",
            world.text(world.tools) + "/c*",
            "--reason",
            "two"
        )
        #expect(try world.document(4, "check").findings.map(\.path) == [world.linker])
        try world.expect(0, "baseline", "accept", "--seq", "\(linkerRow.seq)", "--reason", "three")
        try world.expect(0, "check")
        try world.verifyHistory()
    }

    @Test func whatDiffersFromWhatWasObservedIsRefused() throws {
        try world.compiler.append([1])
        try world.expect(4, "check")
        let before = try world.baselineFile.contents()
        try world.compiler.append([2])
        let result = try world.run("baseline", "accept", "--all", "--reason", "hurry")
        #expect(result.code != 0, "\(result)")
        #expect((result.text + result.errorText).contains("cc"), "\(result)")
        #expect(try world.baselineFile.contents() == before)
        // Looked at anew, it can be accepted.
        try world.expect(4, "check")
        try world.expect(0, "baseline", "accept", "--all", "--reason", "looked again")
        try world.expect(0, "check")
    }

    @Test func whatNobodyObservedCannotBeAccepted() throws {
        try world.compiler.append([1])
        let before = try world.baselineFile.contents()
        let result = try world.run("baseline", "accept", "--all", "--reason", "unseen")
        #expect(try world.baselineFile.contents() == before, "\(result)")
        try world.expect(4, "check")
        try world.expect(66, "baseline", "accept", "--seq", "99999", "--reason", "no such row")
            .expectOneSentence()
    }

    @Test func aRunningServiceTakesUpTheNewBaseline() throws {
        let daemon = try world.watch()
        try world.compiler.append([1])
        let first = try daemon.change("content", on: world.compiler)
        try world.expect(0, "baseline", "accept", "--seq", "\(first.seq)", "--reason", "upgrade")
        try world.expect(0, "check")
        try world.mark(daemon)
        #expect(daemon.entries.changes(on: world.compiler) == [first], "\(daemon.entries.listing)")

        // Back to the first baseline is a change now, and is compared with the second.
        try world.compiler.write(Millwarden.compilerText)
        let back = try daemon.change("content", on: world.compiler, after: first.seq)
        #expect(back.before?["digest"] == first.after?["digest"], "\(back)")
        #expect(back.after?["digest"]?.text == digestText(of: Millwarden.compilerText), "\(back)")
        let status = try world.document(0, "status")
        #expect(status["service"]?.object?["generation"]?.integer == 2, "\(status.pretty)")
        try daemon.terminate()
        try world.expect(4, "check")
        try world.verifyHistory()
    }

    @Test func statusSaysWhetherItRunsAndWhatDiffers() throws {
        let idle = try world.document(3, "status")
        #expect(idle["running"] == .bool(false), "\(idle.pretty)")
        #expect(idle["service"] == .null, "\(idle.pretty)")
        try world.expect(3, "status")

        let daemon = try world.watch()
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)
        let busy = try world.document(0, "status")
        #expect(busy["schema"] == .string("millwarden.status/1"), "\(busy.pretty)")
        #expect(busy["running"] == .bool(true), "\(busy.pretty)")
        #expect(busy["differing"]?.integer == 1, "\(busy.pretty)")
        #expect(busy["service"]?.object?["pid"]?.integer == Int64(daemon.id), "\(busy.pretty)")
        let text = try world.expect(0, "status")
        #expect(text.text.contains("running") && text.text.contains("\(daemon.id)"), "\(text)")
        try daemon.terminate()
        try world.expect(3, "status")
    }
}
