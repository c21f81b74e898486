internal import CLinux

/// A bell between threads that poll(2) can hear: eventfd(2).
///
/// Ringing it twice before it is heard is ringing it once.
package final class EventBell: PollSource {
    private let descriptor: OwnedDescriptor

    /// Makes a silent bell.
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    package init() throws(Errno) {
        let number = eventfd(0, CInt(EFD_CLOEXEC) | CInt(EFD_NONBLOCK))
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// Never blocks and never fails: where the counter is full, the bell is ringing already.
    package func ring() {
        _ = descriptor.lend { eventfd_write($0, 1) }
    }

    /// Silences it.
    ///
    /// Clear the bell first and look for work then: the other way round, a ring in between is lost.
    /// - Returns: whether it rang.
    @discardableResult
    package func clear() -> Bool {
        var count: eventfd_t = 0
        return descriptor.lend { unsafe eventfd_read($0, &count) } == 0
    }
}
