import Host
import Integrity
import Ledger
import RulePacks
import TestSupport
import Testing

@testable import Warden

struct SurveyTests {
    @Test func anUntouchedWorldIsClean() throws {
        let station = try Station.programs()
        let result = try station.survey()
        #expect(result.told == [])
        #expect(result.errors == [])
        #expect(result.examined == 6)
        #expect(result.unchanged == 6)
        #expect(result.skipped == 0)
    }

    /// Every kind of change that one path can show, each in a world of its own.
    static let changes: [(String, @Sendable (inout MemoryWorld) -> Void, [String])] = [
        ("overwritten", { $0.write("/t/bin/cc", "evil") }, ["content /t/bin/cc"]),
        ("appended", { $0.append("/t/bin/cc", [0]) }, ["content /t/bin/cc"]),
        ("truncated", { $0.write("/t/bin/cc", "") }, ["content /t/bin/cc"]),
        ("mode", { $0.update("/t/bin/cc") { $0.mode = 0o4755 } }, ["metadata /t/bin/cc"]),
        ("owner", { $0.update("/t/bin/cc") { $0.uid = 1_000 } }, ["metadata /t/bin/cc"]),
        ("flags", { $0.update("/t/bin/cc") { $0.flags = .immutable } }, ["metadata /t/bin/cc"]),
        ("capability", { $0.setXattr("/t/bin/cc", "security.capability", [1]) }, ["metadata /t/bin/cc"]),
        ("trusted", { $0.setXattr("/t/bin/cc", "trusted.x", [1]) }, ["touched /t/bin/cc"]),
        ("set back", { $0.update("/t/bin/cc") { $0.mtime = noon.adding(nanoseconds: -1 << 60) } }, ["metadata /t/bin/cc"]),
        ("touched", { $0.update("/t/bin/cc") { $0.mtime = $0.mtime.adding(nanoseconds: 9) } }, ["touched /t/bin/cc"]),
        ("ctime", { $0.update("/t/bin/cc") { _ in } }, ["touched /t/bin/cc"]),
        ("linked", { $0.link("/elsewhere", to: "/t/bin/cc") }, ["metadata /t/bin/cc"]),
        ("removed", { $0.remove("/t/bin/cc") }, ["removed /t/bin/cc"]),
        ("added", { $0.write("/t/bin/new", "x") }, ["added /t/bin/new"]),
        ("moved", { $0.rename("/t/bin/cc", to: "/t/bin/gone") }, ["moved /t/bin/gone"]),
        ("moved out", { $0.rename("/t/bin/cc", to: "/out") }, ["removed /t/bin/cc"]),
        ("moved over", { $0.rename("/t/bin/cc", to: "/t/bin/ld") }, ["removed /t/bin/cc", "content /t/bin/ld"]),
        (
            "replaced",
            { world in
                world.write("/tmp/cc", "compiler", mode: 0o755)
                world.rename("/tmp/cc", to: "/t/bin/cc")
            }, ["replaced /t/bin/cc"]
        ),
        ("to a link", { $0.symlink("/t/bin/cc", to: "/evil") }, ["type /t/bin/cc"]),
        ("to a FIFO", { $0.makeNode("/t/bin/cc", .fifo) }, ["type /t/bin/cc"]),
        (
            "to a directory",
            { world in
                world.remove("/t/bin/cc")
                world.makeDirectory("/t/bin/cc")
            }, ["type /t/bin/cc"]
        ),
        (
            "subtree gone", { $0.remove("/t/bin/lib") },
            ["removed /t/bin/lib", "removed /t/bin/lib/one.so", "removed /t/bin/lib/two.so"]
        ),
        (
            "directory moved", { $0.rename("/t/bin/lib", to: "/t/bin/new") },
            ["moved /t/bin/new", "moved /t/bin/new/one.so", "moved /t/bin/new/two.so"]
        ),
        (
            "root gone", { $0.remove("/t") },
            [
                "removed /t/bin", "removed /t/bin/cc", "removed /t/bin/ld", "removed /t/bin/lib",
                "removed /t/bin/lib/one.so", "removed /t/bin/lib/two.so",
            ]
        ),
    ]

    @Test(arguments: changes.indices) func everyKindOfChangeIsFound(index: Int) throws {
        let (name, change, expected) = Self.changes[index]
        for jobs in [0, 2] {
            let station = try Station.programs()
            station.tree.change { change(&$0) }
            var options = Station.plain
            options.jobs = jobs
            let full = try station.survey(options)
            #expect(Set(full.told) == Set(expected), "\(name) with \(jobs) jobs")
            #expect(full.errors == [])
            options.isQuick = true
            #expect(try station.survey(options).told == full.told, "\(name): quick finds it too")
        }
    }

    @Test func theDirectoryItselfCountsToo() throws {
        let station = try Station.programs()
        station.tree.change { $0.update("/t/bin/lib") { $0.mode = 0o777 } }
        #expect(try station.survey().told == ["metadata /t/bin/lib"])
    }

    // MARK: Quick

    @Test func quickSkipsWhatStandsAsRecorded() throws {
        let station = try Station.programs()
        var options = Station.plain
        options.isQuick = true
        let result = try station.survey(options)
        #expect(result.skipped == 6)
        #expect(result.bytes == 0)
        #expect(result.told == [])
    }

    /// Written within the clock's grain of its examination: the ctime proves nothing.
    @Test func quickNeverSkipsWhatIsRacy() throws {
        let station = try Station([Station.program]) { $0.write("/t/bin/cc", "good") }
        station.tree.change { $0.write("/t/bin/cc", "good") }
        station.tree.change { $0.advance(nanoseconds: -1_000_000_000 + 1_000_000) }
        try station.create()
        let before = try #require(try station.baseline().record(for: "/t/bin/cc")?.record)
        guard case .examined(let attributes, true) = before.state else {
            Issue.record("the record should be racy")
            return
        }
        // The same inode, size and times, other bytes: a write within the same tick.
        station.tree.change { world in
            world.write("/t/bin/cc", "evil")
            world.update("/t/bin/cc") { status in
                status.mtime = attributes.mtime
                status.ctime = attributes.ctime
            }
        }
        var options = Station.plain
        options.isQuick = true
        #expect(try station.survey(options).told == ["content /t/bin/cc"])
    }

    @Test func quickBelievesWhatIsNotRacyAndFullDoesNot() throws {
        let station = try Station.programs()
        let record = try #require(try station.baseline().record(for: "/t/bin/cc")?.record.state.attributes)
        station.tree.change { world in
            world.write("/t/bin/cc", "EVILEVIL")
            world.update("/t/bin/cc") { status in
                status.mtime = record.mtime
                status.ctime = record.ctime
            }
        }
        var options = Station.plain
        options.isQuick = true
        #expect(try station.survey(options).told == [], "that is what quick means")
        #expect(try station.survey().told == ["content /t/bin/cc"])
    }

    // MARK: Restrictions

    @Test func aPathRestrictsToItAndWhatIsBelow() throws {
        let station = try Station.programs()
        station.tree.change { world in
            for path in ["/t/bin/cc", "/t/bin/ld", "/t/bin/lib/one.so", "/t/bin/lib/two.so"] as [RawPath] {
                world.write(path, "evil")
            }
            world.write("/t/bin/aa", "new")
            world.write("/t/bin/zz", "new")
        }
        func told(_ globs: String...) throws -> [String] {
            var options = Station.plain
            options.paths = try globs.map { try Glob($0) }
            return try station.survey(options).told
        }
        #expect(try told("/t/bin/ld") == ["content /t/bin/ld"])
        #expect(try told("/t/bin/lib") == ["content /t/bin/lib/one.so", "content /t/bin/lib/two.so"])
        #expect(try told("/t/bin/lib/t*") == ["content /t/bin/lib/two.so"])
        #expect(try told("/t/bin/zz") == ["added /t/bin/zz"])
        #expect(try told("/nowhere") == [])
        #expect(try told("/t").count == 6)
    }

    @Test func overlappingPathsFindEachThingOnce() throws {
        let station = try Station.programs()
        station.tree.change { $0.remove("/t/bin/lib") }
        var options = Station.plain
        options.paths = try [Glob("/t/bin/lib"), Glob("/t/bin/lib/one.so"), Glob("/t/bin/lib")]
        #expect(
            try station.survey(options).told
                == ["removed /t/bin/lib", "removed /t/bin/lib/one.so", "removed /t/bin/lib/two.so"]
        )
    }

    @Test func aRuleRestrictsToWhatItDecides() throws {
        let station = try Station([
            ruleText("t.all", watch: ["/t/**"]), ruleText("t.lib", watch: ["/t/lib/**"]),
        ]) { world in
            for path in ["/t/a", "/t/lib/b", "/t/z"] as [RawPath] { world.write(path, "x") }
        }
        try station.create()
        station.tree.change { world in
            for path in ["/t/a", "/t/lib/b", "/t/z"] as [RawPath] { world.remove(path) }
        }
        var options = Station.plain
        options.rules = ["t.lib"]
        #expect(try station.survey(options).told == ["removed /t/lib/b"])
        options.rules = ["t.all"]
        #expect(try station.survey(options).told == ["removed /t/a", "removed /t/z"])
    }

    @Test func aSubtreeIsWhatLiesBelowIt() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/t/bin/cc", "evil")
            world.remove("/t/bin/lib/one.so")
            world.write("/t/bin/lib/three.so", "3")
        }
        var options = Station.plain
        options.subtree = "/t/bin/lib"
        #expect(try station.survey(options).told == ["removed /t/bin/lib/one.so", "added /t/bin/lib/three.so"])
        station.tree.change { $0.remove("/t/bin/lib") }
        #expect(
            try station.survey(options).told == ["removed /t/bin/lib/one.so", "removed /t/bin/lib/two.so"]
        )
    }

    // MARK: What could not be seen

    @Test func whatCannotBeListedIsAnErrorAndNothingBelowIsCalledRemoved() throws {
        let station = try Station.programs()
        station.tree.change { $0.refuse("/t/bin/lib", with: .io) }
        let result = try station.survey()
        #expect(result.told == [])
        #expect(Set(result.errors.map(\.path)).isSuperset(of: ["/t/bin/lib"]))
    }

    @Test func whatCannotBeReadIsAnError() throws {
        let station = try Station.programs()
        station.tree.change { $0.refuse("/t/bin/cc", with: .access) }
        let result = try station.survey()
        #expect(result.errors.map(\.path) == ["/t/bin/cc"])
        #expect(result.errors.map(\.name) == ["EACCES"])
        #expect(result.told == [])
    }

    @Test func unreadableAtCreateIsRecordedAsUnexaminedAndCountsNoMore() throws {
        let station = try Station([Station.program]) { world in
            world.write("/t/bin/cc", "x")
            world.write("/t/bin/hidden", "x")
            world.write("/t/bin/closed/file", "x")
            world.refuse("/t/bin/hidden", with: .access)
            world.refuse("/t/bin/closed", with: .access)
        }
        let created = try station.create()
        #expect(Set(created.unexamined.map(\.path)) == ["/t/bin/hidden", "/t/bin/closed"])
        let result = try station.survey()
        #expect(result.errors == [])
        #expect(result.told == [])
        #expect(Set(result.unexamined) == ["/t/bin/hidden", "/t/bin/closed"])
        // Nobody approved its bytes: that it can be read now makes it no finding, and not examined either.
        station.tree.change { $0.refuse("/t/bin/hidden", with: nil) }
        #expect(try station.survey().unexamined.contains("/t/bin/hidden"))
    }

    @Test func aRootThatCannotBeListedCountsAlways() throws {
        let station = try Station([Station.program]) { world in
            world.makeDirectory("/t/bin")
            world.refuse("/t/bin", with: .access)
        }
        try station.create()
        #expect(try station.survey().errors.map(\.path) == ["/t/bin"])
    }

    @Test func aFileSystemThatWalksDoNotEnterIsNamed() throws {
        let station = try Station.programs()
        let fuse = FileSystem(magic: 0x6573_5546)
        station.tree.change { $0.mount("/t/bin/lib", fuse, device: DeviceNumber(major: 0, minor: 77)) }
        let result = try station.survey()
        #expect(result.notEntered == ["/t/bin/lib": "fuse"])
        #expect(!result.hasSettled("/t/bin/lib/implant"))
    }

    // MARK: Scope

    @Test func whatFellOutOfScopeIsCountedAndNotCalledRemoved() throws {
        var station = try Station.programs()
        station.tree.change { $0.remove("/t/bin/lib") }
        station.rules = try ruleSet([ruleText("t.program", watch: ["/t/bin/*"])], tree: station.tree)
        let result = try station.survey()
        #expect(result.fallenOut == 3, "the root and both files")
        #expect(result.told == ["removed /t/bin/lib"], "a rule selects it still")
    }

    @Test func whatANewRuleSelectsIsUnbaselined() throws {
        var station = try Station.programs()
        station.tree.change { $0.write("/t/etc/conf", "x") }
        station.rules = try ruleSet(
            [Station.program, ruleText("t.more", watch: ["/t/etc/**"])],
            tree: station.tree
        )
        let result = try station.survey()
        #expect(result.unbaselined == 2)
        #expect(result.told == [])
    }

    @Test func aRuleThatWasRenamedStillFindsWhatIsGone() throws {
        var station = try Station.programs()
        station.tree.change { $0.remove("/t/bin") }
        station.rules = try ruleSet([ruleText("t.renamed", watch: ["/t/bin/**"])], tree: station.tree)
        let result = try station.survey()
        #expect(result.told.count == 6)
        #expect(result.fallenOut == 0)
        #expect(Set(result.deviations.map(\.finding.rule)) == ["t.renamed"])
    }
}
