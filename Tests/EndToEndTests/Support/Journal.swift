import CLinux
import CSystemd
import Host
import Integrity
import TestSupport
import Testing

/// The host's journal, read through libsystemd.
@safe final class Journal {
    private let handle: OpaquePointer

    /// Somebody listens on the journal's socket; its presence alone says nothing.
    static var isListening: Bool {
        let number = CLinux.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return false }
        let socket = OwnedDescriptor(owning: number)
        return socket.lend { unsafe mw_unix_connect($0, "/run/systemd/journal/socket") } == 0
    }

    /// - Throws: The cancellation of the test, where nobody keeps a journal or it cannot be read.
    init() throws {
        if !isRoot { try Test.cancel("an ordinary user may not read the host's journal") }
        try JournalService.shared.start()
        var opened: OpaquePointer?
        let result = unsafe sd_journal_open(&opened, CInt(SD_JOURNAL_LOCAL_ONLY))
        guard result >= 0, let handle = unsafe opened else { throw Errno(-result) }
        unsafe self.handle = unsafe handle
    }

    deinit { unsafe sd_journal_close(handle) }

    /// The entries of one chain value, once there is one; all that are there then.
    ///
    /// Waits for journald, not for a clock.
    func entries(chain: String, seconds: Int = 30) throws -> [[String: [[UInt8]]]] {
        unsafe sd_journal_flush_matches(handle)
        let match = "MILLWARDEN_CHAIN=" + chain
        try check(unsafe sd_journal_add_match(handle, match, match.utf8.count))
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            let found = try all()
            if !found.isEmpty || ContinuousClock.now > deadline { return found }
            try check(unsafe sd_journal_wait(handle, 1_000_000))
        }
    }

    private func all() throws -> [[String: [[UInt8]]]] {
        try check(unsafe sd_journal_seek_head(handle))
        var entries: [[String: [[UInt8]]]] = []
        while try check(unsafe sd_journal_next(handle)) > 0 { entries.append(try fields()) }
        return entries
    }

    private func fields() throws -> [String: [[UInt8]]] {
        var fields: [String: [[UInt8]]] = [:]
        unsafe sd_journal_restart_data(handle)
        var data: UnsafeRawPointer?
        var length = 0
        while try check(unsafe sd_journal_enumerate_data(handle, &data, &length)) > 0 {
            guard let start = unsafe data else { break }
            let field = unsafe Array(UnsafeRawBufferPointer(start: start, count: length))
            guard let cut = field.firstIndex(of: UInt8(ascii: "=")) else { continue }
            fields[jsonText(Array(field[..<cut])).text, default: []].append(Array(field[(cut + 1)...]))
        }
        return fields
    }

    @discardableResult
    private func check(_ result: CInt) throws(Errno) -> CInt {
        guard result >= 0 else { throw Errno(-result) }
        return result
    }
}

/// Where nobody keeps a journal and root runs the tests, systemd-journald is started for as long as they run.
///
/// `@unchecked Sendable`: the child is made before anybody can see it and never touched again until the end of all.
private final class JournalService: @unchecked Sendable {
    static let shared = JournalService()
    private static let program = "/lib/systemd/systemd-journald"
    private let child: ChildProcess?

    private init() {
        guard !Journal.isListening, isExecutable(Self.program), let child = try? ChildProcess(Self.program)
        else {
            child = nil
            return
        }
        self.child = child
        atexit { JournalService.shared.child?.send(SIGTERM) }
        let deadline = ContinuousClock.now + .seconds(20)
        while !Journal.isListening, ContinuousClock.now < deadline { sched_yield() }
    }

    func start() throws {
        if !Journal.isListening { try Test.cancel("nobody listens on /run/systemd/journal/socket") }
    }
}
