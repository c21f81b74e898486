internal import GRDB
package import Integrity

extension History {
    /// The chain value of every row by its number, as the file has them: `verify` says whether they are right.
    package func chainValues() throws(HistoryError) -> [Int64: Digest] {
        try read { snapshot throws(HistoryError) in try snapshot.chainValues() }
    }
}

extension HistorySnapshot {
    fileprivate func chainValues() throws(HistoryError) -> [Int64: Digest] {
        try attempt(path) {
            var values: [Int64: Digest] = [:]
            let rows = try Row.fetchCursor(database, sql: "SELECT seq, chain FROM history")
            while let row = try rows.next() {
                guard let seq = row["seq"] as Int64? else { continue }
                values[seq] = row.bytes("chain").flatMap { Digest(bytes: $0) }
            }
            return values
        }
    }
}
