import CLinux
import TestSupport
import Testing

@testable import Host

struct ClockStepsTests {
    @Test func nobodySetTheClock() throws {
        let steps = try ClockSteps()
        #expect(try !steps.take())
        var poller = Poller([steps])
        #expect(try !poller.wait(timeout: 0))
    }

    /// The clock is set to what it shows: some microseconds are lost, and the kernel tells of it all the same.
    @Test(.enabled(if: isRoot, "only root may set the clock"))
    func aClockThatIsSetIsToldOfOnce() throws {
        let steps = try ClockSteps()
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let result = unsafe clock_settime(CLOCK_REALTIME, &now)
        try #require(result == 0, "\(Errno.current)")
        var poller = Poller([steps])
        #expect(try poller.wait(timeout: 0))
        #expect(try steps.take())
        #expect(try !steps.take())
    }
}
