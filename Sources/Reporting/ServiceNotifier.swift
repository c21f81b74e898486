internal import CLinux
internal import CSystemd

/// Tells systemd how the service is doing (sd_notify(3)).
///
/// Without `$NOTIFY_SOCKET` every call does nothing.
package struct ServiceNotifier: Sendable {
    private let send: @Sendable (String) -> CInt

    /// Speaks to `$NOTIFY_SOCKET`.
    package init() {
        send = { unsafe sd_notify(0, $0) }
    }

    /// Speaks to a test.
    package init(sending send: @escaping @Sendable (String) -> CInt) {
        self.send = send
    }

    /// Every directory in scope is watched; also ends a `reloading`.
    ///
    /// Like all of these it returns true where systemd was told.
    @discardableResult
    package func ready(status: String? = nil) -> Bool { notify(["READY=1"], status) }

    /// One line for `systemctl status`.
    @discardableResult
    package func status(_ text: String) -> Bool { notify([], text) }

    @discardableResult
    package func stopping(status: String? = nil) -> Bool { notify(["STOPPING=1"], status) }

    /// The configuration is read again; `nanoseconds` is `CLOCK_MONOTONIC` at the moment the signal was handled.
    @discardableResult
    package func reloading(monotonic nanoseconds: UInt64, status: String? = nil) -> Bool {
        notify(["RELOADING=1", "MONOTONIC_USEC=\(nanoseconds / 1_000)"], status)
    }

    /// The pipeline has moved on: feeds the watchdog.
    @discardableResult
    package func watchdog() -> Bool { notify(["WATCHDOG=1"], nil) }

    /// Starting or stopping takes longer: asks for that many nanoseconds from now.
    @discardableResult
    package func extendTimeout(nanoseconds: UInt64, status: String? = nil) -> Bool {
        notify(["EXTEND_TIMEOUT_USEC=\(nanoseconds / 1_000)"], status)
    }

    private func notify(_ assignments: [String], _ status: String?) -> Bool {
        // A line break inside the status would begin another assignment.
        let lines = assignments + (status.map { ["STATUS=" + safe($0)] } ?? [])
        return send(lines.joined(separator: "\n")) > 0
    }

    /// How often systemd wants to hear `watchdog`, in nanoseconds.
    ///
    /// Nil where it does not (sd_watchdog_enabled(3)). Feed it at least twice in that time.
    package static func watchdogInterval() -> UInt64? {
        var microseconds: UInt64 = 0
        guard unsafe sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        let (nanoseconds, isTooLarge) = microseconds.multipliedReportingOverflow(by: 1_000)
        return isTooLarge ? nil : nanoseconds
    }
}

/// True where a descriptor leads straight into the journal: findings that go there anyway are then not printed too.
///
/// `journalStream` is `$JOURNAL_STREAM`, device and inode of the stream that systemd opened (systemd.exec(5)).
package func isJournal(_ descriptor: CInt, journalStream: String? = environment("JOURNAL_STREAM")) -> Bool {
    guard let parts = journalStream?.split(separator: ":", omittingEmptySubsequences: false),
        parts.count == 2,
        let device = UInt64(parts[0]), let inode = UInt64(parts[1])
    else { return false }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return false }
    return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
}

/// A variable of the environment; nil where it is not set or not UTF-8.
package func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(validatingCString: value)
}
