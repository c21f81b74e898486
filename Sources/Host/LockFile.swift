internal import CLinux
package import Integrity

/// An advisory lock that one process holds at a time, and that ends with it (flock(2)).
package final class LockFile: Sendable {
    private let descriptor: OwnedDescriptor

    /// Takes the lock without waiting; the file is made where it is missing.
    /// - Throws: `EAGAIN` where another process holds it; `ELOOP` where a link stands in its place.
    package init(_ path: RawPath) throws(Errno) {
        var locked = try LockFile.lock(path)
        // Somebody may have removed the file, and a third process locked its successor, before the lock was ours.
        while try !LockFile.isStill(locked, at: path) { locked = try LockFile.lock(path) }
        descriptor = locked
    }

    /// Gives the lock back before the object goes; the file stays.
    package func release() {
        descriptor.lend { _ = flock($0, LOCK_UN) }
    }

    private static func lock(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        let number = unsafe withCString(path.bytes[...]) { pointer in
            unsafe mw_openat(AT_FDCWD, pointer, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600)
        }
        let file = OwnedDescriptor(owning: CInt(try checked(number)))
        try checked(file.lend { number in kernelResult { flock(number, LOCK_EX | LOCK_NB) } })
        return file
    }

    private static func isStill(_ file: borrowing OwnedDescriptor, at path: RawPath) throws(Errno) -> Bool {
        let number = unsafe withCString(path.bytes[...]) { pointer in
            unsafe mw_openat(AT_FDCWD, pointer, O_PATH | O_NOFOLLOW, 0)
        }
        if number == -Int(ENOENT) { return false }
        let tree = KernelTree()
        let now = try tree.status(of: OwnedDescriptor(owning: CInt(try checked(number))))
        let held = try tree.status(of: file)
        return now.inode == held.inode && now.device == held.device
    }
}
