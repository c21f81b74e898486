package import Integrity

/// What the journal knows of this host's history, and whether the history still shows it.
///
/// Whoever can write the history's file can compute all of it anew; the copies of chain values that left the host hold
/// against that.
package struct JournalComparison: Sendable {
    /// What was found: the first row that does not agree, or how many do.
    package enum Outcome: Equatable, Sendable, CustomStringConvertible {
        /// Rows that agree, and rows of the history that this journal does not hold (any more, or not yet).
        case agrees(rows: Int, missing: Int)
        case differs(seq: Int64, reason: String)
        /// The journal holds nothing of this host, and the history has rows.
        case nothing

        package var description: String {
            switch self {
            case .agrees(let rows, let missing):
                "\(counted(rows, "row")) of the journal stand in the history with the same chain values"
                    + (missing == 0 ? "" : "; \(missing) of the history's are not in that journal")
            case .differs(let seq, let reason): "row \(seq): \(reason)"
            case .nothing: "the journal holds no row of this host, so nothing could be compared"
            }
        }
    }

    private struct Sighting {
        var seq: Int64
        var chain: Digest
        var time: Timestamp
    }

    private var sightings: [Sighting] = []
    private let stateDirectory: RawPath
    /// Rows of histories in other state directories, which are not compared: a trial, or one that was moved.
    private var elsewhere = 0
    /// One of those directories.
    private var otherPlace: RawPath?

    /// - Parameter stateDirectory: Where this host's history lies.
    package init(stateDirectory: RawPath) {
        self.stateDirectory = stateDirectory
    }

    package var isEmpty: Bool { sightings.isEmpty }

    /// What was not compared; nil where all was.
    package var remark: String? {
        guard elsewhere > 0 else { return nil }
        let example = otherPlace.map { ", but in \($0) for instance" } ?? ""
        return "left out: \(counted(elsewhere, "row")) whose history is not in \(stateDirectory)\(example)"
    }

    /// Takes a row of this host; one of another history, or that does not say of which, is not compared.
    package mutating func add(_ row: JournalRow) {
        guard row.stateDirectory == stateDirectory else {
            elsewhere += 1
            otherPlace = otherPlace ?? row.stateDirectory
            return
        }
        sightings.append(Sighting(seq: row.seq, chain: row.chain, time: row.time))
    }

    /// Compares with the chain values of the history by their numbers; read them after the journal, because a row is
    /// durable before it is published.
    package func outcome(against chains: [Int64: Digest]) -> Outcome {
        let agreeing = sightings.filter { chains[$0.seq] == $0.chain }
        let others = sightings.filter { chains[$0.seq] != $0.chain }
        guard let first = others.min(by: { ($0.seq, $0.time) < ($1.seq, $1.time) }) else {
            if sightings.isEmpty, !chains.isEmpty { return .nothing }
            let seen = Set(agreeing.map(\.seq))
            return .agrees(rows: seen.count, missing: chains.count - seen.count)
        }
        return .differs(seq: first.seq, reason: reason(first, others, agreeing, chains))
    }

    private func reason(
        _ first: Sighting,
        _ others: [Sighting],
        _ agreeing: [Sighting],
        _ chains: [Int64: Digest]
    ) -> String {
        let last = others.max { $0.time < $1.time } ?? first
        let begin = agreeing.map(\.time).min()
        if begin.map({ last.time < $0 }) ?? true {
            let numbers = Set(others.map(\.seq))
            return
                "the history was deleted and begun anew: the journal holds \(counted(numbers.count, "row")) of another "
                + "one, up to row \(others.map(\.seq).max() ?? 0), the last filed at \(last.time.utc)"
        }
        guard let chain = chains[first.seq] else {
            return
                "it is missing; the journal filed it at \(first.time.utc) with the chain value \(first.chain)"
        }
        return
            "it has the chain value \(chain); the journal filed it at \(first.time.utc) with \(first.chain)"
    }
}

extension JournalComparison.Outcome {
    /// The second line of `history verify --against-journal --format jsonl`.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.history-journal/1"))
        switch self {
        case .agrees(let rows, let missing):
            object.append("ok", .bool(true))
            object.append("rows", .int(Int64(rows)))
            object.append("not_in_journal", .int(Int64(missing)))
        case .differs(let seq, let reason):
            object.append("ok", .bool(false))
            object.append("seq", .int(seq))
            object.append("reason", .string(reason))
        case .nothing:
            object.append("ok", .bool(false))
            object.append("seq", .null)
            object.append("reason", .string(description))
        }
        return .object(object)
    }
}
