import Integrity
import RulePacks
import Testing

@Suite struct LoadingTests {
    private func file(_ name: String, _ content: String? = "x") -> RuleFile {
        RuleFile(name: Array(name.utf8), content: content.map { .bytes(Array($0.utf8)) } ?? .off)
    }

    private func names(_ files: RuleFilesInEffect) -> [String] {
        files.files.map { "\($0.place)/" + RawPath(bytes: $0.name).description }
    }

    @Test func aLaterPlaceHidesAndADevNullLinkTurnsOff() {
        let files = RuleFilesInEffect([
            [
                file("gcc.yaml", "shipped"), file("git.yaml"), file("python.yml"), file("b.yaml"),
                file("a.yaml"),
            ],
            [file("gcc.yaml", "site"), file("git.yaml", nil), file("own.yaml")],
        ])
        #expect(names(files) == ["0/a.yaml", "0/b.yaml", "0/python.yml", "1/gcc.yaml", "1/own.yaml"])
        #expect(files.files[3].bytes == Array("site".utf8))
        #expect(
            files.hidden == [
                .init(name: Array("gcc.yaml".utf8), place: 0, by: 1, isTurnedOff: false),
                .init(name: Array("git.yaml".utf8), place: 0, by: 1, isTurnedOff: true),
            ]
        )
    }

    @Test func aThirdPlaceMayTurnAFileOnAgain() {
        let files = RuleFilesInEffect([[file("a.yaml")], [file("a.yaml", nil)], [file("a.yaml")]])
        #expect(names(files) == ["2/a.yaml"])
    }

    @Test func onlyRuleFilesCount() {
        let files = RuleFilesInEffect([
            [
                file("README"), file("a.yaml~"), file(".a.yaml"), file(".yaml"), file("a.YAML"),
                file("a.yaml.bak"),
            ]
        ])
        #expect(files.files.isEmpty && files.hidden.isEmpty)
        #expect(RuleFilesInEffect.counts([0xFF] + Array(".yml".utf8)))
    }

    private func packs() throws -> [RulePack] {
        func one(_ name: String, _ detect: String?) throws -> RulePack {
            let line = detect.map { "detect: [\($0)]\n" } ?? ""
            return try pack(
                "pack: \(name)\ntitle: T\n" + line + "rules:\n" + rule("\(name).x", watch: ["/a"])
            )
        }
        return [
            try one("gcc", "/usr/bin/gcc, /usr/bin/cc"), try one("cargo", "~/.cargo/bin/cargo"),
            try one("base", nil),
        ]
    }

    private func states(
        _ choice: PackChoice = PackChoice(),
        baseline: [String] = [],
        existing: Set<String> = []
    ) throws -> [PackState.Reason] {
        try PackState.all(of: packs(), choice: choice, baseline: baseline, homes: ["/root", "/home/ci"]) {
            glob in
            existing.contains(glob.literal?.description ?? "")
        }.map(\.reason)
    }

    @Test func aPackIsOnWhereOneOfItsPathsExists() throws {
        #expect(try states() == [.notDetected, .notDetected, .always])
        #expect(try states(existing: ["/usr/bin/cc"]) == [.detected("/usr/bin/cc"), .notDetected, .always])
        #expect(
            try states(existing: ["/home/ci/.cargo/bin/cargo"])
                == [.notDetected, .detected("~/.cargo/bin/cargo"), .always]
        )
    }

    @Test func configurationOutweighsAndABaselineKeepsOn() throws {
        #expect(try states(baseline: ["gcc"]) == [.inBaseline, .notDetected, .always])
        #expect(
            try states(
                PackChoice(on: ["cargo"], off: ["gcc", "base"]),
                baseline: ["gcc"],
                existing: ["/usr/bin/gcc"]
            )
                == [.configuredOff, .configuredOn, .configuredOff]
        )
        #expect(PackState(name: "a", file: "f", reason: .inBaseline).isOn)
        #expect(!PackState(name: "a", file: "f", reason: .configuredOff).isOn)
    }

    @Test func aNameThatNoPackHasIsRefused() {
        #expect(throws: PackSelectionError.unknown(name: "gc", nearest: "gcc")) {
            try states(PackChoice(on: ["gc"]))
        }
        #expect(throws: PackSelectionError.unknown(name: "rust", nearest: nil)) {
            try states(PackChoice(off: ["rust"]))
        }
        #expect(throws: PackSelectionError.onAndOff(name: "gcc")) {
            try states(PackChoice(on: ["gcc"], off: ["gcc"]))
        }
    }
}
