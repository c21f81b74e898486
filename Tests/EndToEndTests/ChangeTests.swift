import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Everything that can happen to a watched file is reported once, for what it is, and stays visible until somebody
/// accepts it.
@Suite struct ChangeTests {
    @Test(arguments: ChangeCase.all)
    func isReportedOnceAndStaysVisible(_ change: ChangeCase) throws {
        let world = try Millwarden()
        if let refusal = change.needs.refusal(world) { try Test.cancel(refusal) }
        try world.createBaseline()
        let daemon = try world.watch()

        if change.isSeveral {
            try daemon.paused { try change.act(world) }
        } else {
            try change.act(world)
        }
        var found: [LogEntry] = []
        for expected in change.expected { found.append(try seen(expected, daemon, world)) }
        try world.mark(daemon)
        #expect(
            daemon.entries.filter(\.isFinding).count == change.expected.count,
            "\(daemon.entries.listing)"
        )

        let report = try world.document(change.exit, "check")
        agree(report, change, found, world)
        #expect(
            try world.history("--event", "change").filter(\.isFinding) == found.sorted { $0.seq < $1.seq }
        )

        if let undo = change.undo {
            try daemon.paused { try undo(world) }
            for entry in found { try isResolved(entry, daemon) }
            try world.mark(daemon)
            #expect(
                daemon.entries.filter(\.isFinding).count == change.expected.count,
                "\(daemon.entries.listing)"
            )
            try isListedUntilAcknowledged(found, world)
        }
        try daemon.terminate()
        // What was undone and acknowledged still has another ctime: the last check said `touched` of it, and no more.
        let findings = daemon.entries.filter { $0.isFinding && $0.change != "touched" }
        #expect(findings.count == change.expected.count, "\(daemon.entries.listing)")
        try world.verifyHistory()
    }

    /// The entry of one expected finding, every member of it.
    private func seen(_ expected: ChangeCase.Expected, _ daemon: Daemon, _ world: Millwarden) throws
        -> LogEntry
    {
        let path = RawPath(bytes: world.path.bytes + [slash] + expected.path.utf8)
        let entry = try daemon.entry("`\(expected.change)` on \(path)") {
            $0.isFinding && $0.path == path
        }
        #expect(entry.change == expected.change, "\(entry)")
        #expect(entry.rule == "demo.tools", "\(entry)")
        #expect(entry.severity == "critical", "\(entry)")
        #expect(entry.verdict == "unauthorized", "\(entry)")
        #expect(entry.attributes.isSuperset(of: expected.attributes), "\(entry)")
        #expect(entry.json["tags"] == .array([.string("attack.t1554"), .string("supply-chain")]), "\(entry)")
        #expect(entry.json["resolved"] == .null, "\(entry)")
        let from = expected.from.map { RawPath(bytes: world.path.bytes + [slash] + $0.utf8) }
        #expect(entry.from == from, "\(entry)")
        if expected.change != "moved" {
            agree(entry.before, expected.before, entry)
        }
        agree(entry.after, expected.after, entry)
        return entry
    }

    private func agree(_ side: JSONObject?, _ expected: [String: String]?, _ entry: LogEntry) {
        #expect((side == nil) == (expected == nil), "\(entry)")
        for (name, value) in expected ?? [:] { #expect(side?[name]?.text == value, "\(name) in \(entry)") }
    }

    /// The check's report says of each path what was said when it happened.
    private func agree(_ report: JSONObject, _ change: ChangeCase, _ found: [LogEntry], _ world: Millwarden) {
        let findings = report.findings
        #expect(findings.count == found.count, "\(report.pretty)")
        for entry in found {
            let same = findings.first { $0.path == entry.path }
            #expect(same?.change == entry.change, "\(report.pretty)")
            #expect(same?.rule == entry.rule, "\(report.pretty)")
            #expect(same?.verdict == "unauthorized", "\(report.pretty)")
            #expect(same?.after?["digest"] == entry.after?["digest"], "\(report.pretty)")
            #expect(same?.from == entry.from, "\(report.pretty)")
        }
    }

    private func isResolved(_ entry: LogEntry, _ daemon: Daemon) throws {
        let resolution = try daemon.entry("the undoing of row \(entry.seq)") {
            $0.event == "resolved" && $0.resolves == entry.seq
        }
        #expect(resolution.path == entry.path)
        #expect(resolution.rule == entry.rule)
        #expect(resolution.change == entry.change)
    }

    /// What was undone goes on setting bit 4 until each row was acknowledged.
    private func isListedUntilAcknowledged(_ found: [LogEntry], _ world: Millwarden) throws {
        for entry in found {
            let report = try world.document(4, "check")
            let listed = report.findings.filter { $0.verdict == "unauthorized" }
            #expect(listed.contains { $0.path == entry.path }, "\(report.pretty)")
            #expect(listed.allSatisfy { $0.json["resolved"]?.text != nil }, "\(report.pretty)")
            try world.expect(0, "baseline", "accept", "--seq", "\(entry.seq)", "--reason", "looked at it")
        }
        let report = try world.document(0, "check")
        #expect(report.findings.allSatisfy { $0.verdict != "unauthorized" }, "\(report.pretty)")
    }
}

/// The root of a rule is a name as well: what stands under it later is compared with what was approved.
@Suite struct RootTests {
    @Test(arguments: [false, true])
    func anImpostorOfTheWatchedRootIsSeen(atOnce: Bool) throws {
        let world = try Millwarden()
        let impostor = world.outside.appending("tools")
        try impostor.makeDirectory()
        try impostor.appending("cc").write(Array("an impostor\n".utf8), mode: 0o755)
        try world.createBaseline()
        let daemon = try world.watch()

        if atOnce {
            try world.tools.exchange(with: impostor)
        } else {
            try world.tools.rename(to: world.outside.appending("old"))
            try daemon.change("removed", on: world.compiler)
            try impostor.rename(to: world.tools)
        }
        let entry = try daemon.change("content", on: world.compiler)
        #expect(entry.after?["digest"]?.text == digestText(of: Array("an impostor\n".utf8)))
        #expect(entry.before?["digest"]?.text == digestText(of: Millwarden.compilerText))
        try daemon.change("removed", on: world.linker)

        // The watches followed the name, not the directory that left.
        try world.compiler.append(Array("grown\n".utf8))
        let grown = digestText(of: Array("an impostor\ngrown\n".utf8))
        try daemon.entry("what happens inside the impostor") {
            $0.path == world.compiler && $0.after?["digest"]?.text == grown
        }
        let left = world.outside.appending(atOnce ? "tools" : "old")
        try left.appending("cc").append(Array("nobody's business\n".utf8))
        try world.mark(daemon)
        try daemon.terminate()
        #expect(
            !daemon.entries.contains { $0.path?.isWithin(world.outside) ?? false },
            "\(daemon.entries.listing)"
        )
        #expect(try world.document(6, "check").findings.contains { $0.path == world.compiler })
        try world.verifyHistory()
    }

    @Test func anAncestorRenamedAwayAndBackIsSeen() throws {
        let world = try Millwarden()
        let parent = world.path.appending("parent")
        try parent.makeDirectory()
        try world.tools.rename(to: parent.appending("tools"))
        let compiler = parent.appending("tools").appending("cc")
        try world.home.write(
            "rules.yaml",
            """
            pack: nested
            title: A root below another directory
            rules:
              - id: nested.tools
                title: Tools
                reason: Everything passes through them.
                severity: high
                profile: executable
                watch: ['\(world.glob(parent.appending("tools")))/**']
            \(world.marksRule)

            """
        )
        try world.createBaseline()
        let daemon = try world.watch()
        try parent.rename(to: world.path.appending("elsewhere"))
        let gone = try daemon.change("removed", on: compiler)
        try world.path.appending("elsewhere").rename(to: parent)
        try daemon.entry("that it came back") { $0.event == "resolved" && $0.resolves == gone.seq }
        try compiler.append(Array("x\n".utf8))
        try daemon.change("content", on: compiler, after: gone.seq)
        try daemon.terminate()
        try world.verifyHistory()
    }
}
