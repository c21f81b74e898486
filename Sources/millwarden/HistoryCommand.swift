import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "The record of every change, verdict, approval and gap.",
        subcommands: [HistoryList.self, HistoryShow.self, HistoryVerify.self, HistoryExport.self]
    )
}

struct HistoryList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists rows, oldest first."
    )
    @OptionGroup var global: GlobalOptions
    @OptionGroup var selection: HistorySelection

    func run() throws {
        try global.require(.text, .jsonl)
        let history = try Session(global).openHistoryForReading()
        let style = TextStyle.terminal
        try selection.forEach(history) { entry in
            say(global.format == .jsonl ? entry.json.compact : historyLine(for: entry, style: style))
        }
    }
}

struct HistoryShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows everything about one row."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "The number of the row.")
    var seq: Int64

    func run() throws {
        try global.require(.text, .json, .jsonl)
        let history = try Session(global).openHistoryForReading()
        guard let entry = try history.entry(seq) else {
            throw CommandFailure(
                ExitStatus.noInput,
                "the history has no row \(seq); see `millwarden history list`"
            )
        }
        switch global.format {
        case .text: say(historyText(for: entry, style: TextStyle.terminal), terminator: "")
        case .json: say(entry.json.pretty)
        default: say(entry.json.compact)
        }
    }
}

struct HistoryVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes the chain over every row.",
        discussion: "Exit status: 0, or 1 with the first row that is altered, missing or out of order."
    )
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.require(.text, .jsonl)
        let history = try Session(global).openHistoryForReading()
        let verification = try history.verify()
        switch verification {
        case .intact:
            say(global.format == .jsonl ? json(verification).compact : verification.description)
        case .broken:
            if global.format == .jsonl { say(json(verification).compact) }
            throw CommandFailure(
                ExitStatus.notVerified,
                global.format == .jsonl ? "" : "the history is not whole: \(verification)"
            )
        }
    }

    private func json(_ verification: ChainVerification) -> JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.history-verify/1"))
        switch verification {
        case .intact(let count, let head):
            object.append("ok", .bool(true))
            object.append("rows", .int(Int64(count)))
            object.append("head", .string(head.description))
        case .broken(let seq, let reason):
            object.append("ok", .bool(false))
            object.append("seq", .int(seq))
            object.append("reason", .string(reason))
        }
        return .object(object)
    }
}
