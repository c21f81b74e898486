import Integrity
import Testing

@testable import RulePacks

@Suite struct MatcherTests {
    private func literals(_ matcher: Matcher, _ directory: RawPath) -> [String]? {
        var matcher = matcher
        guard let state = matcher.find(directory).below else { return nil }
        return matcher.literalNames(state)?.map { RawPath(bytes: $0).description }
    }

    @Test func namesThatCanBeLookedUpAreListed() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [
                    rule("p.a", watch: ["/usr/bin/{gcc,g++}", "/usr/bin/cc{,-12}"], except: ["*.tmp"]),
                    rule("p.b", absent: ["/etc/ld.so.preload"]),
                    rule("p.c", watch: ["/opt/*/bin", "/srv/[a]"]),
                ]
            )
        ])
        let matcher = rules.matcher()
        #expect(literals(matcher, "/") == ["etc", "opt", "srv", "usr"])
        #expect(literals(matcher, "/etc") == ["ld.so.preload"])
        #expect(literals(matcher, "/usr/bin") == ["cc", "cc-12", "g++", "gcc"])
        #expect(literals(matcher, "/opt") == nil)
        #expect(literals(matcher, "/opt/x") == ["bin"])
        #expect(literals(matcher, "/srv") == ["a"])
    }

    @Test func aRestrictedMatcherLooksUpOnlyWhatLeadsThere() throws {
        let rules = try ruleSet([
            loaded("p", [rule("p.a", watch: ["/usr/**"]), rule("p.b", watch: ["/etc/x", "/etc/y"])])
        ])
        let matcher = rules.matcher(paths: [try Glob("/usr/lib/gcc/x")])
        #expect(literals(matcher, "/") == ["usr"])
        #expect(literals(matcher, "/usr") == ["lib"])
        #expect(literals(matcher, "/usr/lib/gcc") == ["x"])
        #expect(literals(matcher, "/usr/lib/gcc/x") == nil)
    }

    @Test func tooManyNamesAreNotListed() throws {
        let names = (0..<200).map { "/d/name\($0)" }
        let matcher = try ruleSet([loaded("p", [rule("p.a", watch: names)])]).matcher()
        #expect(literals(matcher, "/d") == nil)
        let doubling = try ruleSet([
            loaded("p", [rule("p.a", watch: ["/d/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"])])
        ])
        #expect(literals(doubling.matcher(), "/d") == nil)
    }

    @Test func pathsRestrictWhatIsShownAndNotWhatDecides() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [rule("p.all", watch: ["/usr/**"]), rule("p.bin", watch: ["/usr/bin/**"])]
            )
        ])
        var byPath = rules.matcher(paths: [try Glob("/usr/bin/g*")])
        #expect(byPath.rule(for: "/usr/bin/gcc") == 1)
        #expect(byPath.rule(for: "/usr/bin/gdir/below/it") == 1)
        #expect(byPath.rule(for: "/usr/bin/cc") == nil)
        #expect(byPath.rule(for: "/usr/bin") == nil)
        #expect(byPath.find("/usr/lib").below == nil)

        var byRule = rules.matcher(rules: ["p.all"])
        #expect(byRule.rule(for: "/usr/lib/x") == 0)
        #expect(byRule.rule(for: "/usr/bin/gcc") == nil)
        #expect(byRule.find("/usr/bin").below == nil)

        var none = rules.matcher(paths: [])
        #expect(none.find("/usr").below == nil)
    }

    @Test func whatCannotSelectAnythingIsNotEntered() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [rule("p.a", watch: ["/usr/lib/**", "/usr/bin/gcc"], except: ["/usr/lib/cache", "*.d"])]
            )
        ])
        var matcher = rules.matcher()
        for path: RawPath in ["/etc", "/usr/bin/gcc", "/usr/lib/cache", "/usr/lib/x.d", "/usr/share"] {
            #expect(matcher.find(path).below == nil, "\(path)")
        }
        for path: RawPath in ["/", "/usr", "/usr/bin", "/usr/lib", "/usr/lib/x"] {
            #expect(matcher.find(path).below != nil, "\(path)")
        }
    }

    @Test func anIgnoreThatMayBeOvertakenIsEntered() throws {
        let rules = try ruleSet([
            loaded("a", [rule("a.x", watch: ["/d/**"], severity: "critical")]),
            loaded(
                "b",
                [
                    rule("b.off", watch: ["/d/skip/**"], severity: "critical", profile: "ignore"),
                    rule("b.back", watch: ["/d/skip/keep/**"], severity: "low"),
                ]
            ),
        ])
        var matcher = rules.matcher()
        #expect(rules.decidingRule("/d/skip/x") == nil)
        // The later rule of its own file is milder than the other file's.
        #expect(rules.decidingRule("/d/skip/keep/x") == "a.x")
        #expect(matcher.rule(for: "/d/skip/keep/x") == 0)
    }

    @Test func statesMayBeHandedToAnotherMatcher() throws {
        let rules = try ruleSet([loaded("p", [rule("p.a", watch: ["/usr/*/gcc/**"], except: ["*.tmp"])])])
        var first = rules.matcher()
        var second = rules.matcher()
        let lib = try #require(first.find("/usr/lib").below)
        #expect(second.step(lib, Array("gcc".utf8)[...]) == first.step(lib, Array("gcc".utf8)[...]))
        #expect(second.step(lib, Array("gcc".utf8)[...]).rule == 0)
        #expect(first.find("/usr/bin").below == lib)
    }

    @Test func tablesAreDroppedBeforeTheyGrowTooLarge() throws {
        let rules = try ruleSet([
            loaded("p", [rule("p.a", watch: ["/d/" + String(repeating: "{a,b}", count: 12)])])
        ])
        var matcher = rules.matcher()
        let directory = try #require(matcher.find("/d").below)
        for number in 0..<4_096 {
            let name = (0..<12).map { number >> $0 & 1 == 0 ? UInt8(ascii: "a") : UInt8(ascii: "b") }
            #expect(matcher.step(directory, name[...]).rule == 0)
        }
        let wide = (0..<3_000).map { "/d/" + String($0, radix: 36) + "x" }
        var many = try ruleSet([loaded("p", [rule("p.a", watch: wide)])]).matcher()
        let root = try #require(many.find("/d").below)
        for _ in 0..<2 {
            for name in wide {
                #expect(many.step(root, Array(name.utf8.dropFirst(3))[...]).rule == 0)
                #expect(many.stateCount < Matcher.stateLimit + 300)
            }
        }
    }

    @Test func hostileNamesAreOnlyBytes() throws {
        var matcher = try ruleSet([loaded("p", [rule("p.a", watch: ["/d/*"])])]).matcher()
        let directory = try #require(matcher.find("/d").below)
        for name: [UInt8] in [[0xFF, 0xFE], [0x0A], [0x1B, 0x5B], Array(repeating: 0x41, count: 255), [0]] {
            #expect(matcher.step(directory, name[...]).rule == 0)
        }
    }
}

/// Random rule sets against a decision made by hand from the naive globs.
@Suite struct MatcherPropertyTests {
    private struct Sketch {
        var packs: [[(id: String, severity: Severity, isIgnored: Bool, watch: [String], except: [String])]]
        var precedences: [Int]
    }

    private static func glob(_ random: inout SeededGenerator) -> String {
        let parts = ["a", "b", "ab", "*", "a*", "?", "**", "{a,b}", "{a/b,b}", "[!a]"]
        let count = Int.random(in: 1...4, using: &random)
        let names = (0..<count).map { _ in parts.randomElement(using: &random) ?? "a" }
        return "/" + names.joined(separator: "/")
    }

    private static func sketch(_ random: inout SeededGenerator) -> Sketch {
        var sketch = Sketch(packs: [], precedences: [])
        for pack in 0..<Int.random(in: 1...3, using: &random) {
            sketch.precedences.append(Int.random(in: 0...1, using: &random))
            sketch.packs.append(
                (0..<Int.random(in: 1...3, using: &random)).map { index in
                    let severity = Severity.allCases.randomElement(using: &random) ?? .low
                    let except = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                        Bool.random(using: &random) ? glob(&random) : String(glob(&random).dropFirst())
                    }
                    let watch = (0..<Int.random(in: 1...3, using: &random)).map { _ in glob(&random) }
                    let isIgnored = Int.random(in: 0..<4, using: &random) == 0
                    return ("p\(pack).r\(index)", severity, isIgnored, watch, except)
                }
            )
        }
        return sketch
    }

    private static func rules(_ sketch: Sketch) throws -> RuleSet {
        try ruleSet(
            sketch.packs.enumerated().map { index, pack in
                try loaded(
                    "p\(index)",
                    pack.map {
                        rule(
                            $0.id,
                            watch: $0.watch,
                            except: $0.except,
                            severity: $0.severity.name,
                            profile: $0.isIgnored ? "ignore" : "executable"
                        )
                    },
                    precedence: sketch.precedences[index]
                )
            }
        )
    }

    /// The longest literal prefix among the alternatives that match, as far as directories are written out.
    private static func prefix(_ globs: [String], _ path: RawPath) -> Int {
        var best = 0
        for text in globs {
            guard let glob = try? Glob(text) else { continue }
            for variant in glob.resolved(homes: [], canonicalize: { $0 }) where variant.matches(path) {
                best = max(best, variant.literalPrefix.count)
            }
        }
        return best
    }

    private static func decide(_ sketch: Sketch, _ path: RawPath) -> (id: String, isIgnored: Bool)? {
        var best: (rank: [Int], id: String, isIgnored: Bool)?
        for (index, pack) in sketch.packs.enumerated() {
            let speaker = pack.last { rule in
                rule.watch.contains { NaiveGlob.matches($0, path.bytes) }
                    && !rule.except.contains { NaiveGlob.covers($0, path.bytes) }
            }
            guard let speaker else { continue }
            let rank = [
                sketch.precedences[index], Int(speaker.severity.rawValue), prefix(speaker.watch, path),
                -index,
            ]
            if let known = best, !known.rank.lexicographicallyPrecedes(rank) { continue }
            best = (rank, speaker.id, speaker.isIgnored)
        }
        return best.map { ($0.id, $0.isIgnored) }
    }

    private static var world: [RawPath] {
        let names = ["a", "b", "ab"]
        var all: [RawPath] = [.root]
        var level: [RawPath] = [.root]
        for _ in 0..<4 {
            level = level.flatMap { directory in names.map { directory.appending($0) } }
            all += level
        }
        return all
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func everyPathOfASmallWorldIsDecidedAsByHand(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 5_000)
        for _ in 0..<4 {
            let sketch = MatcherPropertyTests.sketch(&random)
            let rules = try MatcherPropertyTests.rules(sketch)
            var matcher = rules.matcher()
            for path in MatcherPropertyTests.world {
                let expected = MatcherPropertyTests.decide(sketch, path)
                let explanation = rules.decide(path)
                let id = explanation.match.map { rules.rules[$0.rule].id }
                #expect(id == expected?.id, "seed \(seed): \(sketch) on \(path)")
                let shown = expected.flatMap { $0.isIgnored ? nil : $0.id }
                // `find` goes through `below`, so that a subtree cut off too early shows here.
                let found = matcher.rule(for: path).map { rules.rules[$0].id }
                #expect(found == shown, "seed \(seed): the matcher, \(sketch) on \(path)")
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func restrictionsOnlyHide(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 6_000)
        for _ in 0..<4 {
            let sketch = MatcherPropertyTests.sketch(&random)
            let rules = try MatcherPropertyTests.rules(sketch)
            let texts = [MatcherPropertyTests.glob(&random), MatcherPropertyTests.glob(&random)]
            let ids = Set(rules.rules.map(\.id).filter { _ in Bool.random(using: &random) })
            var all = rules.matcher()
            var some = rules.matcher(paths: try texts.map { try Glob($0) }, rules: ids)
            for path in MatcherPropertyTests.world {
                let full = all.rule(for: path)
                let isShown =
                    texts.contains { NaiveGlob.covers($0, path.bytes) }
                    && full.map { ids.contains(rules.rules[$0].id) } ?? false
                #expect(
                    some.rule(for: path) == (isShown ? full : nil),
                    "seed \(seed): \(texts) \(ids) on \(path)"
                )
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func noNameIsMissingFromALookUp(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 7_000)
        for _ in 0..<4 {
            let rules = try MatcherPropertyTests.rules(MatcherPropertyTests.sketch(&random))
            let isFiltered = Bool.random(using: &random)
            var matcher = rules.matcher(
                paths: isFiltered ? [try Glob(MatcherPropertyTests.glob(&random))] : nil
            )
            for path in MatcherPropertyTests.world where !path.isRoot {
                guard let directory = matcher.find(path.parent).below,
                    let names = matcher.literalNames(directory)
                else { continue }
                let step = matcher.step(directory, path.name)
                if step.rule != nil || step.below != nil {
                    #expect(names.contains(Array(path.name)), "seed \(seed): \(path)")
                }
            }
        }
    }
}
