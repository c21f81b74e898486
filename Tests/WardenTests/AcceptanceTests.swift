import Host
import Integrity
import Ledger
import RulePacks
import TestSupport
import Testing

@testable import Warden

struct AcceptanceTests {
    @Test func everythingAcceptedIsTheNewBaseline() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/t/bin/cc", "new compiler")
            world.write("/t/bin/extra", "x")
            world.remove("/t/bin/ld")
            world.rename("/t/bin/lib/one.so", to: "/t/bin/lib/three.so")
        }
        #expect(try station.check().exit == 7)
        let plan = try station.accept(.everything)
        #expect(plan.items.allSatisfy { $0.refusal == nil })
        let reader = try station.baseline()
        #expect(reader.summary.generation == 2)
        try reader.verifyRecords()
        #expect(try reader.record(for: "/t/bin/ld") == nil)
        #expect(try reader.record(for: "/t/bin/lib/one.so") == nil)
        #expect(try station.check().exit == 0)
        #expect(try station.history.allStanding() == [])
    }

    @Test func onlyWhatIsSelectedIsAccepted() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/t/bin/cc", "new")
            world.write("/t/bin/ld", "new")
        }
        _ = try station.check()
        var selection = AcceptSelection()
        selection.paths = try [Glob("/t/bin/cc")]
        try station.accept(selection)
        #expect(try station.check().told == ["content /t/bin/ld"])
    }

    @Test func whatChangedAgainIsRefused() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/cc", "reviewed") }
        _ = try station.check()
        station.tree.change { $0.write("/t/bin/cc", "sneaked in") }
        let plan = try Self.plan(station)
        #expect(plan.items.map { $0.refusal != nil } == [true])
        #expect(plan.changes.isEmpty)
    }

    @Test func whatIsGoneOrCameBackIsRefused() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/t/bin/cc", "reviewed")
            world.remove("/t/bin/ld")
        }
        _ = try station.check()
        station.tree.change { world in
            world.remove("/t/bin/cc")
            world.write("/t/bin/ld", "linker", mode: 0o755)
        }
        let plan = try Self.plan(station)
        #expect(plan.items.map { $0.refusal != nil } == [true, true])
        #expect(plan.changes.isEmpty)
    }

    @Test func whatCannotBeReadNowIsRefused() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/cc", "reviewed") }
        _ = try station.check()
        station.tree.change { $0.refuse("/t/bin/cc", with: .access) }
        let refusal = try Self.plan(station).items.first?.refusal
        #expect(refusal?.contains("permission denied") == true)
    }

    @Test func aRowThatIsNotPendingIsRefused() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/cc", "one") }
        _ = try station.check()
        let first = try station.history.allStanding().map(\.seq)
        station.tree.change { $0.write("/t/bin/cc", "two") }
        _ = try station.check()
        var selection = AcceptSelection()
        selection.seqs = Set(first)
        #expect(try Self.plan(station, selection).items.map { $0.refusal != nil } == [true])
    }

    @Test func whatPassedByIsAcknowledgedWithoutARecord() throws {
        let station = try Station.programs()
        station.tree.change { $0.write("/t/bin/new", "x") }
        _ = try station.check()
        station.tree.change { $0.remove("/t/bin/new") }
        _ = try station.check()
        let plan = try Self.plan(station)
        #expect(plan.changes.isEmpty)
        #expect(plan.acknowledged.count == 1)
        #expect(plan.items.map(\.refusal) == [nil])
    }

    /// Accepting a move says nothing of what took the old name since.
    @Test func theOldNameOfAMoveStaysOnRecordWhereItIsTakenAgain() throws {
        let station = try Station.programs()
        station.tree.change { $0.rename("/t/bin/cc", to: "/t/bin/zz") }
        #expect(try station.check().told == ["moved /t/bin/zz"])
        station.tree.change { $0.write("/t/bin/cc", "impostor") }
        var selection = AcceptSelection()
        selection.paths = try [Glob("/t/bin/zz")]
        try station.accept(selection)
        #expect(try station.check().told == ["content /t/bin/cc"])
    }

    @Test func anAcceptedLinkBringsItsTarget() throws {
        let station = try Station.programs()
        station.tree.change { world in
            world.write("/opt/cc", "compiler")
            world.symlink("/t/bin/cc", to: "/opt/cc")
        }
        _ = try station.check()
        try station.accept(.everything)
        #expect(try station.baseline().record(for: "/opt/cc")?.record.via == "/t/bin/cc")
        station.tree.change { $0.write("/opt/cc", "evil") }
        #expect(try station.check().told == ["content /opt/cc"])
    }

    @Test func growthOfALogIsAcceptedToo() throws {
        let station = try Station([ruleText("t.log", watch: ["/t/log"], profile: "append-only")]) {
            $0.write("/t/log", "one\n")
        }
        try station.create()
        for line in ["two\n", "three\n"] {
            station.tree.change { $0.append("/t/log", Array(line.utf8)) }
            #expect(try station.check().exit == 0)
        }
        #expect(try station.told() == ["content /t/log"])
        try station.accept(.everything)
        station.tree.change { $0.write("/t/log", "one\ntwo\n") }
        #expect(try station.check().exit == 4)
    }

    /// Random baselines and random changes: the merged file holds exactly what a dictionary holds.
    @Test(arguments: 0..<10) func mergingKeepsOrderAndEveryRecord(round: UInt64) throws {
        var random = SeededGenerator(seed: SeededGenerator().seed &+ round)
        let station = try Station([ruleText("t.all", watch: ["/t/**"])]) { $0.makeDirectory("/t") }
        func somePath() -> RawPath {
            let names = ["a", "b", "a-b", "a.b", "z", "\n", "ü"]
            let depth = Int.random(in: 1...4, using: &random)
            return (0..<depth).reduce("/t") { path, _ in path.appending(names.randomElement(using: &random) ?? "a") }
        }
        func someRecord(_ path: RawPath) -> Record {
            let inode = UInt64.random(in: 1...1_000_000, using: &random)
            return Record(path: path, state: .examined(someAttributes(inode), isRacy: false), rule: "t.all")
        }
        var expected: [RawPath: Record] = [:]
        for _ in 0..<60 {
            let path = somePath()
            expected[path] = someRecord(path)
        }
        try station.create()
        let base = try station.baseline()
        let first = try merge(base, with: expected.mapValues(Optional.some), to: station.store.temporaryPath())
        _ = try first.finish(base.manifest, key: station.key)
        let reader = try BaselineReader.open(first.path, trusting: [station.key.publicKey])
        var changes: [RawPath: Record?] = [:]
        for _ in 0..<30 {
            let path = Bool.random(using: &random) ? somePath() : expected.keys.randomElement(using: &random) ?? "/t/a"
            let record = Bool.random(using: &random) ? someRecord(path) : nil
            changes[path] = .some(record)
        }
        for (path, record) in changes { expected[path] = record }
        let second = try merge(reader, with: changes, to: station.store.temporaryPath())
        _ = try second.finish(base.manifest, key: station.key)
        let result = try BaselineReader.open(second.path, trusting: [station.key.publicKey])
        try result.verifyRecords()
        var found: [RawPath: Record] = [:]
        try result.forEachRecord { (view) throws(BaselineError) in
            let record = try view.decode()
            if record.path != "/t" { found[record.path] = record }
        }
        #expect(found == expected, "\(random)")
        withExtendedLifetime((first, second)) {}
    }

    private static func plan(_ station: Station, _ selection: AcceptSelection = .everything) throws
        -> Acceptance<MemoryTree>.Plan
    {
        let acceptance = Acceptance(
            tree: station.tree,
            rules: station.rules,
            history: station.history,
            baseline: try station.baseline(),
            clock: station.tree.clock
        )
        return try acceptance.plan(selection)
    }
}
