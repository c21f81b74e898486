import ArgumentParser
import CLinux
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
    @Option(
        help: ArgumentHelp(
            "What a journal holds instead, of every host in it; without a directory, this host's own.",
            discussion: "The directory of *.journal files that systemd-journal-remote wrote.",
            valueName: "dir"
        )
    )
    var journal: ByteArgument?

    func run() throws {
        try global.require(.text, .jsonl)
        if let journal {
            return try listJournal(JournalPlace(journal), selection, isJSON: global.format == .jsonl)
        }
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
        let session = try Session(global)
        let history = try session.openHistoryForReading()
        guard let entry = try history.entry(seq) else {
            throw CommandFailure(
                ExitStatus.noInput,
                "the history has no row \(seq); see `millwarden history list`"
            )
        }
        switch global.format {
        case .text:
            say(
                historyText(for: entry, copy: copyPlace(entry, session), style: TextStyle.terminal),
                terminator: ""
            )
        case .json: say(entry.json.pretty)
        default: say(entry.json.compact)
        }
    }

    /// Where the altered file lies that the row says was saved.
    private func copyPlace(_ entry: Entry, _ session: Session) -> CopyPlace? {
        guard case .change(let finding) = entry.event, let digest = finding.evidence?.copy else { return nil }
        guard EvidenceStore(stateDirectory: session.stateDirectory).has(digest) else { return .removed }
        return .there(EvidenceStore.path(of: digest, stateDirectory: session.stateDirectory))
    }
}

struct HistoryVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes the chain over every row.",
        discussion: """
            Exit status: 0, or 1 with the first row that is altered, missing or out of order. With --against-journal \
            each row of this host that the journal holds must stand in the history with the same chain value; what was \
            collected on another host holds against whoever computed the history anew.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Option(
        help: ArgumentHelp(
            "Compare with this directory of *.journal files; without one, with this host's own journal.",
            valueName: "dir"
        )
    )
    var againstJournal: ByteArgument?
    @Option(
        help: ArgumentHelp(
            "Only what the journal filed since then: RFC 3339, a date, or a span such as 30d (ago).",
            valueName: "time"
        )
    )
    var since: String?

    func run() throws {
        try global.require(.text, .jsonl)
        guard let againstJournal else {
            if since != nil {
                throw CommandFailure(
                    ExitStatus.usage,
                    "--since goes with --against-journal; the chain has no beginning but row 1"
                )
            }
            return try report(try Session(global).openHistoryForReading().verify())
        }
        // First the journal, then the history: a row is durable before it is published.
        let (known, reading) = try journalRowsOfThisHost(JournalPlace(againstJournal))
        guard let history = try openHistory(known) else { return }
        try report(try history.verify())
        let outcome = known.outcome(against: try history.chainValues())
        if global.format == .jsonl { say(outcome.json.compact) }
        guard case .agrees = outcome else {
            throw CommandFailure(
                ExitStatus.notVerified,
                global.format == .jsonl ? "" : "the history is not what the journal holds: \(outcome)"
            )
        }
        if global.format == .text { say(outcome.description) }
        // What was read agrees; that is no answer for what could not be.
        try reading.requireWhole()
    }

    /// The rows of this host, by the user whose history it is.
    private func journalRowsOfThisHost(_ place: JournalPlace) throws -> (JournalComparison, JournalReading) {
        let host = SystemClock.host()
        guard !host.machineID.isEmpty else {
            throw CommandFailure(
                ExitStatus.noInput,
                "this host has no machine-id(5) to know its entries by; see systemd-machine-id-setup(1)"
            )
        }
        var sieve = JournalSieve(trusted: [Int64(geteuid())])
        var comparison = JournalComparison(stateDirectory: realDirectory(try Session(global).stateDirectory))
        let reader = try JournalReader(place)
        let moment = try since.map { try historyMoment($0, "--since") }
        let passage = reader.forEachRecord(machineID: host.machineID, since: moment) { record in
            if let row = sieve.take(record) { comparison.add(row) }
            return true
        }
        if let remark = comparison.remark { complain(remark) }
        let reading = JournalReading(sieve.tally, passage)
        reading.sayRemarks()
        return (comparison, reading)
    }

    /// Nil where there is neither a history nor anything of one in the journal; that it is gone is the finding otherwise.
    private func openHistory(_ known: JournalComparison) throws -> History? {
        do {
            return try Session(global).openHistoryForReading()
        } catch let error as HistoryError {
            guard case .missing = error, !known.isEmpty else { throw error }
            let outcome = known.outcome(against: [:])
            if global.format == .jsonl { say(outcome.json.compact) }
            throw CommandFailure(
                ExitStatus.notVerified,
                global.format == .jsonl ? "" : "\(error); it is not what the journal holds: \(outcome)"
            )
        }
    }

    private func report(_ verification: ChainVerification) throws {
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
