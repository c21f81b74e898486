import Integrity
import Testing

@testable import RulePacks

@Suite struct RulePackTests {
    static let whole = """
        pack: gcc
        title: GNU compilers and binutils
        detect: [/usr/bin/gcc, ~/bin/gcc]
        rules:
          - id: gcc.driver
            title: Compiler drivers
            reason: >-
              Every C and C++ object
              passes through these.
            severity: critical
            profile: append-only
            watch: ["/usr/bin/{gcc,g++}*", '/usr/lib/gcc/**']
            except: ["**/*.tmp"]
            absent: ["/usr/lib/gcc/*/*/specs"]
            keep: text
            tags: [attack.t1554]
          - {id: gcc.b, title: T, reason: R, severity: low, profile: ignore, absent: [/x]}

        """

    @Test func everyKeyIsRead() throws {
        let pack = try pack(RulePackTests.whole)
        #expect(pack.name == "gcc" && pack.title == "GNU compilers and binutils")
        #expect(pack.detect.map(\.text) == ["/usr/bin/gcc", "~/bin/gcc"])
        #expect(pack.digest == testDigest(Array(RulePackTests.whole.utf8)))
        #expect(
            pack.rules[0]
                == Rule(
                    id: "gcc.driver",
                    pack: "gcc",
                    title: "Compiler drivers",
                    reason: "Every C and C++ object passes through these.",
                    severity: .critical,
                    profile: .appendOnly,
                    watch: ["/usr/bin/{gcc,g++}*", "/usr/lib/gcc/**"],
                    except: ["**/*.tmp"],
                    absent: ["/usr/lib/gcc/*/*/specs"],
                    keep: .text,
                    tags: ["attack.t1554"]
                )
        )
        #expect(pack.rules[1].keep == .none && pack.rules[1].tags == [] && pack.rules[1].watch == [])
        #expect(pack.positions.map(\.line) == [5, 17])
    }

    @Test func lineEndingsOfOtherSystemsAndAByteOrderMarkChangeNothing() throws {
        let plain = try pack(RulePackTests.whole)
        let lines = RulePackTests.whole.split(separator: "\n", omittingEmptySubsequences: false)
        let carriage = lines.joined(separator: "\r\n")
        #expect(try pack(carriage).rules == plain.rules)
        #expect(try pack("\u{FEFF}" + carriage).rules == plain.rules)
    }

    private static let head = "pack: p\ntitle: T\nrules:\n"

    private static func withRule(_ fields: String) -> String {
        head + "  - {id: p.x, title: T, reason: R, severity: low, profile: content, " + fields + "}\n"
    }

    /// The whole text of an error is the interface: `file:line:column`, reason, next step.
    static let wrong: [(yaml: String, message: String)] = [
        ("", "1:1: the file is empty; a rule pack begins with `pack: NAME`"),
        ("# only a comment\n", "1:1: the file is empty; a rule pack begins with `pack: NAME`"),
        ("- a\n", "1:1: the file is no mapping of `key: value`; begin with `pack:`"),
        ("pack: p\ntitle: T\nrules: []\n", "3:8: `rules` is no list of rules; write one rule a `- `"),
        ("pack: p\ntitle: T\nrules:\n", "3:7: `rules` is no list of rules; write one rule a `- `"),
        ("pack: p\ntitle: T\n", "1:1: `rules` is missing; list at least one rule"),
        (head + "  - x\n", "4:5: a rule is no mapping of `key: value`; begin with `id:`"),
        (
            "pakc: p\n" + withRule("watch: [/a]"),
            "1:1: unknown key `pakc` in the file; did you mean `pack`?"
        ),
        (
            withRule("watch: [/a], colour: red"),
            "4:82: unknown key `colour` in a rule; use id, title, reason, severity, profile, watch, except, absent, "
                + "keep or tags"
        ),
        (withRule("watch: [/a], wacth: [/b]"), "4:82: unknown key `wacth` in a rule; did you mean `watch`?"),
        (
            withRule("watch: []"),
            "4:76: `watch` of the rule `p.x` is empty, so that it watches nothing; name a path, or remove it"
        ),
        (
            withRule("watch: [], absent: [/a]"),
            "4:76: `watch` of the rule `p.x` is empty, so that it watches nothing; name a path, or remove it"
        ),
        (
            withRule("tags: [a]"),
            "4:5: `watch` is missing in the rule `p.x`; name the paths, or those that must not exist in `absent`"
        ),
        (
            withRule("absent: []"),
            "4:5: `watch` is missing in the rule `p.x`; name the paths, or those that must not exist in `absent`"
        ),
        (withRule("watch: /a"), "4:76: `watch` is no list; write it as `[first, second]` or one a `- `"),
        (withRule("watch: "), "4:76: `watch` is no list; write it as `[first, second]` or one a `- `"),
        (withRule("watch: [[/a]]"), "4:77: an entry of `watch` is no text; put it in quotes"),
        (withRule("watch: [~]"), "4:77: an entry of `watch` is no text; put it in quotes"),
        (
            withRule("watch: ['/a/[b']"),
            "4:77: the glob `/a/[b` in `watch` has a `[` without its `]`; close it, or write `\\[` for the bracket itself"
        ),
        (
            withRule("watch: ['a/b']"),
            "4:77: the glob `a/b` in `watch` begins neither with `/` nor with `~/`; write the path from the root on"
        ),
        (withRule("watch: ['']"), "4:77: in `watch` a glob is empty; write a path or a pattern"),
        (
            withRule("watch: [/a], keep: txt"),
            "4:88: `txt` is no keep; did you mean `text`?"
        ),
        (
            withRule("watch: [/a], tags: ['a b']"),
            "4:89: the tag `a b` has other characters than letters, digits and `._:/-`; rename it"
        ),
        (
            withRule("watch: [/a], watch: [/b]"),
            "4:69: `watch` stands twice in one mapping; keep one of them"
        ),
        (
            withRule("watch: [/a]")
                + "  - {id: p.x, title: T, reason: R, severity: low, profile: content, watch: [/b]}\n",
            "5:10: the id `p.x` is used at line 4, column 10 already; give each rule its own"
        ),
        (
            withRule("watch: [!secret /a]"),
            "4:77: the tag `!secret`, which rule packs do not take; remove it"
        ),
        (
            withRule("watch: [/a]") + "---\npack: q\n",
            "5:1: but found another document; keep one pack a file"
        ),
        (
            withRule("watch: &x [/a]"),
            "4:76: an anchor (`&name`), which rule packs do not take; write the value out, or put a space behind an `&` "
                + "that belongs to a text"
        ),
        (
            withRule("watch: [*.tmp]"),
            "4:77: while scanning an alias"
        ),
        (
            head + "\t- id: p.x\n",
            "4:1: found character that cannot start any token; check indentation, quotes and brackets"
        ),
        ("pack: \u{7}\n", "1:7: the control character U+7; remove it"),
    ]

    @Test(arguments: RulePackTests.wrong)
    func whatIsWrongIsSaidWithItsPlace(yaml: String, message: String) {
        do {
            _ = try pack(yaml)
            Issue.record("no error for \(yaml)")
        } catch let error as RulePackErrors {
            let text = error.description
            #expect(
                text.split(separator: "\n").contains { $0.hasPrefix("test.yaml:" + message) }
                    || message.hasSuffix("while scanning an alias") && text.hasPrefix("test.yaml:4:"),
                "\(text)"
            )
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test(arguments: [
        ("severity: criticl", "`criticl` is no severity; did you mean `critical`?"),
        ("severity: 7", "`7` is no severity; use critical, high, medium or low"),
        (
            "profile: exe",
            "`exe` is no profile; use executable, configuration, content, directory, append-only, "
                + "write-once, inventory or ignore"
        ),
        ("title: ''", "`title` of the rule `p.x` is empty; say it in a few words"),
        ("title: [a]", "`title` is no text; write one value behind the colon, in quotes where it is unclear"),
        ("reason:", "`reason` is no text; write one value behind the colon, in quotes where it is unclear"),
        (
            "id: Upper",
            "the id `Upper` has other characters than lower-case letters, digits and `._-`, or is empty or too "
                + "long; rename it"
        ),
    ])
    func valuesAreChecked(field: String, message: String) throws {
        var fields = [
            "id": "p.x", "title": "T", "reason": "R", "severity": "low", "profile": "content",
            "watch": "[/a]",
        ]
        let parts = field.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        fields[String(parts[0])] = String(parts[1])
        let order = ["id", "title", "reason", "severity", "profile", "watch"]
        let lines = order.map { "    \($0): \(fields[$0] ?? "")\n" }.joined().dropFirst(4)
        let errors = #expect(throws: RulePackErrors.self) { try pack(RulePackTests.head + "  - " + lines) }
        #expect(errors?.errors.map(\.message) == [message])
    }

    @Test func allErrorsOfAFileAreReportedInOrder() {
        let yaml = """
            pack: P
            rules:
              - {id: a, title: T, reason: R, severity: lo, profile: content, watch: ['/a/'], oops: 1}
              - {id: a}
            extra: x

            """
        let errors = #expect(throws: RulePackErrors.self) { try pack(yaml) }
        #expect(
            errors?.errors.map { "\($0.line):\($0.column)" } == [
                "1:1", "1:7", "3:44", "3:74", "3:82", "4:5", "4:5", "4:5", "4:5", "4:5", "4:10", "5:1",
            ]
        )
    }

    @Test func onlyUTF8IsRead() {
        let bytes = Array("pack: p\ntitle: ".utf8) + [0xFF, 0x0A]
        let errors = #expect(throws: RulePackErrors.self) {
            try RulePack(bytes, file: "x.yaml", digest: testDigest(bytes))
        }
        #expect(errors?.description == "x.yaml:2:8: a byte that is not UTF-8; save the file as UTF-8")
        let wide = Array("pack".utf16).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        #expect(throws: RulePackErrors.self) {
            try RulePack([0xFF, 0xFE] + wide, file: "x", digest: testDigest([]))
        }
        #expect(throws: RulePackErrors.self) { try RulePack(wide, file: "x", digest: testDigest([])) }
    }

    @Test func anAmpersandInsideATextIsNoAnchor() throws {
        let yaml =
            RulePackTests.head
            + "  - {id: p.x, title: 'R&D', reason: 'this & that', severity: low, profile: content, watch: ['/a&b']}\n"
        #expect(try pack(yaml).rules[0].title == "R&D")
    }
}

/// Files made to cost more than they weigh.
@Suite struct HostilePackTests {
    private func refused(_ yaml: String) -> RulePackErrors? {
        do {
            _ = try pack(yaml)
            return nil
        } catch {
            return error as? RulePackErrors
        }
    }

    @Test func aliasesNeverExpand() {
        var bomb = "a: &a [x,x]\n"
        for letter in "bcdefghijklmnopqrstuvwxyz" {
            let before = Character(UnicodeScalar((letter.asciiValue ?? 98) - 1))
            bomb += "\(letter): &\(letter) [*\(before),*\(before),*\(before)]\n"
        }
        #expect(refused(bomb)?.errors.first?.message.hasPrefix("an anchor") == true)
    }

    @Test(arguments: [
        "? &a [x]\n: 1\n", "{&a x: 1, *a : 2}", "[\"q\"&a x]", "- &a x\n- {*a : 1}\n", "!t &a x", "a:\n &b c",
        "[a,&b c]",
        "{\"k\":&b c}", "\u{2028}&b c", "x: 'it''s' \ny: &b c # '",
    ])
    func noAnchorSlipsThrough(yaml: String) {
        #expect(refused(yaml) != nil)
        #expect(throws: YAMLGuard.Refusal.self) { try YAMLGuard.text(Array(yaml.utf8)) }
    }

    @Test(arguments: ["[", "{", "- ", "? ", "{? ", "[{a: ", "{[a]: "])
    func deepNestingEndsInAnError(piece: String) {
        let yaml = "rules: \n  " + String(repeating: piece, count: 100_000)
        #expect(refused(yaml) != nil)
    }

    @Test func nestedKeysCostNoMoreThanTheyWeigh() {
        let depth = 900
        let yaml =
            String(repeating: "{? ", count: depth) + String(repeating: "x", count: 100_000)
            + String(repeating: " : 1}", count: depth)
        #expect(refused(yaml) != nil)
    }

    @Test func aLargeFileIsRefused() {
        #expect(refused(String(repeating: "# x\n", count: 262_145))?.errors.first?.line == 1)
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func mutatedPacksAreReadOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let original = Array(RulePackTests.whole.utf8)
        let interesting = Array("[]{}&*!|>'\"%@`,:?-#\n\t \r\0~\\".utf8)
        for _ in 0..<60 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[index] = interesting.randomElement(using: &random) ?? 0
                case 2: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: index)
                default: bytes.remove(at: index)
                }
            }
            check(bytes, seed)
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func randomBytesAreRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed &+ 100)
        for _ in 0..<200 {
            let count = Int.random(in: 0...200, using: &random)
            check((0..<count).map { _ in UInt8.random(in: 0...127, using: &random) }, seed)
            check((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, seed)
        }
    }

    /// Whatever is in a file, it is a pack with rules that select something, or an error with a place in it.
    private func check(_ bytes: [UInt8], _ seed: UInt64) {
        let lines = bytes.count + 2
        do throws(RulePackErrors) {
            let pack = try RulePack(bytes, file: "f", digest: testDigest(bytes))
            #expect(!pack.rules.isEmpty, "seed \(seed)")
            for rule in pack.rules {
                #expect(!(rule.watch.isEmpty && rule.absent.isEmpty), "seed \(seed): \(bytes)")
            }
        } catch {
            #expect(!error.errors.isEmpty, "seed \(seed): \(bytes)")
            for one in error.errors {
                #expect(
                    (1...lines).contains(one.line) && one.column > 0 && !one.message.isEmpty,
                    "seed \(seed): \(one)"
                )
            }
        }
    }
}
