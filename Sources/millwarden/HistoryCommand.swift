import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "The record of every change, verdict, approval and gap.",
        subcommands: [HistoryList.self, HistoryShow.self, HistoryVerify.self]
    )
}

struct HistoryList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists rows, oldest first."
    )
    @OptionGroup var global: GlobalOptions
    @Option(
        help: ArgumentHelp("Not before: RFC 3339, a date, or a span such as 2h (ago).", valueName: "time")
    )
    var since: String?
    @Option(help: ArgumentHelp("Not after: RFC 3339, a date, or a span such as 2h (ago).", valueName: "time"))
    var until: String?
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Only these paths and what is below them.", valueName: "glob")
    )
    var path: [ByteArgument] = []
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Only changes under these rules.", valueName: "id"))
    var rule: [String] = []
    @Option(help: ArgumentHelp("Only changes at least this severe.", valueName: "severity"))
    var severity: SeverityArgument?
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("unauthorized, authorized or expected.", valueName: "verdict")
    )
    var verdict: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "change, resolved, gap, start, stop, reload, check, baseline or self.",
            valueName: "event"
        )
    )
    var event: [String] = []
    @Option(name: .shortAndLong, help: ArgumentHelp("Only the newest so many.", valueName: "n"))
    var lines: Int?

    func run() throws {
        try global.require(.text, .jsonl)
        let session = try Session(global)
        let history = try session.openHistoryForReading()
        var filter = HistoryFilter()
        filter.since = try since.map { try moment($0, "--since") }
        filter.until = try until.map { try moment($0, "--until") }
        filter.rules = Set(rule)
        filter.minimumSeverity = severity?.severity
        filter.verdicts = Set(try verdict.map(parseVerdict))
        filter.events = Set(try event.map(parseEvent))
        let globs = try path.map { try pathGlob($0, option: "--path") }
        if !globs.isEmpty { filter.path = { path in globs.contains { $0.covers(path) } } }
        let style = TextStyle.terminal
        let show = { (entry: Entry) in
            say(global.format == .jsonl ? entry.json.compact : historyLine(for: entry, style: style))
        }
        if let lines {
            filter.limit = lines
            filter.isNewestFirst = true
            for entry in try history.entries(filter).reversed() { show(entry) }
        } else {
            try history.forEachEntry(filter) { (entry) throws(HistoryError) in
                show(entry)
                return true
            }
        }
    }

    private func parseVerdict(_ name: String) throws -> Verdict {
        guard let verdict = Verdict(name: name) else {
            throw CommandFailure(ExitStatus.usage, "--verdict takes unauthorized, authorized or expected")
        }
        return verdict
    }

    private func parseEvent(_ name: String) throws -> String {
        let known = ["change", "resolved", "gap", "start", "stop", "reload", "check", "baseline", "self"]
        guard known.contains(name) else {
            throw CommandFailure(ExitStatus.usage, "--event takes one of \(known.joined(separator: ", "))")
        }
        return name
    }

    private func moment(_ text: String, _ option: String) throws -> Timestamp {
        if let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z") { return time }
        if let span = parseDuration(text) { return Session.clock().adding(nanoseconds: -span) }
        throw CommandFailure(
            ExitStatus.usage,
            "\(option) takes a time such as 2026-03-01T10:00:00Z, a date, or a span such as 2h"
        )
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
        case .jsonl: say(entry.json.compact)
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
