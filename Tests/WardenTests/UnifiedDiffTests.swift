import Integrity
import TestSupport
import Testing
import Warden

struct UnifiedDiffTests {
    private func diff(_ before: String, _ after: String, limits: DiffLimits = DiffLimits()) -> TextDifference
    {
        unifiedDiff(Array(before.utf8), Array(after.utf8), limits: limits)
    }

    private func lines(_ numbers: ClosedRange<Int>) -> String { numbers.map { "\($0)\n" }.joined() }

    @Test func equalTextsHaveNone() {
        #expect(
            diff("a\nb\n", "a\nb\n")
                == TextDifference(text: "", added: 0, removed: 0, masked: 0, isCut: false)
        )
        #expect(diff("", "").text.isEmpty)
    }

    /// As diff(1) -u has it, but for the names and the last line.
    @Test func changesStandWithTheirContext() {
        let before = lines(1...30)
        let after = before.replacing("2\n3\n4\n", with: "2\nthree\n4\n").replacing(
            "\n25\n",
            with: "\n25\nmore\n"
        )
        let expected = """
            --- approved
            +++ observed
            @@ -1,6 +1,6 @@
             1
             2
            -3
            +three
             4
             5
             6
            @@ -23,6 +23,7 @@
             23
             24
             25
            +more
             26
             27
             28

            """
        #expect(
            diff(before, after)
                == TextDifference(text: expected, added: 2, removed: 1, masked: 0, isCut: false)
        )
    }

    @Test func changesThatLieCloseTogetherShareAHunk() {
        let close = diff(
            lines(1...20),
            lines(1...20).replacing("\n5\n", with: "\nfive\n").replacing("\n12\n", with: "\n")
        )
        #expect(close.text.split(separator: "\n").filter { $0.hasPrefix("@@") } == ["@@ -2,14 +2,13 @@"])
    }

    @Test func aFileFromNothingAndToNothing() {
        #expect(diff("", "a\n").text == "--- approved\n+++ observed\n@@ -0,0 +1 @@\n+a\n")
        #expect(diff("a\nb\n", "").text == "--- approved\n+++ observed\n@@ -1,2 +0,0 @@\n-a\n-b\n")
    }

    @Test func aMissingLineFeedIsAChange() {
        let expected = """
            --- approved
            +++ observed
            @@ -1 +1 @@
            -a
            +a
            \\ no line feed at the end of the file

            """
        #expect(diff("a\n", "a").text == expected)
    }

    /// Nothing in a file may move the cursor, colour the line or hide another.
    @Test func whatIsNotPrintableIsEscaped() {
        let after: [UInt8] = Array("x\u{1B}[2K\r\tä\u{202E}\\".utf8) + [0xFF, 0x0A]
        let text = unifiedDiff([], after).text
        #expect(text.hasSuffix(#"+x\x1b[2K\x0d\x09ä\xe2\x80\xae\\\xff"# + "\n"))
        var random = SeededGenerator()
        for _ in 0..<300 {
            let shown = unifiedDiff(random.bytes(200), random.bytes(200)).text
            let isPlain = shown.unicodeScalars.allSatisfy {
                $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7F
            }
            #expect(isPlain, "\(random)")
        }
    }

    @Test func aLongDifferenceIsCutAtALineAndSaysSo() {
        let limits = DiffLimits(bytes: 200)
        let cut = diff("", lines(1...1_000), limits: limits)
        #expect(cut.isCut && cut.added == 1_000)
        #expect(cut.text.utf8.count < 240)
        let last = cut.text.split(separator: "\n").suffix(2).map(String.init)
        #expect(last.first == "+41" && last.last == "[cut: 959 more lines]")
    }

    /// What changed at the end of a long line is what one wants to see.
    @Test func aLongLineIsShownWhereItDiffers() {
        let limits = DiffLimits(line: 40)
        let filler = String(repeating: "x", count: 500)
        let text = diff(filler + "good" + filler + "\n", filler + "evil" + filler + "\n", limits: limits).text
        let shown = text.split(separator: "\n").suffix(2).map(String.init)
        #expect(
            shown.first == "-[cut: 490 bytes]xxxxxxxxxxgood" + String(repeating: "x", count: 26)
                + "[cut: 474 bytes]"
        )
        #expect(shown.last?.contains("evil") == true)
    }

    @Test func theMaskLooksAtLinesThatAreNotShown() {
        let key =
            "-----BEGIN PRIVATE KEY-----\n" + (1...20).map { "line\($0)\n" }.joined()
            + "-----END PRIVATE KEY-----\n"
        let difference = diff(key, key.replacing("line10\n", with: "other\n"))
        #expect(!difference.text.contains("line") && !difference.text.contains("other"))
        #expect(difference.text.split(separator: "\n").filter { $0.hasSuffix("[masked]") }.count == 8)
        #expect(difference.masked == 8 && difference.added == 1 && difference.removed == 1)
    }

    // MARK: The algorithm

    private func longestCommon(_ old: [Int32], _ new: [Int32]) -> Int {
        var previous = [Int](repeating: 0, count: new.count + 1)
        for line in old {
            var row = [0]
            for (place, other) in new.enumerated() {
                row.append(line == other ? previous[place] + 1 : max(previous[place + 1], row[place]))
            }
            previous = row
        }
        return previous[new.count]
    }

    private func apply(_ edits: [LineEdit], _ old: [Int32], _ new: [Int32]) -> [Int32] {
        var result: [Int32] = []
        var position = 0
        for edit in edits {
            result += old[position..<edit.old.lowerBound] + new[edit.new]
            position = edit.old.upperBound
        }
        return result + old[position...]
    }

    /// Compared with the table that the textbooks have.
    @Test func theEditsAreRightAndAsFewAsCanBe() {
        var random = SeededGenerator()
        for _ in 0..<4_000 {
            let letters = Int32.random(in: 0...6, using: &random)
            let sequence = { (random: inout SeededGenerator) in
                (0..<Int.random(in: 0...14, using: &random)).map { _ in
                    Int32.random(in: 0...letters, using: &random)
                }
            }
            let (old, new) = (sequence(&random), sequence(&random))
            let edits = lineEdits(old, new)
            #expect(apply(edits, old, new) == new, "\(random)")
            let cost = edits.reduce(0) { $0 + $1.old.count + $1.new.count }
            #expect(cost == old.count + new.count - 2 * longestCommon(old, new), "\(random)")
        }
    }

    /// Whoever writes the file can make it as hard as can be: the result stays right, and the time bounded.
    @Test func aBudgetThatIsUsedUpGivesALongerDifferenceAndNoWrongOne() {
        var random = SeededGenerator()
        for budget in [0, 1, 10, 100, 1_000, 10_000] {
            let old = (0..<400).map { _ in Int32.random(in: 0...3, using: &random) }
            let new = (0..<400).map { _ in Int32.random(in: 0...3, using: &random) }
            #expect(apply(lineEdits(old, new, budget: budget), old, new) == new, "\(random)")
        }
    }
}
