internal import CLinux
internal import Host
internal import Integrity

/// A system call on a file of the ledger that failed.
struct FileFailure: Error, Hashable {
    /// The name of the system call.
    var operation: String
    var errno: Errno
}

/// An open file of the state directory: its descriptor, and reads and writes that do all or fail.
struct LedgerFile: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Opens a file for reading; a FIFO in its place does not block.
    init(reading path: RawPath) throws(FileFailure) {
        try self.init(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, mode: 0)
    }

    /// Creates a file that must not exist yet.
    init(creating path: RawPath, mode: mode_t) throws(FileFailure) {
        try self.init(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    }

    /// Opens a directory, to sync it.
    init(directory path: RawPath) throws(FileFailure) {
        try self.init(path, O_RDONLY | O_DIRECTORY, mode: 0)
    }

    init(_ path: RawPath, _ flags: CInt, mode: mode_t) throws(FileFailure) {
        let number = try call("open") {
            unsafe withTerminated(path) { unsafe mw_openat(AT_FDCWD, $0, flags, mode) }
        }
        descriptor = OwnedDescriptor(owning: number)
    }

    /// Takes over an open file.
    init(owning descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Type, size, mode and identity (fstat(2)).
    func status() throws(FileFailure) -> stat {
        var status = stat()
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("fstat") { unsafe fstat(number, &status) }
        }
        return status
    }

    /// Reads exactly `count` bytes at `offset`, or up to the end of the file.
    func read(_ count: Int, at offset: Int) throws(FileFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let done = try descriptor.lend { (number: CInt) throws(FileFailure) in
                try call("read") {
                    unsafe bytes.withUnsafeMutableBytes { buffer in
                        unsafe pread(
                            number,
                            buffer.baseAddress?.advanced(by: filled),
                            count - filled,
                            off_t(offset + filled)
                        )
                    }
                }
            }
            if done == 0 { break }
            filled += done
        }
        if filled < count { bytes.removeLast(count - filled) }
        return bytes
    }

    func write(_ bytes: borrowing [UInt8]) throws(FileFailure) {
        var written = 0
        let count = bytes.count
        while written < count {
            written += try descriptor.lend { (number: CInt) throws(FileFailure) in
                try call("write") {
                    unsafe bytes.withUnsafeBytes { buffer in
                        unsafe CLinux.write(
                            number,
                            buffer.baseAddress?.advanced(by: written),
                            count - written
                        )
                    }
                }
            }
        }
    }

    /// Appends everything that another file holds.
    func copy(_ other: borrowing LedgerFile) throws(FileFailure) {
        var offset = 0
        while true {
            let piece = try other.read(1_048_576, at: offset)
            if piece.isEmpty { return }
            try write(piece)
            offset += piece.count
        }
    }

    func sync() throws(FileFailure) {
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("fsync") { fsync(number) }
        }
    }

    /// Takes the advisory lock of the open file (flock(2)); false where another holds it and `isWaiting` is not set.
    func lock(isWaiting: Bool) throws(FileFailure) -> Bool {
        do {
            try descriptor.lend { (number: CInt) throws(FileFailure) in
                _ = try call("flock") { flock(number, LOCK_EX | (isWaiting ? 0 : LOCK_NB)) }
            }
            return true
        } catch {
            guard error.errno == .again, !isWaiting else { throw error }
            return false
        }
    }
}

extension LedgerFile {
    /// Renames within one file system and, unless `isReplacing`, never over an existing name.
    static func rename(_ old: RawPath, to new: RawPath, isReplacing: Bool) throws(FileFailure) {
        _ = try call("rename") {
            unsafe withTerminated(old) { old in
                unsafe withTerminated(new) { new in
                    unsafe mw_renameat2(
                        AT_FDCWD,
                        old,
                        AT_FDCWD,
                        new,
                        isReplacing ? 0 : UInt32(RENAME_NOREPLACE)
                    )
                }
            }
        }
    }

    static func remove(_ path: RawPath) throws(FileFailure) {
        _ = try call("unlink") { unsafe withTerminated(path) { unsafe unlink($0) } }
    }

    static func removeDirectory(_ path: RawPath) throws(FileFailure) {
        _ = try call("rmdir") { unsafe withTerminated(path) { unsafe rmdir($0) } }
    }

    static func makeDirectory(_ path: RawPath, mode: mode_t) throws(FileFailure) {
        _ = try call("mkdir") { unsafe withTerminated(path) { unsafe mkdir($0, mode) } }
    }

    /// What stands at a path, without following a link; nil where nothing does.
    static func status(_ path: RawPath) throws(FileFailure) -> stat? {
        var status = stat()
        do {
            _ = try call("lstat") { unsafe withTerminated(path) { unsafe lstat($0, &status) } }
        } catch {
            if error.errno.isAbsence { return nil }
            throw error
        }
        return status
    }

    /// The names in a directory, in no order, without `.` and `..`.
    static func names(in path: RawPath) throws(FileFailure) -> [[UInt8]] {
        guard let stream = unsafe withTerminated(path, { unsafe opendir($0) }) else {
            throw FileFailure(operation: "open", errno: .current)
        }
        defer { unsafe closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe Array($0.prefix { $0 != 0 })
            }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
        return names
    }

    static func syncDirectory(_ path: RawPath) throws(FileFailure) {
        try LedgerFile(directory: path).sync()
    }
}

extension stat {
    var isRegular: Bool { st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) }
}

/// Calls until it is not interrupted; -1 becomes the error.
func call<Value: SignedInteger>(_ name: String, _ body: () -> Value) throws(FileFailure) -> Value {
    while true {
        let result = body()
        if result >= 0 { return result }
        let errno = Errno.current
        if errno != .interrupted { throw FileFailure(operation: name, errno: errno) }
    }
}

/// Lends a path to a system call, with its NUL; a path with a NUL inside is cut there by no one, it is empty instead.
func withTerminated<Value>(_ path: RawPath, _ body: (UnsafePointer<CChar>) -> Value) -> Value {
    let bytes = path.bytes.contains(0) ? [0] : path.bytes + [0]
    return unsafe bytes.withUnsafeBufferPointer { buffer in
        unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
            // The buffer holds one byte at the least, so that there is a base address.
            unsafe characters.baseAddress.map { unsafe body($0) } ?? body("")
        }
    }
}
