import CLinux
import Host
import Integrity
import Ledger
import Synchronization
import TestSupport
import Testing

@testable import Warden

/// What raises no event is found by reading everything again.
struct SweepTests {
    private let day: Int64 = 86_400_000_000_000

    /// Lets a due sweep begin, waits for its end, and takes in what it found.
    private func sweep(_ bench: WatchBench) throws {
        let before = try sweeps(bench).count
        try bench.step()
        var poller = Poller([bench.watcher.bell])
        while bench.watcher.sweeper.isRunning {
            try #require(try poller.wait(timeout: 60_000_000_000))
            bench.watcher.bell.clear()
        }
        try bench.settle()
        try #require(try sweeps(bench).count == before + 1)
    }

    private func sweeps(_ bench: WatchBench) throws -> [CheckEvent] {
        var filter = HistoryFilter()
        filter.events = ["check"]
        return try bench.history.entries(filter).compactMap { entry in
            guard case .check(let event) = entry.event, event.mode == "sweep" else { return nil }
            return event
        }
    }

    @Test func itIsDueADayAfterTheBaseline() throws {
        let bench = try WatchBench()
        try bench.watcher.scheduleSweep()
        let due = try #require(bench.watcher.nextSweep)
        let left = due - bench.watcher.setup.bootClock()
        #expect(left > day - 600_000_000_000 && left <= day)
        try bench.step()
        #expect(!bench.watcher.sweeper.isRunning)
        bench.pass(left)
        try sweep(bench)
        let events = try sweeps(bench)
        #expect(events.map(\.exit) == [0])
        #expect(events.first?.summary.examined == bench.watcher.baseline.summary.entries)
        #expect(try bench.told() == [])
        // The next one counts from this one, also after a restart.
        #expect(bench.watcher.nextSweep.map { $0 - bench.watcher.setup.bootClock() } == day)
        try bench.restart()
        try bench.watcher.scheduleSweep()
        let again = try #require(bench.watcher.nextSweep) - bench.watcher.setup.bootClock()
        #expect(again > day - 600_000_000_000 && again <= day)
    }

    @Test func noneWhereItIsSwitchedOff() throws {
        let bench = try WatchBench()
        bench.watcher.setup.sweep.every = 0
        try bench.watcher.scheduleSweep()
        #expect(bench.watcher.nextSweep == nil)
    }

    /// A clock that was set back to before the baseline does not put it off for longer than the period.
    @Test func aClockSetBackDoesNotPutItOff() throws {
        let bench = try WatchBench()
        bench.watcher.setup.clock = { SystemClock.now().adding(nanoseconds: -400 * 86_400_000_000_000) }
        try bench.watcher.scheduleSweep()
        #expect(try #require(bench.watcher.nextSweep) - bench.watcher.setup.bootClock() == day)
    }

    /// A shared mapping raises no event while it lasts, and the bytes are there for every reader.
    @Test func aWriteThroughASharedMappingIsFound() throws {
        let bench = try WatchBench()
        var path = bench.path("bin/cc").bytes.map { CChar(bitPattern: $0) }
        path.append(0)
        let descriptor = unsafe mw_openat(AT_FDCWD, path, O_RDWR, 0)
        try #require(descriptor >= 0)
        let memory = unsafe mmap(nil, 4_096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        defer {
            unsafe munmap(memory, 4_096)
            close(descriptor)
        }
        // MAP_FAILED is -1.
        try #require(Int(bitPattern: memory) != -1)
        unsafe memory?.storeBytes(of: UInt8(ascii: "K"), as: UInt8.self)
        try bench.settle()
        #expect(try bench.told() == [])
        try bench.watcher.scheduleSweep()
        bench.pass(day)
        try sweep(bench)
        #expect(try bench.told() == ["content bin/cc"])
        #expect(try sweeps(bench).map(\.exit) == [4])
        // Told once.
        bench.pass(day)
        try sweep(bench)
        #expect(try bench.told() == [])
        #expect(try sweeps(bench).map(\.exit) == [4, 4])
    }

    /// What is being written meanwhile is told once, by its own events.
    @Test func whatIsUnderWayTakesItsOwnCourse() throws {
        let bench = try WatchBench()
        try bench.watcher.scheduleSweep()
        bench.pass(day)
        try bench.step()
        try bench.scope.write("bin/new", "unfinished")
        try sweep(bench)
        #expect(try bench.told() == ["added bin/new"])
    }

    @Test func aChangeThatIsUndoneUnseenIsResolved() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/cc", "other")
        try bench.settle()
        #expect(try bench.told() == ["content bin/cc"])
        bench.watcher.reported = [bench.path("bin/cc")]
        try bench.watcher.scheduleSweep()
        bench.pass(day)
        try sweep(bench)
        #expect(try bench.told() == [])
    }

    // MARK: the clock

    @Test(arguments: [-3_600, 2, 31_536_000])
    func aClockThatIsSetIsAGapUntilEverythingWasRead(seconds: Int64) throws {
        let bench = try WatchBench()
        try bench.watcher.noteClock()
        try bench.watcher.scheduleSweep()
        bench.watcher.setup.clock = { SystemClock.now().adding(nanoseconds: seconds * 1_000_000_000) }
        try bench.watcher.noteClock()
        #expect(try bench.told() == ["gap clock-step"])
        try bench.scope.write("bin/cc", "other")
        try sweep(bench)
        #expect(try bench.told() == ["content bin/cc", "closed clock-step 0"])
        #expect(try bench.history.openGaps().isEmpty)
    }

    @Test func aSecondMoreOrLessIsNoStep() throws {
        let bench = try WatchBench()
        try bench.watcher.noteClock()
        for seconds in [0.5, 0.9] {
            bench.watcher.setup.clock = { SystemClock.now().adding(nanoseconds: Int64(seconds * 1e9)) }
            try bench.watcher.noteClock()
        }
        #expect(try bench.told() == [])
        // Half a second again and again is one.
        bench.watcher.setup.clock = { SystemClock.now().adding(nanoseconds: 1_400_000_000) }
        try bench.watcher.noteClock()
        #expect(try bench.told() == ["gap clock-step"])
    }

    /// A service that ends before everything was read begins with that.
    @Test func aGapOfTheClockOutlivesARestart() throws {
        let bench = try WatchBench()
        try bench.watcher.noteClock()
        bench.watcher.setup.clock = { SystemClock.now().adding(nanoseconds: -7_200_000_000_000) }
        try bench.watcher.noteClock()
        try bench.restart()
        #expect(try bench.history.openGaps().map(\.reason) == [.clockStep])
        try bench.watcher.scheduleSweep()
        try sweep(bench)
        #expect(try bench.history.openGaps().isEmpty)
    }
}
