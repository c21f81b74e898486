import Host
import Integrity
import TestSupport
import Testing

/// Nothing needs root by itself.
@Suite struct OrdinaryUserTests {
    @Test func theWholeJobWithoutPrivilege() throws {
        let world = try Ordinary.world()
        try world.createBaseline()
        try world.expect(0, "check")
        let daemon = try world.watch()
        try world.compiler.append([1])
        let changed = try daemon.change("content", on: world.compiler)
        try world.tools.appending("new").write([1])
        try daemon.change("added", on: world.tools.appending("new"))
        try daemon.paused {
            let kept = world.outside.appending("ld")
            try world.linker.rename(to: kept)
            try kept.rename(to: world.linker)
        }
        try daemon.change("transient", on: world.linker)
        try world.expect(0, "status")
        try world.expect(5, "check")
        try world.expect(0, "baseline", "accept", "--seq", "\(changed.seq)", "--reason", "mine")
        try world.expect(0, "baseline", "accept", "--all", "--reason", "mine")
        try world.expect(0, "check")
        try daemon.terminate()
        try world.expect(3, "status")
        try world.verifyHistory()
    }

    /// A file that its owner hides while the service runs is a gap, not silence.
    @Test func whatBecomesUnreadableIsSaid() throws {
        let world = try Ordinary.world()
        try world.createBaseline()
        let daemon = try world.watch()
        try world.compiler.setMode(0)
        try daemon.entry("something about the hidden file") { entry in
            entry.path == world.compiler || (entry.gapReason == "unreadable" && entry.json.list("scope") == [world.compiler.bytes])
        }
        try world.compiler.setMode(0o755)
        try world.mark(daemon)
        try daemon.terminate()
        let report = try world.run("check", "--format", "json")
        #expect([0, 4].contains(report.code), "\(report)")
        try world.verifyHistory()
    }
}
