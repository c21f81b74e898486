internal import CLinux
package import Integrity

/// The clocks of the system (clock_gettime(2)).
///
/// Stages are handed a clock and never ask here themselves.
package enum SystemClock {
    /// The real time, which a person or NTP may set.
    package static func now() -> Timestamp {
        let time = read(CLOCK_REALTIME)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }

    /// Nanoseconds since the host was started, time asleep included; never set back.
    package static func bootTime() -> Int64 {
        let time = read(CLOCK_BOOTTIME)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Nanoseconds of `CLOCK_MONOTONIC`, as sd_notify(3) wants them with `RELOADING=1`.
    package static func monotonicTime() -> UInt64 {
        let time = read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// How many nanoseconds the real time is ahead of the monotonic one; it changes only where somebody sets the clock.
    ///
    /// Nil where this thread was kept from reading both at once.
    package static func realTimeOffset() -> Int64? {
        for _ in 0..<5 {
            let before = monotonicTime()
            let real = now().nanoseconds(since: Timestamp(seconds: 0))
            let after = monotonicTime()
            if after - before < 5_000 { return real - Int64(clamping: before) }
        }
        return nil
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time
    }
}
