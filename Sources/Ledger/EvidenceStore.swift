internal import CLinux
package import Host
package import Integrity

/// How much of the altered files is kept, and how long.
package struct EvidenceLimits: Hashable, Sendable {
    package var bytes: UInt64
    /// Nanoseconds.
    package var age: Int64

    package init(bytes: UInt64 = 256 << 20, age: Int64 = 90 * 86_400 * 1_000_000_000) {
        self.bytes = bytes
        self.age = age
    }
}

/// How much there is.
package struct EvidenceUsage: Hashable, Sendable {
    package var files: Int
    package var bytes: UInt64
    /// When the oldest copy was taken.
    package var oldest: Timestamp?

    package init(files: Int = 0, bytes: UInt64 = 0, oldest: Timestamp? = nil) {
        self.files = files
        self.bytes = bytes
        self.oldest = oldest
    }
}

/// The altered files that rules with `keep: copy` save, each under its digest: `evidence/sha256/HEX` in the state
/// directory, with mode 0600, so that nobody runs one by mistake.
///
/// A copy is made from the descriptor that was hashed, hashed itself on the way, and gets its name only when it is
/// durable and its digest the one that was seen. Several processes may use one store.
package struct EvidenceStore: ContentCopier {
    /// Nothing is kept where less than this would be left free: the history needs room before the evidence does.
    static let reserve: UInt64 = 64 << 20
    private static let temporaryPrefix = ".new."

    private let stateDirectory: RawPath
    package let limits: EvidenceLimits

    package init(stateDirectory: RawPath, limits: EvidenceLimits = EvidenceLimits()) {
        self.stateDirectory = stateDirectory
        self.limits = limits
    }

    /// Where the copy of that digest lies, or would lie.
    package static func path(of digest: Digest, stateDirectory: RawPath) -> RawPath {
        stateDirectory.appending("evidence").appending("sha256").appending(hex(digest.bytes))
    }

    /// Makes a copy of an open file.
    ///
    /// - Parameters:
    ///   - digest: What the file's content was hashed to.
    ///   - size: Its size.
    ///   - now: The real time.
    ///   - read: Reads the file.
    /// - Returns: What became of it.
    package func copy(_ digest: Digest, size: UInt64, now: Timestamp, _ read: PositionalRead) -> CopyOutcome {
        guard size <= limits.bytes else {
            return .failed("it is larger than `retention: evidence: bytes:` allows")
        }
        do throws(FileFailure) {
            let directory = try open(isMaking: true)
            let name = RawPath(hex(digest.bytes))
            if let known = try directory.status(name), known.isRegular,
                UInt64(clamping: known.st_size) == size
            {
                return .kept
            }
            try prune(directory, now: now, room: size)
            guard try directory.freeBytes() > size.addingReportingOverflow(Self.reserve).partialValue else {
                return .failed("the disk has no room for it")
            }
            return try copy(name, digest, size, directory, read)
        } catch {
            return .failed("cannot \(error.operation) in \(path): \(error.errno)")
        }
    }

    private var path: RawPath { stateDirectory.appending("evidence").appending("sha256") }

    private func open(isMaking: Bool) throws(FileFailure) -> PrivateDirectory {
        let state = try PrivateDirectory(stateDirectory)
        let evidence = try PrivateDirectory("evidence", in: state, isMaking: isMaking)
        return try PrivateDirectory("sha256", in: evidence, isMaking: isMaking)
    }

    private func copy(
        _ name: RawPath,
        _ digest: Digest,
        _ size: UInt64,
        _ directory: borrowing PrivateDirectory,
        _ read: PositionalRead
    ) throws(FileFailure) -> CopyOutcome {
        let temporary = temporaryName(Self.temporaryPrefix)
        let file = try directory.create(temporary)
        var isPlaced = false
        defer { if !isPlaced { try? directory.remove(temporary) } }
        let hasher = SHA256Hasher()
        var total: UInt64 = 0
        while total <= size {
            let piece: [UInt8]
            do throws(Errno) {
                piece = try read(total, 256 << 10)
            } catch {
                return .failed("it cannot be read again: \(error)")
            }
            if piece.isEmpty { break }
            hasher.update(piece)
            try file.write(piece)
            total += UInt64(piece.count)
        }
        guard total == size, hasher.finish() == digest else { return .other }
        try file.sync()
        do throws(FileFailure) {
            try directory.rename(temporary, to: name)
            isPlaced = true
        } catch {
            // Another process was faster.
            guard error.errno == .exists else { throw error }
        }
        try directory.sync()
        return .kept
    }

    // MARK: Looking at it

    /// A copy, verified.
    ///
    /// - Parameters:
    ///   - digest: Of the content.
    ///   - body: Gets the content piece by piece; what it got is good only if nothing is thrown.
    /// - Throws: `KeptError.missing` where it is not kept (any more), `.damaged` where it is another content.
    package func read(_ digest: Digest, _ body: ([UInt8]) -> Void) throws(KeptError) {
        let path = Self.path(of: digest, stateDirectory: stateDirectory)
        do throws(FileFailure) {
            let file = try open(isMaking: false).open(RawPath(hex(digest.bytes)), O_RDONLY)
            let hasher = SHA256Hasher()
            var offset = 0
            while true {
                let piece = try file.read(1 << 20, at: offset)
                if piece.isEmpty { break }
                hasher.update(piece)
                body(piece)
                offset += piece.count
            }
            guard hasher.finish() == digest else { throw FileFailure(operation: "verify", errno: .io) }
        } catch {
            if error.errno.isAbsence { throw .missing(path) }
            if error.operation == "verify" { throw .damaged(path, part: "its content") }
            throw .io(path, operation: error.operation, errno: error.errno)
        }
    }

    /// Whether a copy is there; it is not read.
    package func has(_ digest: Digest) -> Bool {
        guard let directory = try? open(isMaking: false) else { return false }
        return (try? directory.status(RawPath(hex(digest.bytes))))?.isRegular ?? false
    }

    /// How much is kept; nothing where there is no store.
    package func usage() -> EvidenceUsage {
        guard let directory = try? open(isMaking: false), let copies = try? copies(directory) else {
            return EvidenceUsage()
        }
        return EvidenceUsage(
            files: copies.count,
            bytes: copies.reduce(0) { $0 + $1.size },
            oldest: copies.first?.time
        )
    }

    // MARK: Removing

    /// Removes what is older than the limit, and the oldest of the rest until what is left keeps within its bytes.
    package func prune(now: Timestamp) {
        guard let directory = try? open(isMaking: false) else { return }
        try? prune(directory, now: now, room: 0)
    }

    private struct Copy {
        var name: RawPath
        var size: UInt64
        var time: Timestamp
    }

    /// The copies, oldest first.
    private func copies(_ directory: borrowing PrivateDirectory) throws(FileFailure) -> [Copy] {
        var copies: [Copy] = []
        for name in try directory.names() where bytes(hex: String(decoding: name.bytes, as: UTF8.self)) != nil
        {
            guard let status = try directory.status(name), status.isRegular else { continue }
            copies.append(Copy(name: name, size: UInt64(clamping: status.st_size), time: status.modified))
        }
        return copies.sorted { $0.time < $1.time }
    }

    private func prune(_ directory: borrowing PrivateDirectory, now: Timestamp, room: UInt64)
        throws(FileFailure)
    {
        let copies = try copies(directory)
        var total = copies.reduce(0) { $0 + $1.size }
        for copy in copies {
            let isOld = now.nanoseconds(since: copy.time) > limits.age
            guard isOld || total > limits.bytes - min(room, limits.bytes) else { break }
            try directory.remove(copy.name)
            total -= copy.size
        }
        for name in try directory.names() where name.bytes.starts(with: Self.temporaryPrefix.utf8) {
            guard let status = try directory.status(name) else { continue }
            // What a process that died left; no copy takes an hour.
            if now.nanoseconds(since: status.modified) > 3_600_000_000_000 { try directory.remove(name) }
        }
    }
}

extension stat {
    fileprivate var modified: Timestamp {
        Timestamp(seconds: Int64(st_mtim.tv_sec), nanoseconds: UInt32(st_mtim.tv_nsec))
    }
}
