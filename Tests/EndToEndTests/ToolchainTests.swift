import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// The shipped rules over the compilers, linkers, interpreters and git of this very machine.
@Suite struct ToolchainTests {
    /// `Rules/` of the source tree.
    private var packs: RawPath {
        RawPath("\(#filePath)").parent.parent.parent.appending("Rules")
    }

    @Test func theRealToolchainIsCoveredAndClean() throws {
        let world = try Millwarden()
        let options = ["--rules", world.text(packs), "--state-dir", world.text(world.state)]
        let created = try TestSupport.run(
            world.program,
            ["baseline", "create", "--format", "json"] + options,
            timeout: 600
        )
        // Who is not root cannot read everything; that is recorded and said.
        #expect(created.status == .exited(0) || (!isRoot && created.status == .exited(8)), "\(created)")
        let report = try #require((try? JSON(parsing: created.output))?.object)
        let expected: [(path: String, pack: String)] = [
            ("/usr/bin/gcc", "gcc"), ("/usr/bin/g++", "gcc"), ("/usr/bin/ld", "gcc"), ("/usr/bin/as", "gcc"),
            ("/etc/ld.so.conf", "glibc"), ("/usr/lib/x86_64-linux-gnu/libc.so.6", "glibc"),
            ("/usr/lib/aarch64-linux-gnu/libc.so.6", "glibc"), ("/usr/bin/python3", "python"),
            ("/usr/bin/git", "git"),
        ]
        let there = expected.filter { isThere($0.path) }
        let on = (report["scope"]?.object?["packs"]?.elements ?? []).compactMap(\.text)
        #expect(Set(on).isSuperset(of: there.map(\.pack)), "\(on)")
        for tool in there {
            let shown = try TestSupport.run(
                world.program,
                ["baseline", "show", tool.path, "--format", "json"] + options
            )
            #expect(shown.status == .exited(0), "\(tool.path): \(shown)")
            let record = try #require((try? JSON(parsing: shown.output))?.object)
            #expect(record["rule"]?.text?.hasPrefix(tool.pack + ".") == true, "\(record.pretty)")
            try expectFinalTarget(of: tool.path, options, world)
        }

        let checked = try TestSupport.run(
            world.program,
            ["check", "--format", "json"] + options,
            timeout: 600
        )
        #expect(checked.status == .exited(0), "\(checked.text.prefix(4_000))\(checked.errorText)")
        let verified = try TestSupport.run(world.program, ["baseline", "verify"] + options)
        #expect(verified.status == .exited(0), "\(verified)")
    }

    /// A command is often a link: what it leads to in the end is recorded too.
    private func expectFinalTarget(of path: String, _ options: [String], _ world: Millwarden) throws {
        let resolved = try TestSupport.run("readlink", ["-f", path])
        let target = String(resolved.text.dropLast())
        let shown = try TestSupport.run(world.program, ["baseline", "show", target] + options)
        #expect(shown.status == .exited(0), "\(path) leads to \(target): \(shown)")
    }

    @Test func theShippedPacksAreWellFormed() throws {
        let world = try Millwarden()
        let result = try TestSupport.run(world.program, ["rules", "lint", "--rules", world.text(packs)])
        #expect(result.status == .exited(0), "\(result)")
    }
}
