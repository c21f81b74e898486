internal import CLinux
internal import Foundation
internal import GRDB
internal import Host
internal import Integrity

/// Where bytes and errors pass between GRDB and the rest.

func blob(_ bytes: [UInt8]?) -> Data? { bytes.map { Data($0) } }

extension Row {
    func bytes(_ column: String) -> [UInt8]? {
        (self[column] as Data?).map { Array($0) }
    }
}

extension HistoryError {
    /// Says what SQLite's result code means for the history at `path`.
    init(_ error: any Error, _ path: RawPath) {
        switch error {
        case let error as HistoryError: self = error
        case let error as DatabaseError: self.init(error, path)
        case let error as RowDecodingError: self = .damaged(path, reason: "\(error)")
        default: self = .io(path, reason: "\(error)")
        }
    }

    private init(_ error: DatabaseError, _ path: RawPath) {
        let message = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_FULL: self = .full(path)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_MISMATCH, .SQLITE_CONSTRAINT,
            .SQLITE_ERROR:
            self = .damaged(path, reason: message)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path)
        case .SQLITE_READONLY:
            self = error.extendedResultCode == .SQLITE_READONLY_DBMOVED ? .replaced(path) : .readOnly(path)
        case .SQLITE_PERM, .SQLITE_AUTH: self = .permission(path)
        case .SQLITE_CANTOPEN: self = HistoryError.unopened(path)
        case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: self = .full(path)
        default: self = .io(path, reason: "\(message) (SQLite \(error.extendedResultCode.rawValue))")
        }
    }

    /// SQLite says only that it could not open the file; the kernel knows why.
    private static func unopened(_ path: RawPath) -> HistoryError {
        do {
            _ = try LedgerFile(path, O_RDWR | O_NONBLOCK | O_NOCTTY, mode: 0)
            // The file is fine, then: what cannot be made are its -wal and -shm.
            return .readOnly(path)
        } catch {
            switch error.errno {
            case .noEntry, .notDirectory: return .missing(path)
            case .access, .permission: return .permission(path)
            case .readOnly: return .readOnly(path)
            default: return .io(path, reason: "\(error.errno)")
            }
        }
    }
}
