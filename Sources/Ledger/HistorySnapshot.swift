internal import GRDB
package import Integrity

/// The history as it stands at one moment: everything that can be asked of it.
package struct HistorySnapshot: ~Copyable {
    let database: Database
    let path: RawPath
    let id: HistoryID

    private static let columns = "seq, time, event, path, rule, severity, verdict, change, body, chain"

    // MARK: Entries

    package func entry(_ seq: Int64) throws(HistoryError) -> Entry? {
        try first("SELECT \(HistorySnapshot.columns) FROM history WHERE seq = ?", [seq])
    }

    /// The finding of a `change` row; nil where the row is none.
    package func finding(_ seq: Int64) throws(HistoryError) -> Finding? {
        guard case .change(let finding) = try entry(seq)?.event else { return nil }
        return finding
    }

    /// The newest entry of one of the events.
    package func lastEntry(_ events: Set<String>) throws(HistoryError) -> Entry? {
        var filter = HistoryFilter()
        (filter.events, filter.isNewestFirst, filter.limit) = (events, true, 1)
        var found: Entry?
        try forEachEntry(filter) { entry throws(HistoryError) in
            found = entry
            return false
        }
        return found
    }

    /// Visits the entries that a filter lets through, one at a time, until `body` returns false.
    package func forEachEntry(
        _ filter: HistoryFilter,
        _ body: (Entry) throws(HistoryError) -> Bool
    ) throws(HistoryError) {
        let (sql, arguments) = filter.query(HistorySnapshot.columns)
        var left = filter.limit ?? .max
        guard left > 0 else { return }
        try attempt(path) {
            let rows = try Row.fetchCursor(database, sql: sql, arguments: arguments)
            while let row = try rows.next() {
                let entry = try entry(row)
                guard filter.lets(entry.event) else { continue }
                left -= 1
                guard try body(entry), left > 0 else { return }
            }
        }
    }

    /// What was not yet published, oldest first.
    package func unpublished(limit: Int) throws(HistoryError) -> [Entry] {
        try all(
            "SELECT \(HistorySnapshot.columns) FROM outbox JOIN history USING (seq) ORDER BY seq LIMIT ?",
            [limit]
        )
    }

    /// How many entries were not yet published.
    package func unpublishedCount() throws(HistoryError) -> Int {
        try attempt(path) { try Int.fetchOne(database, sql: "SELECT count(*) FROM outbox") ?? 0 }
    }

    // MARK: Gaps and runs

    /// The open gaps by their numbers.
    package func openGaps() throws(HistoryError) -> [Gap] {
        let entries = try all(
            """
            SELECT \(HistorySnapshot.columns) FROM gap JOIN history ON seq = opened WHERE closed IS NULL ORDER BY gap.id
            """,
            []
        )
        return entries.compactMap { entry in
            guard case .gapOpened(let gap) = entry.event else { return nil }
            return gap
        }
    }

    /// How the service ran last; nil where it never did.
    package func lastRun() throws(HistoryError) -> LastRun? {
        guard let start = try lastEntry(["start"]), case .start(let event) = start.event else { return nil }
        let end = try lastEntry(["stop"])
        let newest = try lastEntry([])
        return LastRun(
            start: event,
            started: start.time,
            stopped: end.flatMap { $0.seq > start.seq ? $0.time : nil },
            lastEntry: newest?.time ?? start.time
        )
    }

    /// What the history knows of approvals.
    package func approvals() throws(HistoryError) -> Approvals {
        var approvals = Approvals()
        var filter = HistoryFilter()
        (filter.events, filter.isNewestFirst) = (["baseline"], true)
        try forEachEntry(filter) { entry throws(HistoryError) in
            guard case .baseline(let event) = entry.event else { return true }
            switch event.action {
            case .intended where approvals.newest == nil: approvals.pending = (entry, event)
            case .intended, .abandoned: break
            case .created, .accepted, .imported: approvals.done = (entry, event)
            }
            approvals.newest = approvals.newest ?? entry
            return approvals.done == nil
        }
        return approvals
    }

    /// The newest approval that was carried through.
    package func newestBaseline() throws(HistoryError) -> BaselineEvent? { try approvals().done?.event }

    // MARK: Standing states

    /// What is known of a path, the current one first, then the newest.
    package func standing(_ path: RawPath) throws(HistoryError) -> [Standing] {
        try standings("WHERE path = ? ORDER BY current DESC, seq DESC", [blob(path.bytes)])
    }

    package func currentStanding(_ path: RawPath) throws(HistoryError) -> Standing? {
        try standings("WHERE path = ? AND current = 1", [blob(path.bytes)]).first
    }

    /// All of them, by the rows of their changes.
    package func allStanding() throws(HistoryError) -> [Standing] { try standings("ORDER BY seq, path", []) }

    private func standings(_ condition: String, _ arguments: StatementArguments) throws(HistoryError)
        -> [Standing]
    {
        try attempt(path) {
            try Row.fetchAll(database, sql: "SELECT * FROM standing " + condition, arguments: arguments).map {
                row in
                guard let standing = Standing(row) else {
                    throw HistoryError.damaged(path, reason: "a standing state cannot be read")
                }
                return standing
            }
        }
    }

    // MARK: Rows

    func meta(_ name: String) throws(HistoryError) -> [UInt8]? {
        try attempt(path) {
            try Row.fetchOne(database, sql: "SELECT value FROM meta WHERE name = ?", arguments: [name])?
                .bytes("value")
        }
    }

    /// How far the chain went after the last transaction; nil where nothing was ever appended.
    func notedHead() throws(HistoryError) -> (seq: Int64, chain: Digest)? {
        guard let value = try meta("head") else { return nil }
        var reader = ByteReader(value)
        guard let seq: UInt64 = reader.little(), let chain = reader.digest(), reader.isAtEnd else {
            throw .damaged(path, reason: "the note of the chain's end cannot be read")
        }
        return (Int64(bitPattern: seq), chain)
    }

    /// What the next row follows.
    ///
    /// Where rows were cut off, their numbers are not used again: the hole stays visible.
    func head() throws(HistoryError) -> (seq: Int64, chain: Digest) {
        let row = try attempt(path) {
            try Row.fetchOne(database, sql: "SELECT seq, chain FROM history ORDER BY seq DESC LIMIT 1")
        }
        let noted = try notedHead()
        guard let row else { return (noted?.seq ?? 0, HistoryChain.genesis(id)) }
        let seq: Int64 = row["seq"]
        guard let chain = row.bytes("chain").flatMap({ Digest(bytes: $0) }) else {
            throw .damaged(path, reason: "the chain value of row \(seq) cannot be read")
        }
        return (max(seq, noted?.seq ?? 0), chain)
    }

    private func first(_ sql: String, _ arguments: StatementArguments) throws(HistoryError) -> Entry? {
        try attempt(path) { try Row.fetchOne(database, sql: sql, arguments: arguments).map { try entry($0) } }
    }

    private func all(_ sql: String, _ arguments: StatementArguments) throws(HistoryError) -> [Entry] {
        try attempt(path) { try Row.fetchAll(database, sql: sql, arguments: arguments).map { try entry($0) } }
    }

    private func entry(_ row: Row) throws -> Entry {
        guard let raw = StoredRow(row), let event = raw.decodedEvent, let chain = Digest(bytes: raw.chain)
        else {
            let seq = row["seq"] as Int64? ?? 0
            throw HistoryError.damaged(
                path,
                reason: "row \(seq) cannot be read; see `millwarden history verify`"
            )
        }
        return Entry(seq: raw.seq, time: Timestamp(inNanoseconds: raw.time), chain: chain, event: event)
    }
}

/// How the service ran last.
package struct LastRun: Hashable, Sendable {
    package var start: StartEvent
    package var started: Timestamp
    /// Nil where it did not end in order, or still runs.
    package var stopped: Timestamp?
    /// The time of the newest entry, whoever wrote it.
    package var lastEntry: Timestamp

    package init(start: StartEvent, started: Timestamp, stopped: Timestamp?, lastEntry: Timestamp) {
        self.start = start
        self.started = started
        self.stopped = stopped
        self.lastEntry = lastEntry
    }

    package var isUnclean: Bool { stopped == nil }
}

/// What the history knows of approvals.
package struct Approvals: Sendable {
    /// The newest `baseline` row of any kind.
    package var newest: Entry?
    /// The newest one that was carried through.
    package var done: (entry: Entry, event: BaselineEvent)?
    /// The newest row, where it is an intent: nobody knows yet whether it was carried through.
    package var pending: (entry: Entry, event: BaselineEvent)?
}

/// One row of the table `history`, undecoded.
struct StoredRow {
    var seq: Int64
    var time: Int64
    var event: String
    var index: IndexColumns
    var body: [UInt8]
    var chain: [UInt8]

    init?(_ row: Row) {
        guard let seq = row["seq"] as Int64?, let time = row["time"] as Int64?,
            let event = row["event"] as String?,
            let body = row.bytes("body"), let chain = row.bytes("chain")
        else { return nil }
        (self.seq, self.time, self.event, self.body, self.chain) = (seq, time, event, body, chain)
        index = IndexColumns(row)
    }

    var decodedEvent: Event? {
        guard let members = (try? JSON(parsing: body))?.object else { return nil }
        return Event(name: event, members: members)
    }
}

extension Standing {
    fileprivate init?(_ row: Row) {
        guard let path = row.bytes("path"), let seq = row["seq"] as Int64?, let rule = row["rule"] as String?,
            let isRacy = row["racy"] as Bool?, let isCurrent = row["current"] as Bool?,
            let severity = (row["severity"] as UInt8?).flatMap(Severity.init(rawValue:)),
            let verdict = (row["verdict"] as String?).flatMap(Verdict.init(name:))
        else { return nil }
        var state: RecordedState?
        if let bytes = row.bytes("state") {
            var reader = ByteReader(bytes)
            guard let decoded = StateCodec.decode(&reader, isRacy: isRacy), reader.isAtEnd else { return nil }
            state = decoded
        }
        self.init(
            path: RawPath(bytes: path),
            seq: seq,
            rule: rule,
            state: state,
            isCurrent: isCurrent,
            severity: severity,
            verdict: verdict,
            resolved: (row["resolved"] as Int64?).map(Timestamp.init(inNanoseconds:))
        )
    }
}
