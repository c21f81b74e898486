internal import CLinux
internal import GRDB
internal import Host
internal import Integrity

/// The database file before SQLite opens it.
struct HistoryFile {
    let path: RawPath

    func exists() throws(HistoryError) -> Bool {
        do { return try LedgerFile.status(path) != nil } catch { throw failure(error) }
    }

    /// Refuses what is no history of ours.
    ///
    /// SQLite would take an empty file for a new database and write into it.
    func checkHeader() throws(HistoryError) {
        let (size, header): (Int, [UInt8])
        do {
            let file = try LedgerFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, mode: 0)
            let status = try file.status()
            guard status.isRegular else { throw HistoryError.damaged(path, reason: "it is no regular file") }
            size = Int(status.st_size)
            header = try file.read(100, at: 0)
        } catch let error as FileFailure {
            throw failure(error)
        } catch {
            throw HistoryError(error, path)
        }
        guard !header.isEmpty else { throw .damaged(path, reason: "it is empty") }
        guard header.starts(with: HistorySchema.fileMagic.prefix(header.count)) else {
            throw .damaged(path, reason: "it is no SQLite database")
        }
        guard header.count == 100 else { throw .damaged(path, reason: "it is cut off") }
        // Offset 68, big-endian (https://www.sqlite.org/fileformat2.html).
        let applicationID = header[68..<72].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        guard applicationID == HistorySchema.applicationID else {
            throw .damaged(path, reason: "it is the database of another program")
        }
        let pageSize = Int(header[16]) << 8 | Int(header[17])
        let pages = header[28..<32].reduce(0) { $0 << 8 | Int($1) }
        // With a log beside it, the end of the file may still be in there.
        let hasLog = try hasLog()
        guard size >= pages * pageSize || hasLog else { throw .damaged(path, reason: "it is cut off") }
    }

    private func hasLog() throws(HistoryError) -> Bool {
        do {
            return try LedgerFile.status(RawPath(bytes: path.bytes + Array("-wal".utf8)))?.st_size ?? 0 > 0
        } catch {
            throw failure(error)
        }
    }

    /// Makes a complete database under another name first, so that an empty file is never one of ours.
    func create() throws(HistoryError) {
        let temporary = RawPath(
            bytes: path.bytes + Array(".new.\(getpid()).\(UInt32.random(in: .min ... .max))".utf8)
        )
        defer { try? LedgerFile.remove(temporary) }
        do {
            let file = try LedgerFile(creating: temporary, mode: 0o600)
            try attempt(path) {
                let queue = try DatabaseQueue(path: String(validating: temporary.bytes, as: UTF8.self) ?? "")
                try HistorySchema.migrator.migrate(queue)
                try queue.close()
            }
            try file.sync()
            try LedgerFile.rename(temporary, to: path, isReplacing: false)
            try LedgerFile.syncDirectory(path.parent)
        } catch let error as FileFailure {
            // Another process was faster: its history is the one.
            guard error.errno == .exists else { throw failure(error) }
        } catch {
            throw HistoryError(error, path)
        }
    }

    private func failure(_ error: FileFailure) -> HistoryError {
        switch error.errno {
        case .noEntry, .notDirectory: .missing(path)
        case .access, .permission: .permission(path)
        case .readOnly: .readOnly(path)
        case .noSpace, .quota: .full(path)
        case .tooManyLinks: .damaged(path, reason: "it is a link")
        default: .io(path, reason: "cannot \(error.operation): \(error.errno)")
        }
    }
}

/// A copy of the database and its log in a private directory: SQLite cannot read a log without writing beside it.
final class PrivateCopy: Sendable {
    let path: RawPath
    private let directory: RawPath

    init(of original: RawPath) throws(HistoryError) {
        directory = PrivateCopy.temporaryDirectory.appending(
            "millwarden.\(getpid()).\(UInt64.random(in: .min ... .max))"
        )
        path = directory.appending("history.db")
        do {
            try LedgerFile.makeDirectory(directory, mode: 0o700)
            try PrivateCopy.copy(original, to: path)
            let log = RawPath(bytes: original.bytes + Array("-wal".utf8))
            if try LedgerFile.status(log) != nil {
                try PrivateCopy.copy(log, to: RawPath(bytes: path.bytes + Array("-wal".utf8)))
            }
        } catch {
            throw .io(original, reason: "it cannot be copied to \(directory) for reading: \(error.errno)")
        }
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] {
            try? LedgerFile.remove(RawPath(bytes: path.bytes + Array(suffix.utf8)))
        }
        try? LedgerFile.removeDirectory(directory)
    }

    private static var temporaryDirectory: RawPath {
        guard let value = unsafe getenv("TMPDIR") else { return "/tmp" }
        return unsafe RawPath(bytes: Array(UnsafeRawBufferPointer(start: value, count: strlen(value))))
    }

    private static func copy(_ source: RawPath, to target: RawPath) throws(FileFailure) {
        let input = try LedgerFile(reading: source)
        let output = try LedgerFile(creating: target, mode: 0o600)
        try output.copy(input)
    }
}
