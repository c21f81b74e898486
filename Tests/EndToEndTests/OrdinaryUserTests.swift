import Host
import Integrity
import TestSupport
import Testing

/// Nothing needs root by itself.
@Suite struct OrdinaryUserTests {
    @Test func theWholeJobWithoutPrivilege() throws {
        try doTheWholeJob(in: Ordinary.world())
    }

    /// Root in a container that was given nothing more: a user namespace of its own, with what it mounts.
    @Test func theWholeJobInAContainer() throws {
        try doTheWholeJob(in: Ordinary.container())
    }

    private func doTheWholeJob(in world: Millwarden) throws {
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
            entry.path == world.compiler
                || (entry.gapReason == "unreadable" && entry.json.list("scope") == [world.compiler.bytes])
        }
        try world.compiler.setMode(0o755)
        try world.mark(daemon)
        try daemon.terminate()
        let report = try world.run("check", "--format", "json")
        #expect([0, 4].contains(report.code), "\(report)")
        try world.verifyHistory()
    }

    /// A baseline that may not be looked for is not one that is missing.
    @Test func aStateDirectoryOfSomebodyElseIsSaid() throws {
        let world = try Ordinary.world()
        try world.createBaseline()
        try world.state.setMode(0)
        // The verify commands have two answers only.
        for (command, status) in [(["check"], 77), (["watch"], 77), (["baseline", "verify"], 1)] {
            let result = try world.run(command)
            #expect(result.status == .exited(Int32(status)), "\(command): \(result)")
            #expect(result.errorText.contains("run as the owner of"), "\(command): \(result)")
            #expect(!result.errorText.contains("baseline create"), "\(command): \(result)")
        }
        try world.state.setMode(0o700)
        try world.expect(0, "check")
    }

    /// Without `--state-dir` it is the user's own: `$XDG_STATE_HOME`, else `~/.local/state`.
    @Test func theStateIsKeptInTheUsersHome() throws {
        let world = try Ordinary.world()
        let line = world.launcher + [world.program, "baseline", "create", "--rules", world.text(world.rules)]
        let home = try world.home.makeDirectory("home")
        let state = try world.home.makeDirectory("xdg")
        for directory in [home, state] { try world.adopt(directory) }
        var environment = ["PATH": environmentVariable("PATH") ?? "/usr/bin:/bin", "HOME": world.text(home)]
        environment["LD_LIBRARY_PATH"] = environmentVariable("LD_LIBRARY_PATH")
        let first = try TestSupport.run(line[0], Array(line.dropFirst()), environment: environment)
        #expect(first.status == .exited(0), "\(first)")
        #expect(isThere(world.text(home) + "/.local/state/millwarden/history.db"), "\(first)")
        environment["XDG_STATE_HOME"] = world.text(state)
        let second = try TestSupport.run(line[0], Array(line.dropFirst()), environment: environment)
        #expect(second.status == .exited(0), "\(second)")
        #expect(isThere(world.text(state) + "/millwarden/history.db"), "\(second)")
    }
}
