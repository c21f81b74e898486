import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// The commands' exit statuses and sentences, where nothing runs beside them.
@Suite struct CommandTests {
    @Test func createVerifyShowAndCheck() throws {
        let world = try Millwarden()
        let created = try world.document(0, "baseline", "create")
        // tools cc ld as alias lib a.so b.so, settings app.conf, marks
        #expect(created["baseline"]?.object?["entries"]?.integer == 11, "\(created.pretty)")
        #expect(created["baseline"]?.object?["generation"]?.integer == 1, "\(created.pretty)")
        try world.expect(0, "baseline", "verify")
        let verified = try world.document(0, "baseline", "verify")
        #expect(verified["ok"] == .bool(true), "\(verified.pretty)")

        let shown = try world.document(0, "baseline", "show", world.text(world.compiler))
        #expect(shown.bytes("path") == world.compiler.bytes, "\(shown.pretty)")
        #expect(shown.pretty.contains(digestText(of: Millwarden.compilerText)), "\(shown.pretty)")
        let everything = try world.expect(0, "baseline", "show", "--format", "jsonl")
        #expect(try LogEntry.parse(lines: everything.output).count == 11)
        let missing = try world.expect(66, "baseline", "show", world.text(world.outside))
        missing.expectOneSentence(naming: "outside", "not in the baseline")

        let report = try world.document(0, "check")
        #expect(report["schema"] == .string("millwarden.check/1"))
        #expect(report["mode"] == .string("full"))
        #expect(report.count("examined") == 11, "\(report.pretty)")
        #expect(report.count("unchanged") == 11, "\(report.pretty)")
        #expect(report["findings"] == .array([]), "\(report.pretty)")
        #expect(try world.document(0, "check", "--quick")["mode"] == .string("quick"))
        try world.verifyHistory()
        #expect(try world.history("--event", "check").count == 2)
    }

    @Test func aSecondCreateIsRefused() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let first = try world.document(0, "baseline", "verify")
        try world.compiler.append([1])
        try world.expect(73, "baseline", "create").expectOneSentence(naming: "--force")
        #expect(try world.document(0, "baseline", "verify") == first)
        let forced = try world.document(0, "baseline", "create", "--force")
        #expect(forced["baseline"]?.object?["generation"]?.integer == 2, "\(forced.pretty)")
        try world.expect(0, "check")
    }

    @Test func theStateDirectoryIsForItsOwnerOnly() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let tree = KernelTree()
        let parent = try tree.openDirectory(world.path)
        #expect(try tree.status(of: Array("state".utf8)[...], in: parent).mode == 0o700)
        var listing = DirectoryListing()
        let state = try tree.openDirectory(world.state)
        try tree.list(state, into: &listing)
        for entry in listing.entries {
            let status = try tree.status(of: listing.name(of: entry), in: state)
            #expect(
                status.mode & 0o077 == 0 || status.type != .file,
                "\(RawPath(bytes: Array(listing.name(of: entry))))"
            )
        }
    }

    @Test(arguments: [
        ["check", "--format", "jsonl"], ["baseline", "create", "--format", "jsonl"],
        ["status", "--format", "jsonl"],
        ["watch", "--format", "json"], ["history", "list", "--format", "json"],
        ["rules", "list", "--format", "jsonl"],
        ["check", "--format", "xml"], ["check", "--no-such-option"], ["chekc"], ["check", "unexpected"],
        ["check", "--fail-on", "terrible"], ["check", "--rule", "no.such.rule"], ["check", "--path", "[z-"],
        ["check", "--jobs", "0"], ["baseline", "accept", "--reason", "nothing chosen"],
        ["baseline", "accept", "--all"], ["baseline", "accept", "--all", "--reason", " "],
        ["history", "show", "first"], ["history", "list", "--since", "soon"],
        ["history", "list", "--event", "party"],
    ])
    func aWrongCommandLineIsAUsageError(arguments: [String]) throws {
        let world = try Millwarden()
        try world.createBaseline()
        let rows = try world.history().count
        let result = try world.run(arguments)
        #expect(result.status == .exited(64), "\(result)")
        #expect(result.output.isEmpty, "\(result)")
        #expect(!result.errors.isEmpty, "\(result)")
        #expect(try world.history().count == rows)
    }

    @Test(arguments: [
        ("pack: p\ntitle: t\nrules:\n  - id: p.a\n    tytle: x\n", 5, 5, "tytle"),
        (
            "pack: p\ntitle: t\nrules:\n  - id: p.a\n    title: x\n    reason: r\n    severity: high\n"
                + "    profile: executable\n    watch: []\n", 9, 12, "watch"
        ),
        (
            "pack: p\ntitle: t\nrules:\n  - id: p.a\n    title: x\n    reason: r\n    severity: loud\n"
                + "    profile: executable\n    watch: [/x]\n", 7, 15, "loud"
        ),
        ("pack: p\ntitle: t\nrules: [\n", 4, 1, ""),
    ])
    func aBadRuleIsNamedWithItsPlace(pack: String, line: Int, column: Int, word: String) throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.home.write("rules.yaml", pack)
        for command in [
            ["baseline", "create", "--force"], ["check"], ["watch"], ["rules", "list"], ["rules", "lint"],
        ] {
            let result = try world.run(command)
            #expect(result.status == .exited(78), "\(command): \(result)")
            #expect(result.errorText.contains("rules.yaml:\(line):\(column):"), "\(command): \(result)")
            #expect(result.errorText.contains(word), "\(command): \(result)")
        }
        try world.expect(0, "baseline", "verify")
    }

    @Test func anEmptyScopeIsAConfigurationError() throws {
        let world = try Millwarden()
        try world.home.write(
            "rules.yaml",
            """
            pack: void
            title: Nothing
            rules:
              - id: void.rule
                title: Nothing
                reason: It is not there.
                severity: low
                profile: content
                watch: ['\(world.glob(world.path.appending("nowhere")))/**']

            """
        )
        try world.expect(78, "baseline", "create").expectOneSentence()
        try world.expect(16, "check")
    }

    @Test func anUnknownConfigurationKeyIsNamed() throws {
        let world = try Millwarden()
        let file = try world.home.write("config.yaml", "sweep: {every: 24h, rat: 50MiB}\n")
        let result = try world.run("baseline", "create", "--config", world.text(file))
        #expect(result.status == .exited(78), "\(result)")
        result.expectOneSentence(naming: "config.yaml:1:", "rat")
    }

    @Test(arguments: [["check"], ["watch"], ["baseline", "verify"], ["baseline", "show"]])
    func withoutABaselineThereIsNoTrustAnchor(command: [String]) throws {
        let world = try Millwarden()
        let result = try world.run(command)
        #expect(result.status == .exited(command == ["baseline", "verify"] ? 1 : 16), "\(result)")
        result.expectOneSentence(naming: "baseline create")
    }

    @Test func aBaselineThatShouldNotBeTrustedIsNone() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let other = try Millwarden()
        try other.createBaseline()
        // Signed, whole, and by a stranger.
        try world.baselineFile.write(try other.baselineFile.contents())
        try world.expect(16, "check").expectOneSentence()
        try world.expect(16, "watch").expectOneSentence()
        try world.expect(1, "baseline", "verify").expectOneSentence()
    }

    @Test func anOldBaselineOfTheSameHostIsRolledBack() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let old = try world.baselineFile.contents()
        try world.compiler.append([1])
        try world.expect(0, "baseline", "create", "--force")
        try world.baselineFile.write(old)
        try world.expect(16, "check").expectOneSentence()
        try world.expect(16, "watch").expectOneSentence()
    }

    @Test func exitBitsAddUp() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.tools.appending("new").write([1])
        try world.tools.appending("as").delete()
        try world.configuration.append([2])
        let report = try world.document(7, "check")
        #expect(report.count("added") == 1, "\(report.pretty)")
        #expect(report.count("removed") == 1, "\(report.pretty)")
        #expect(report.count("changed") == 1, "\(report.pretty)")
        #expect(report.count("unauthorized") == 3, "\(report.pretty)")
        try world.expect(3, "check", "--fail-on", "high")
        try world.expect(3, "check", "--rule", "demo.tools")
        try world.expect(4, "check", "--rule", "demo.settings")
        try world.expect(4, "check", "--path", world.text(world.settings))
        try world.expect(1, "check", "--path", world.text(world.tools) + "/n*")
        try world.expect(7, "check", "--quick")
        // A state already observed gets no second row.
        #expect(try world.history("--event", "change").count == 3)
        let text = try world.expect(7, "check")
        for line in text.text.split(separator: "\n") {
            #expect(line.count <= 80 || line.contains("/"), "\(line)")
        }
    }

    /// A directory's watch does not hear of a second name outside of it; whoever compares the link count does.
    @Test func aSecondNameElsewhereIsFoundByTheCheck() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.compiler.link(to: world.outside.appending("cc"))
        let linked = try #require(try world.document(4, "check").findings.first)
        #expect(linked.path == world.compiler && linked.change == "metadata", "\(linked)")
        #expect(linked.attributes == ["links"], "\(linked)")
        // What is written through the other name is a finding on the name in scope.
        try world.outside.appending("cc").append([1])
        #expect(try world.document(4, "check").findings.map(\.change) == ["content"])
    }
}
