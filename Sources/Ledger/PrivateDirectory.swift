internal import CLinux
internal import Host
internal import Integrity

/// A directory of ours that was opened once: everything in it is reached from its descriptor, and no link is followed.
struct PrivateDirectory: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Opens a directory, whose own path may lead through links, as the state directory's does.
    init(_ path: RawPath) throws(FileFailure) {
        descriptor = OwnedDescriptor(
            owning: try call("open") {
                unsafe withTerminated(path) { unsafe mw_openat(AT_FDCWD, $0, O_RDONLY | O_DIRECTORY, 0) }
            }
        )
    }

    /// Opens a directory in it, and makes it with mode 0700 where it is missing and `isMaking` is set.
    ///
    /// - Throws: `ENOTDIR` and `ELOOP` where something else has the name, `EPERM` where it belongs to another user or
    ///   others may look into it.
    init(_ name: String, in parent: borrowing PrivateDirectory, isMaking: Bool) throws(FileFailure) {
        descriptor = try PrivateDirectory.open(RawPath(name), in: parent, isMaking: isMaking)
    }

    private static func open(
        _ name: RawPath,
        in parent: borrowing PrivateDirectory,
        isMaking: Bool
    ) throws(FileFailure) -> OwnedDescriptor {
        let opened = try parent.descriptor.lend { (parent: CInt) throws(FileFailure) in
            if isMaking {
                do throws(FileFailure) {
                    _ = try call("mkdir") {
                        unsafe withTerminated(name) { unsafe mkdirat(parent, $0, 0o700) }
                    }
                } catch {
                    guard error.errno == .exists else { throw error }
                }
            }
            return try call("open") {
                unsafe withTerminated(name) {
                    unsafe mw_openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
                }
            }
        }
        let directory = OwnedDescriptor(owning: opened)
        var status = stat()
        try directory.lend { (number: CInt) throws(FileFailure) in
            _ = try call("fstat") { unsafe fstat(number, &status) }
        }
        let isOurs = status.st_uid == geteuid() || (geteuid() != 0 && status.st_uid == 0)
        guard isOurs, status.st_mode & 0o077 == 0 else {
            throw FileFailure(operation: "open", errno: .permission)
        }
        return directory
    }

    /// Opens a file in it; a FIFO in its place does not block.
    func open(_ name: RawPath, _ flags: CInt, mode: mode_t = 0) throws(FileFailure) -> LedgerFile {
        let all = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        return LedgerFile(
            owning: OwnedDescriptor(
                owning: try descriptor.lend { (number: CInt) throws(FileFailure) in
                    try call("open") {
                        unsafe withTerminated(name) { unsafe mw_openat(number, $0, all, mode) }
                    }
                }
            )
        )
    }

    /// Makes a file that must not exist yet, with mode 0600.
    func create(_ name: RawPath) throws(FileFailure) -> LedgerFile {
        try open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    }

    /// Renames in it, never over an existing name.
    func rename(_ old: RawPath, to new: RawPath) throws(FileFailure) {
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("rename") {
                unsafe withTerminated(old) { old in
                    unsafe withTerminated(new) { new in
                        unsafe mw_renameat2(number, old, number, new, UInt32(RENAME_NOREPLACE))
                    }
                }
            }
        }
    }

    func remove(_ name: RawPath) throws(FileFailure) {
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("unlink") { unsafe withTerminated(name) { unsafe unlinkat(number, $0, 0) } }
        }
    }

    /// What stands under a name; nil where nothing does.
    func status(_ name: RawPath) throws(FileFailure) -> stat? {
        var status = stat()
        do throws(FileFailure) {
            try descriptor.lend { (number: CInt) throws(FileFailure) in
                _ = try call("lstat") {
                    unsafe withTerminated(name) { unsafe fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }
                }
            }
        } catch {
            if error.errno.isAbsence { return nil }
            throw error
        }
        return status
    }

    /// The names in it, in no order.
    func names() throws(FileFailure) -> [RawPath] {
        var listing = DirectoryListing()
        do throws(Errno) {
            try KernelTree().list(descriptor, into: &listing)
        } catch {
            throw FileFailure(operation: "list", errno: error)
        }
        return listing.entries.map { RawPath(bytes: Array(listing.name(of: $0))) }
    }

    func sync() throws(FileFailure) {
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("fsync") { fsync(number) }
        }
    }

    /// Bytes that an ordinary user, or root, may still write on its file system.
    func freeBytes() throws(FileFailure) -> UInt64 {
        var status = statvfs()
        try descriptor.lend { (number: CInt) throws(FileFailure) in
            _ = try call("statvfs") { unsafe fstatvfs(number, &status) }
        }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}

/// A name for a file that is not whole yet; nobody guesses it, so that nobody stands in its way.
func temporaryName(_ prefix: String) -> RawPath {
    RawPath("\(prefix)\(getpid()).\(UInt64.random(in: .min ... .max))")
}
