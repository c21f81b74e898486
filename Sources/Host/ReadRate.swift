internal import CLinux
import Synchronization

/// Bounds how many bytes all threads of a walk read together in a second.
///
/// Whoever has read books the time that so many bytes may take, and waits for what others have booked before. Short
/// debts are let run: sleeping for each piece would cost more than it spares.
package final class ReadRate: Sendable {
    private let bytesPerSecond: UInt64
    private let now: @Sendable () -> UInt64
    private let sleep: @Sendable (UInt64) -> Void
    /// The moment up to which the budget is spent, in nanoseconds.
    private let booked = Mutex<UInt64>(0)

    /// Nanoseconds.
    static let shortestSleep: UInt64 = 5_000_000

    /// `bytesPerSecond` is more than 0.
    package convenience init(bytesPerSecond: UInt64) {
        self.init(
            bytesPerSecond: bytesPerSecond,
            now: SystemClock.monotonicTime,
            sleep: { nanoseconds in
                var time = timespec(
                    tv_sec: Int(nanoseconds / 1_000_000_000),
                    tv_nsec: Int(nanoseconds % 1_000_000_000)
                )
                unsafe nanosleep(&time, nil)
            }
        )
    }

    init(
        bytesPerSecond: UInt64,
        now: @escaping @Sendable () -> UInt64,
        sleep: @escaping @Sendable (UInt64) -> Void
    ) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.now = now
        self.sleep = sleep
    }

    /// Books the bytes of one read(2) and waits until they were due.
    package func spend(_ bytes: Int) {
        let duration = UInt64(Double(bytes) / Double(bytesPerSecond) * 1e9)
        let moment = now()
        let due = booked.withLock { booked in
            booked = max(booked, moment) + duration
            return booked
        }
        if due > moment, due - moment >= ReadRate.shortestSleep { sleep(due - moment) }
    }
}
