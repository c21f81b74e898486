import Integrity
import Testing

@testable import RulePacks

/// The automaton against a matcher that has nothing in common with it.
@Suite struct GlobPropertyTests {
    static func randomGlob(_ random: inout SeededGenerator, depth: Int = 0) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            switch Int.random(in: 0..<14, using: &random) {
            case 0...3: text += ["a", "b", "ab", "."].randomElement(using: &random) ?? "a"
            case 4...6: text += "/"
            case 7, 8: text += "*"
            case 9, 10: text += ["**", "/**", "/**/", "**/"].randomElement(using: &random) ?? "**"
            case 11: text += "?"
            case 12:
                text += ["[a-b]", "[!a]", "[^b]", "[]a]", "\\a", "\\*"].randomElement(using: &random) ?? "?"
            default:
                guard depth < 2 else { continue }
                let branches = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    Bool.random(using: &random) ? randomGlob(&random, depth: depth + 1) : ""
                }
                text += "{" + branches.joined(separator: ",") + "}"
            }
        }
        return text
    }

    static func randomPath(_ random: inout SeededGenerator) -> RawPath {
        let names = ["a", "b", "ab", "ba", ".", "a*", "aab", "]"]
        let count = Int.random(in: 0...4, using: &random)
        return RawPath(
            components: (0..<count).map { _ in Array((names.randomElement(using: &random) ?? "a").utf8)[...] }
        )
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func theAutomatonAgreesWithTryingEveryWay(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var checked = 0
        while checked < 40 {
            let isRooted = Int.random(in: 0..<5, using: &random) > 0
            let text = (isRooted ? "/" : "") + GlobPropertyTests.randomGlob(&random)
            guard let glob = try? Glob(text, anywhere: true) else { continue }
            checked += 1
            var matcher = RuleSet.matcher(for: [glob])
            for _ in 0..<15 {
                let path = GlobPropertyTests.randomPath(&random)
                let expected = NaiveGlob.matches(text, path.bytes)
                #expect(glob.matches(path) == expected, "seed \(seed): \(text) on \(path)")
                #expect(
                    (matcher.rule(for: path) == 0) == expected,
                    "seed \(seed): \(text) on \(path), as a matcher"
                )
                let covered = NaiveGlob.covers(text, path.bytes)
                #expect(glob.covers(path) == covered, "seed \(seed): \(text) over \(path)")
                for variant in glob.resolved(homes: [], canonicalize: { $0 }) where variant.matches(path) {
                    #expect(expected, "seed \(seed): a directory of \(text) written out on \(path)")
                }
            }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func writingDirectoriesOutChangesNothing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 1_000)
        for _ in 0..<80 {
            let text = "/" + GlobPropertyTests.randomGlob(&random)
            guard let glob = try? Glob(text) else { continue }
            let variants = glob.resolved(homes: [], canonicalize: { $0 })
            for _ in 0..<20 {
                let path = GlobPropertyTests.randomPath(&random)
                #expect(
                    variants.contains { $0.matches(path) } == glob.matches(path),
                    "seed \(seed): \(text) on \(path)"
                )
            }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func randomTextIsAGlobOrAnError(seed: UInt64) {
        var random = SeededGenerator(seed: seed &+ 2_000)
        let letters = Array("/*?[]{}!^-\\,.~ab\0".unicodeScalars)
        for _ in 0..<500 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                if let letter = letters.randomElement(using: &random) { text.append(letter) }
            }
            do throws(GlobError) {
                let glob = try Glob(String(text), anywhere: Bool.random(using: &random))
                _ = glob.matches(GlobPropertyTests.randomPath(&random))
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}
