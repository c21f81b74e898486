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

    /// Asked once a second at the most, and obeyed each time.
    @Test func aBrakeStopsTheReader() {
        let asked = Mutex(0)
        let rate = ReadRate(
            bytesPerSecond: 1 << 20,
            brake: {
                asked.withLock {
                    $0 += 1; return $0 <= 2 ? 9_000_000_000 : 0
                }
            },
            now: { [clock] in clock.now },
            sleep: { [clock] in clock.sleep($0) }
        )
        let start = clock.now
        for _ in 0..<30 { rate.spend(1 << 20) }
        // Two pauses, in which what was read meanwhile is paid for, and a second for every other piece.
        let seconds = (clock.now - start) / 1_000_000_000
        #expect((46...48).contains(seconds), "\(seconds)")
        #expect((20...30).contains(asked.withLock { $0 }), "\(asked.withLock { $0 })")
    }
}

struct StallPressureTests {
    @Test func theKernelsFileIsRead() {
        let text = """
            some avg10=12.34 avg60=1.00 avg300=0.00 total=123
            full avg10=56.00 avg60=0.00 avg300=0.00 total=7
            """
        #expect(StallPressure.some(Array(text.utf8)) == 12.34)
    }

    @Test(arguments: [
        "", "some", "some avg10=", "some avg10=x total=1", "full avg10=1.00", "some avg10=-1",
        "some avg10=inf",
        "some avg10=nan", "\u{0}\u{0}",
    ])
    func whatIsNoPressureIsNone(text: String) {
        #expect(StallPressure.some(Array(text.utf8)) == nil)
    }

    @Test func aHostInNeed() {
        #expect(!StallPressure(memory: 9, io: 49).isHigh)
        #expect(StallPressure(memory: 10, io: 0).isHigh)
        #expect(StallPressure(memory: 0, io: 50).isHigh)
    }
}
