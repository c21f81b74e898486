import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// A finding says which process it was, where the kernel tells.
@Suite struct WhoTests {
    private static let files = 50
    private static let rounds = 20

    /// What `/bin/sh` is in the end: /proc/PID/exe of every shell below.
    private var shell: [UInt8] { PathResolver(tree: KernelTree()).resolve("/bin/sh").final?.bytes ?? [] }

    /// How much the service says that it can tell.
    private func level(_ world: Millwarden) throws -> String {
        let status = try world.document(0, "status")
        return status["service"]?.object?["who"]?.object?["level"]?.text ?? "not said"
    }

    /// Starts the service of a world, in which it has to know as much as it can.
    ///
    /// - Throws: The cancellation of the test, where this host does not tell who writes.
    private func watch(_ world: Millwarden) throws -> Daemon {
        try world.createBaseline()
        let daemon = try world.watch()
        let level = try level(world)
        guard level == "full" else {
            try daemon.terminate()
            try Test.cancel("this host does not tell everything of writers: \(level)")
        }
        return daemon
    }

    /// For how long programs of this host have waited for a processor so far, in microseconds, and when that was, in
    /// nanoseconds; nil where nobody knows (`/proc/pressure/cpu`).
    private var waiting: (total: UInt64, time: UInt64)? {
        guard let text = try? HostFiles().text("/proc/pressure/cpu"),
            let total = text.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("total=") }),
            let waited = UInt64(total.dropFirst(6))
        else { return nil }
        return (waited, SystemClock.monotonicTime())
    }

    private func write(_ world: Millwarden, _ line: String) throws -> Int64 {
        let child = try ChildProcess("/bin/sh", ["-c", line], directory: world.tools)
        let result = child.finish()
        try #require(result.status == .exited(0), "\(result)")
        return Int64(child.id)
    }

    /// A thousand writes by shells that end at once: hardly one may go unnamed, and none may get a wrong name.
    @Test func shortLivedWritersAreNamed() throws {
        let world = try Millwarden()
        for number in 0..<Self.files { try world.home.write("tools/file-\(number)", "text\n") }
        let daemon = try watch(world)
        let before = waiting
        var (named, told) = (0, 0)
        for _ in 0..<Self.rounds {
            let last = daemon.entries.last?.seq ?? 0
            // Each write is a finding of its own: a file is written again once it was told of.
            let pids = try (0..<Self.files).map { try write(world, "echo x >> file-\($0)") }
            for number in 0..<Self.files {
                let file = world.tools.appending("file-\(number)")
                let entry = try daemon.change("content", on: file, after: last)
                guard let actor = entry.json["actor"]?.object else { continue }
                #expect(actor["pid"]?.integer == pids[number], "\(entry)")
                #expect(actor["others"]?.integer == 0, "\(entry)")
                told += 1
                guard let exe = actor.bytes("exe") else { continue }
                #expect(exe == shell, "\(entry)")
                named += 1
            }
        }
        let writes = Self.files * Self.rounds
        #expect(told * 100 >= writes * 99, "the pids of \(told)")
        // Where programs wait for a processor for more than a tenth of the time, so does whoever looks at them.
        let isBusy =
            before.flatMap { start in
                waiting.map { ($0.total - start.total) * 10 * 1_000 > $0.time - start.time }
            } ?? true
        #expect(named * 100 >= writes * (isBusy ? 50 : 99), "the programs of \(named); busy: \(isBusy)")
        try daemon.terminate()
        try world.verifyHistory()
    }

    /// The last one is named and the others are counted, also where all are gone before anybody looks.
    @Test func severalWritersAreCounted() throws {
        let world = try Millwarden()
        let daemon = try watch(world)
        var pids: [Int64] = []
        try daemon.paused {
            for _ in 0..<3 { pids.append(try write(world, "echo x >> cc")) }
        }
        let entry = try daemon.change("content", on: world.compiler)
        let actor = try #require(entry.json["actor"]?.object, "\(entry)")
        #expect(actor["pid"]?.integer == pids.last && actor["others"]?.integer == 2, "\(entry)")
        // Nobody could look while they lived; what is not known is not said.
        if let exe = actor.bytes("exe") { #expect(exe == shell, "\(entry)") }
        try daemon.terminate()
    }

    /// Each kind of change has its own author.
    @Test func theOneWhoDidItIsNamed() throws {
        let world = try Millwarden()
        let daemon = try watch(world)
        let steps: [(line: String, change: String, path: RawPath)] = [
            ("exec chmod 4755 cc", "metadata", world.compiler),
            ("echo x > new", "added", world.tools.appending("new")),
            ("exec rm ld", "removed", world.linker),
            ("exec mv as as.old", "moved", world.tools.appending("as.old")),
            ("exec mv lib ../outside/lib", "removed", world.tools.appending("lib/a.so")),
        ]
        for (line, change, path) in steps {
            let pid = try write(world, line)
            let entry = try daemon.change(change, on: path)
            let actor = try #require(entry.json["actor"]?.object, "\(line): \(entry)")
            #expect(actor["pid"]?.integer == pid && actor["others"]?.integer == 0, "\(line): \(entry)")
        }
        try daemon.terminate()
        try world.verifyHistory()
    }

    /// Without privilege everything else works the same, and nobody is accused.
    @Test func withoutPrivilegeNobodyIsNamed() throws {
        let world = try Ordinary.world()
        try world.createBaseline()
        let daemon = try world.watch()
        let status = try world.document(0, "status")
        let who = try #require(status["service"]?.object?["who"]?.object, "\(status.pretty)")
        #expect(
            who["level"]?.text == "none" && who["because"]?.text?.contains("EPERM") == true,
            "\(status.pretty)"
        )
        #expect(who["next_step"]?.text?.contains("CAP_SYS_ADMIN") == true, "\(status.pretty)")
        try world.compiler.append([1])
        let entry = try daemon.change("content", on: world.compiler)
        #expect(entry.json["actor"] == .null, "\(entry)")
        try daemon.terminate()
    }
}
