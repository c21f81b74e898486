import Host
import Integrity
import Ledger
import RulePacks
import TestSupport
import Testing

@testable import Warden

struct CheckTests {
    @Test func aCleanCheckSaysSoAndLeavesARow() throws {
        let station = try Station.programs()
        let report = try station.check()
        #expect(report.exit == 0)
        #expect(report.findings == [])
        #expect(report.summary.examined == 6)
        #expect(report.mode == "full")
        guard case .check(let event)? = try station.history.lastEntry(["check"])?.event else {
            Issue.record("no row tells of the check")
            return
        }
        #expect(event.exit == 0)
        #expect(event.summary == report.summary)
    }

    @Test func aFindingIsRecordedOnceAndShownUntilItIsAccepted() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/cc", "evil") }
        for _ in 0..<3 {
            let report = try station.check()
            #expect(report.told == ["content /t/bin/cc"])
            #expect(report.exit == 4)
        }
        #expect(try station.told() == ["content /t/bin/cc"])
        try station.accept(.everything)
        #expect(try station.check().exit == 0)
        #expect(try station.told() == ["content /t/bin/cc"])
    }

    @Test func whatIsUndoneIsResolvedAndShownUntilItIsAcknowledged() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/new", "x") }
        #expect(try station.check().exit == 1)
        station.tree.change { $0.remove("/t/bin/new") }
        let report = try station.check()
        #expect(report.told == ["added /t/bin/new"])
        #expect(report.findings.map { $0.resolved != nil } == [true])
        #expect(report.exit == 4, "what is no longer visible on disk sets bit 4")
        #expect(try station.told() == ["added /t/bin/new", "resolved /t/bin/new"])
        var selection = AcceptSelection()
        selection.seqs = try Set(station.history.allStanding().map(\.seq))
        try station.accept(selection)
        #expect(try station.check().exit == 0)
    }

    @Test func checkShowsTheNewestState() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/cc", "evil") }
        _ = try station.check()
        station.tree.change { $0.write("/t/bin/cc", "worse") }
        let report = try station.check()
        #expect(report.findings.count == 1)
        #expect(report.findings.first?.after?.size == 5)
        #expect(try station.told() == ["content /t/bin/cc", "content /t/bin/cc"])
    }

    @Test func withoutAStateDirectoryTheResultStands() throws {
        let station = try Station.programs()
        let rows = try station.history.newestSeq()
        station.tree.change { $0.write("/t/bin/cc", "evil") }
        #expect(try station.check(canRecord: false).exit == 4)
        #expect(try station.history.newestSeq() == rows)
    }

    /// A `removed` that is found under another name later is not undone.
    @Test func halfOfAMoveIsNotResolved() throws {
        let station = try Station.programs()
        var restricted = CheckOptions()
        restricted.survey.paths = try [Glob("/t/bin/cc")]
        station.tree.change { $0.rename("/t/bin/cc", to: "/t/bin/zz") }
        #expect(try station.check(restricted).told == ["removed /t/bin/cc"])
        #expect(try station.check().told == ["moved /t/bin/zz"])
        #expect(!(try station.told().contains("resolved /t/bin/cc")))
    }

    @Test(arguments: [Errno.io, .access])
    func whatCannotBeSeenIsNotResolved(error: Errno) throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/lib/implant", "x") }
        #expect(try station.check().exit == 1)
        station.tree.change { $0.refuse("/t/bin/lib", with: error) }
        let report = try station.check()
        #expect(report.exit & 8 == 8)
        #expect(try station.told() == ["added /t/bin/lib/implant"])
        station.tree.change { $0.refuse("/t/bin/lib", with: nil) }
        #expect(try station.check().exit == 1)
        #expect(try station.told() == ["added /t/bin/lib/implant"])
    }

    @Test func aRestrictedCheckLeavesTheRestAlone() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/t/bin/cc", "evil")
            world.write("/t/bin/ld", "evil")
        }
        #expect(try station.check().exit == 4)
        var options = CheckOptions()
        options.survey.paths = try [Glob("/t/bin/ld")]
        station.tree.change { world in
            world.write("/t/bin/lib/one.so", "evil")
        }
        let report = try station.check(options)
        #expect(report.told == ["content /t/bin/ld"])
        #expect(try station.told() == ["content /t/bin/cc", "content /t/bin/ld"])
    }

    @Test func scopeGapsOpenAndClose() throws {
        var station = try Station.programs()
        let original = station.rules
        station.rules = try ruleSet([ruleText("t.program", watch: ["/t/bin/*"])], tree: station.tree)
        let report = try station.check()
        #expect(report.gaps.map(\.reason) == [.scope])
        #expect(report.exit == 8)
        #expect(try station.check().gaps.map(\.id) == report.gaps.map(\.id), "one gap, however often it is seen")
        station.rules = original
        #expect(try station.check().exit == 0)
        #expect(try station.history.openGaps() == [])
    }

    @Test func anOpenGapCountsWhereItIntersects() throws {
        let station = try Station.programs()
        try station.history.write { (transaction) throws(HistoryError) in
            _ = try transaction.openGap(.unreadable, scope: ["/t/bin/lib"], at: noon)
        }
        #expect(try station.check().exit == 8)
        var options = CheckOptions()
        options.survey.paths = try [Glob("/t/bin/lib/one.so")]
        #expect(try station.check(options).exit == 8)
        options.survey.paths = try [Glob("/t/bin/cc")]
        #expect(try station.check(options).exit == 0)
    }

    @Test func damageOfTheBaselineEndsTheCheck() throws {
        let station = try Station([Station.program]) { world in
            for number in 0..<2_000 { world.write(RawPath("/t/bin/\(number)"), "x") }
        }
        try station.create()
        var bytes = try station.store.path.contents()
        bytes[bytes.count / 3] ^= 0xFF
        try station.store.path.write(bytes)
        for jobs in [0, 2] {
            var options = Station.plain
            options.jobs = jobs
            #expect(throws: BaselineError.self) { _ = try station.survey(options) }
        }
    }
}

struct ExitBitsTests {
    private func report(_ findings: [Finding] = [], _ change: (inout CheckReport) -> Void = { _ in }) -> CheckReport {
        let summary = BaselineSummary(
            generation: 1,
            created: noon,
            entries: 1,
            root: Digest(words: (1, 2, 3, 4)),
            signedBy: ""
        )
        var report = CheckReport(
            host: HostIdentity(name: "", machineID: "", bootID: ""),
            started: noon,
            finished: noon,
            mode: "full",
            baseline: summary
        )
        report.findings = findings
        change(&report)
        return report
    }

    private func finding(_ change: ChangeKind, _ verdict: Verdict = .unauthorized, _ severity: Severity = .high)
        -> Finding
    {
        Finding(path: "/t/x", change: change, rule: "t.rule", severity: severity, verdict: verdict)
    }

    @Test(arguments: [
        (ChangeKind.shadowed, 4), (.added, 1), (.removed, 2), (.moved, 3), (.type, 4), (.content, 4),
        (.metadata, 4), (.replaced, 4), (.transient, 4),
    ])
    func theBitOfEachKind(change: ChangeKind, bits: Int) {
        #expect(exitBits(report([finding(change)]), CheckOptions()) == bits)
        #expect(exitBits(report([finding(change, .authorized)]), CheckOptions()) == 0)
        #expect(exitBits(report([finding(change, .expected)]), CheckOptions()) == 0)
        var undone = finding(change)
        undone.resolved = noon
        #expect(exitBits(report([undone]), CheckOptions()) == 4)
        var options = CheckOptions()
        options.failOn = .critical
        #expect(exitBits(report([finding(change)]), options) == 0)
    }

    @Test func touchedCountsOnlyWhenStrict() {
        var options = CheckOptions()
        let touched = report([finding(.touched, .expected, .low)])
        #expect(exitBits(touched, options) == 0)
        options.isStrict = true
        #expect(exitBits(touched, options) == 4)
    }

    @Test func bitsAddUp() {
        let findings = [finding(.added), finding(.removed), finding(.content)]
        #expect(exitBits(report(findings) { $0.summary.openGaps = 1 }, CheckOptions()) == 15)
    }

    @Test func coverage() {
        let error = ExaminationError("/t/x", Failure(.open, 13))
        #expect(exitBits(report { $0.errors = [error] }, CheckOptions()) == 8)
        #expect(exitBits(report { $0.summary.openGaps = 1 }, CheckOptions()) == 8)
        #expect(exitBits(report { $0.summary.unbaselined = 1 }, CheckOptions()) == 8)
        let unexamined = report { $0.summary.unexamined = 1 }
        #expect(exitBits(unexamined, CheckOptions()) == 0)
        var strict = CheckOptions()
        strict.isStrict = true
        #expect(exitBits(unexamined, strict) == 8)
    }
}
