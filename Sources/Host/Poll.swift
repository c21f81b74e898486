internal import CLinux

/// What poll(2) can wait for and what it reports.
package struct PollEvents: OptionSet, Hashable, Sendable {
    package let rawValue: Int16

    package init(rawValue: Int16) {
        self.rawValue = rawValue
    }

    package static let readable = PollEvents(rawValue: 0x001)
    /// `POLLPRI`: what /proc/self/mountinfo raises when a mount comes or goes.
    package static let priority = PollEvents(rawValue: 0x002)
    package static let writable = PollEvents(rawValue: 0x004)
    /// Reported unasked.
    package static let error = PollEvents(rawValue: 0x008)
    package static let hungUp = PollEvents(rawValue: 0x010)
    package static let invalid = PollEvents(rawValue: 0x020)
}

/// Something with a descriptor to wait for.
package protocol PollSource: AnyObject, Sendable {
    /// Open for as long as the object lives.
    var descriptorNumber: CInt { get }
    var interest: PollEvents { get }
}

/// Any descriptor, to wait for.
package final class PolledDescriptor: PollSource {
    private let descriptor: OwnedDescriptor
    package let interest: PollEvents

    package init(_ descriptor: consuming OwnedDescriptor, interest: PollEvents = .readable) {
        self.descriptor = descriptor
        self.interest = interest
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }

    package func lend<R, E: Error>(_ body: (CInt) throws(E) -> R) throws(E) -> R {
        try descriptor.lend(body)
    }
}

/// Waits for the first of a few descriptors.
///
/// It belongs to one thread.
package struct Poller {
    /// Held so that no number can be closed and taken by another file while it is waited for.
    private let sources: [any PollSource]
    private var entries: [pollfd]

    package init(_ sources: [any PollSource]) {
        self.sources = sources
        entries = sources.map { pollfd(fd: $0.descriptorNumber, events: $0.interest.rawValue, revents: 0) }
    }

    /// Waits until a source is ready or the time is up; an interruption by a signal shortens nothing.
    /// - Parameter timeout: nanoseconds; nil waits for ever, 0 only looks.
    /// - Returns: true where a source is ready.
    /// - Throws: `EINVAL`, `ENOMEM` (poll(2)).
    package mutating func wait(timeout: UInt64? = nil) throws(Errno) -> Bool {
        let end = timeout.map { monotonicNanoseconds().addingReportingOverflow($0) }
        while true {
            var left: UInt64?
            if let end {
                let now = monotonicNanoseconds()
                left = end.overflow ? .max : end.partialValue - min(now, end.partialValue)
            }
            do {
                return try wait(once: left) > 0
            } catch .interrupted {
                continue
            }
        }
    }

    private mutating func wait(once nanoseconds: UInt64?) throws(Errno) -> CInt {
        let count: CInt
        if let nanoseconds {
            var span = timespec(
                tv_sec: Int(nanoseconds / 1_000_000_000),
                tv_nsec: Int(nanoseconds % 1_000_000_000)
            )
            count = unsafe ppoll(&entries, nfds_t(entries.count), &span, nil)
        } else {
            count = unsafe ppoll(&entries, nfds_t(entries.count), nil, nil)
        }
        if count < 0 { throw Errno.current }
        return count
    }

    /// What the last wait found at the source that stands at this place in the list; empty for none.
    package func ready(_ index: Int) -> PollEvents {
        entries.indices.contains(index) ? PollEvents(rawValue: entries[index].revents) : []
    }
}

private func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
