internal import GRDB
package import Integrity

/// One transaction on the history, which ends with the closure that it was lent to.
package struct HistoryTransaction: ~Copyable {
    private let database: Database
    private let path: RawPath
    private let id: HistoryID
    private var head: (seq: Int64, chain: Digest)
    private var entries: [Entry] = []

    init(_ database: Database, _ path: RawPath, _ id: HistoryID) throws(HistoryError) {
        (self.database, self.path, self.id) = (database, path, id)
        head = try HistorySnapshot(database: database, path: path, id: id).head()
    }

    /// Everything that can be read, with what this transaction has done so far.
    package var snapshot: HistorySnapshot { HistorySnapshot(database: database, path: path, id: id) }

    /// Adds a row at the end of the chain, and to the outbox.
    @discardableResult
    package mutating func append(_ event: Event, at time: Timestamp) throws(HistoryError) -> Entry {
        let (seq, nanoseconds) = (head.seq + 1, time.inNanoseconds)
        let body = Array(JSON.object(event.members).compact.utf8)
        let chain = HistoryChain.value(
            after: head.chain,
            seq: seq,
            time: nanoseconds,
            event: event.name,
            body: body
        )
        let index = IndexColumns(event)
        try execute(
            """
            INSERT INTO history (seq, time, event, path, rule, severity, verdict, change, body, chain)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                seq, nanoseconds, event.name, blob(index.path), index.rule, index.severity, index.verdict,
                index.change,
                blob(body), blob(chain.bytes),
            ]
        )
        try execute("INSERT INTO outbox (seq) VALUES (?)", [seq])
        head = (seq, chain)
        let entry = Entry(seq: seq, time: time, chain: chain, event: event)
        entries.append(entry)
        return entry
    }

    /// Opens a gap under the next number; with `since`, one that began before it is noted.
    package mutating func openGap(
        _ reason: Gap.Reason,
        scope: [RawPath],
        at time: Timestamp,
        since: Timestamp? = nil,
        detail: String? = nil
    ) throws(HistoryError) -> Gap {
        let last = try attempt(path) { try Int64.fetchOne(database, sql: "SELECT max(id) FROM gap") }
        let gap = Gap(
            id: (last ?? 0) + 1,
            reason: reason,
            scope: scope,
            opened: since ?? time,
            detail: detail
        )
        let entry = try append(.gapOpened(gap), at: time)
        try execute("INSERT INTO gap (id, opened) VALUES (?, ?)", [gap.id, entry.seq])
        return gap
    }

    /// Closes an open gap with the number of changes that were found behind it.
    /// - Throws: `HistoryError.refused` where no gap of that number is open.
    @discardableResult
    package mutating func closeGap(_ id: Int64, found: Int, at time: Timestamp) throws(HistoryError) -> Gap {
        guard var gap = try snapshot.openGaps().first(where: { $0.id == id }) else {
            throw .refused("no gap \(id) is open")
        }
        (gap.closed, gap.found) = (time, found)
        let entry = try append(.gapClosed(gap), at: time)
        try execute("UPDATE gap SET closed = ? WHERE id = ?", [entry.seq, id])
        return gap
    }

    /// Sets what stands at a path; a current one takes the place of the path's current one.
    package mutating func setStanding(_ standing: Standing) throws(HistoryError) {
        if standing.isCurrent { try clearStanding([standing.path]) }
        var state: [UInt8]?
        var isRacy = false
        if let recorded = standing.state {
            var bytes: [UInt8] = []
            StateCodec.append(recorded, to: &bytes)
            state = bytes
            if case .examined(_, true) = recorded { isRacy = true }
        }
        try execute(
            """
            INSERT OR REPLACE INTO standing (path, seq, rule, state, racy, current, severity, verdict, resolved)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                blob(standing.path.bytes), standing.seq, standing.rule, blob(state), isRacy,
                standing.isCurrent,
                Int(standing.severity.rawValue), standing.verdict.name, standing.resolved?.inNanoseconds,
            ]
        )
    }

    /// Makes a path's current standing a past one: what stands there equals the baseline again.
    /// - Returns: The standing as it is now; nil where the path had no current one.
    @discardableResult
    package mutating func undo(_ undone: RawPath, at time: Timestamp) throws(HistoryError) -> Standing? {
        guard var standing = try snapshot.currentStanding(undone) else { return nil }
        (standing.isCurrent, standing.resolved) = (false, time)
        try execute(
            "UPDATE standing SET current = 0, resolved = ? WHERE path = ? AND seq = ?",
            [time.inNanoseconds, blob(undone.bytes), standing.seq]
        )
        return standing
    }

    /// Takes past standings off the list; current ones stay, however they are named.
    package mutating func acknowledge(_ seqs: some Sequence<Int64>) throws(HistoryError) {
        for seq in seqs { try execute("DELETE FROM standing WHERE seq = ? AND current = 0", [seq]) }
    }

    /// Forgets the current standings of paths, not the past ones: those stay until they are acknowledged.
    package mutating func clearStanding(_ paths: some Sequence<RawPath>) throws(HistoryError) {
        for cleared in paths {
            try execute("DELETE FROM standing WHERE path = ? AND current = 1", [blob(cleared.bytes)])
        }
    }

    /// Forgets whatever these changes left standing, current or past: they were accepted.
    package mutating func clearStanding(seqs: some Sequence<Int64>) throws(HistoryError) {
        for seq in seqs { try execute("DELETE FROM standing WHERE seq = ?", [seq]) }
    }

    /// Forgets every standing: a whole new baseline was approved.
    package mutating func clearAllStanding() throws(HistoryError) {
        try execute("DELETE FROM standing", [])
    }

    /// Takes entries out of the outbox.
    package mutating func markPublished(_ seqs: some Sequence<Int64>) throws(HistoryError) {
        for seq in seqs { try execute("DELETE FROM outbox WHERE seq = ?", [seq]) }
    }

    /// Remembers a value beside the chain; nil removes it.
    mutating func setMeta(_ name: String, _ value: [UInt8]?) throws(HistoryError) {
        guard let value else { return try execute("DELETE FROM meta WHERE name = ?", [name]) }
        try execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", [name, blob(value)])
    }

    /// Notes how far the chain goes, so that a cut shows.
    consuming func finish() throws(HistoryError) -> [Entry] {
        if !entries.isEmpty {
            var value: [UInt8] = []
            value.append(little: UInt64(bitPattern: head.seq))
            try setMeta("head", value + head.chain.bytes)
        }
        return entries
    }

    private func execute(_ sql: String, _ arguments: StatementArguments) throws(HistoryError) {
        try attempt(path) { try database.cachedStatement(sql: sql).execute(arguments: arguments) }
    }
}
