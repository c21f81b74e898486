internal import CLinux
import Integrity

/// Whether the kernel gives this process one of its interfaces.
package enum Availability: Hashable, Sendable {
    case available
    /// The kernel has it, and this process may not use it.
    case denied
    /// The kernel does not have it.
    case missing
    /// It was asked and failed for another reason.
    case failed(Errno)

    init(_ error: Errno) {
        switch error {
        case .permission, .access: self = .denied
        case .noSystemCall, .invalid, .noEntry, Errno(EPROTONOSUPPORT), Errno(EAFNOSUPPORT): self = .missing
        default: self = .failed(error)
        }
    }
}

/// What the running kernel offers, found out by asking it.
package struct KernelFeatures: Hashable, Sendable {
    /// The release of uname(2).
    package var release: String
    /// fanotify(7) with directory and name in its events (`FAN_REPORT_DFID_NAME`, Linux 5.9).
    package var fanotifyNames: Availability
    /// fanotify(7) with a descriptor of the process (`FAN_REPORT_PIDFD`, Linux 5.15).
    package var fanotifyProcess: Availability
    /// openat2(2), Linux 5.6.
    package var openat2: Availability
    /// pidfd_open(2), Linux 5.3.
    package var pidfd: Availability
    /// statx(2) tells on which mount a file lies (`STATX_MNT_ID`, Linux 5.8).
    package var statxMount: Availability
    /// The connector that tells of each exec (`CONFIG_PROC_EVENTS`): the kernel lists it.
    package var processConnector: Availability

    package init(
        release: String,
        fanotifyNames: Availability = .available,
        fanotifyProcess: Availability = .available,
        openat2: Availability = .available,
        pidfd: Availability = .available,
        statxMount: Availability = .available,
        processConnector: Availability = .available
    ) {
        self.release = release
        self.fanotifyNames = fanotifyNames
        self.fanotifyProcess = fanotifyProcess
        self.openat2 = openat2
        self.pidfd = pidfd
        self.statxMount = statxMount
        self.processConnector = processConnector
    }

    /// Asks for each once and gives everything back at once.
    package static func probe(_ files: HostFiles) -> KernelFeatures {
        KernelFeatures(
            release: (try? files.text("/proc/sys/kernel/osrelease", limit: 256)).map { escaped($0.utf8) }
                ?? "",
            fanotifyNames: opening { mw_fanotify_probe(0) },
            fanotifyProcess: opening { mw_fanotify_probe(1) },
            openat2: opening { unsafe mw_openat2(AT_FDCWD, "/", UInt64(O_PATH | O_DIRECTORY), 0) },
            pidfd: opening { mw_pidfd_open(getpid()) },
            statxMount: statxMount(),
            processConnector: processConnector(files)
        )
    }

    private static func opening(_ body: () -> CInt) -> Availability {
        do {
            _ = OwnedDescriptor(owning: try retrying(body))
            return .available
        } catch {
            return Availability(error)
        }
    }

    private static func statxMount() -> Availability {
        let result = unsafe mw_statx_has_mount("/")
        return result < 0 ? Availability(.current) : result > 0 ? .available : .missing
    }

    /// /proc/net/connector exists in the host's first network namespace only, which is where the connector speaks.
    private static func processConnector(_ files: HostFiles) -> Availability {
        do {
            let list = try files.read("/proc/net/connector", limit: 64 << 10)
            return lines(list).contains { $0.starts(with: "cn_proc".utf8) } ? .available : .missing
        } catch {
            return Availability(error)
        }
    }
}
