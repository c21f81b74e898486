internal import CLinux
package import Host
package import Integrity
internal import Synchronization

/// What is kept of an approved file besides its record.
package enum KeptKind: UInt8, Hashable, Sendable, CaseIterable {
    /// The whole content.
    case text = 1
    /// The summary of an ELF file, as `ELFSummary.encoded` gives it.
    case elf = 2
}

/// A kept content by the digest of the file that it is of.
package struct KeptKey: Hashable, Sendable {
    package var kind: KeptKind
    package var digest: Digest

    package init(_ kind: KeptKind, _ digest: Digest) {
        self.kind = kind
        self.digest = digest
    }
}

/// Why approved contents cannot be read; findings go without them.
package enum KeptError: Error, Equatable, CustomStringConvertible {
    case missing(RawPath)
    case damaged(RawPath, part: String)
    case io(RawPath, operation: String, errno: Errno)

    package var description: String {
        switch self {
        case .missing(let path):
            "the approved contents \(path) are not here; the next `baseline accept` keeps new ones"
        case .damaged(let path, let part): "the approved contents \(path) are damaged in \(part)"
        case .io(let path, let operation, let errno):
            "cannot \(operation) the approved contents \(path): \(errno)"
        }
    }
}

/// The layout of the file with the contents of one baseline; docs/formats/evidence.md describes it byte by byte.
///
/// Header, entries, index, footer. The baseline's manifest holds the digest of the index, so that the baseline's
/// signature covers every byte of it.
enum KeptFormat {
    static let magic: [UInt8] = [0x89, 0x4D, 0x57, 0x45, 0x0D, 0x0A, 0x1A, 0x0A]
    static let version = 1
    static let rowSize = 1 + 32 + 8 + 4 + 4 + 32
    static let footerSize = 8 + 32
    static let prefix = "approved."
    static let temporaryPrefix = ".approved.new."
    /// Rows that are read into memory at the most.
    static let largestCount = 4_000_000

    static var header: [UInt8] {
        var bytes = magic
        bytes.append(little: UInt32(version))
        return bytes
    }

    static func name(_ index: Digest) -> RawPath { RawPath(prefix + hex(index.bytes)) }
}

/// One row of the index.
struct KeptRow: Hashable, Sendable {
    var key: KeptKey
    var offset: UInt64
    /// Bytes in the file, compressed.
    var stored: UInt32
    var size: UInt32
    /// SHA-256 of the stored bytes.
    var check: Digest

    func append(to output: inout [UInt8]) {
        output.append(key.kind.rawValue)
        key.digest.append(to: &output)
        output.append(little: offset)
        output.append(little: stored)
        output.append(little: size)
        check.append(to: &output)
    }

    init(key: KeptKey, offset: UInt64, stored: UInt32, size: UInt32, check: Digest) {
        (self.key, self.offset, self.stored, self.size, self.check) = (key, offset, stored, size, check)
    }

    init?(_ reader: inout ByteReader) {
        guard let kind = reader.byte().flatMap(KeptKind.init), let digest = reader.digest(),
            let offset: UInt64 = reader.little(), let stored: UInt32 = reader.little(),
            let size: UInt32 = reader.little(), let check = reader.digest()
        else { return nil }
        self.init(key: KeptKey(kind, digest), offset: offset, stored: stored, size: size, check: check)
    }
}

/// Writes the contents that a new baseline keeps, as a walk's workers bring them, in any order.
package final class KeptWriter: Sendable {
    /// The largest content that is kept, bytes, and the most that all of them take in the file.
    package static let contentLimit = 256 << 10
    package static let totalLimit = 128 << 20

    private struct State: ~Copyable {
        var file: LedgerFile
        var offset = UInt64(KeptFormat.header.count)
        var rows: [KeptKey: KeptRow] = [:]
        var failure: FileFailure?
        var leftOut = 0
        var isPlaced = false
    }

    private let directory: PrivateDirectory
    private let path: RawPath
    private let name: RawPath
    private let state: Mutex<State>

    package init(stateDirectory: RawPath) throws(BaselineError) {
        path = stateDirectory.appending("evidence")
        name = temporaryName(KeptFormat.temporaryPrefix)
        do {
            directory = try PrivateDirectory("evidence", in: PrivateDirectory(stateDirectory), isMaking: true)
            let file = try directory.create(name)
            try file.write(KeptFormat.header)
            state = Mutex(State(file: file))
        } catch {
            throw .io(path, operation: error.operation, errno: error.errno)
        }
    }

    deinit {
        if !state.withLock({ $0.isPlaced }) { try? directory.remove(name) }
    }

    /// Keeps a content; one that is kept already, or too large, costs nothing.
    ///
    /// An error shows when the file is finished.
    package func add(_ key: KeptKey, _ bytes: [UInt8]) {
        guard bytes.count <= KeptWriter.contentLimit, !state.withLock({ $0.rows[key] != nil }) else { return }
        let stored = Deflate.compressed(bytes)
        add(key, stored: stored, size: bytes.count, check: SHA256Hasher.digest(of: stored))
    }

    /// Keeps what another file has of these; what it does not have, or is damaged there, is left out.
    package func add(_ keys: some Sequence<KeptKey>, from reader: KeptReader) {
        for key in keys {
            guard let (row, stored) = try? reader.stored(key) else { continue }
            add(key, stored: stored, size: Int(row.size), check: row.check)
        }
    }

    private func add(_ key: KeptKey, stored: [UInt8], size: Int, check: Digest) {
        state.withLock { state in
            guard state.failure == nil, state.rows[key] == nil else { return }
            guard state.offset + UInt64(stored.count) <= UInt64(KeptWriter.totalLimit) else {
                state.leftOut += 1
                return
            }
            do throws(FileFailure) {
                try state.file.write(stored)
            } catch {
                state.failure = error
                return
            }
            state.rows[key] = KeptRow(
                key: key,
                offset: state.offset,
                stored: UInt32(stored.count),
                size: UInt32(size),
                check: check
            )
            state.offset += UInt64(stored.count)
        }
    }

    /// How many contents were left out because the file would have become too large.
    package var leftOut: Int { state.withLock { $0.leftOut } }

    /// Writes the index, makes the file durable and gives it its name.
    ///
    /// - Returns: The digest that the manifest holds; nil where nothing is kept.
    package func place() throws(BaselineError) -> Digest? {
        do throws(FileFailure) {
            return try state.withLock { (state) throws(FileFailure) in
                if let failure = state.failure { throw failure }
                if state.rows.isEmpty { return nil }
                var index: [UInt8] = []
                let rows = state.rows.values.sorted { left, right in
                    left.key.kind == right.key.kind
                        ? left.key.digest.bytes.lexicographicallyPrecedes(right.key.digest.bytes)
                        : left.key.kind.rawValue < right.key.kind.rawValue
                }
                for row in rows { row.append(to: &index) }
                let digest = SHA256Hasher.digest(of: index)
                index.append(little: UInt64(rows.count))
                digest.append(to: &index)
                try state.file.write(index)
                try state.file.sync()
                do throws(FileFailure) {
                    try directory.rename(name, to: KeptFormat.name(digest))
                    state.isPlaced = true
                } catch {
                    // The same contents are kept already.
                    guard error.errno == .exists else { throw error }
                }
                try directory.sync()
                return digest
            }
        } catch {
            throw .io(path, operation: error.operation, errno: error.errno)
        }
    }

    /// Removes the contents of baselines that are no more, and what was never finished.
    package static func prune(stateDirectory: RawPath, keeping digest: Digest?) {
        guard let state = try? PrivateDirectory(stateDirectory),
            let directory = try? PrivateDirectory("evidence", in: state, isMaking: false),
            let names = try? directory.names()
        else { return }
        for name in names {
            let isOld = name.bytes.starts(with: KeptFormat.prefix.utf8) && name != digest.map(KeptFormat.name)
            if isOld || isAbandoned(name, in: directory) { try? directory.remove(name) }
        }
    }

    private static func isAbandoned(_ name: RawPath, in directory: borrowing PrivateDirectory) -> Bool {
        guard name.bytes.starts(with: KeptFormat.temporaryPrefix.utf8),
            let status = try? directory.status(name)
        else { return false }
        return time(nil) - status.st_mtim.tv_sec > 86_400
    }
}

/// The contents that the baseline in force keeps.
package final class KeptReader: Sendable {
    package let path: RawPath
    private let file: LedgerFile
    private let rows: [KeptKey: KeptRow]

    /// Opens the contents whose index has that digest, which comes from a verified manifest.
    package init(stateDirectory: RawPath, index digest: Digest) throws(KeptError) {
        let path = stateDirectory.appending("evidence").appending(KeptFormat.name(digest).bytes)
        self.path = path
        do {
            let directory = try PrivateDirectory(
                "evidence",
                in: PrivateDirectory(stateDirectory),
                isMaking: false
            )
            file = try directory.open(KeptFormat.name(digest), O_RDONLY)
            let size = Int(clamping: try file.status().st_size)
            let header = KeptFormat.header
            guard size >= header.count + KeptFormat.footerSize, try file.read(header.count, at: 0) == header
            else {
                throw KeptError.damaged(path, part: "its header")
            }
            var footer = ByteReader(try file.read(KeptFormat.footerSize, at: size - KeptFormat.footerSize))
            guard let count: UInt64 = footer.little(), footer.digest() == digest,
                count <= UInt64(KeptFormat.largestCount),
                Int(count) * KeptFormat.rowSize <= size - header.count - KeptFormat.footerSize
            else { throw KeptError.damaged(path, part: "its footer") }
            let start = size - KeptFormat.footerSize - Int(count) * KeptFormat.rowSize
            let index = try file.read(Int(count) * KeptFormat.rowSize, at: start)
            guard SHA256Hasher.digest(of: index) == digest else {
                throw KeptError.damaged(path, part: "its index")
            }
            var reader = ByteReader(index)
            var rows: [KeptKey: KeptRow] = [:]
            for _ in 0..<count {
                guard let row = KeptRow(&reader), row.offset <= UInt64(start),
                    UInt64(row.stored) <= UInt64(start) - row.offset
                else { throw KeptError.damaged(path, part: "its index") }
                rows[row.key] = row
            }
            self.rows = rows
        } catch let error as KeptError {
            throw error
        } catch let error as FileFailure {
            if error.errno.isAbsence { throw .missing(path) }
            throw .io(path, operation: error.operation, errno: error.errno)
        } catch {
            throw .damaged(path, part: "\(error)")
        }
    }

    package var keys: [KeptKey] { Array(rows.keys) }

    /// A content, verified; nil where it is not kept.
    package func content(_ key: KeptKey) throws(KeptError) -> [UInt8]? {
        guard let (row, stored) = try stored(key) else { return nil }
        guard let bytes = Deflate.decompressed(stored, size: Int(row.size)),
            key.kind != .text || SHA256Hasher.digest(of: bytes) == key.digest
        else { throw .damaged(path, part: "the content of \(key.digest)") }
        return bytes
    }

    func stored(_ key: KeptKey) throws(KeptError) -> (row: KeptRow, bytes: [UInt8])? {
        guard let row = rows[key] else { return nil }
        let bytes: [UInt8]
        do throws(FileFailure) {
            bytes = try file.read(Int(row.stored), at: Int(clamping: row.offset))
        } catch {
            throw .io(path, operation: error.operation, errno: error.errno)
        }
        guard SHA256Hasher.digest(of: bytes) == row.check else {
            throw .damaged(path, part: "the content of \(key.digest)")
        }
        return (row, bytes)
    }
}
