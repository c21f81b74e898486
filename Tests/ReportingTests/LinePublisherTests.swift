import CLinux
import Integrity
import Reporting
import TestSupport
import Testing
import Warden

struct LinePublisherTests {
    /// The two ends of a pipe.
    private func pipe() throws -> (reader: CInt, writer: CInt) {
        var ends: [CInt] = [0, 0]
        try #require(unsafe ends.withUnsafeMutableBufferPointer { unsafe CLinux.pipe($0.baseAddress) } == 0)
        return (ends[0], ends[1])
    }

    @Test func oneLineAnEntry() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("out", "")
        let number = try unsafe file.call { unsafe mw_openat(AT_FDCWD, $0, O_WRONLY, 0) }
        defer { close(number) }
        let publisher = LinePublisher(descriptor: number, form: .jsonl)
        let entries = Samples.entries.prefix(3)
        for entry in entries { try publisher.publish(entry) }
        let lines = entries.map { $0.json.compact + "\n" }.joined()
        #expect(try file.contents() == Array(lines.utf8))
    }

    @Test func textIsTimeAndSentence() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("out", "")
        let number = try unsafe file.call { unsafe mw_openat(AT_FDCWD, $0, O_WRONLY, 0) }
        defer { close(number) }
        let entry = Samples.entry(1, .change(Samples.added))
        try LinePublisher(descriptor: number, form: .text(.plain)).publish(entry)
        try LinePublisher(descriptor: number, form: .text(TextStyle(isColored: true))).publish(entry)
        let (time, sentence) = ("2026-03-01 10:00:01", message(for: entry))
        let lines = "\(time) \(sentence)\n\(time) \u{1B}[1;31m\(sentence)\u{1B}[0m\n"
        #expect(try file.contents() == Array(lines.utf8))
    }

    /// The process survives: SIGPIPE would have ended this test run.
    @Test func aClosedPipeIsAnError() throws {
        let (reader, writer) = try pipe()
        close(reader)
        defer { close(writer) }
        let publisher = LinePublisher(descriptor: writer, form: .jsonl)
        for _ in 0..<2 {
            let error = #expect(throws: PublishError.self) { try publisher.publish(Samples.entries[0]) }
            #expect(error?.description.contains("nobody reads") == true)
        }
    }

    @Test func aFullDiskIsAnError() throws {
        let full = unsafe mw_openat(AT_FDCWD, "/dev/full", O_WRONLY, 0)
        try #require(full >= 0)
        defer { close(full) }
        let error = #expect(throws: PublishError.self) {
            try LinePublisher(descriptor: full, form: .jsonl).publish(Samples.entries[0])
        }
        #expect(error?.description.contains("no space left on device") == true)
    }

    /// A non-blocking pipe that is full takes the rest when somebody reads, and no line is mixed with another.
    ///
    /// The reader is a process of its own: the two writers may well hold every thread there is.
    @Test func partialWritesAndTwoThreads() async throws {
        let scratch = try TemporaryDirectory()
        let fifo = scratch.appending("fifo")
        try unsafe fifo.call { unsafe mkfifo($0, 0o600) }
        let out = scratch.appending("out")
        let reader = try ChildProcess("sh", ["-c", "exec cat '\(fifo)' >'\(out)'"])
        let writer = try unsafe fifo.call { unsafe mw_openat(AT_FDCWD, $0, O_WRONLY, 0) }
        try #require(mw_fcntl(writer, F_SETFL, O_NONBLOCK) == 0)
        let publisher = LinePublisher(descriptor: writer, form: .jsonl)
        let count = 400
        await withTaskGroup(of: Void.self) { writers in
            for half in 0..<2 {
                writers.addTask {
                    for position in 0..<count {
                        let entry = Samples.entry(Int64(half * count + position), .change(Samples.content))
                        do { try publisher.publish(entry) } catch { Issue.record(error) }
                    }
                }
            }
        }
        close(writer)
        #expect(reader.finish().status == .exited(0))
        let text = try out.contents()
        let numbers = try text.split(separator: 0x0A).map { try JSON(parsing: $0).object?["seq"]?.integer }
        #expect(numbers.count == 2 * count)
        #expect(Set(numbers) == Set((0..<Int64(2 * count)).map(Optional.some)))
    }

    @Test func nothingIsKnownOfWhatAReaderKept() {
        #expect(LinePublisher(form: .jsonl).alreadyPublished(Samples.entries) == nil)
    }
}
