import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// A running `millwarden watch --format jsonl`; killed where it is forgotten.
final class Daemon {
    private let owner: Millwarden
    private let child: ChildProcess
    private let notifications: NotifySocket
    private var parsed = 0
    /// Every entry it printed so far.
    private(set) var entries: [LogEntry] = []
    /// The messages it sent to its service manager, in order.
    private(set) var messages: [String] = []

    /// How long anything may take before the test gives up, in seconds: a limit for machines that stand still, not a
    /// measure.
    static let patience = 60

    var id: Int32 { child.id }

    init(_ owner: Millwarden, format: String = "jsonl") throws {
        self.owner = owner
        notifications = try NotifySocket(at: try TemporaryDirectory())
        var environment = ["NOTIFY_SOCKET": notifications.address, "LANG": "C.UTF-8"]
        for name in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
            environment[name] = environmentVariable(name)
        }
        let line = owner.command(["watch", "--format", format])
        child = try ChildProcess(line[0], Array(line.dropFirst()), environment: environment)
    }

    /// Waits for `READY=1`: from then on nothing is missed, and what changed before was reported.
    func waitUntilReady(location: SourceLocation = #_sourceLocation) throws {
        while !messages.contains(where: { $0.split(separator: "\n").contains("READY=1") }) {
            // Its end is news as well: nothing would come any more.
            let message = try notifications.receive(or: child, seconds: Daemon.patience)
            if let message {
                messages.append(message)
            } else {
                let result = child.finish(timeout: 1)
                try #require(Bool(false), "watch did not become ready: \(result)", sourceLocation: location)
            }
        }
    }

    /// Reads what it tells its service manager until it says that it is ready again.
    ///
    /// - Returns: The messages since it was ready the last time.
    func waitUntilReadyAgain(location: SourceLocation = #_sourceLocation) throws -> [String] {
        var fresh: [String] = []
        while fresh.last?.split(separator: "\n").contains("READY=1") != true {
            let message = try notifications.receive(or: child, seconds: Daemon.patience)
            fresh.append(
                try #require(message, "it did not become ready again: \(fresh)", sourceLocation: location)
            )
        }
        messages += fresh
        return fresh
    }

    /// The first entry, printed already or still to come, that a condition holds for.
    @discardableResult
    func entry(
        _ what: String,
        after seq: Int64 = 0,
        location: SourceLocation = #_sourceLocation,
        where condition: (LogEntry) -> Bool
    ) throws -> LogEntry {
        var found: LogEntry?
        var looked = 0
        var trouble: (any Error)?
        child.read(timeout: Daemon.patience) { _ in
            do { try parse() } catch { trouble = error }
            found = entries[looked...].first { $0.seq > seq && condition($0) }
            looked = entries.count
            return found != nil || trouble != nil
        }
        if let trouble { throw trouble }
        return try #require(
            found,
            "\(what) was not reported; reported:\(entries.listing)\n\(jsonText(child.errors).text)",
            sourceLocation: location
        )
    }

    /// The first change of a kind on a path.
    @discardableResult
    func change(
        _ kind: String,
        on path: RawPath,
        after seq: Int64 = 0,
        location: SourceLocation = #_sourceLocation
    ) throws -> LogEntry {
        try entry("`\(kind)` on \(path)", after: seq, location: location) {
            $0.isChange && $0.path == path && $0.change == kind
        }
    }

    /// Stops it, does something, and lets it go on: all of it has happened before the program sees any of it.
    func paused(_ body: () throws -> Void) throws {
        kill(id, SIGSTOP)
        var status: CInt = 0
        try #require(unsafe waitpid(id, &status, WUNTRACED) == id)
        defer { kill(id, SIGCONT) }
        try body()
    }

    /// Ends it as systemd does, and gives every entry it printed.
    ///
    /// It has to exit with 0.
    @discardableResult
    func terminate(location: SourceLocation = #_sourceLocation) throws -> [LogEntry] {
        child.send(SIGTERM)
        let result = child.finish(timeout: Daemon.patience)
        #expect(result.status == .exited(0), "\(result)", sourceLocation: location)
        try parse()
        return entries
    }

    /// Ends it as systemd does, and gives all that it said.
    func finishAfterTermination() -> ProcessResult {
        child.send(SIGTERM)
        return child.finish(timeout: Daemon.patience)
    }

    /// Ends it without a chance to do anything about it.
    func killHard() throws {
        child.send(SIGKILL)
        _ = child.finish(timeout: Daemon.patience)
        try parse()
    }

    /// Waits for it to end by itself.
    func end() -> ProcessResult { child.finish(timeout: Daemon.patience) }

    /// What it said on standard error.
    var errors: String { jsonText(child.errors).text }

    func send(_ signal: CInt) { child.send(signal) }

    private func parse() throws {
        guard let end = child.output[parsed...].lastIndex(of: UInt8(ascii: "\n")) else { return }
        entries += try LogEntry.parse(lines: Array(child.output[parsed...end]))
        parsed = end + 1
    }
}

/// The service manager's end of sd_notify(3).
private final class NotifySocket {
    private let directory: TemporaryDirectory
    private let socket: OwnedDescriptor
    /// The value of `NOTIFY_SOCKET`.
    let address: String

    init(at directory: TemporaryDirectory) throws {
        self.directory = directory
        let path = directory.appending("notify")
        let number = CLinux.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno.current }
        socket = OwnedDescriptor(owning: number)
        address = jsonText(path.bytes).text
        try unsafe path.call { unsafe mw_unix_bind(number, $0) }
        // The service may run as somebody else.
        try unsafe path.call { unsafe chmod($0, 0o777) }
        try unsafe directory.path.call { unsafe chmod($0, 0o755) }
    }

    /// The next message; nil where the process ended or the time is over.
    func receive(or child: ChildProcess, seconds: Int) throws -> String? {
        let end = mw_pidfd_open(child.id)
        guard end >= 0 else { return nil }
        let ended = OwnedDescriptor(owning: end)
        return try socket.lend { number in
            try ended.lend { process in
                var asked = [
                    pollfd(fd: number, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: process, events: Int16(POLLIN), revents: 0),
                ]
                let ready = unsafe poll(&asked, nfds_t(asked.count), CInt(seconds * 1_000))
                guard ready > 0, asked[0].revents != 0 else { return nil }
                var buffer = [UInt8](repeating: 0, count: 4_096)
                let count = unsafe recv(number, &buffer, buffer.count, 0)
                guard count >= 0 else { throw Errno.current }
                return jsonText(Array(buffer[..<count])).text
            }
        }
    }
}
