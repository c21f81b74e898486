internal import CLinux
package import Integrity

/// What the host's clock says of itself.
package struct ClockFacts: Hashable, Sendable {
    /// The kernel takes its time for that of a server (adjtimex(2)).
    package var isSynchronized: Fact<Bool>
    package var now: Timestamp
    /// When the host was started, by the clock as it stands now.
    package var booted: Timestamp

    package init(isSynchronized: Fact<Bool>, now: Timestamp, booted: Timestamp) {
        self.isSynchronized = isSynchronized
        self.now = now
        self.booted = booted
    }

    package static func gather(from files: HostFiles) -> ClockFacts {
        let now = SystemClock.now()
        return ClockFacts(
            isSynchronized: Fact { () throws(Errno) in
                // systemd-timesyncd leaves this once it has heard from a server.
                if files.exists("/run/systemd/timesync/synchronized").value == true { return true }
                let result = mw_clock_is_synchronized()
                if result < 0 { throw .current }
                return result > 0
            },
            now: now,
            booted: now.adding(nanoseconds: -SystemClock.bootTime())
        )
    }
}
