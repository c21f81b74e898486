import CLinux
import Integrity
import Reporting
import Synchronization
import TestSupport
import Testing

struct ServiceNotifierTests {
    private final class Sent: Sendable {
        let texts = Mutex<[String]>([])
    }

    @Test func everyAssignmentStandsOnItsLine() {
        let sent = Sent()
        let notifier = ServiceNotifier { text in
            sent.texts.withLock { $0.append(text) }
            return 1
        }
        notifier.ready(status: "watching 3 directories")
        notifier.status("a\nREADY=1")
        notifier.stopping()
        notifier.reloading(monotonic: 1_234_567_890)
        notifier.watchdog()
        notifier.extendTimeout(nanoseconds: 30_000_000_000, status: "catching up")
        #expect(
            sent.texts.withLock { $0 } == [
                "READY=1\nSTATUS=watching 3 directories", #"STATUS=a\x0aREADY=1"#, "STOPPING=1",
                "RELOADING=1\nMONOTONIC_USEC=1234567", "WATCHDOG=1",
                "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=catching up",
            ]
        )
    }

    @Test func saysWhetherAnybodyWasTold() {
        #expect(ServiceNotifier { _ in 1 }.ready())
        #expect(!ServiceNotifier { _ in 0 }.ready())
        #expect(!ServiceNotifier { _ in -111 }.ready())
    }

    /// In a process of its own, because the environment belongs to the whole process.
    @Test func theTrueSocketHearsIt() async {
        await #expect(processExitsWith: .success) {
            let scratch = try TemporaryDirectory()
            unsafe unsetenv("NOTIFY_SOCKET")
            try #require(!ServiceNotifier().ready())
            let address = scratch.appending("notify").description
            let receiver = try boundSocket(address)
            unsafe setenv("NOTIFY_SOCKET", address, 1)
            try #require(ServiceNotifier().ready(status: "up"))
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(receiver, $0.baseAddress, $0.count, 0)
            }
            try #require(String(validating: buffer[..<max(0, count)], as: UTF8.self) == "READY=1\nSTATUS=up")
        }
    }

    @Test func theWatchdogIsReadFromTheEnvironment() async {
        await #expect(processExitsWith: .success) {
            unsafe unsetenv("WATCHDOG_USEC")
            unsafe unsetenv("WATCHDOG_PID")
            try #require(ServiceNotifier.watchdogInterval() == nil)
            unsafe setenv("WATCHDOG_USEC", "30000000", 1)
            try #require(ServiceNotifier.watchdogInterval() == 30_000_000_000)
            unsafe setenv("WATCHDOG_PID", "1", 1)
            try #require(ServiceNotifier.watchdogInterval() == nil)
            unsafe setenv("WATCHDOG_PID", "\(getpid())", 1)
            unsafe setenv("WATCHDOG_USEC", "nonsense", 1)
            try #require(ServiceNotifier.watchdogInterval() == nil)
        }
    }

    @Test func theJournalStreamIsKnownByDeviceAndInode() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("stream", "x")
        let number = try unsafe file.call { unsafe mw_openat(AT_FDCWD, $0, O_RDONLY, 0) }
        defer { close(number) }
        var status = stat()
        try #require(unsafe fstat(number, &status) == 0)
        #expect(isJournal(number, journalStream: "\(status.st_dev):\(status.st_ino)"))
        #expect(!isJournal(number, journalStream: "\(status.st_dev):\(status.st_ino + 1)"))
        #expect(!isJournal(-1, journalStream: "\(status.st_dev):\(status.st_ino)"))
        for text in [nil, "", ":", "1", "a:b", "1:2:3", "\(status.st_dev):", "-1:5"] {
            #expect(!isJournal(number, journalStream: text))
        }
    }
}
