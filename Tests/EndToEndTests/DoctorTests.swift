import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// `doctor` and `status` on this machine: whatever it is like, they say what is so.
@Suite struct DoctorTests {
    private func doctor(_ world: Millwarden, _ arguments: String...) throws -> JSONObject {
        let result = try world.run(["doctor", "--format", "json"] + arguments)
        #expect([0, 1, 2].contains(result.code), "\(result)")
        let report = try #require((try? JSON(parsing: result.output))?.object, "\(result)")
        #expect(report["exit"]?.integer == result.code.map(Int64.init), "\(result)")
        return report
    }

    private func level(_ report: JSONObject, _ id: String) -> String? {
        let findings = (report["findings"]?.elements ?? []).compactMap(\.object)
        return findings.filter { $0["id"]?.text == id }.compactMap { $0["level"]?.text }.max {
            DoctorTests.levels.firstIndex(of: $0) ?? 0 < DoctorTests.levels.firstIndex(of: $1) ?? 0
        }
    }

    private static let levels = ["ok", "note", "warning", "problem"]

    @Test func whatIsMissingIsAProblemUntilItIsMended() throws {
        let world = try Millwarden()
        let before = try doctor(world)
        #expect(level(before, "baseline") == "problem", "\(before.pretty)")
        #expect(before["exit"] == .int(2))
        #expect(!isThere(world.text(world.state)), "doctor makes nothing")
        try world.createBaseline()
        let daemon = try world.watch()
        let after = try doctor(world)
        #expect(level(after, "baseline") == "ok" && level(after, "service") == "ok", "\(after.pretty)")
        #expect(level(after, "rules-approved") == "ok", "\(after.pretty)")
        // The budget is what the service really watches, and its state directory.
        let status = try world.document(0, "status")
        let watched = try #require(status["service"]?.object?["directories_watched"]?.integer)
        #expect(after["watch_budget"]?.object?["needed"]?.integer == watched + 1, "\(after.pretty)")
        try daemon.terminate()
    }

    @Test func whoeverMayWriteIsNamed() throws {
        let world = try Millwarden()
        try world.createBaseline()
        #expect(level(try doctor(world), "permission-state") == nil)
        try world.state.setMode(0o777)
        let open = try doctor(world)
        #expect(level(open, "permission-state") == "problem" && open["exit"] == .int(2), "\(open.pretty)")
        try world.state.setMode(0o700)
        let key = world.state.appending("keys/baseline.key")
        try key.setMode(0o644)
        #expect(level(try doctor(world), "permission-keys") == "problem")
        try key.setMode(0o600)
        try world.rules.setMode(0o666)
        #expect(level(try doctor(world), "permission-rules") == "problem")
    }

    @Test func textFitsATerminalAndBeginsWithTheVerdict() throws {
        let world = try Millwarden()
        let result = try world.run("doctor", "--verbose")
        #expect(result.code == 2, "\(result)")
        #expect(result.text.hasPrefix("PROBLEM: "), "\(result)")
        #expect(result.text.contains("baseline create") && result.text.contains("OK  "), "\(result)")
        for line in result.text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        #expect(!(try world.run("doctor")).text.contains("\nOK  "))
    }

    @Test func brokenRulesAreAFindingAndABrokenConfigurationIsNot() throws {
        let world = try Millwarden()
        try world.home.write("rules.yaml", "pack: [")
        let report = try doctor(world)
        #expect(
            level(report, "rules-load") == "problem" && report["watch_budget"] == .null,
            "\(report.pretty)"
        )
        let file = try world.home.write("config.yaml", "sweep: {every: 24h, rat: 50MiB}\n")
        try world.expect(78, "doctor", "--config", world.text(file)).expectOneSentence(
            naming: "config.yaml:1:",
            "rat"
        )
        try world.expect(64, "doctor", "--format", "jsonl")
    }

    @Test func anOrdinaryUserIsToldWhatMorePrivilegeAdds() throws {
        let world = try Ordinary.world()
        try world.compiler.setMode(0)
        let report = try doctor(world)
        guard isRoot else { return }
        #expect(level(report, "privilege-user") == "note", "\(report.pretty)")
        #expect(level(report, "privilege-capabilities") == "note", "\(report.pretty)")
        #expect(level(report, "scope-unreadable") == "warning", "\(report.pretty)")
    }

    /// A limit of the user namespace's own (/proc/sys/user), never the host's: lower than what is to be watched.
    @Test func tooFewWatchesAreAProblem() throws {
        let limit = """
            grep -q 4294967295 /proc/self/uid_map && exit 99
            echo 3 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"
            """
        let launcher = ["unshare", "--user", "--map-root-user", "sh", "-c", limit]
        let tried = try TestSupport.run(launcher[0], Array(launcher.dropFirst()) + ["true"])
        guard tried.status == .exited(0) else {
            try Test.cancel("no user namespace here: \(tried.errorText)")
        }
        let world = try Millwarden(launcher: launcher)
        let report = try doctor(world)
        #expect(level(report, "watch-limit") == "problem", "\(report.pretty)")
        #expect(level(report, "privilege-user-namespace") == "warning", "\(report.pretty)")
        #expect(report["watch_budget"]?.object?["limit"] == .int(3), "\(report.pretty)")
        // Watching all the same is a gap that sends to doctor.
        try world.createBaseline()
        let daemon = try world.watch()
        let gap = try daemon.entry("a gap of the reason watch-limit") { $0.gapReason == "watch-limit" }
        #expect(gap.json["detail"]?.text?.contains("millwarden doctor") == true, "\(gap)")
        try daemon.terminate()
    }

    @Test(.enabled(if: isRoot, "only root may hide the journal's socket in a mount namespace of its own"))
    func anAbsentJournalIsAProblem() throws {
        let hide = "mount -t tmpfs none /run/systemd/journal 2>/dev/null || true; exec \"$0\" \"$@\""
        let world = try Millwarden(launcher: [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", hide,
        ])
        #expect(level(try doctor(world), "journal-socket") == "problem")
    }

    @Test func statusTellsWhatIsKnownWhenNothingRuns() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.expect(0, "check")
        try world.compiler.append([1])
        try world.expect(4, "check", "--quick")
        let idle = try world.document(3, "status")
        #expect(idle["baseline"]?.object?["generation"] == .int(1), "\(idle.pretty)")
        #expect(idle["last_full_check"]?.object?["exit"] == .int(0), "\(idle.pretty)")
        #expect(idle["last_quick_check"]?.object?["exit"] == .int(4), "\(idle.pretty)")
        #expect(idle["differing"] == .int(1) && idle["rules_changed"] == .bool(false), "\(idle.pretty)")
        let daemon = try world.watch()
        let busy = try world.document(0, "status")
        let service = try #require(busy["service"]?.object)
        #expect(service["queues"]?.object?["kernel_bytes"]?.integer != nil, "\(busy.pretty)")
        #expect(service["not_entered"] == .array([]) && service["unexamined"] == .int(0), "\(busy.pretty)")
        let rules = try world.rules.contents()
        try world.rules.write(rules + Array("# another\n".utf8))
        #expect(try world.document(0, "status")["rules_changed"] == .bool(true))
        for line in try world.expect(0, "status").text.split(separator: "\n") {
            #expect(line.count <= 80, "\(line)")
        }
        try daemon.terminate()
    }
}
