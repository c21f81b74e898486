import ArgumentParser
import Host
import Integrity
import Ledger
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
        let session = try Session(global)
        let service = ControlClient.status(stateDirectory: session.stateDirectory)
        var drift: [Standing] = []
        var gaps: [Gap] = []
        var trouble: String?
        if PathStatus.isThere(session.stateDirectory.appending(History.fileName)) {
            do {
                let history = try session.openHistoryForReading()
                drift = try history.allStanding().filter { $0.verdict == .unauthorized }
                gaps = try history.openGaps()
            } catch {
                trouble = CommandFailure(classifying: error).description
            }
        }
        if global.format == .json {
            say(json(service, drift, gaps, trouble).pretty)
        } else {
            say(text(session, service, drift, gaps, trouble), terminator: "")
        }
        if service == nil { throw CommandFailure(ExitStatus.notRunning) }
    }

    private func json(_ service: JSON?, _ drift: [Standing], _ gaps: [Gap], _ trouble: String?) -> JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.status/1"))
        object.append("running", .bool(service != nil))
        object.append("service", service ?? .null)
        object.append("differing", .int(Int64(drift.count(where: \.isCurrent))))
        object.append("unacknowledged", .int(Int64(drift.count { !$0.isCurrent })))
        object.append("gaps", .array(gaps.map(\.json)))
        object.append("trouble", .optional(trouble))
        return .object(object)
    }

    private func text(
        _ session: Session,
        _ service: JSON?,
        _ drift: [Standing],
        _ gaps: [Gap],
        _ trouble: String?
    ) -> String {
        var text = ""
        if let service = service?.object {
            let since = service["ready_since"]?.text ?? "starting"
            text += "running, pid \(service["pid"]?.integer ?? 0), ready since \(since)\n"
            text +=
                "  baseline   generation \(service["generation"]?.integer ?? 0), "
                + "\(service["paths"]?.integer ?? 0) paths\n"
            text +=
                "  watching   \(service["directories_watched"]?.integer ?? 0) directories, "
                + "\(service["rules"]?.integer ?? 0) rules\n"
            text +=
                "  packs      \((service["packs"]?.elements ?? []).compactMap(\.text).joined(separator: ", "))\n"
            text += "  pending    \(service["pending"]?.integer ?? 0)\n"
            if let trouble = service["trouble"]?.text { text += "  trouble    \(trouble)\n" }
        } else {
            text += "not running on \(session.stateDirectory); start it with `millwarden watch`\n"
        }
        let current = drift.filter(\.isCurrent)
        text += "  differing  \(current.count) paths"
        text += current.isEmpty ? "\n" : "; see `millwarden check`\n"
        let past = drift.count { !$0.isCurrent }
        if past > 0 { text += "  undone     \(past) changes not acknowledged; see `millwarden check`\n" }
        for gap in gaps { text += "  gap \(gap.id)  \(gap.reason.rawValue) since \(gap.opened)\n" }
        if let trouble { text += "  history    \(trouble)\n" }
        return text
    }
}
