internal import CLinux
internal import Dispatch
internal import GRDB
internal import Host
package import Integrity

/// What happened, kept in SQLite: the chained rows, what they left standing, and what is still to be published.
///
/// Several processes may append at once. Every transaction is forced to the disk before it counts.
package final class History: Sendable {
    package enum Access: Sendable {
        case readWrite
        /// Changes nothing; works beside a writer, and on a read-only medium from a private copy.
        case readOnly
    }

    /// The database file.
    package let path: RawPath
    /// Random, made with the history: two histories never share a chain.
    package let id: HistoryID
    private let reader: any DatabaseReader
    /// Nil where it was opened for reading.
    private let pool: DatabasePool?
    /// Device and inode of the file that was opened.
    private let identity: FileIdentity?
    /// Removed with the last reference; nil but on a read-only medium.
    private let copy: PrivateCopy?

    package var isWritable: Bool { pool != nil }

    package static let fileName = "history.db"

    /// Opens the history of a state directory; `readWrite` makes one where there is none.
    /// - Throws: `HistoryError.damaged` where the file is anything but a history; it is left as it is.
    package static func open(at stateDirectory: RawPath, access: Access) throws(HistoryError) -> History {
        let path = stateDirectory.appending(fileName)
        guard isValidUTF8(path.bytes), !path.bytes.contains(0) else { throw .unusablePath(path) }
        let file = HistoryFile(path: path)
        if try !file.exists() {
            guard access == .readWrite else { throw .missing(path) }
            try file.create()
        }
        try file.checkHeader()
        do {
            return try History(path, access: access, copy: nil)
        } catch {
            guard access == .readOnly, error == .readOnly(path) || error == .permission(path) else {
                throw error
            }
            guard let copy = try? PrivateCopy(of: path) else { throw error }
            return try History(path, access: access, copy: copy)
        }
    }

    private init(_ path: RawPath, access: Access, copy: PrivateCopy?) throws(HistoryError) {
        self.path = path
        self.copy = copy
        let name = String(validating: (copy?.path ?? path).bytes, as: UTF8.self) ?? ""
        (reader, pool, id) = try attempt(path) {
            let configuration = History.configuration(access)
            guard access == .readWrite else {
                let queue = try DatabaseQueue(path: name, configuration: configuration)
                return (queue, nil, try History.prepare(queue, path, migrating: nil))
            }
            let pool = try DatabasePool(path: name, configuration: configuration)
            // GRDB sets NORMAL, with which a row could be lost after it was published.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            return (pool, pool, try History.prepare(pool, path, migrating: pool))
        }
        identity = try FileIdentity(path)
    }

    private static func configuration(_ access: Access) -> Configuration {
        var configuration = Configuration()
        configuration.label = "history"
        // More than the default asks for a higher priority, which a service without CAP_SYS_NICE is refused.
        configuration.qos = .default
        configuration.readonly = access == .readOnly
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { database in
            // A schema that somebody planted must not run functions of ours.
            try database.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        return configuration
    }

    /// Checks the version, brings an older file up to date, and reads the history's identity.
    private static func prepare(
        _ reader: any DatabaseReader,
        _ path: RawPath,
        migrating writer: DatabasePool?
    ) throws -> HistoryID {
        let migrator = HistorySchema.migrator
        if try reader.read({ try migrator.hasBeenSuperseded($0) }) { throw HistoryError.newerFormat(path) }
        if let writer { try migrator.migrate(writer) }
        return try reader.read { database in
            guard try migrator.hasCompletedMigrations(database) else {
                throw HistoryError.damaged(path, reason: "it lacks tables that every version has")
            }
            let row = try Row.fetchOne(database, sql: "SELECT value FROM meta WHERE name = 'id'")
            guard let id = row?.bytes("value").flatMap({ HistoryID(bytes: $0) }) else {
                throw HistoryError.damaged(path, reason: "it has lost its identity")
            }
            return id
        }
    }

    /// Closes the file, with everything in it and nothing in its log; whatever is asked of it from now on fails.
    package func close() throws(HistoryError) {
        // The last connection to close empties the log into the file and removes it; a reading one may not.
        pool?.releaseMemory()
        try attempt(path) { try reader.close() }
    }

    /// Runs one transaction: all of it becomes durable with one fsync, or nothing of it happened.
    /// - Throws: `HistoryError.full`, `.busy`, `.readOnly`, … after which the same may be tried again; `.replaced` where
    ///   the file is no longer the one that was opened.
    /// - Returns: What `body` returned, and the entries it appended.
    @discardableResult
    package func write<Result>(
        _ body: (inout HistoryTransaction) throws(HistoryError) -> Result
    ) throws(HistoryError) -> (result: Result, entries: [Entry]) {
        guard let pool else { throw .readOnly(path) }
        guard try FileIdentity(path) == identity else { throw .replaced(path) }
        return try attempt(path) {
            try pool.writeWithoutTransaction { database in
                var outcome: (Result, [Entry])?
                try database.inTransaction(.immediate) {
                    var transaction = try HistoryTransaction(database, path, id)
                    let result = try body(&transaction)
                    outcome = (result, try transaction.finish())
                    return .commit
                }
                guard let outcome else { throw HistoryError.io(path, reason: "the transaction did not run") }
                return outcome
            }
        }
    }

    /// Reads several things as they stand at one moment.
    package func read<Result>(
        _ body: (borrowing HistorySnapshot) throws(HistoryError) -> Result
    ) throws(HistoryError) -> Result {
        try attempt(path) { try reader.read { try body(HistorySnapshot(database: $0, path: path, id: id)) } }
    }

    /// Brings what the write-ahead log holds into the database; to be called between bursts.
    package func checkpoint() throws(HistoryError) {
        guard let pool else { return }
        try attempt(path) { try pool.writeWithoutTransaction { _ = try $0.checkpoint(.passive) } }
    }

    /// Lets the file grow to this many pages of 4 KiB and no further, as a full disk would.
    package func limit(pages: Int) throws(HistoryError) {
        guard let pool else { return }
        try attempt(path) {
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages)") }
        }
    }
}

/// Turns whatever `body` throws into the history's own error.
func attempt<Result>(_ path: RawPath, _ body: () throws -> Result) throws(HistoryError) -> Result {
    do { return try body() } catch { throw HistoryError(error, path) }
}

/// Which file a name stands for.
private struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64

    init?(_ path: RawPath) throws(HistoryError) {
        do {
            guard let status = try LedgerFile.status(path) else { return nil }
            (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
        } catch {
            throw .io(path, reason: "\(error.errno)")
        }
    }
}
