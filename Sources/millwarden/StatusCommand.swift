import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Whether the service runs, what it covers, and what differs.",
        discussion: "Exit status: 0 it runs, 3 it does not."
    )
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.require(.text, .json)
        let report = gather(try Session(global))
        if global.format == .json {
            say(report.json.pretty)
        } else {
            say(report.text(.terminal), terminator: "")
        }
        if !report.isRunning { throw CommandFailure(ExitStatus.notRunning) }
    }

    /// What cannot be found out is named in the report, and keeps nothing else from being told.
    private func gather(_ session: Session) -> StatusReport {
        var report = StatusReport(stateDirectory: session.stateDirectory, time: Session.clock())
        report.service = ControlClient.status(stateDirectory: session.stateDirectory)?.object
        let ledger = DoctorLedger.gather(store: session.store) { () throws(KeyError) in
            try session.trustedKeys()
        }
        report.baseline = ledger.baseline
        if let failure = ledger.historyFailure {
            report.trouble.append(failure)
        } else if PathStatus.isThere(session.stateDirectory.appending(History.fileName)) {
            do {
                report.history = try StatusHistory(session.openHistoryForReading())
            } catch {
                report.trouble.append(CommandFailure(classifying: error).description)
            }
        }
        do {
            let rules = try session.loadRules(baselinePacks: ledger.baseline.packs)
            let walk = ScopeWalk(tree: KernelTree(), rules: rules.set, jobs: processorCount())
            report.rules = StatusRules(
                digest: rules.set.digest,
                count: rules.set.rules.count,
                states: rules.states,
                ignored: walk.countIgnored()
            )
        } catch {
            report.trouble.append(CommandFailure(classifying: error).description)
        }
        return report
    }
}
