internal import CLinux
package import Host

/// One look at a datagram socket of this host: somebody listens, and would take a datagram now.
///
/// - Throws: `ENOENT` where the socket does not exist, `ECONNREFUSED` where nobody listens, `EAGAIN` where its queue
///   stayed full for `patience` milliseconds; nil does not ask for room.
func probeDatagramSocket(_ path: String, patience: CInt?) throws(Errno) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < room, !bytes.contains(0) else { throw .nameTooLong }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }

    let number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw .current }
    let descriptor = OwnedDescriptor(owning: number)
    try descriptor.lend { (number: CInt) throws(Errno) in
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(number, __CONST_SOCKADDR_ARG(__sockaddr__: $0), size)
            }
        }
        guard result == 0 else { throw .current }
        if let patience { try waitUntilWritable(number, patience: patience) }
    }
}

/// A connected datagram socket is writable while the receiver's queue has room (unix(7)).
private func waitUntilWritable(_ number: CInt, patience: CInt) throws(Errno) {
    var wanted = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    while true {
        let ready = unsafe poll(&wanted, 1, patience)
        if ready > 0 { return }
        if ready == 0 { throw .again }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}

/// Why the journal takes no entries; nil where it does.
package func journalRefusal() -> Errno? {
    do {
        try probeDatagramSocket("/run/systemd/journal/socket", patience: 1_000)
        return nil
    } catch {
        return error
    }
}
