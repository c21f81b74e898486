import Integrity
import Synchronization
import TestSupport
import Testing

@testable import Host

/// The exec cache, event by event; /proc is a dictionary and the clock stands where it is put.
struct ProcessTableTests {
    /// A host of which a test says what runs.
    final class Host: Sendable {
        private let programs = Mutex<[Int32: ProcessFacts]>([:])
        private let time = Mutex<UInt64>(1_000)

        var now: UInt64 {
            get { time.withLock { $0 } }
            set { time.withLock { $0 = newValue } }
        }

        func run(_ pid: Int32, _ exe: String, parent: Int32? = nil, uid: UInt32 = 0) {
            var facts = ProcessFacts()
            facts.exe = Array(exe.utf8)
            facts.cmdline = [Array(exe.utf8)]
            facts.parent = parent
            facts.uid = uid
            programs.withLock { $0[pid] = facts }
        }

        func end(_ pid: Int32) { programs.withLock { $0[pid] = nil } }

        func read(_ pid: Int32) -> ProcessFacts? { programs.withLock { $0[pid] } }
    }

    let host = Host()
    var table: ProcessTable

    init() {
        let host = host
        table = ProcessTable(clock: { host.now })
        host.now = 10_000
    }

    /// An event that is taken in right when it happened.
    private mutating func note(_ what: ProcessEvent.What, at time: UInt64, readAt: UInt64? = nil) {
        host.now = readAt ?? time
        table.note(ProcessEvent(what, at: time), read: host.read)
    }

    private func who(_ pid: Int32, _ start: UInt64, _ end: UInt64) -> String {
        switch table.find(pid, between: start, and: end) {
        case .process(let process):
            let actor = process.actor(between: start, and: end)
            return actor.exe.map { String(decoding: $0, as: UTF8.self) } ?? "?"
        case .ambiguous: return "ambiguous"
        case .unheard: return "unheard"
        case .uncertain: return "uncertain"
        }
    }

    @Test mutating func aWriterThatIsGoneIsKnownByItsExec() {
        host.run(10, "/usr/bin/make")
        host.run(11, "/bin/sh", uid: 7)
        note(.exec(10), at: 20_000)
        note(.fork(parent: 10, child: 11), at: 30_000)
        note(.exec(11), at: 31_000)
        host.end(11)
        note(.exit(11), at: 40_000)
        #expect(who(11, 35_000, 50_000) == "/bin/sh")
        guard case .process(let process) = table.find(11, between: 35_000, and: 50_000) else {
            Issue.record("nobody")
            return
        }
        let actor = process.actor(between: 35_000, and: 50_000)
        #expect(actor.pid == 11 && actor.uid == 7 && actor.cmdline == [Array("/bin/sh".utf8)])
        #expect(actor.parents == [Array("/usr/bin/make".utf8)])
        #expect(table.process(process.serial) == process)
    }

    @Test mutating func anExecInBetweenLeavesTheProgramUnknown() {
        host.run(11, "/bin/sh")
        note(.fork(parent: 1, child: 11), at: 20_000)
        note(.exec(11), at: 21_000)
        host.run(11, "/bin/true")
        note(.exec(11), at: 30_000)
        #expect(who(11, 22_000, 29_000) == "/bin/sh")
        #expect(who(11, 30_000, 31_000) == "/bin/true")
        #expect(who(11, 22_000, 31_000) == "?")
        #expect(who(11, 20_500, 22_000) == "?", "before its exec it was whatever forked it")
    }

    @Test mutating func theSameProgramTwiceIsThatProgram() {
        host.run(11, "/bin/sh")
        note(.fork(parent: 1, child: 11), at: 20_000)
        note(.exec(11), at: 21_000)
        note(.exec(11), at: 2_000_000_000)
        #expect(who(11, 22_000, 2_000_000_100) == "/bin/sh")
    }

    @Test mutating func whatWasReadTooLateIsNotBelieved() {
        // The first exec is taken in after the second one took place: /proc shows the second program.
        host.run(11, "/bin/second")
        note(.fork(parent: 1, child: 11), at: 20_000)
        note(.exec(11), at: 21_000, readAt: 23_000)
        #expect(who(11, 21_500, 22_000) == "/bin/second", "nothing says otherwise yet")
        note(.exec(11), at: 22_000, readAt: 24_000)
        #expect(who(11, 21_500, 22_000) == "?")
        #expect(who(11, 22_000, 25_000) == "/bin/second")
    }

    @Test mutating func whatLooksLikeTheNextProgramMayHaveBeenIt() {
        // Between the moment at which /proc shows a new program and its event lies a moment.
        host.run(11, "/bin/second")
        note(.fork(parent: 1, child: 11), at: 20_000)
        note(.exec(11), at: 21_000, readAt: 21_900)
        note(.exec(11), at: 22_000)
        #expect(who(11, 21_500, 21_800) == "?")
    }

    @Test mutating func aNumberThatTwoHadIsNobodys() {
        host.run(11, "/bin/one")
        note(.fork(parent: 1, child: 11), at: 20_000)
        note(.exec(11), at: 21_000)
        note(.exit(11), at: 22_000)
        host.run(11, "/bin/two")
        note(.fork(parent: 1, child: 11), at: 23_000)
        note(.exec(11), at: 24_000)
        #expect(who(11, 21_500, 22_500) == "/bin/one")
        #expect(who(11, 21_500, 25_000) == "ambiguous")
        #expect(who(11, 24_500, 25_000) == "/bin/two")
    }

    @Test mutating func aNumberThatSomebodyUnheardOfHadIsNobodysEither() {
        // It was there before anybody listened, wrote, ended, and its number went to another.
        note(.exit(11), at: 22_000)
        host.run(11, "/bin/two")
        note(.fork(parent: 1, child: 11), at: 23_000)
        note(.exec(11), at: 23_500)
        #expect(who(11, 21_000, 25_000) == "ambiguous")
    }

    @Test mutating func aForkOfALivingNumberEndsWhoeverHadIt() {
        host.run(11, "/bin/one")
        note(.fork(parent: 1, child: 11), at: 20_000)
        // It is read when the number belongs to another already.
        host.run(11, "/bin/two")
        note(.exec(11), at: 21_000, readAt: 24_000)
        note(.fork(parent: 1, child: 11), at: 23_000, readAt: 24_500)
        #expect(who(11, 21_500, 22_000) == "?")
        note(.exec(11), at: 23_500, readAt: 25_000)
        #expect(who(11, 24_000, 25_000) == "/bin/two")
    }

    @Test mutating func afterALossNothingOlderIsSaid() {
        host.run(11, "/bin/sh")
        note(.exec(11), at: 20_000)
        host.now = 30_000
        table.noteLoss()
        #expect(table.losses == 1 && table.count == 0)
        #expect(who(11, 20_500, 31_000) == "uncertain")
        #expect(who(11, 30_500, 31_000) == "unheard")
        let process = table.look(at: 11, read: host.read, others: host.read)
        #expect(process?.actor(between: 30_500, and: 31_000).exe == Array("/bin/sh".utf8))
    }

    @Test mutating func whoWasThereBeforeIsReadWhenItWrites() {
        host.run(1, "/sbin/init")
        host.run(5, "/usr/sbin/sshd", parent: 1)
        host.run(6, "/bin/bash", parent: 5)
        #expect(who(6, 11_000, 12_000) == "unheard")
        let process = table.look(at: 6, read: host.read, others: host.read)
        #expect(process?.parents == [Array("/usr/sbin/sshd".utf8), Array("/sbin/init".utf8)])
        #expect(who(6, 11_000, 12_000) == "/bin/bash")
        // Only for itself: what cannot be read with certainty is not known.
        #expect(table.look(at: 7, read: { _ in nil }, others: host.read) == nil)
    }

    @Test mutating func whoeverForkedAndRanNothingIsReadWhileItLives() {
        host.run(6, "/bin/bash")
        note(.exec(6), at: 20_000)
        note(.fork(parent: 6, child: 7), at: 21_000)
        #expect(who(7, 21_500, 22_000) == "?")
        host.run(7, "/bin/bash")
        _ = table.look(at: 7, read: host.read, others: host.read)
        #expect(who(7, 21_500, 22_000) == "/bin/bash")
    }

    @Test mutating func aNewUserIsToldAndNotMixedUpWithTheOld() {
        host.run(11, "/usr/sbin/cron", uid: 0)
        note(.exec(11), at: 20_000)
        note(.user(11, uid: 1_000), at: 30_000)
        func uid(_ start: UInt64, _ end: UInt64) -> Int64? {
            guard case .process(let process) = table.find(11, between: start, and: end) else { return nil }
            return process.actor(between: start, and: end).uid
        }
        #expect(uid(31_000, 32_000) == 1_000)
        #expect(uid(29_000, 31_000) == nil)
    }

    @Test mutating func whoeverEndedIsForgottenAfterAWhile() {
        host.run(11, "/bin/sh")
        note(.exec(11), at: 20_000)
        note(.exit(11), at: 30_000)
        note(.exit(12), at: 10_000_020_000)
        #expect(who(11, 21_000, 29_000) == "/bin/sh")
        note(.exit(13), at: 10_000_040_000)
        #expect(who(11, 21_000, 29_000) == "unheard")
        #expect(table.count == 2)
    }

    @Test mutating func itsMemoryHasABound() {
        var limits = ProcessTable.Limits()
        limits.processes = 100
        let host = host
        table = ProcessTable(limits: limits, clock: { host.now })
        for number in 1...10_000 {
            let pid = Int32(number)
            note(.fork(parent: 1, child: pid), at: 20_000 + UInt64(number))
            if number % 3 != 0 { note(.exit(pid), at: 20_000 + UInt64(number)) }
            #expect(table.count <= 201)
        }
        #expect(table.losses > 0)
    }

    /// Whatever happens in whatever order: what is said of a process was so at the time that was asked for.
    @Test mutating func inRandomHistoriesNobodyIsMistaken() {
        var random = SeededGenerator()
        for _ in 0..<300 {
            let host = Host()
            host.now = 10_000
            var table = ProcessTable(clock: { host.now })
            /// What each number truly ran, from when on; nil from its end on.
            var truth: [Int32: [(since: UInt64, exe: String?)]] = [:]
            var queue: [ProcessEvent] = []
            var time: UInt64 = 20_000
            for _ in 0..<200 {
                time += UInt64.random(in: 1...400, using: &random)
                let pid = Int32.random(in: 10...14, using: &random)
                let runs = truth[pid]?.last?.exe != nil
                switch Int.random(in: 0..<4, using: &random) {
                case 0 where !runs:
                    let parent = truth.keys.filter { truth[$0]?.last?.exe != nil }.min() ?? 1
                    let exe: String = truth[parent].flatMap { $0.last?.exe } ?? "/init"
                    truth[pid, default: []].append((time, exe))
                    host.run(pid, exe)
                    queue.append(ProcessEvent(.fork(parent: parent, child: pid), at: time))
                case 1 where runs:
                    let exe = "/bin/\(Int.random(in: 0..<3, using: &random))"
                    host.run(pid, exe)
                    // /proc shows the new program a little before the event; it does nothing until then.
                    time += UInt64.random(in: 1...50, using: &random)
                    truth[pid, default: []].append((time, exe))
                    queue.append(ProcessEvent(.exec(pid), at: time))
                case 2 where runs:
                    truth[pid, default: []].append((time, nil))
                    host.end(pid)
                    queue.append(ProcessEvent(.exit(pid), at: time))
                default: break
                }
                guard Bool.random(using: &random) else { continue }
                host.now = time
                for event in queue { table.note(event, read: host.read) }
                queue = []
                // Something was written at some moment of late; only the bounds of that moment are known.
                let start = time - min(time - 20_000, UInt64.random(in: 0...900, using: &random))
                for pid: Int32 in 10...14 {
                    guard case .process(let process) = table.find(pid, between: start, and: time),
                        let exe = process.actor(between: start, and: time).exe
                    else { continue }
                    let said = String(decoding: exe, as: UTF8.self)
                    let possible = ran(truth[pid] ?? [], start, time)
                    #expect(possible == [said], "pid \(pid) between \(start) and \(time); \(random)")
                }
            }
        }
    }

    /// Every program that a number ran at some moment after `start`, up to `end`.
    private func ran(_ history: [(since: UInt64, exe: String?)], _ start: UInt64, _ end: UInt64) -> Set<
        String
    > {
        var found: Set<String> = []
        for (index, step) in history.enumerated() {
            let until = index + 1 < history.count ? history[index + 1].since : .max
            if let exe = step.exe, step.since < end, until > start { found.insert(exe) }
        }
        return found
    }
}
