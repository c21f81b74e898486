import CLinux
import Integrity
import Synchronization
import Testing

@testable import Host

struct PollTests {
    @Test func aBellRungTwiceIsHeardOnce() throws {
        let bell = try EventBell()
        var poller = Poller([bell])
        #expect(try !poller.wait(timeout: 0))
        #expect(poller.ready(0) == [])
        bell.ring()
        bell.ring()
        #expect(try poller.wait())
        #expect(poller.ready(0) == .readable)
        #expect(bell.clear())
        #expect(!bell.clear())
        #expect(try !poller.wait(timeout: 1_000))
    }

    @Test func eachSourceIsToldApart() throws {
        let bells = [try EventBell(), try EventBell(), try EventBell()]
        var poller = Poller(bells)
        bells[1].ring()
        #expect(try poller.wait(timeout: 5_000_000_000))
        #expect((0..<3).map { poller.ready($0) } == [[], .readable, []])
        #expect(poller.ready(3) == [] && poller.ready(-1) == [])
    }

    @Test func aRingFromAnotherThreadEndsTheWait() throws {
        let (there, back) = (try EventBell(), try EventBell())
        let thread = try OSThread(name: "ringer") {
            var poller = Poller([there])
            while (try? poller.wait()) != true {}
            back.ring()
        }
        var poller = Poller([back])
        there.ring()
        #expect(try poller.wait(timeout: 30_000_000_000))
        thread.join()
    }

    @Test func aClosedPipeHangsUp() throws {
        var ends: [CInt] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let source = PolledDescriptor(OwnedDescriptor(owning: ends[0]))
        var poller = Poller([source])
        #expect(try !poller.wait(timeout: 0))
        do { _ = OwnedDescriptor(owning: ends[1]) }
        #expect(try poller.wait(timeout: 5_000_000_000))
        #expect(poller.ready(0).contains(.hungUp))
    }

    @Test func anInterruptionShortensNoWait() throws {
        // A thread whose every signal but this one is blocked, with a handler that does nothing.
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        try #require(unsafe sigaction(SIGURG, &action, nil) == 0)
        let identity = Mutex<pthread_t?>(nil)
        let (started, finished) = (try EventBell(), try EventBell())
        let answer = Mutex<[Bool]>([])
        let thread = try OSThread(name: "poller") {
            var open = sigset_t()
            unsafe sigemptyset(&open)
            unsafe sigaddset(&open, SIGURG)
            unsafe pthread_sigmask(SIG_UNBLOCK, &open, nil)
            identity.withLock { $0 = pthread_self() }
            started.ring()
            var poller = Poller([finished])
            let isReady = (try? poller.wait(timeout: 60_000_000_000)) ?? false
            answer.withLock { $0.append(isReady) }
        }
        var poller = Poller([started])
        #expect(try poller.wait(timeout: 30_000_000_000))
        let target = try #require(identity.withLock { $0 })
        for _ in 0..<200 {
            pthread_kill(target, SIGURG)
            sched_yield()
        }
        finished.ring()
        thread.join()
        #expect(answer.withLock { $0 } == [true])
    }
}

struct PollThreadTests {
    @Test func aThreadRunsOnceUnderItsNameWithEverySignalBlocked() throws {
        let seen = Mutex<[String]>([])
        let blocked = Mutex(false)
        let thread = try OSThread(name: "a-name-that-is-far-too-long", stackSize: 1) {
            var name = [CChar](repeating: 0, count: 16)
            unsafe pthread_getname_np(pthread_self(), &name, name.count)
            let bytes = name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
            seen.withLock { $0.append(String(validating: bytes, as: UTF8.self) ?? "") }
            var mask = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
            let isBlocked = unsafe sigismember(&mask, SIGTERM) == 1
            blocked.withLock { $0 = isBlocked }
        }
        thread.join()
        thread.join()
        #expect(seen.withLock { $0 } == ["a-name-that-is-"])
        #expect(blocked.withLock { $0 })
    }

    @Test func aStackThatIsTooLargeIsAnErrorAndNoThread() throws {
        let ran = Mutex(false)
        #expect(throws: Errno.self) {
            let thread = try OSThread(name: "huge", stackSize: 1 << 55) { ran.withLock { $0 = true } }
            thread.join()
        }
        #expect(!ran.withLock { $0 })
    }

    @Test func aMonitorPassesEveryTurn() throws {
        let monitor = Monitor(0)
        let threads = try (0..<4).map { number in
            try OSThread(name: "turn-\(number)") {
                for round in 0..<250 {
                    _ = monitor.await { turn in
                        guard turn == round * 4 + number else { return nil as Bool? }
                        turn += 1
                        return true
                    }
                    monitor.notify()
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(monitor.withLock { $0 } == 1_000)
    }

    @Test func aMonitorsConditionsAreApartAndItsWaitEnds() {
        let monitor = Monitor("", conditions: 2)
        monitor.notify(1)
        #expect(monitor.await(on: 0, timeout: 1_000_000) { $0.isEmpty ? nil : $0 } == nil)
        #expect(monitor.await(on: 1, timeout: .max) { $0.isEmpty ? 7 : nil } == 7)
        #expect(throws: Errno.io) {
            try monitor.withLock { (_: inout String) throws(Errno) in throw Errno.io }
        }
        // The lock was given back.
        #expect(monitor.withLock { $0.count } == 0)
    }
}

struct PollSignalTests {
    @Test(arguments: ProgramSignal.allCases)
    func aBlockedSignalIsReadAndNotSuffered(signal: ProgramSignal) throws {
        let seen = Mutex<[ProgramSignal?]>([])
        let ready = Mutex<[Bool]>([])
        // Sent to one thread alone, in which it is blocked: the tests beside it never see it.
        let thread = try OSThread(name: "signals") {
            SignalSource.block()
            guard let source = try? SignalSource() else { return }
            var poller = Poller([source])
            let before = try? poller.wait(timeout: 0)
            pthread_kill(pthread_self(), signal.number)
            let after = try? poller.wait(timeout: 0)
            ready.withLock { $0 = [before ?? true, after ?? false] }
            let first = try? source.next()?.signal
            let second = try? source.next()?.signal
            seen.withLock { $0 = [first, second] }
        }
        thread.join()
        #expect(ready.withLock { $0 } == [false, true])
        #expect(seen.withLock { $0 } == [signal, nil])
    }
}
