internal import GRDB
internal import Host
internal import Integrity

/// The tables of the history; docs/formats/history.md describes them.
enum HistorySchema {
    /// `MWHI` in the database's header, so that another program's database is told from ours before SQLite opens it.
    static let applicationID: UInt32 = 0x4D57_4849
    static let fileMagic: [UInt8] = Array("SQLite format 3\0".utf8)

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("history 1") { database in
            try database.execute(sql: "PRAGMA application_id = \(applicationID)")
            try database.execute(sql: tables)
            let id = (0..<HistoryID.size).map { _ in UInt8.random(in: .min ... .max) }
            try database.execute(
                sql: "INSERT INTO meta (name, value) VALUES ('id', ?)",
                arguments: [blob(id)]
            )
        }
        return migrator
    }

    private static let tables = """
        CREATE TABLE meta (
            name TEXT PRIMARY KEY NOT NULL,
            value BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- The chain: what happened, in order. The columns between event and body repeat what the body says.
        CREATE TABLE history (
            seq INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            event TEXT NOT NULL,
            path BLOB,
            rule TEXT,
            severity INTEGER,
            verdict TEXT,
            change TEXT,
            body BLOB NOT NULL,
            chain BLOB NOT NULL
        ) STRICT;
        CREATE INDEX history_event ON history (event, seq);
        CREATE INDEX history_time ON history (time);

        -- What is still to be published.
        CREATE TABLE outbox (seq INTEGER PRIMARY KEY) STRICT;

        -- Gaps by their numbers, with the rows that opened and closed them.
        CREATE TABLE gap (
            id INTEGER PRIMARY KEY,
            opened INTEGER NOT NULL,
            closed INTEGER
        ) STRICT;

        -- What was last observed of the paths that differ, or did.
        CREATE TABLE standing (
            path BLOB NOT NULL,
            seq INTEGER NOT NULL,
            rule TEXT NOT NULL,
            state BLOB,
            racy INTEGER NOT NULL,
            current INTEGER NOT NULL,
            severity INTEGER NOT NULL,
            verdict TEXT NOT NULL,
            resolved INTEGER,
            PRIMARY KEY (seq, path)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX standing_current ON standing (path) WHERE current = 1;
        """
}

/// The canonical form of a row and the values that link the rows.
enum HistoryChain {
    /// What the first row follows: two histories never share a value.
    static func genesis(_ id: HistoryID) -> Digest {
        SHA256Hasher.digest(
            of: [UInt8](repeating: 0, count: 32) + Array("millwarden history 1\0".utf8) + id.bytes
        )
    }

    /// SHA-256 of the previous value and the row.
    ///
    /// A row is seq (8 bytes), time (8, signed nanoseconds), event and body, each with its length (4). Numbers are
    /// little-endian.
    static func value(after previous: Digest, seq: Int64, time: Int64, event: String, body: [UInt8]) -> Digest
    {
        var row = previous.bytes
        row.append(little: UInt64(bitPattern: seq))
        row.append(little: UInt64(bitPattern: time))
        row.append(long: Array(event.utf8))
        row.append(long: body)
        return SHA256Hasher.digest(of: row)
    }
}

/// The columns of a row that repeat its body, for queries.
struct IndexColumns: Equatable {
    var path: [UInt8]?
    var rule: String?
    var severity: Int?
    var verdict: String?
    var change: String?

    init(_ event: Event) {
        switch event {
        case .change(let finding):
            path = finding.path.bytes
            rule = finding.rule
            severity = Int(finding.severity.rawValue)
            verdict = finding.verdict.name
            change = finding.change.name
        case .resolved(let resolution):
            path = resolution.path.bytes
            rule = resolution.rule
            severity = Int(resolution.severity.rawValue)
            change = resolution.change.name
        default: break
        }
    }

    init(_ row: Row) {
        path = row.bytes("path")
        rule = row["rule"]
        severity = row["severity"]
        verdict = row["verdict"]
        change = row["change"]
    }
}

extension Timestamp {
    /// Nanoseconds since the epoch, held at the ends of Int64: the years 1677 to 2262.
    var inNanoseconds: Int64 { nanoseconds(since: Timestamp(seconds: 0)) }

    init(inNanoseconds value: Int64) {
        self = Timestamp(seconds: 0).adding(nanoseconds: value)
    }
}
