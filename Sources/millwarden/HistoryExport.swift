import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting

struct HistoryExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes rows for another system: ECS, OCSF or CEF.",
        discussion: """
            One line an event, oldest first. --format has no default here: ecs is the Elastic Common Schema 8.17, ocsf \
            the Open Cybersecurity Schema Framework 1.5, cef the Common Event Format. Our own form is \
            `millwarden history list --format jsonl`.
            """
    )
    @OptionGroup var global: GlobalOptions
    @OptionGroup var selection: HistorySelection

    func run() throws {
        guard [.ecs, .ocsf, .cef].contains(global.format) else {
            throw CommandFailure(
                ExitStatus.usage,
                "history export needs --format ecs, ocsf or cef; for our own form use `millwarden history list`"
            )
        }
        let history = try Session(global).openHistoryForReading()
        let source = ExportSource(host: SystemClock.host(), version: Millwarden.version)
        try selection.forEach(history) { entry in
            switch global.format {
            case .ecs: say(ecsDocument(for: entry, from: source).compact)
            case .ocsf: say(ocsfEvent(for: entry, from: source).compact)
            default: say(cefLine(for: entry, from: source))
            }
        }
    }
}
