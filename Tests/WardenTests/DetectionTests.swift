import Integrity
import RulePacks
import TestSupport
import Testing

@testable import Warden

/// Whether a pack is on: its `detect` globs over a real directory.
struct DetectionTests {
    private let home: TemporaryDirectory

    init() throws {
        home = try TemporaryDirectory()
        for directory in ["bin", "opt/tool-1/bin", "opt/tool-2/lib", "deep/a/b/c", "rules"] {
            try home.makeDirectory(directory)
        }
        try home.write("bin/cc", "")
        try home.write("opt/tool-1/bin/run", "")
        try home.write("deep/a/b/c/found", "")
        try home.symlink("bin/dangling", to: "nowhere")
        try home.symlink("linked", to: "opt")
    }

    private func isOn(_ detect: String) throws -> Bool {
        let base = jsonText(home.path.bytes).text
        try home.write(
            "rules/probe.yaml",
            """
            pack: probe
            title: A pack that looks for something
            detect: ['\(base)/\(detect)']
            rules:
              - id: probe.rule
                title: Something
                reason: It stands for what a pack would watch.
                severity: low
                profile: content
                watch: ['\(base)/bin/**']

            """
        )
        // So that there is something in force, whatever becomes of the pack itself.
        try home.write("rules/always.yaml", always(base))
        let rules = RuleConfiguration(places: [home.appending("rules")])
        let state = try RuleLoader().load(rules).states.first { $0.name == "probe" }
        return try #require(state).isOn
    }

    private func always(_ base: String) -> String {
        """
        pack: always
        title: A pack that is on everywhere
        rules:
          - id: always.rule
            title: Something
            reason: It keeps the scope from being empty.
            severity: low
            profile: content
            watch: ['\(base)/bin/cc']

        """
    }

    @Test(arguments: [
        ("bin/cc", true), ("bin/ld", false), ("{sbin,bin,local/bin}/{gcc,cc}", true),
        ("{sbin,local/bin}/{gcc,cc}", false), ("bin/{gcc,ld}", false), ("opt/*/bin/run", true),
        ("opt/*/lib/run", false), ("opt/tool-[2-9]/bin/run", false), ("opt/tool-?/lib", true),
        // A link is there also where it leads nowhere, and directories are found through one.
        ("bin/dang*", true), ("bin/{dangling,other}", true), ("linked/*/bin/run", true),
        ("linked/{tool-1,tool-3}/bin/run", true),
        // As many levels as the glob has slashes.
        ("deep/**", true), ("deep/*/*/*/found", true), ("missing/*/run", false), ("opt/*/bin/{run,go}", true),
    ])
    func aPackIsOnWhereItsGlobFindsSomething(detect: String, isFound: Bool) throws {
        #expect(try isOn(detect) == isFound, "\(detect)")
    }
}
