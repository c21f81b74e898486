import CLinux
import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// Every call to the tree fails in turn: nothing is called intact that was not examined.
struct FaultTests {
    private static let rules = [
        ruleText("t.all", watch: ["/t/**"]), ruleText("t.one", watch: ["/t/lib/one"], absent: ["/t/lib/specs"]),
        ruleText("t.names", watch: ["/t/dir"], profile: "directory"),
        ruleText("t.log", watch: ["/t/log"], profile: "append-only"),
    ]

    static func world() throws -> Station {
        try Station(rules) { world in
            world.write("/t/cc", "compiler", mode: 0o755)
            world.symlink("/t/link", to: "/opt/target")
            world.write("/opt/target", "target")
            world.write("/t/lib/one", "one")
            world.makeNode("/t/lib/fifo", .fifo)
            world.write("/t/dir/name", "x")
            world.write("/t/log", "one\n")
        }
    }

    private static let paths: [RawPath] = [
        "/t", "/t/cc", "/t/link", "/opt/target", "/t/lib", "/t/lib/one", "/t/lib/fifo", "/t/dir", "/t/dir/name",
        "/t/log",
    ]

    @Test(arguments: [EACCES, EIO, ENOMEM, EMFILE, ELOOP, ESTALE])
    func creationSaysWhatItCouldNotExamine(code: Int32) throws {
        let station = try Self.world()
        var number = 0
        while true {
            number += 1
            let tree = FaultyTree(station.tree, failing: number, with: Errno(code))
            let (writer, _, result) = try station.record(on: tree, jobs: 0)
            let reader = try BaselineReader.open(writer.path, trusting: [station.key.publicKey])
            try reader.verifyRecords()
            let said = result.unexamined.map(\.path)
            for path in Self.paths where try reader.record(for: path) == nil {
                // ELOOP tells that a link took the place of a directory: it vanished, which whoever did it shows.
                let isVanished = code == ELOOP
                #expect(isVanished || said.contains { path.isWithin($0) } || !tree.isTold(path), "call \(number): \(path)")
            }
            withExtendedLifetime(writer) {}
            if !tree.hasFailed { break }
        }
        #expect(number > 40)
    }

    /// The world was changed everywhere: whatever fails, each path is a finding, an error, or below one.
    @Test(arguments: [EACCES, EIO, EINTR, ENOMEM, ENOENT, ENOTDIR, ELOOP, ESTALE])
    func aSurveyNeverCallsIntactWhatItDidNotExamine(code: Int32) throws {
        let station = try Self.world()
        try station.create()
        station.tree.change { world in
            for path in ["/t/cc", "/opt/target", "/t/lib/one", "/t/dir/name"] as [RawPath] {
                world.write(path, "evil")
            }
            world.write("/t/log", "")
            world.symlink("/t/link", to: "/opt/evil")
        }
        let changed: [RawPath] = ["/t/cc", "/opt/target", "/t/lib/one", "/t/dir/name", "/t/log", "/t/link"]
        let baseline = try station.baseline()
        for isQuick in [false, true] {
            var options = Station.plain
            options.isQuick = isQuick
            var number = 0
            while true {
                number += 1
                let tree = FaultyTree(station.tree, failing: number, with: Errno(code))
                let result = try station.survey(options, on: tree, baseline: baseline)
                let found = Set(result.deviations.map(\.finding.path))
                for path in changed where !found.contains(path) {
                    let isSaid = result.errors.contains { path.isWithin($0.path) }
                    #expect(isSaid, "errno \(code), call \(number), quick \(isQuick): \(path)")
                }
                #expect(result.errors.count <= 8)
                if !tree.hasFailed { break }
            }
            #expect(number > 40)
        }
    }

    /// Nothing was changed: a failure is an error or harmless, never an accusation but that something is gone.
    @Test(arguments: [EACCES, EIO, EINTR, ENOMEM, ESTALE])
    func aFailureIsNoAccusation(code: Int32) throws {
        let station = try Self.world()
        try station.create()
        let baseline = try station.baseline()
        var number = 0
        while true {
            number += 1
            let tree = FaultyTree(station.tree, failing: number, with: Errno(code))
            let result = try station.survey(Station.plain, on: tree, baseline: baseline)
            #expect(result.told == [], "call \(number)")
            if !tree.hasFailed { break }
        }
    }

    @Test func whatACheckCouldNotSeeSetsBit8() throws {
        let station = try Self.world()
        try station.create()
        var number = 0
        var blind = 0
        while true {
            number += 1
            let tree = FaultyTree(station.tree, failing: number, with: .io)
            let report = try station.check(on: tree)
            #expect(report.exit == (report.errors.isEmpty ? 0 : 8), "call \(number)")
            blind += report.errors.isEmpty ? 0 : 1
            if !tree.hasFailed { break }
        }
        #expect(blind > 20)
        #expect(try station.told() == [])
    }
}

extension FaultyTree {
    /// Whether a creation has to speak of a path: hops and targets are found by following their link, which failed.
    func isTold(_ path: RawPath) -> Bool { !path.isWithin("/opt") }
}
