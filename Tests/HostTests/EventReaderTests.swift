import CLinux
import Integrity
import Synchronization
import TestSupport
import Testing

@testable import Host

struct EventReaderTests {
    let scratch: Scratch
    let inotify: Inotify
    let bell: EventBell

    init() throws {
        scratch = try Scratch()
        inotify = try Inotify()
        bell = try EventBell()
        try inotify.add(try scratch.openDirectory(scratch.path), mask: [.create, .attrib, .closeWrite])
    }

    private func reader(limit: Int = 32 << 20, clock: @escaping @Sendable () -> UInt64 = { 0 }) throws
        -> EventReader
    {
        try EventReader(inotify, bell: bell, limit: limit, clock: clock)
    }

    private func names(_ batch: EventBatch) -> [[UInt8]] {
        batch.chunks.flatMap { chunk in
            let decoded = decodeInotify(chunk.bytes)
            #expect(decoded.undecoded == 0)
            return decoded.events.filter { $0.mask.contains(.create) }.map(\.name)
        }
    }

    @Test func whatWasQueuedBeforeABarrierIsDrainedBehindIt() throws {
        let reader = try reader()
        for number in 0..<50 {
            let name = Array("f\(number)".utf8)
            try scratch.write(scratch.path.appending(name))
            reader.barrier()
            let batch = reader.drain()
            #expect(names(batch) == [name])
            #expect(!batch.lost && batch.failure == nil)
        }
        #expect(reader.drain().chunks.isEmpty)
        reader.stop()
    }

    @Test func theBellRingsForTheFirstChunkOfABatch() throws {
        let reader = try reader()
        #expect(!bell.clear())
        var poller = Poller([bell])
        for _ in 0..<20 {
            try scratch.change(mode: 0o755, of: scratch.path)
            #expect(try poller.wait(timeout: 30_000_000_000))
            bell.clear()
            // Everything that was rung for is there.
            #expect(!reader.drain().chunks.isEmpty)
        }
        reader.stop()
    }

    @Test func chunksBearTheTimeAtWhichTheyWereRead() throws {
        let time = Mutex<UInt64>(5)
        let reader = try reader { time.withLock { $0 } }
        try scratch.write(scratch.path.appending("a"))
        reader.barrier()
        time.withLock { $0 = 900 }
        try scratch.write(scratch.path.appending("b"))
        reader.barrier()
        let chunks = reader.drain().chunks
        #expect(chunks.first?.readAt == 5)
        #expect(chunks.last?.readAt == 900)
        reader.stop()
    }

    @Test func beyondTheLimitEverythingIsDroppedAndSaidUntilDrained() throws {
        let reader = try reader(limit: 4_000)
        for number in 0..<500 {
            try scratch.write(scratch.path.appending("file\(number)"))
            if number % 50 == 0 { reader.barrier() }
        }
        reader.barrier()
        let batch = reader.drain()
        #expect(batch.lost)
        let held = batch.chunks.reduce(0) { $0 + $1.bytes.count + 96 }
        #expect(held <= 4_000)
        // What is there has no hole in it.
        #expect(names(batch) == (0..<names(batch).count).map { Array("file\($0)".utf8) })

        try scratch.write(scratch.path.appending("later"))
        reader.barrier()
        let next = reader.drain()
        #expect(!next.lost)
        #expect(names(next) == [Array("later".utf8)])
        reader.stop()
    }

    @Test func aLossRingsTheBellToo() throws {
        let reader = try reader(limit: 1)
        try scratch.write(scratch.path.appending("a"))
        reader.barrier()
        #expect(bell.clear())
        #expect(reader.drain().lost)
        reader.stop()
    }

    @Test func stoppingReadsWhatIsQueuedAndCanBeDoneTwice() throws {
        let reader = try reader()
        for number in 0..<300 { try scratch.write(scratch.path.appending("f\(number)")) }
        reader.stop()
        reader.stop()
        #expect(names(reader.drain()).count == 300)
        // Nobody is left to reach it.
        reader.barrier()
    }

    @Test func aReaderThatIsLetGoEndsItsThread() throws {
        let census = Census()
        do {
            let citizen = Citizen(census)
            let reader = try reader { [citizen] in
                withExtendedLifetime(citizen) { 0 }
            }
            reader.barrier()
        }
        #expect(census.count.load(ordering: .sequentiallyConsistent) == 0)
    }

    @Test func aDeadDescriptorEndsReadingAndSaysSo() throws {
        let reader = try reader()
        reader.barrier()
        // The number now means a file that no events can be read from.
        let other = try scratch.openDirectory(scratch.path)
        try #require(other.lend { dup2($0, inotify.descriptorNumber) } >= 0)
        reader.barrier()
        let batch = reader.drain()
        #expect(batch.failure == .isDirectory)
        #expect(batch.lost)
        #expect(reader.drain().failure == .isDirectory)
        reader.stop()
    }

    /// Two writers as fast as they can, and a consumer that takes its time.
    @Test func aStormIsReadWhole() throws {
        let reader = try reader()
        let rounds = 30_000
        let files = [scratch.path.appending("1"), scratch.path.appending("2")]
        for file in files { try scratch.write(file) }
        reader.barrier()
        _ = reader.drain()
        let failures = Mutex(0)
        let writers = try files.map { file in
            try OSThread(name: "writer") { [scratch] in
                for _ in 0..<rounds {
                    do { try scratch.write(file) } catch { failures.withLock { $0 += 1 } }
                }
            }
        }
        for writer in writers { writer.join() }
        reader.barrier()
        let batch = reader.drain()
        let events = batch.chunks.flatMap { decodeInotify($0.bytes).events }
        #expect(failures.withLock { $0 } == 0)
        #expect(!batch.lost)
        #expect(!events.contains { $0.mask.contains(.queueOverflow) })
        // Equal neighbours are merged by the kernel; what is left alternates or is alone.
        #expect(Set(events.map(\.name)) == [[49], [50]])
        reader.stop()
    }
}
