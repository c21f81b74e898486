internal import CLinux

/// Tells when somebody sets the system clock: a timer of timerfd_create(2) that never fires and is cancelled by that
/// (`TFD_TIMER_CANCEL_ON_SET`).
///
/// A clock that is only made to run faster or slower (adjtimex(2)) is not set.
package final class ClockSteps: PollSource {
    private let descriptor: OwnedDescriptor

    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    package init() throws(Errno) {
        let flags = CInt(TFD_CLOEXEC) | CInt(TFD_NONBLOCK)
        let number = timerfd_create(CLOCK_REALTIME, flags)
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
        try arm()
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// Whether it was set since this was asked last.
    /// - Throws: what read(2) and timerfd_settime(2) report; never `EAGAIN`.
    package func take() throws(Errno) -> Bool {
        var count: UInt64 = 0
        do {
            _ = try descriptor.lend { (number) throws(Errno) -> Int in
                try retrying { unsafe read(number, &count, MemoryLayout<UInt64>.size) }
            }
            return false
        } catch .again {
            return false
        } catch .cancelled {
            try arm()
            return true
        }
    }

    private func arm() throws(Errno) {
        // As far away as the kernel takes it: some 292 years.
        var never = itimerspec()
        never.it_value.tv_sec = Int.max / 1_000_000_000
        let flags = CInt(TFD_TIMER_ABSTIME) | CInt(TFD_TIMER_CANCEL_ON_SET)
        let result = descriptor.lend { unsafe timerfd_settime($0, flags, &never, nil) }
        if result < 0 { throw Errno.current }
    }
}
