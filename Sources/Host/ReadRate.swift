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
    /// Asked about once a second how long to stand still first, in nanoseconds.
    private let brake: (@Sendable () -> UInt64)?
    /// The moment up to which the budget is spent, and the one to ask the brake again, in nanoseconds.
    private let booked = Mutex<(until: UInt64, brake: UInt64)>((0, 0))

    /// Nanoseconds.
    static let shortestSleep: UInt64 = 5_000_000
    private static let brakeInterval: UInt64 = 1_000_000_000

    /// `bytesPerSecond` is more than 0.
    package convenience init(bytesPerSecond: UInt64, brake: (@Sendable () -> UInt64)? = nil) {
        self.init(
            bytesPerSecond: bytesPerSecond,
            brake: brake,
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
        brake: (@Sendable () -> UInt64)? = nil,
        now: @escaping @Sendable () -> UInt64,
        sleep: @escaping @Sendable (UInt64) -> Void
    ) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.brake = brake
        self.now = now
        self.sleep = sleep
    }

    /// Books the bytes of one read(2) and waits until they were due.
    package func spend(_ bytes: Int) {
        let duration = UInt64(Double(bytes) / Double(bytesPerSecond) * 1e9)
        let moment = now()
        let (due, asks) = booked.withLock { booked in
            booked.until = max(booked.until, moment) + duration
            let asks = brake != nil && booked.brake <= moment
            if asks { booked.brake = moment + ReadRate.brakeInterval }
            return (booked.until, asks)
        }
        let pause = asks ? brake?() ?? 0 : 0
        if pause > 0 { booked.withLock { $0.brake += pause } }
        let wait = max(due - moment, pause)
        if wait >= ReadRate.shortestSleep { sleep(wait) }
    }
}
