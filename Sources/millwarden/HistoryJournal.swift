import CLinux
import Host
import Integrity
import Ledger
import Reporting

/// The options whose value may be left out; the parser knows no such thing.
///
/// Where none follows, a NUL is put in, which nobody can type: `--against-journal` and `--against-journal --format
/// jsonl` mean this host's own journal.
func withOptionalPlaces(_ arguments: [String]) -> [String] {
    guard arguments.first == "history" else { return arguments }
    return arguments.enumerated().map { position, argument in
        guard argument == "--against-journal" || argument == "--journal" else { return argument }
        let next = position + 1 < arguments.count ? arguments[position + 1] : nil
        return next.map { $0.hasPrefix("-") } ?? true ? argument + "=\0" : argument
    }
}

extension JournalPlace {
    /// A NUL, and nothing, is this host's own journal.
    init(_ argument: ByteArgument) {
        self = argument.bytes.isEmpty || argument.bytes == [0] ? .local : .directory(argument.path)
    }
}

extension JournalReadError {
    var exitStatus: Int32 {
        switch self {
        case .missing, .empty: ExitStatus.noInput
        case .permission: ExitStatus.noPermission
        case .io: ExitStatus.io
        }
    }
}

/// Lists what a journal holds of every host's history, each row once.
func listJournal(_ place: JournalPlace, _ selection: HistorySelection, isJSON: Bool) throws {
    let filter = try selection.filter()
    let reader = try JournalReader(place)
    // Only root's entries and those of whoever asks are believed: any user may log with our names.
    var sieve = JournalSieve(trusted: [0, Int64(geteuid())])
    let style = TextStyle.terminal
    let show = { (row: JournalRow) in say(isJSON ? row.json.compact : journalLine(for: row, style: style)) }
    var newest: [JournalRow] = []
    let passage = reader.forEachRecord(since: filter.since) { record in
        guard let row = sieve.take(record), row.passes(filter) else { return true }
        guard let lines = selection.lines else {
            show(row)
            return true
        }
        newest.append(row)
        if newest.count > 2 * max(lines, 64) { newest.removeFirst(newest.count - lines) }
        return true
    }
    if let lines = selection.lines {
        for row in newest.suffix(max(lines, 0)) { show(row) }
    }
    let reading = JournalReading(sieve.tally, passage)
    reading.sayRemarks()
    try reading.requireWhole()
}

/// What was left out of a journal, and what could not be read of it.
struct JournalReading {
    private let tally: JournalTally
    private let passage: JournalPassage

    init(_ tally: JournalTally, _ passage: JournalPassage) {
        self.tally = tally
        self.passage = passage
    }

    /// On standard error: the output is for the rows.
    func sayRemarks() {
        if let remarks = tally.remarks { complain(remarks) }
        if passage.unreadable > 0 { complain("\(passage.unreadable) entries of the journal cannot be read") }
    }

    /// - Throws: Why not everything was seen.
    func requireWhole() throws {
        if let failure = passage.failure { throw failure }
        guard passage.unopened > 0 else { return }
        throw CommandFailure(
            ExitStatus.io,
            "not everything was seen: of the journal files \(passage.unopened) cannot be opened; "
                + "`journalctl --verify --directory=…` says which"
        )
    }
}
