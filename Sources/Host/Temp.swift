internal import CLinux
package import Integrity

package func readFile(_ path: RawPath, limit: Int) throws(Errno) -> [UInt8] {
    let tree = KernelTree()
    let p = PathResolver(tree: tree).resolve(path).final ?? path
    let d = try tree.openDirectory(p.parent)
    let f = try tree.openFile(p.name, in: d)
    var out: [UInt8] = []
    var buf = [UInt8](repeating: 0, count: 65536)
    while true {
        var n = 0
        var failure: Errno?
        unsafe buf.withUnsafeMutableBytes { b in
            do throws(Errno) { n = unsafe try tree.read(f, into: b) } catch { failure = error }
        }
        if let failure { throw failure }
        if n == 0 { return out }
        out += buf[..<n]
        if out.count > limit { throw Errno(27) }
    }
}
package enum HomeDirectories {
    package static func find(passwd: [UInt8], shells: [UInt8], buildUsers: [String], tree: some FileTree) -> [RawPath] { ["/root"] }
}
package enum SystemClock {
    package static func now() -> Timestamp { var t = timespec(); unsafe clock_gettime(CLOCK_REALTIME, &t); return Timestamp(seconds: Int64(t.tv_sec), nanoseconds: UInt32(t.tv_nsec)) }
    package static func bootTime() -> Int64 { var t = timespec(); unsafe clock_gettime(CLOCK_BOOTTIME, &t); return Int64(t.tv_sec) * 1_000_000_000 + Int64(t.tv_nsec) }
    package static func monotonicTime() -> UInt64 { 0 }
    package static func host() -> HostIdentity { HostIdentity(name: "x", machineID: "", bootID: "") }
    package static func loginUID() -> Int64? { nil }
}

package enum StateDirectory {
    package static func prepare(_ path: RawPath) throws(Errno) {
        var current = RawPath.root
        for c in path.components {
            current = current.appending(c)
            let name = current.bytes.map { CChar(bitPattern: $0) } + [0]
            if unsafe mkdir(name, 0o700) != 0, mw_errno() != EEXIST { throw Errno.current }
        }
    }
}
package final class LockFile {
    let fd: OwnedDescriptor
    package init(_ path: RawPath) throws(Errno) {
        let name = path.bytes.map { CChar(bitPattern: $0) } + [0]
        let n = unsafe mw_openat(AT_FDCWD, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
        if n < 0 { throw Errno.current }
        if flock(n, LOCK_EX | LOCK_NB) != 0 { throw Errno.current }
        fd = OwnedDescriptor(owning: n)
    }
    package func release() {}
}
