/// What a process did, as the kernel's connector tells it.
package struct ProcessEvent: Hashable, Sendable {
    package enum What: Hashable, Sendable {
        /// A process was made. The parent is the one that getppid(2) gives the child.
        case fork(parent: Int32, child: Int32)
        case exec(Int32)
        /// Its user changed; this is the effective one.
        case user(Int32, uid: UInt32)
        case exit(Int32)
        /// The answer to a request to listen: 0 or an errno.
        case acknowledged(Int32)
    }

    package var what: What
    /// Nanoseconds of the monotonic clock.
    package var time: UInt64

    package init(_ what: What, at time: UInt64) {
        self.what = what
        self.time = time
    }
}

/// What a datagram held.
package struct DecodedProcessEvents: Equatable, Sendable {
    package var events: [ProcessEvent] = []
    /// How many bytes at the end form no message: 0 for what a kernel gave.
    package var undecoded = 0

    package init() {}
}

/// Decodes a datagram of the proc connector: netlink messages, each with a message of the connector and one
/// `struct proc_event` in it.
///
/// Whatever the bytes are, nothing is read beyond them. What another connector says, what threads do and kinds that are
/// not known are left out; what does not form a message is counted.
/// - SeeAlso: netlink(7), `linux/cn_proc.h`.
package func decodeProcessEvents(_ bytes: ArraySlice<UInt8>) -> DecodedProcessEvents {
    var decoded = DecodedProcessEvents()
    var rest = bytes
    while !rest.isEmpty {
        let fields = NativeBytes(rest)
        guard let length = fields.u32(0), length >= netlinkHeader, let message = fields.slice(0, Int(length))
        else { break }
        guard let event = decodeConnector(message.dropFirst(netlinkHeader)) else { break }
        if case .some(let event) = event { decoded.events.append(event) }
        // Messages begin at multiples of 4; the last one need not be padded.
        rest = rest.dropFirst((message.count + 3) & ~3)
    }
    decoded.undecoded = rest.count
    return decoded
}

private let netlinkHeader = 16
private let connectorHeader = 20

/// `PROC_EVENT_…`.
private enum Kind {
    static let none: UInt32 = 0
    static let fork: UInt32 = 1
    static let exec: UInt32 = 2
    static let user: UInt32 = 4
    static let exit: UInt32 = 0x8000_0000
}

/// Nil where this is no whole message, and nil inside where it is one of no interest.
private func decodeConnector(_ bytes: ArraySlice<UInt8>) -> ProcessEvent?? {
    let header = NativeBytes(bytes)
    guard let index = header.u32(0), let value = header.u32(4), let length = header.u16(16),
        let data = header.slice(connectorHeader, Int(length))
    else { return nil }
    // CN_IDX_PROC and CN_VAL_PROC.
    guard index == 1, value == 1 else { return .some(nil) }
    let event = NativeBytes(data)
    guard let kind = event.u32(0), let time = event.u64(8) else { return nil }
    func process(_ offset: Int) -> (thread: Int32, process: Int32)? {
        guard let thread = event.i32(offset), let process = event.i32(offset + 4) else { return nil }
        return (thread, process)
    }
    switch kind {
    case Kind.none:
        guard let error = event.i32(16) else { return nil }
        return ProcessEvent(.acknowledged(error), at: time)
    case Kind.fork:
        guard let parent = process(16), let child = process(24) else { return nil }
        guard child.thread == child.process else { return .some(nil) }
        return ProcessEvent(.fork(parent: parent.process, child: child.process), at: time)
    case Kind.exec, Kind.exit:
        guard let who = process(16) else { return nil }
        guard who.thread == who.process else { return .some(nil) }
        return ProcessEvent(kind == Kind.exec ? .exec(who.process) : .exit(who.process), at: time)
    case Kind.user:
        guard let who = process(16), let uid = event.u32(28) else { return nil }
        guard who.thread == who.process else { return .some(nil) }
        return ProcessEvent(.user(who.process, uid: uid), at: time)
    default: return .some(nil)
    }
}
