import Integrity
import Testing

@testable import RulePacks

@Suite struct RuleSetTests {
    @Test func withinAFileTheLaterRuleDecides() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [
                    rule("p.all", watch: ["/usr/**"], severity: "critical"),
                    rule("p.bin", watch: ["/usr/bin/*"], severity: "low"),
                ]
            )
        ])
        #expect(rules.decidingRule("/usr/bin/gcc") == "p.bin")
        #expect(rules.decidingRule("/usr/lib/gcc") == "p.all")
        #expect(rules.decidingRule("/etc/x") == nil)
        #expect(
            rules.decide("/usr/bin/gcc").losers.map(\.reason) == [.laterInFile("p.bin")]
        )
    }

    @Test func aSiteRuleDecidesOverAShippedOne() throws {
        let rules = try ruleSet([
            loaded("site", [rule("site.x", watch: ["/usr/**"], severity: "low")], precedence: 1),
            loaded("shipped", [rule("shipped.x", watch: ["/usr/bin/gcc"], severity: "critical")]),
        ])
        #expect(rules.decidingRule("/usr/bin/gcc") == "site.x")
        #expect(rules.decide("/usr/bin/gcc").losers.map(\.reason) == [.precedence("site.x")])
    }

    @Test func betweenPacksSeverityThenPrefixThenNameDecides() throws {
        let rules = try ruleSet([
            loaded("c", [rule("c.x", watch: ["/a/b/*"], severity: "high"), rule("c.y", watch: ["/n/*"])]),
            loaded("b", [rule("b.x", watch: ["/a/**"], severity: "critical"), rule("b.y", watch: ["/n/*"])]),
            loaded("a", [rule("a.x", watch: ["/a/b/c*"], severity: "high"), rule("a.y", watch: ["/p/**"])]),
            loaded("d", [rule("d.y", watch: ["/p/q/*"])]),
        ])
        #expect(rules.decidingRule("/a/b/cd") == "b.x")
        #expect(rules.decidingRule("/n/x") == "b.y")
        #expect(rules.decidingRule("/p/q/r") == "d.y")
        #expect(rules.decide("/a/b/cd").losers.map(\.reason) == [.severity("b.x"), .severity("b.x")])
        #expect(rules.decide("/n/x").losers.map(\.reason) == [.packName("b.y")])
        #expect(rules.decide("/p/q/r").losers.map(\.reason) == [.longerPrefix("d.y")])
    }

    /// A file's mild last rule speaks for it, although its first one would beat the other file's.
    @Test func comparisonDoesNotRunInCircles() throws {
        let rules = try ruleSet([
            loaded(
                "a",
                [
                    rule("a.1", watch: ["/x/**"], severity: "critical"),
                    rule("a.2", watch: ["/x/**"], severity: "low"),
                ]
            ),
            loaded("b", [rule("b.1", watch: ["/x/**"], severity: "high")]),
        ])
        #expect(rules.decidingRule("/x/y") == "b.1")
        let losers = rules.decide("/x/y").losers
        #expect(losers.map(\.reason) == [.laterInFile("a.2"), .severity("b.1")])
        var matcher = rules.matcher()
        #expect(matcher.rule(for: "/x/y") == rules.index(of: "b.1"))
    }

    @Test func exceptTakesAPathAndAllBelowFromItsOwnRuleOnly() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [
                    rule("p.low", watch: ["/usr/**"], severity: "low"),
                    rule("p.lib", watch: ["/usr/lib/**"], except: ["/usr/lib/cache", "*.tmp"]),
                ]
            )
        ])
        #expect(rules.decidingRule("/usr/lib/x") == "p.lib")
        #expect(rules.decidingRule("/usr/lib/cache") == "p.low")
        #expect(rules.decidingRule("/usr/lib/cache/a/b") == "p.low")
        #expect(rules.decidingRule("/usr/lib/a/b.tmp") == "p.low")
        #expect(rules.decidingRule("/usr/lib/a.tmp/b") == "p.low")
        let explanation = rules.decide("/usr/lib/a.tmp/b")
        #expect(explanation.losers.map(\.reason) == [.excepted(glob: "*.tmp")])
        #expect(explanation.match?.glob == "/usr/**")
    }

    @Test func anIgnoredPathIsOutOfScopeAndExplained() throws {
        let rules = try ruleSet([
            loaded("p", [rule("p.x", watch: ["/usr/**"])]),
            loaded(
                "site",
                [rule("site.off", watch: ["/usr/share/**"], severity: "low", profile: "ignore")],
                precedence: 1
            ),
        ])
        let explanation = rules.decide("/usr/share/doc")
        #expect(!explanation.isInScope)
        #expect(explanation.match?.rule == rules.index(of: "site.off"))
        var matcher = rules.matcher()
        #expect(matcher.rule(for: "/usr/share/doc") == nil)
        #expect(matcher.find("/usr/share").below == nil)
        #expect(matcher.rule(for: "/usr/lib") == rules.index(of: "p.x"))
    }

    @Test func absentGlobsSelectAndAreTold() throws {
        let rules = try ruleSet([
            loaded(
                "p",
                [
                    rule("p.lib", watch: ["/usr/lib/gcc/**"], absent: ["/usr/lib/gcc/*/specs"]),
                    rule("p.preload", absent: ["/etc/ld.so.preload"]),
                ]
            )
        ])
        #expect(rules.isAbsent("/usr/lib/gcc/x/specs"))
        #expect(!rules.isAbsent("/usr/lib/gcc/x/cc1"))
        #expect(rules.isAbsent("/etc/ld.so.preload"))
        var matcher = rules.matcher()
        #expect(matcher.rule(for: "/etc/ld.so.preload") == 1)
        var absent = rules.absentMatcher()
        #expect(absent.rule(for: "/usr/lib/gcc/x/specs") == 0)
        #expect(absent.rule(for: "/usr/lib/gcc/x/cc1") == nil)
    }

    @Test func homesAreExpandedEach() throws {
        let rules = try ruleSet(
            [loaded("p", [rule("p.cargo", watch: ["~/.cargo/bin/*"], except: ["~/.cargo/bin/x"])])],
            homes: ["/root", "/home/ci"]
        )
        #expect(rules.homes == ["/root", "/home/ci"])
        #expect(rules.decidingRule("/home/ci/.cargo/bin/rustc") == "p.cargo")
        #expect(rules.decidingRule("/root/.cargo/bin/rustc") == "p.cargo")
        #expect(rules.decidingRule("/root/.cargo/bin/x") == nil)
        #expect(rules.decidingRule("/home/other/.cargo/bin/rustc") == nil)
        #expect(rules.roots == ["/root/.cargo/bin", "/home/ci/.cargo/bin"].sorted())
    }

    @Test func directoriesAreCanonicalAndTheirLinksKept() throws {
        let rules = try ruleSet(
            [
                loaded(
                    "p",
                    [
                        rule("p.bin", watch: ["/bin/gcc*", "/usr/bin/cc"], except: ["/bin/gccx"]),
                        rule("p.lib", watch: ["/lib/**"]),
                    ]
                )
            ],
            links: ["/bin": "/usr/bin", "/lib": "/usr/lib"]
        )
        #expect(rules.decidingRule("/usr/bin/gcc") == "p.bin")
        #expect(rules.decidingRule("/usr/bin/gccx") == nil)
        #expect(rules.decidingRule("/bin/gcc") == nil)
        #expect(rules.decidingRule("/usr/lib") == "p.lib")
        #expect(rules.linkedRoots == [LinkedRoot(path: "/bin", rule: 0), LinkedRoot(path: "/lib", rule: 1)])
        #expect(rules.roots == ["/usr/bin", "/usr/lib"])
    }

    @Test func rulesThatShareAnIdAreRefusedWithBothPlaces() throws {
        #expect(
            throws: RuleSetError.repeatedRule(
                id: "x.y",
                here: RulePosition(file: "b.yaml", line: 4, column: 10),
                there: RulePosition(file: "a.yaml", line: 4, column: 10)
            )
        ) {
            try ruleSet([
                loaded("a", [rule("x.y", watch: ["/a"])]), loaded("b", [rule("x.y", watch: ["/b"])]),
            ])
        }
        #expect(throws: RuleSetError.repeatedPack(name: "a", here: "2.yaml", there: "1.yaml")) {
            try ruleSet([
                loaded("a", [rule("a.x", watch: ["/a"])], file: "1.yaml"),
                loaded("a", [rule("a.y", watch: ["/a"])], precedence: 1, file: "2.yaml"),
            ])
        }
    }

    @Test func theDigestDependsOnEveryFileAndNotOnTheOrderGiven() throws {
        let a = try loaded("a", [rule("a.x", watch: ["/a"])])
        let b = try loaded("b", [rule("b.x", watch: ["/b"])])
        let other = try loaded("b", [rule("b.x", watch: ["/c"])])
        #expect(try ruleSet([a, b]).digest == ruleSet([b, a]).digest)
        #expect(try ruleSet([a, b]).digest != ruleSet([a, other]).digest)
        #expect(try ruleSet([a, b]).digest != ruleSet([a]).digest)
        #expect(try ruleSet([b, a]).packNames == ["a", "b"])
    }

    @Test func noPacksSelectNothing() throws {
        let rules = try ruleSet([])
        var matcher = rules.matcher()
        #expect(matcher.find("/usr/bin/gcc") == MatchStep(rule: nil, below: nil))
        #expect(matcher.rule(for: .root) == nil)
        #expect(matcher.literalNames(matcher.root) == [])
    }

    @Test func tooManyGlobsAreRefused() throws {
        let pack = try loaded("p", [rule("p.x", watch: ["~/" + String(repeating: "?", count: 50)])])
        #expect(throws: RuleSetError.tooLarge(limit: 100)) {
            try RuleSet(packs: [pack], homes: ["/root", "/home/ci"], hash: testDigest, stateLimit: 100) { $0 }
        }
        let fits = try RuleSet(packs: [pack], homes: ["/root"], hash: testDigest, stateLimit: 100) { $0 }
        #expect(fits.rules.count == 1)
    }
}
