internal import GRDB
package import Integrity

/// Whether the history is whole, as far as the file alone can tell.
///
/// Whoever can write the file can also write all of it anew: only copies of chain values outside this host (forwarded
/// journal entries) hold root to what was.
package enum ChainVerification: Hashable, Sendable, CustomStringConvertible {
    /// Every row follows from the one before; the last chain value is `head`.
    case intact(count: Int, head: Digest)
    /// The first row that does not, and why in one sentence.
    case broken(seq: Int64, reason: String)

    package var description: String {
        switch self {
        case .intact(let count, let head):
            "\(count) rows follow from each other; the last chain value is \(head)"
        case .broken(let seq, let reason): "row \(seq): \(reason)"
        }
    }
}

extension History {
    /// Computes the whole chain anew and compares every row with what its body says.
    package func verify() throws(HistoryError) -> ChainVerification {
        try read { snapshot throws(HistoryError) in try snapshot.verify() }
    }

    /// The rows that were cut off at the end, if the file itself still shows it.
    package func missingTail() throws(HistoryError) -> ClosedRange<Int64>? {
        try read { snapshot throws(HistoryError) in
            guard let noted = try snapshot.notedHead() else { return nil }
            let last = try snapshot.lastSeq()
            return last < noted.seq ? last + 1...noted.seq : nil
        }
    }
}

extension HistorySnapshot {
    func lastSeq() throws(HistoryError) -> Int64 {
        try attempt(path) { try Int64.fetchOne(database, sql: "SELECT max(seq) FROM history") ?? 0 }
    }

    func verify() throws(HistoryError) -> ChainVerification {
        var walk = ChainWalk(previous: HistoryChain.genesis(id))
        let broken = try attempt(path) { () -> ChainVerification? in
            let rows = try Row.fetchCursor(database, sql: "SELECT * FROM history ORDER BY seq")
            while let row = try rows.next() {
                if let reason = walk.follow(row) { return .broken(seq: walk.seq, reason: reason) }
            }
            return nil
        }
        if let broken { return broken }
        if let noted = try notedHead(), noted.seq != walk.seq || noted.chain != walk.previous {
            return noted.seq > walk.seq
                ? .broken(
                    seq: walk.seq + 1,
                    reason: "it and what followed, up to row \(noted.seq), is missing"
                )
                : .broken(seq: walk.seq, reason: "it was added without this program's note of it")
        }
        if walk.seq > 0, try notedHead() == nil {
            return .broken(seq: walk.seq, reason: "the note of the chain's end is missing")
        }
        if let broken = try verifyGaps(walk) { return broken }
        return .intact(count: Int(walk.seq), head: walk.previous)
    }

    /// The list of gaps must say what the rows say: a gap that is struck from it would never be examined again.
    private func verifyGaps(_ walk: ChainWalk) throws(HistoryError) -> ChainVerification? {
        let listed = try attempt(path) { () -> [Int64: GapRows] in
            var listed: [Int64: GapRows] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT id, opened, closed FROM gap") {
                listed[row["id"]] = GapRows(opened: row["opened"], closed: row["closed"])
            }
            return listed
        }
        for id in Set(listed.keys).union(walk.gaps.keys).sorted() where listed[id] != walk.gaps[id] {
            let seq = walk.gaps[id]?.opened ?? listed[id]?.opened ?? 0
            return .broken(seq: seq, reason: "the list of gaps contradicts it (gap \(id))")
        }
        return nil
    }
}

/// The rows that opened and closed a gap.
private struct GapRows: Equatable {
    var opened: Int64
    var closed: Int64?
}

private struct ChainWalk {
    var seq: Int64 = 0
    var previous: Digest
    var gaps: [Int64: GapRows] = [:]

    init(previous: Digest) {
        self.previous = previous
    }

    /// Takes the next row; says why it does not follow.
    mutating func follow(_ row: Row) -> String? {
        let expected = seq + 1
        let found = row["seq"] as Int64? ?? 0
        guard found == expected else {
            seq = min(expected, found)
            return found > expected
                ? "it is missing"
                    + (found == expected + 1 ? "" : ", as is what followed, up to row \(found - 1)")
                : "its number is out of order"
        }
        seq = found
        guard let stored = StoredRow(row) else { return "it cannot be read" }
        let chain = HistoryChain.value(
            after: previous,
            seq: seq,
            time: stored.time,
            event: stored.event,
            body: stored.body
        )
        guard stored.chain == chain.bytes else {
            return seq == 1
                ? "it was altered, or does not belong to this history"
                : "it was altered, or does not follow row \(seq - 1)"
        }
        previous = chain
        guard let event = stored.decodedEvent else { return "its body is no event" }
        guard stored.index == IndexColumns(event) else { return "its columns contradict its body" }
        switch event {
        case .gapOpened(let gap): gaps[gap.id] = GapRows(opened: seq)
        case .gapClosed(let gap): gaps[gap.id]?.closed = seq
        default: break
        }
        return nil
    }
}
