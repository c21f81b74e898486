import CLinux
import Host
import Integrity
import TestSupport

/// What people, builds and attackers do to files: one system call each.
extension RawPath {
    func rename(to other: RawPath, flags: CUnsignedInt = 0) throws(Errno) {
        let terminated = other.bytes + [0]
        try unsafe call { from in
            unsafe terminated.withUnsafeBytes { buffer in
                guard let to = buffer.baseAddress else { return -1 }
                return unsafe mw_renameat2(
                    AT_FDCWD,
                    from,
                    AT_FDCWD,
                    to.assumingMemoryBound(to: CChar.self),
                    flags
                )
            }
        }
    }

    func exchange(with other: RawPath) throws(Errno) { try rename(to: other, flags: 2) }

    /// A second name for the same inode.
    func link(to other: RawPath) throws(Errno) {
        let terminated = other.bytes + [0]
        try unsafe call { from in
            unsafe terminated.withUnsafeBytes { buffer in
                guard let to = buffer.baseAddress else { return -1 }
                return unsafe CLinux.link(from, to.assumingMemoryBound(to: CChar.self))
            }
        }
    }

    /// Makes this a symbolic link.
    func makeLink(to target: RawPath) throws(Errno) {
        let terminated = target.bytes + [0]
        try unsafe call { path in
            unsafe terminated.withUnsafeBytes { buffer in
                guard let target = buffer.baseAddress else { return -1 }
                return unsafe CLinux.symlink(target.assumingMemoryBound(to: CChar.self), path)
            }
        }
    }

    func makeDirectory() throws(Errno) { try unsafe call { unsafe mkdir($0, 0o755) } }
    func makeFIFO() throws(Errno) { try unsafe call { unsafe mkfifo($0, 0o644) } }
    func delete() throws(Errno) { try unsafe call { unsafe unlink($0) } }
    func deleteDirectory() throws(Errno) { try unsafe call { unsafe rmdir($0) } }
    func setMode(_ mode: UInt16) throws(Errno) { try unsafe call { unsafe chmod($0, mode_t(mode)) } }

    func setOwner(_ uid: UInt32, _ gid: UInt32) throws(Errno) {
        try unsafe call { unsafe chown($0, uid_t(uid), gid_t(gid)) }
    }

    /// truncate(2): by path, so that no close follows.
    func truncate(to size: Int) throws(Errno) { try unsafe call { unsafe CLinux.truncate($0, off_t(size)) } }

    /// The access time stays.
    func setModified(_ time: timespec) throws(Errno) {
        try setTimes([timespec(tv_sec: 0, tv_nsec: omitted), time])
    }

    /// The modification time stays.
    func setAccessed(_ time: timespec) throws(Errno) {
        try setTimes([time, timespec(tv_sec: 0, tv_nsec: omitted)])
    }

    /// The access time and the modification time.
    func setTimes(_ times: [timespec]) throws(Errno) {
        try unsafe call { unsafe utimensat(AT_FDCWD, $0, times, AT_SYMLINK_NOFOLLOW) }
    }

    func setXattr(_ name: String, _ value: [UInt8]) throws(Errno) {
        try unsafe call { unsafe setxattr($0, name, value, value.count, 0) }
    }

    func removeXattr(_ name: String) throws(Errno) { try unsafe call { unsafe removexattr($0, name) } }

    /// Opens it for reading and writing, without changing anything, for as long as the body runs.
    func opened(_ body: (CInt) throws -> Void) throws {
        let file = OwnedDescriptor(owning: try unsafe call { unsafe mw_openat(AT_FDCWD, $0, O_RDWR, 0) })
        try file.lend { try body($0) }
    }
}

func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

/// Writes at the beginning of an open file.
func overwrite(_ descriptor: CInt, _ bytes: [UInt8]) throws(Errno) {
    let count = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    guard count == bytes.count else { throw Errno.current }
}

/// `UTIME_OMIT` of utimensat(2), a macro that is an expression.
private let omitted = (1 << 30) - 2

/// The value of `security.capability` that `setcap cap_net_raw+ep` writes (capabilities(7), revision 2).
let netRawCapability: [UInt8] = littleEndian([0x0200_0001, 0x2000, 0, 0, 0])

/// The value of `system.posix_acl_access` that `setfacl -m u:UID:r` writes on a file of mode 0755 (acl(5)).
func accessList(readableBy uid: UInt32) -> [UInt8] {
    let everybody: UInt32 = 0xFFFF_FFFF
    let entries: [(tag: UInt32, permissions: UInt32, id: UInt32)] = [
        (0x01, 7, everybody), (0x02, 4, uid), (0x04, 5, everybody), (0x10, 5, everybody),
        (0x20, 5, everybody),
    ]
    return littleEndian([2] + entries.flatMap { [$0.tag | $0.permissions << 16, $0.id] })
}

private func littleEndian(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
}

/// `sha256:…` as reports have it.
func digestText(of bytes: [UInt8]) -> String { SHA256Hasher.digest(of: bytes).description }
