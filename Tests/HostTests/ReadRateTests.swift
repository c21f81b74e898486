import Synchronization
import Testing

@testable import Host

/// A clock that only sleeping moves.
private final class SleepingClock: Sendable {
    private let time = Mutex<UInt64>(1_000_000_000)
    private let sleeps = Mutex(0)

    var now: UInt64 { time.withLock { $0 } }
    var sleepCount: Int { sleeps.withLock { $0 } }

    func sleep(_ nanoseconds: UInt64) {
        time.withLock { $0 += nanoseconds }
        sleeps.withLock { $0 += 1 }
    }
}

struct ReadRateTests {
    private let clock = SleepingClock()

    private func rate(_ bytesPerSecond: UInt64) -> ReadRate {
        ReadRate(
            bytesPerSecond: bytesPerSecond,
            now: { [clock] in clock.now },
            sleep: { [clock] in clock.sleep($0) }
        )
    }

    @Test(arguments: [64 << 10, 1 << 20, 100])
    func asManyBytesTakeAsLong(piece: Int) {
        let rate = rate(10 << 20)
        let start = clock.now
        for _ in 0..<(20 << 20) / piece { rate.spend(piece) }
        let seconds = Double(clock.now - start) / 1e9
        // Short of it by the longest debt that is let run.
        #expect(seconds > 1.98 && seconds < 2.01, "\(seconds)")
    }

    @Test func shortDebtsAreLetRun() {
        let rate = rate(1 << 30)
        for _ in 0..<10_000 { rate.spend(4_096) }
        #expect(clock.sleepCount <= 10)
    }

    /// Time in which nothing was read is not saved up for a burst.
    @Test func idleTimeIsNotSavedUp() {
        let rate = rate(1 << 20)
        rate.spend(1 << 20)
        clock.sleep(60_000_000_000)
        let start = clock.now
        rate.spend(2 << 20)
        #expect(clock.now - start == 2_000_000_000)
    }
}
