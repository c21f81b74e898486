import CLinux
import Integrity
import Reporting
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
        let (reader, writer) = try pipe()
        let publisher = LinePublisher(descriptor: writer, form: .jsonl)
        let entries = Samples.entries.prefix(3)
        for entry in entries { try publisher.publish(entry) }
        close(writer)
        let text = try #require(String(validating: readAll(reader), as: UTF8.self))
        close(reader)
        #expect(text == entries.map { $0.json.compact + "\n" }.joined())
    }

    @Test func textIsTimeAndSentence() throws {
        let (reader, writer) = try pipe()
        let entry = Samples.entry(1, .change(Samples.added))
        try LinePublisher(descriptor: writer, form: .text(.plain)).publish(entry)
        try LinePublisher(descriptor: writer, form: .text(TextStyle(isColored: true))).publish(entry)
        close(writer)
        let text = try #require(String(validating: readAll(reader), as: UTF8.self))
        close(reader)
        let sentence = message(for: entry)
        #expect(
            text == "2026-03-01 10:00:01 \(sentence)\n2026-03-01 10:00:01 \u{1B}[1;31m\(sentence)\u{1B}[0m\n"
        )
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
        let scratch = try Scratch()
        let (lines, done) = (scratch.file("lines"), scratch.file("done"))
        try #require(unsafe mkfifo(lines, 0o600) == 0 && mkfifo(done, 0o600) == 0)
        _ = unsafe system(
            "{ cat '\(lines)' >'\(scratch.file("out"))'; echo done >'\(done)'; } </dev/null >/dev/null 2>&1 &"
        )
        let writer = unsafe mw_openat(AT_FDCWD, lines, O_WRONLY, 0)
        try #require(writer >= 0)
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
        #expect(readFile(done) == Array("done\n".utf8))
        let text = try #require(readFile(scratch.file("out")))
        let numbers = try text.split(separator: 0x0A).map { try JSON(parsing: $0).object?["seq"]?.integer }
        #expect(numbers.count == 2 * count)
        #expect(Set(numbers) == Set((0..<Int64(2 * count)).map(Optional.some)))
    }

    @Test func nothingIsKnownOfWhatAReaderKept() {
        #expect(LinePublisher(form: .jsonl).alreadyPublished(Samples.entries) == nil)
    }
}
