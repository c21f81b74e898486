import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Which paths are compared is part of what was approved: rules that were edited are a gap until somebody approves them.
@Suite struct ScopeTests {
    private let world: Millwarden
    private var site: RawPath { world.path.appending("rules.d") }
    private var extra: RawPath { world.path.appending("extra") }

    init() throws {
        world = try Millwarden()
        try world.home.makeDirectory("rules.d")
        try world.home.makeDirectory("extra")
        try world.home.write("extra/one", "1")
        try world.home.write("extra/two", "2")
        world.furtherRules = [site]
        try world.createBaseline()
    }

    /// A site's pack over `extra/`, which holds three paths, the directory among them.
    private func addPack() throws {
        try site.appending("extra.yaml").write(
            Array(pack("extra", "watch: ['\(world.glob(extra))/**']").utf8)
        )
    }

    private func pack(_ name: String, _ selection: String, profile: String = "executable") -> String {
        """
        pack: \(name)
        title: What a site adds
        rules:
          - id: \(name).one
            title: One
            reason: The site says so.
            severity: high
            profile: \(profile)
            \(selection)

        """
    }

    /// Takes `tools/lib` out of what the tools' rule selects.
    private func hideLibraries() throws {
        let text = jsonText(try world.rules.contents()).text
        let edited = text.replacing(
            "absent: [",
            with: "except: ['\(world.glob(world.tools))/lib']\n    absent: ["
        )
        try #require(text != edited)
        try world.rules.write(Array(edited.utf8))
    }

    private func openScopeGap(_ report: JSONObject) throws -> JSONObject {
        let gaps = (report["gaps"]?.elements ?? []).compactMap(\.object)
        return try #require(gaps.first { $0["reason"]?.text == "scope" }, "\(report.pretty)")
    }

    // MARK: check and accept

    @Test func aPackThatIsAddedIsOneCountAndNoFlood() throws {
        try addPack()
        try world.compiler.append([1])
        let report = try world.document(12, "check")
        #expect(report.count("unbaselined") == 3 && report.count("open_gaps") == 1, "\(report.pretty)")
        #expect(report.findings.map(\.path) == [world.compiler], "\(report.pretty)")
        let detail = try openScopeGap(report)["detail"]?.text ?? ""
        #expect(detail.contains("1 new rule") && detail.contains("came into scope: 3"), "\(detail)")
        #expect(detail.contains("millwarden baseline accept --scope --reason"), "\(detail)")

        let before = try world.baselineFile.contents()
        let rows = try world.history()
        let dry = try world.document(0, "baseline", "accept", "--scope", "--dry-run", "--reason", "site pack")
        let incoming = dry["scope"]?.object?["incoming"]?.elements?.first?.object
        #expect(incoming?["rule"]?.text == "extra.one" && incoming?["count"]?.integer == 3, "\(dry.pretty)")
        #expect(try world.baselineFile.contents() == before)
        #expect(try world.history() == rows)
        let page = try world.expect(0, "baseline", "accept", "--scope", "--dry-run", "--reason", "site pack")
            .text
        #expect(page.contains("WOULD COME IN (3)"), "\(page)")

        try world.expect(0, "baseline", "accept", "--scope", "--reason", "site pack")
        let row = try #require(try world.history("--event", "baseline").last)
        #expect(row.json["action"]?.text == "accepted" && row.json["reason"]?.text == "site pack", "\(row)")
        #expect(row.json["scope"]?.object?["incoming"]?.integer == 3, "\(row)")
        // Approving what is compared approves no change.
        let later = try world.document(4, "check")
        #expect(later.findings.map(\.path) == [world.compiler], "\(later.pretty)")
        #expect(later.count("unbaselined") == 0 && later.count("open_gaps") == 0, "\(later.pretty)")
        try extra.appending("one").append([1])
        try extra.appending("three").write([3])
        try world.document(5, "check")
        try world.expect(0, "baseline", "verify")
        try world.verifyHistory()
    }

    @Test func whoeverHidesAnAddedFileIsCountedAndNamed() throws {
        let implant = world.tools.appending("lib/implant.so")
        try implant.write([1])
        try hideLibraries()
        let report = try world.document(8, "check")
        let detail = try openScopeGap(report)["detail"]?.text ?? ""
        #expect(detail.contains("1 changed rule") && detail.contains("fell out: 4"), "\(detail)")
        #expect(detail.contains("1 of them without a record"), "\(detail)")
        let dry = try world.document(0, "baseline", "accept", "--scope", "--dry-run", "--reason", "x")
        let hidden = dry["scope"]?.object?["hidden"]?.elements?.first?.object
        #expect(hidden?["first"]?.elements?.compactMap(\.text) == [world.text(implant)], "\(dry.pretty)")
        #expect(
            dry["scope"]?.object?["outgoing"]?.elements?.first?.object?["count"]?.integer == 3,
            "\(dry.pretty)"
        )
        // One more is another gap: the count that was reported would be wrong.
        try world.tools.appending("lib/second.so").write([1])
        let second = try openScopeGap(try world.document(8, "check"))["detail"]?.text ?? ""
        #expect(second.contains("2 of them without a record"), "\(second)")
        // With the rules back, both are what they are.
        let text = jsonText(try world.rules.contents()).text
        let back = text.replacing("except: ['\(world.glob(world.tools))/lib']\n    ", with: "")
        try world.rules.write(Array(back.utf8))
        let restored = try world.document(1, "check")
        #expect(restored.findings.map(\.change) == ["added", "added"], "\(restored.pretty)")
        #expect(restored.count("open_gaps") == 0, "\(restored.pretty)")
    }

    /// Nobody ran a whole check since: the part that is checked has to know all the same.
    @Test func aCheckOfAPartKnowsThatItsRulesWereEdited() throws {
        try hideLibraries()
        let report = try world.document(8, "check", "--path", world.text(world.tools))
        _ = try openScopeGap(report)
        try world.expect(0, "check", "--path", world.text(world.settings))
    }

    @Test func aPackThatIsHiddenFallsOutOfScope() throws {
        try site.appending("rules.yaml").makeLink(to: "/dev/null")
        try addPack()
        let report = try world.document(8, "check")
        let detail = try openScopeGap(report)["detail"]?.text ?? ""
        #expect(detail.contains("3 rules fewer") && detail.contains("1 new rule"), "\(detail)")
        let accepted = try world.document(
            0,
            "baseline",
            "accept",
            "--scope",
            "--reason",
            "another machine now"
        )
        let groups = accepted["scope"]?.object?["outgoing"]?.elements?.compactMap { $0.object?["rule"]?.text }
        #expect(groups == ["demo.marks", "demo.settings", "demo.tools"], "\(accepted.pretty)")
        try world.expect(0, "check")
        try world.expect(66, "baseline", "show", world.text(world.compiler))
    }

    @Test func anApprovedScopeNeedsNoOther() throws {
        let report = try world.document(0, "baseline", "accept", "--scope", "--reason", "nothing")
        #expect(report["baseline"] == .null, "\(report.pretty)")
        for other in [["--all"], ["--path", "/x"], ["--rule", "demo.tools"], ["--seq", "1"]] {
            let refused = try world.run(["baseline", "accept", "--scope", "--reason", "x"] + other)
            #expect(refused.code == 64, "\(refused)")
        }
    }

    // MARK: the service

    @Test func theServiceCountsWhatIsNewAtItsStart() throws {
        try world.watch().terminate()
        try addPack()
        let daemon = try world.watch()
        let rows = try world.history("--event", "gap").filter { $0.gapReason == "scope" }
        #expect(rows.count == 1 && rows.first?.gapIsClosed == false, "\(rows.listing)")
        try extra.appending("one").append([1])
        try world.mark(daemon)
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        try daemon.terminate()
    }

    @Test func aReloadCountsWhatIsNewAndAnApprovalIsTakenOver() throws {
        let daemon = try world.watch()
        try addPack()
        daemon.send(SIGHUP)
        let said = try daemon.waitUntilReadyAgain()
        let reloading = try #require(said.first { $0.contains("RELOADING=1") }, "\(said)")
        #expect(reloading.contains("MONOTONIC_USEC="), "\(said)")
        let gap = try daemon.entry("the gap") { $0.gapReason == "scope" && !$0.gapIsClosed }
        #expect(gap.json["detail"]?.text?.contains("came into scope: 3") == true, "\(gap)")
        try daemon.entry("the reload") { $0.event == "reload" }
        // What nobody approved has no record to differ from; what was in scope is told of as ever.
        try extra.appending("one").append([1])
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)
        try world.expect(0, "baseline", "accept", "--scope", "--reason", "site pack")
        try daemon.entry("that the gap is closed") { $0.gapReason == "scope" && $0.gapIsClosed }
        try world.mark(daemon)
        #expect(daemon.entries.changes(on: extra.appending("one")).isEmpty, "\(daemon.entries.listing)")
        try extra.appending("two").append([1])
        try daemon.change("content", on: extra.appending("two"))
        try extra.appending("three").write([3])
        try daemon.change("added", on: extra.appending("three"))
        try daemon.terminate()
        try world.document(5, "check")
        try world.verifyHistory()
    }

    @Test func rulesThatCannotBeReadLeaveThoseInForce() throws {
        let daemon = try world.watch()
        let broken = site.appending("broken.yaml")
        try broken.write(Array("pack: broken\ntitle: T\nrulse: []\n".utf8))
        daemon.send(SIGHUP)
        _ = try daemon.waitUntilReadyAgain()
        let place = "\(world.text(broken)):3:1"
        let entry = try daemon.entry("the trouble") { $0.event == "self" }
        #expect(entry.json["message"]?.text?.contains(place) == true, "\(entry)")
        let status = try world.document(0, "status")
        #expect(status.pretty.contains(place), "\(status.pretty)")
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)

        try broken.delete()
        daemon.send(SIGHUP)
        _ = try daemon.waitUntilReadyAgain()
        let healed = try world.document(0, "status")
        #expect(!healed.pretty.contains(place), "\(healed.pretty)")
        try daemon.terminate()
    }

    /// Changes before, between and behind signals that come as fast as they can: each is told of, once.
    @Test func nothingIsLostWhileItReloads() throws {
        let daemon = try world.watch()
        try addPack()
        let files = (0..<60).map { world.tools.appending("new-\($0)") }
        for (number, file) in files.enumerated() {
            if number % 10 == 5 { daemon.send(SIGHUP) }
            // Complete when it appears: a survey that meets a file half written tells of that state as well.
            let staged = world.outside.appending(file.name)
            try staged.write([UInt8(number)])
            try staged.rename(to: file)
        }
        for file in files { try daemon.change("added", on: file) }
        try world.mark(daemon)
        try daemon.terminate()
        for file in files {
            #expect(daemon.entries.changes(on: file).count == 1, "\(daemon.entries.listing)")
        }
        #expect(!daemon.entries.contains { $0.gapReason == "queue-overflow" }, "\(daemon.entries.listing)")
    }

    @Test func whereAnApprovedLinkLeadsIsWatchedAtOnce() throws {
        let daemon = try world.watch()
        let target = world.outside.appending("cc-13")
        try target.write([1], mode: 0o755)
        let link = world.tools.appending("gcc")
        try link.makeLink(to: target)
        try daemon.change("added", on: link)
        try world.expect(0, "baseline", "accept", "--all", "--reason", "gcc 13")
        // The baseline's event is ahead of the mark's.
        try world.mark(daemon)
        try target.append([2])
        let entry = try daemon.change("content", on: target)
        #expect(entry.rule == "demo.tools", "\(entry)")
        try daemon.terminate()
        try world.document(4, "check")
    }

    // MARK: a site's rules

    @Test func aSiteRuleBeatsAShippedOneWhateverItsSeverity() throws {
        try site.appending("calm.yaml").write(
            Array(pack("calm", "watch: ['\(world.glob(world.linker))']", profile: "content").utf8)
        )
        let explained = try world.document(0, "rules", "explain", world.text(world.linker))
        #expect(explained["rule"]?.object?["id"]?.text == "calm.one", "\(explained.pretty)")
        let loser = explained["others"]?.elements?.first?.object
        #expect(loser?["rule"]?.text == "demo.tools" && loser?["because"]?.text != nil, "\(explained.pretty)")
        try world.expect(0, "baseline", "accept", "--scope", "--reason", "linker is wrapped here")
        // Its mode counts no more, its bytes do.
        try world.linker.setMode(0o700)
        try world.expect(0, "check")
        try world.linker.append([1])
        let report = try world.document(4, "check")
        #expect(report.findings.map(\.rule) == ["calm.one"], "\(report.pretty)")
        #expect(report.findings.map(\.severity) == ["high"], "\(report.pretty)")
    }

    @Test func aSitesFileHidesTheShippedOneOfItsName() throws {
        try site.appending("rules.yaml").write(
            Array(pack("demo", "watch: ['\(world.glob(world.settings))/**']").utf8)
        )
        let listed = try world.document(0, "rules", "list")
        let ids = listed["rules"]?.elements?.compactMap { $0.object?["id"]?.text }
        #expect(ids == ["demo.one"], "\(listed.pretty)")
        let explained = try world.document(0, "rules", "explain", world.text(world.compiler))
        #expect(explained["in_scope"] == .bool(false), "\(explained.pretty)")
        let report = try world.document(8, "check")
        #expect(report.count("unbaselined") == 0, "\(report.pretty)")
        _ = try openScopeGap(report)
    }

    @Test func whatIsIgnoredIsOutOfScopeExplainedAndCounted() throws {
        try site.appending("quiet.yaml").write(
            Array(pack("quiet", "watch: ['\(world.glob(world.tools))/lib/**']", profile: "ignore").utf8)
        )
        let library = world.tools.appending("lib/a.so")
        let explained = try world.expect(0, "rules", "explain", world.text(library)).text
        #expect(explained.contains("is ignored") && explained.contains("quiet.one"), "\(explained)")
        let report = try world.document(8, "check")
        let detail = try openScopeGap(report)["detail"]?.text ?? ""
        #expect(detail.contains("fell out: 3"), "\(detail)")
        try world.expect(0, "baseline", "accept", "--scope", "--reason", "built anew every night")
        let daemon = try world.watch()
        try library.append([1])
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        try world.expect(0, "check")
        let status = try world.run("status", "--format", "json")
        #expect(status.text.contains("\"ignored_paths\": 3"), "\(status)")
    }
}
