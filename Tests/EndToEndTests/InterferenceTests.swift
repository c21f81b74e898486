import CLinux
import Integrity
import TestSupport
import Testing

/// Attempts on the running service itself, and what raises no event, with the real program.
@Suite struct InterferenceTests {
    /// chattr(1) raises no event; the sweep finds what it did.
    @Test func anInodeFlagIsFoundByTheSweep() throws {
        let world = try Millwarden()
        try world.configure("sweep: {every: 1s, rate: 1GiB}")
        try world.createBaseline()
        let daemon = try world.watch()
        let result = try run("/usr/bin/chattr", ["+d", world.text(world.compiler)])
        try #require(result.status == .exited(0), "\(result)")
        let change = try daemon.change("metadata", on: world.compiler)
        #expect(change.attributes == ["flags"])
        try daemon.entry("the sweep", after: change.seq) {
            $0.event == "check" && $0.json["mode"]?.text == "sweep"
        }
        let status = try world.document(0, "status")
        let sweep = status["service"]?.object?["sweep"]?.object
        #expect(sweep?["every_seconds"]?.integer == 1 && sweep?["last_finished"]?.text != nil)
        try daemon.terminate()
        try world.verifyHistory()
        try world.expect(4, "check")
    }

    /// Stopped, changed behind its back, and continued: the change is told, and so is that it stood still.
    @Test func standingStillIsTold() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        try daemon.paused { try world.compiler.append([1]) }
        try daemon.change("content", on: world.compiler)
        let told = try daemon.entry("that it went on") { $0.event == "self" }
        let message = told.json["message"]?.text ?? ""
        #expect(message.contains("SIGCONT came from pid \(getpid()), uid \(getuid())"), "\(message)")
        try daemon.terminate()
    }

    /// Whoever traces it can make it lie: it says so, once.
    @Test func aTracerIsTold() throws {
        let world = try Millwarden(launcher: ["/usr/bin/python3", "-c", tracing])
        try world.createBaseline()
        let daemon = try world.watch()
        let told = try daemon.entry("that somebody traces it") { $0.event == "self" }
        let message = told.json["message"]?.text ?? ""
        #expect(
            message.contains("pid \(daemon.id) ") && message.contains("traces this process"),
            "\(message)"
        )
        #expect(message.contains("python3"), "\(message)")
        try daemon.terminate()
        #expect(daemon.entries.count { $0.event == "self" } == 1)
    }

    /// Runs a command as its tracer: PTRACE_SEIZE stops nothing but where a signal comes (ptrace(2)).
    private let tracing = """
        import ctypes, os, signal, sys
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        go, set_going = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(go, 1)
            os.execv(sys.argv[1], sys.argv[1:])
        if libc.ptrace(0x4206, child, None, None) != 0:
            sys.exit("PTRACE_SEIZE: errno %d" % ctypes.get_errno())
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
        os.write(set_going, b".")
        while True:
            pid, status = os.waitpid(child, 0x40000000)
            if os.WIFEXITED(status):
                sys.exit(os.WEXITSTATUS(status))
            if os.WIFSIGNALED(status):
                sys.exit(128 + os.WTERMSIG(status))
            libc.ptrace(7, child, None, os.WSTOPSIG(status))
        """
}
