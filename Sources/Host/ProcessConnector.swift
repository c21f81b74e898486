internal import CLinux

/// The kernel's connector for process events (`CONFIG_PROC_EVENTS`): each fork, exec, change of user and exit of the
/// whole host.
///
/// A filter in the kernel drops what threads do, so that it wakes nobody.
package final class ProcessConnector: PollSource {
    private let descriptor: OwnedDescriptor

    /// Starts to listen.
    ///
    /// - Throws: `EPERM` without `CAP_NET_ADMIN` or outside of the host's first namespaces, `EPROTONOSUPPORT` where the
    ///   kernel has no connector, `ECONNREFUSED` where nobody answers.
    package init() throws(Errno) {
        let number = mw_connector_socket()
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
        // Before the address, so that nothing comes unfiltered.
        try retrying { mw_connector_filter(number) }
        try retrying { mw_connector_bind(number) }
        var size: CInt = 8 << 20
        // Where this is refused, the default holds fewer events; a loss is noticed either way.
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<CInt>.size))
        try listen()
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// Asks for events (`PROC_CN_MCAST_LISTEN`).
    ///
    /// The kernel answers before send(2) returns.
    private func listen() throws(Errno) {
        // Length and flags of the connector's message share a word: 4 bytes follow, no flags.
        let length: UInt32 = UInt32(littleEndian: 1) == 1 ? 4 : 4 << 16
        // 40 bytes, NLMSG_DONE, …; CN_IDX_PROC, CN_VAL_PROC, …; PROC_CN_MCAST_LISTEN.
        let request: [UInt32] = [40, 3, 0, 0, 1, 1, 0, 0, length, 1]
        try descriptor.lend { (number) throws(Errno) in
            _ = try retrying {
                unsafe request.withUnsafeBytes { unsafe send(number, $0.baseAddress, $0.count, 0) }
            }
        }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let received = try receive(into: &buffer), received.count > 0 {
            for event in decodeProcessEvents(buffer[..<received.count]).events {
                guard case .acknowledged(let error) = event.what else { continue }
                if error != 0 { throw Errno(abs(error)) }
                return
            }
        }
        throw Errno(ECONNREFUSED)
    }

    /// Takes one datagram.
    ///
    /// - Returns: How many bytes it has, 0 where there is none; whether events before it were lost.
    /// - Throws: What recvfrom(2) reports; never `EAGAIN` or `ENOBUFS`.
    package func receive(into buffer: inout [UInt8]) throws(Errno) -> (count: Int, lost: Bool) {
        var lost = false
        while true {
            var sender: CUnsignedInt = 0
            let count = descriptor.lend { number in
                unsafe buffer.withUnsafeMutableBytes { room in
                    kernelResult {
                        unsafe mw_connector_receive(number, room.baseAddress, room.count, &sender)
                    }
                }
            }
            switch count {
            case -Int(EAGAIN): return (0, lost)
            case -Int(ENOBUFS): lost = true
            case ..<0: throw Errno(Int32(truncatingIfNeeded: -count))
            // Only the kernel is believed.
            case 1... where sender == 0: return (count, lost)
            default: continue
            }
        }
    }
}
