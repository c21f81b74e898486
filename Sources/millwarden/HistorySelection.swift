import ArgumentParser
import Integrity
import Ledger
import RulePacks

/// Which rows of the history are meant; the same for every command that takes rows.
struct HistorySelection: ParsableArguments {
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

    func filter() throws -> HistoryFilter {
        var filter = HistoryFilter()
        filter.since = try since.map { try historyMoment($0, "--since") }
        filter.until = try until.map { try historyMoment($0, "--until") }
        filter.rules = Set(rule)
        filter.minimumSeverity = severity?.severity
        filter.verdicts = Set(try verdict.map(parseVerdict))
        filter.events = Set(try event.map(parseEvent))
        let globs = try path.map { try pathGlob($0, option: "--path") }
        if !globs.isEmpty { filter.path = { path in globs.contains { $0.covers(path) } } }
        return filter
    }

    /// Visits the rows that are meant, oldest first.
    func forEach(_ history: History, _ body: (Entry) -> Void) throws {
        var filter = try filter()
        guard let lines else {
            return try history.forEachEntry(filter) { (entry) throws(HistoryError) in
                body(entry)
                return true
            }
        }
        filter.limit = lines
        filter.isNewestFirst = true
        for entry in try history.entries(filter).reversed() { body(entry) }
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
}

/// A moment as a person gives it: RFC 3339, a date, or how long ago.
func historyMoment(_ text: String, _ option: String) throws -> Timestamp {
    if let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z") { return time }
    if let span = parseDuration(text) { return Session.clock().adding(nanoseconds: -span) }
    throw CommandFailure(
        ExitStatus.usage,
        "\(option) takes a time such as 2026-03-01T10:00:00Z, a date, or a span such as 2h"
    )
}
