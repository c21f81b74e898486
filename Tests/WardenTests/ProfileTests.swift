import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// Profiles and links over a walk: create, change, survey.
struct ProfileTests {
    @Test func aLogMayGrowAndNothingElse() throws {
        let rules = [ruleText("t.log", watch: ["/t/log"], profile: "append-only")]
        let station = try Station(rules) { $0.write("/t/log", "one\n") }
        try station.create()
        station.tree.change { $0.append("/t/log", Array("two\n".utf8)) }
        let grown = try station.survey()
        #expect(grown.deviations.map(\.finding.verdict) == [.expected])
        station.tree.change { $0.write("/t/log", "on") }
        #expect(try station.survey().deviations.map(\.finding.verdict) == [.unauthorized])
        station.tree.change { $0.write("/t/log", "ONE\ntwo\n") }
        #expect(try station.survey().deviations.map(\.finding.verdict) == [.unauthorized])
    }

    @Test func writeOnceExpectsWhatIsNewAndKeepsWhatIsThere() throws {
        let rules = [ruleText("t.once", watch: ["/t/**"], profile: "write-once")]
        let station = try Station(rules) { world in
            world.write("/t/a", "a")
            world.write("/t/b", "b")
        }
        try station.create()
        station.tree.change { world in
            world.write("/t/new", "n")
            world.write("/t/a", "A")
            world.remove("/t/b")
        }
        let result = try station.survey()
        #expect(result.told == ["content /t/a", "removed /t/b", "added /t/new"])
        #expect(result.deviations.map(\.finding.verdict) == [.unauthorized, .unauthorized, .expected])
    }

    @Test func directoryLooksAtNames() throws {
        let rules = [ruleText("t.names", watch: ["/t/d"], profile: "directory")]
        let station = try Station(rules) { $0.write("/t/d/a", "a") }
        try station.create()
        station.tree.change { $0.write("/t/d/a", "other bytes") }
        #expect(try station.survey().told == [])
        station.tree.change { $0.write("/t/d/b", "b") }
        let result = try station.survey()
        #expect(result.told == ["content /t/d"])
        #expect(result.deviations.map(\.finding.attributes) == [[.names]])
        station.tree.change { $0.remove("/t/d/b") }
        #expect(try station.survey().told == [])
    }

    @Test func contentLooksAtBytesOnly() throws {
        let rules = [ruleText("t.content", watch: ["/t/**"], profile: "content")]
        let station = try Station(rules) { $0.write("/t/a", "a") }
        try station.create()
        station.tree.change { $0.update("/t/a") { $0.mode = 0o777 } }
        #expect(try station.survey().deviations.map(\.finding.verdict) == [.expected])
        station.tree.change { $0.write("/t/a", "b") }
        #expect(try station.survey().told == ["content /t/a"])
    }

    @Test func ignoredIsOutOfScope() throws {
        let rules = [
            ruleText("t.all", watch: ["/t/**"]), ruleText("t.not", watch: ["/t/cache/**"], profile: "ignore"),
        ]
        let station = try Station(rules) { $0.write("/t/cache/a", "a") }
        let result = try station.create()
        #expect(result.entries == 1, "only /t itself")
        station.tree.change { $0.write("/t/cache/a", "b") }
        #expect(try station.survey().told == [])
    }

    @Test func deviceNumbersCount() throws {
        let station = try Station([Station.program]) { world in
            world.makeNode("/t/bin/null", .characterDevice, node: DeviceNumber(major: 1, minor: 3))
        }
        try station.create()
        #expect(!station.tree.openedForReading.contains(.characterDevice), "opening a device may have an effect")
        station.tree.change { $0.update("/t/bin/null") { $0.node = DeviceNumber(major: 1, minor: 1) } }
        let result = try station.survey()
        #expect(result.told == ["content /t/bin/null"])
        #expect(result.deviations.map(\.finding.attributes) == [[.device]])
    }

    @Test func absentPathsThatCameToExistAreAdded() throws {
        let rules = [ruleText("t.cc", watch: ["/t/bin/cc"], absent: ["/t/lib/*/specs"])]
        let station = try Station(rules) { $0.write("/t/bin/cc", "x") }
        try station.create()
        station.tree.change { $0.symlink("/t/lib/12/specs", to: "/nowhere") }
        #expect(try station.survey().told == ["added /t/lib/12/specs"], "a dangling link too, and no parents")
    }

    @Test func absentPathsThatExistAtCreateAreNamed() throws {
        let rules = [ruleText("t.cc", watch: ["/t/bin/cc"], absent: ["/t/lib/specs"])]
        let station = try Station(rules) { world in
            world.write("/t/bin/cc", "x")
            world.write("/t/lib/specs", "x")
        }
        #expect(try station.create().presentAbsent == ["/t/lib/specs"])
        #expect(try station.survey().told == [])
    }

    // MARK: Links

    private func linked() throws -> Station {
        let station = try Station([ruleText("t.cc", watch: ["/t/bin/*"])]) { world in
            world.symlink("/t/bin/cc", to: "/t/alternatives/cc")
            world.symlink("/t/alternatives/cc", to: "/t/real/gcc-12")
            world.write("/t/real/gcc-12", "compiler", mode: 0o755)
        }
        try station.create()
        return station
    }

    @Test func everyHopAndTheTargetAreRecordedWithTheLinkThatLedThere() throws {
        let baseline = try linked().baseline()
        for path in ["/t/alternatives/cc", "/t/real/gcc-12"] as [RawPath] {
            #expect(try baseline.record(for: path)?.record.via == "/t/bin/cc", "\(path)")
        }
        try baseline.verifyRecords()
    }

    @Test(arguments: [
        ("/t/real/gcc-12", "content"), ("/t/alternatives/cc", "content"),
    ] as [(RawPath, String)])
    func aChangeBehindALinkIsFound(path: RawPath, change: String) throws {
        let station = try linked()
        station.tree.change { world in
            if path == "/t/real/gcc-12" {
                world.write(path, "evil")
            } else {
                world.symlink(path, to: "/t/evil")
            }
        }
        let result = try station.survey()
        #expect(result.told == ["\(change) \(path)"])
        #expect(result.deviations.map(\.finding.via) == ["/t/bin/cc"])
        #expect(result.deviations.map(\.finding.rule) == ["t.cc"])
    }

    @Test func aTargetThatIsGoneIsRemoved() throws {
        let station = try linked()
        station.tree.change { $0.remove("/t/real") }
        #expect(try station.survey().told == ["removed /t/real/gcc-12"])
    }

    @Test func aLinkedRootIsRecordedToo() throws {
        let station = try Station([ruleText("t.lib", watch: ["/lib/x/**"])]) { world in
            world.symlink("/lib", to: "usr/lib")
            world.write("/usr/lib/x/a", "a")
        }
        try station.create()
        #expect(try station.baseline().record(for: "/lib")?.record.state.attributes?.type == .link)
        #expect(try station.baseline().record(for: "/usr/lib/x/a") != nil)
        station.tree.change { $0.symlink("/lib", to: "evil") }
        #expect(try station.survey().told == ["content /lib"])
    }
}
