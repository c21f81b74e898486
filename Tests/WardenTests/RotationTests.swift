import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// Logs under `append-only` that are rotated by rename: expected as long as nothing that was observed is lost.
struct RotationTests {
    private let bench: WatchBench

    init() throws { bench = try WatchBench(profile: "append-only") }

    private func unauthorized() throws -> [String] {
        try bench.history.allStanding().filter { $0.isCurrent && $0.verdict == .unauthorized }
            .map { $0.path.description.split(separator: "/").last.map(String.init) ?? "" }.sorted()
    }

    /// What logrotate(8) does with `create`.
    private func rotate() throws {
        try bench.rename("bin/cc", "bin/cc.1")
        try bench.scope.write("bin/cc", "begun anew\n", mode: 0o755)
    }

    @Test func aRotationByRenameIsExpected() throws {
        try rotate()
        try bench.settle()
        #expect(try unauthorized() == [])
        try bench.expect(["added bin/cc.1", "content bin/cc"], inAnyOrder: true)
        // Both go on growing: nothing new.
        try bench.append("bin/cc", "more\n")
        try bench.append("bin/cc.1", "the last line\n")
        try bench.settle()
        try bench.expect([])
        #expect(try unauthorized() == [])
    }

    @Test func andSoIsTheNext() throws {
        try rotate()
        try bench.settle()
        try bench.append("bin/cc", "more\n")
        try bench.settle()
        try bench.rename("bin/cc.1", "bin/cc.2")
        try rotate()
        try bench.settle()
        #expect(try unauthorized() == [])
    }

    @Test(arguments: [false, true])
    func itIsExpectedToo(afterDownTime hadGrown: Bool) throws {
        if hadGrown {
            try bench.append("bin/cc", "more\n")
            try bench.settle()
        }
        try rotate()
        try bench.append("bin/cc.1", "the last line\n")
        try bench.restart()
        #expect(try unauthorized() == [])
        try bench.restart()
        #expect(try unauthorized() == [])
        try bench.rename("bin/cc.1", "bin/cc.2")
        try rotate()
        try bench.restart()
        #expect(try unauthorized() == [])
    }

    @Test func aMoveWithoutANewLogIsExpected() throws {
        try bench.rename("bin/cc", "bin/cc.1")
        try bench.settle()
        try bench.expect(["moved bin/cc.1 from bin/cc"])
        #expect(try unauthorized() == [])
    }

    @Test func whatWasCutOnItsWayIsNot() throws {
        try rotate()
        try bench.truncate("bin/cc.1", 3)
        try bench.settle()
        #expect(try unauthorized() == ["cc", "cc.1"])
    }

    @Test func whatWentOutOfScopeIsNot() throws {
        try bench.rename("bin/cc", "outside/cc.1")
        try bench.scope.write("bin/cc", "begun anew\n", mode: 0o755)
        try bench.settle()
        #expect(try unauthorized() == ["cc"])
    }

    @Test func aNewLogThatOthersMayWriteIsNot() throws {
        try bench.rename("bin/cc", "bin/cc.1")
        try bench.scope.write("bin/cc", "begun anew\n", mode: 0o666)
        try bench.setMode("bin/cc", 0o666)
        try bench.settle()
        #expect(try unauthorized() == ["cc"])
    }

    @Test func aLogThatIsOverwrittenByAnotherIsNot() throws {
        try bench.rename("bin/cc", "bin/ld")
        try bench.settle()
        #expect(try unauthorized().contains("ld"), "what ld held is lost")
    }

    /// Rotated, begun anew, and thrown away: the log would be gone without anybody having been told.
    @Test(arguments: [false, true])
    func aRotatedLogThatIsRemovedIsTold(whileDown: Bool) throws {
        try rotate()
        try bench.settle()
        try bench.remove("bin/cc.1")
        if whileDown { try bench.restart() } else { try bench.settle() }
        #expect(try unauthorized() == ["cc.1"])
        try bench.restart()
        #expect(try unauthorized() == ["cc.1"], "it stays told until somebody accepts it")
    }

    @Test func aRotatedLogThatIsCutIsTold() throws {
        try rotate()
        try bench.settle()
        try bench.truncate("bin/cc.1", 3)
        try bench.settle()
        #expect(try unauthorized() == ["cc.1"])
    }
}
