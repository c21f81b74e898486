import CLinux
import TestSupport
import Testing

@testable import Reporting

struct ProgressTests {
    private let second: Int64 = 1_000_000_000

    @Test func filesBytesRateAndTimeLeft() {
        let done = Progress(files: 1_200, bytes: 512 << 20)
        let total = Progress(files: 41_236, bytes: 4 << 30)
        #expect(
            progressText(done: done, total: total, elapsed: second, width: 79)
                == "1200 of 41236 files, 512.0 MiB of 4.0 GiB, 512.0 MiB/s, 7.0 s left"
        )
        #expect(progressText(done: done, total: nil, elapsed: second) == "1200 files, 512.0 MiB, 512.0 MiB/s")
    }

    /// More than the last walk found: the old total says nothing any more.
    @Test func aTotalThatIsPassedIsDropped() {
        let text = progressText(
            done: Progress(files: 11, bytes: 5),
            total: Progress(files: 10, bytes: 50),
            elapsed: second
        )
        #expect(text == "11 files, 5 B, 5 B/s")
    }

    @Test func theFirstMomentShowsNoRate() {
        #expect(progressText(done: Progress(files: 1, bytes: 10), total: nil, elapsed: 0) == "1 file, 10 B")
    }

    @Test func extremesDoNotTrap() {
        for elapsed in [Int64.min, -1, 0, 1, .max] {
            for bytes in [0, 1, UInt64.max] {
                let done = Progress(files: .max, bytes: bytes)
                _ = progressText(done: done, total: Progress(files: .max, bytes: .max), elapsed: elapsed)
            }
        }
    }

    @Test(arguments: 0...120)
    func neverWiderThanTheTerminal(width: Int) {
        let done = Progress(files: 123_456, bytes: 987_654_321)
        let total = Progress(files: 1_234_567, bytes: 9_876_543_210)
        #expect(columns(progressText(done: done, total: total, elapsed: second, width: width)) <= width)
    }

    @Test func aTerminalIsLeftClean() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("terminal", "")
        let number = try unsafe file.call { unsafe mw_openat(AT_FDCWD, $0, O_WRONLY, 0) }
        var line = ProgressLine(descriptor: number, isTerminal: true)
        line.show(done: Progress(files: 1, bytes: 1), elapsed: 0)
        line.show(done: Progress(files: 2, bytes: 2), elapsed: 50_000_000)  // too early to show
        line.show(done: Progress(files: 3, bytes: 3), elapsed: 100_000_000)
        line.erase()
        line.erase()
        close(number)
        let shown = try file.contents()
        #expect(shown == Array("\r1 file, 1 B\u{1B}[K\r3 files, 3 B\u{1B}[K\r\u{1B}[K".utf8))
    }

    @Test func nothingIsWrittenToAFile() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("log", "")
        let number = try unsafe file.call { unsafe mw_openat(AT_FDCWD, $0, O_WRONLY, 0) }
        var line = ProgressLine(descriptor: number)
        line.show(done: Progress(files: 1, bytes: 1), elapsed: 0)
        line.erase()
        close(number)
        #expect(try file.contents() == [])
        #expect(terminalWidth(number) == 80)
    }
}
