import Integrity
import TestSupport
import Testing

@testable import Reporting

struct LayoutTests {
    @Test(arguments: [
        ("", 0), ("abc", 3), ("漢字", 4), ("e\u{301}", 1), ("한글", 4), ("😀", 2), ("ﾊﾝ", 2), ("Ａ", 2), ("äöü", 3),
        ("→", 1),
    ])
    func columnsAreThoseOfATerminal(text: String, width: Int) {
        #expect(columns(text) == width)
    }

    @Test func escapesAndCombiningMarksStayTogether() {
        #expect(atoms(#"a\x0ab\\c"#) == ["a", #"\x0a"#, "b", #"\\"#, "c"])
        #expect(atoms("e\u{301}\u{302}x") == ["e\u{301}\u{302}", "x"])
        #expect(atoms("") == [])
    }

    /// Whatever the bytes: no line too wide, and the lines give the name back.
    @Test func brokenNamesAreWhole() {
        var random = SeededGenerator()
        let alphabet = Array("ab/\\ \u{301}漢".utf8) + [0x0A, 0xFF, 0x1B]
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let (first, rest) = (
                Int.random(in: 8...80, using: &random), Int.random(in: 8...80, using: &random)
            )
            let text = escaped(bytes)
            let lines = brokenName(text, first: first, rest: rest)
            #expect(lines.dropLast().allSatisfy { $0.hasSuffix("\\") }, "\(random)")
            let joined = lines.dropLast().map { $0.unicodeScalars.dropLast() }.reduce(into: "") {
                $0 += String($1)
            }
            #expect(Array((joined + (lines.last ?? "")).utf8) == Array(text.utf8), "\(random)")
            for (position, line) in lines.enumerated() {
                #expect(columns(line) <= (position == 0 ? first : rest), "\(random)")
            }
        }
    }

    @Test func sentencesBreakAtSpaces() {
        #expect(brokenSentence("one two three", first: 8, rest: 9) == ["one two", "three"])
        #expect(brokenSentence("", first: 8, rest: 8) == [""])
        #expect(brokenSentence("abcdefghijkl mn", first: 8, rest: 8) == [#"abcdefg\"#, "hijkl mn"])
    }

    @Test(
        arguments: [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (1_048_575, "1023.9 KiB"),
            (1_048_576, "1.0 MiB"), (4_402_341_478, "4.0 GiB"), (UInt64.max, "15.9 EiB"),
        ] as [(UInt64, String)]
    )
    func bytes(count: UInt64, text: String) {
        #expect(byteText(count) == text)
    }

    @Test(
        arguments: [
            (-5, "0 ms"), (0, "0 ms"), (999_999_999, "999 ms"), (1_000_000_000, "1.0 s"),
            (59_990_000_000, "59.9 s"),
            (75_000_000_000, "1 min 15 s"), (3_661_000_000_000, "1 h 1 min"),
            (187_200_000_000_000, "2 d 4 h"),
        ] as [(Int64, String)]
    )
    func durations(nanoseconds: Int64, text: String) {
        #expect(durationText(nanoseconds) == text)
    }

    /// The first line is one line, whatever the numbers, and says what the exit status says.
    @Test(arguments: [40, 60, 80], [0, 1, 999_999_999])
    func theVerdictFitsOneLine(width: Int, count: Int) {
        for exit in [0, 4, 8, 12, 16] {
            for skipped in [0, count] {
                var report = Samples.changedCheck
                (report.exit, report.skipped, report.summary.examined) = (exit, skipped, count)
                (report.summary.errors, report.summary.openGaps, report.summary.unbaselined) = (
                    count, count, count
                )
                if exit & 7 == 0 { report.summary.unauthorized = 0 }
                if count == 0 { (report.summary.authorized, report.summary.expected) = (0, 0) }
                let line = report.text(TextStyle(width: width)).prefix { $0 != "\n" }
                #expect(columns(line) <= width)
                let word =
                    exit & 16 != 0
                    ? "UNTRUSTED" : exit & 7 != 0 ? "CHANGED: " : exit & 8 != 0 ? "INCOMPLETE" : "INTACT"
                #expect(line.hasPrefix(word), "\(line)")
            }
        }
    }

    @Test func coloursOnlyWhereAskedFor() {
        #expect(!Samples.changedCheck.text().contains("\u{1B}"))
        let colored = Samples.changedCheck.text(TextStyle(isColored: true))
        #expect(colored.contains("\u{1B}[1;31mCRITICAL (3)\u{1B}[0m"))
        var plain = colored
        for paint in ["32", "1;31", "33", "1", "2", "0"] {
            plain = plain.replacing("\u{1B}[\(paint)m", with: "")
        }
        #expect(plain == Samples.changedCheck.text())
    }
}
