import Host
import Integrity

/// What the kernel offers, and as whom it is asked.
extension DoctorFacts {
    var kernelFindings: [DoctorFinding] {
        let release = kernel.release.isEmpty ? "an unknown kernel" : "Linux \(kernel.release)"
        return [
            DoctorFinding("kernel-release", .ok, "this host runs \(release)"),
            feature(
                "kernel-fanotify",
                kernel.fanotifyNames,
                "fanotify with names",
                since: "5.9",
                loss: "inotify alone reports changes, which names no process"
            ),
            feature(
                "kernel-fanotify-pidfd",
                kernel.fanotifyProcess,
                "fanotify with the writer's pidfd",
                since: "5.15",
                loss: "nothing in the kernel's events says who wrote"
            ),
            feature(
                "kernel-proc-connector",
                kernel.processConnector,
                "the proc connector",
                since: "2.6.15, with CONFIG_PROC_EVENTS and in the host's network namespace",
                loss: "short-lived programs may be gone before they can be named"
            ),
            feature(
                "kernel-openat2",
                kernel.openat2,
                "openat2(2)",
                since: "5.6",
                loss: "paths cannot be opened without following links in one step"
            ),
            feature(
                "kernel-pidfd",
                kernel.pidfd,
                "pidfd_open(2)",
                since: "5.3",
                loss: "a process number may be reused before it is looked up"
            ),
            feature(
                "kernel-statx",
                kernel.statxMount,
                "statx(2) with the mount",
                since: "5.8",
                loss: "mounts are told apart by device numbers only"
            ),
        ]
    }

    private func feature(
        _ id: String,
        _ availability: Availability,
        _ what: String,
        since: String,
        loss: String
    ) -> DoctorFinding {
        switch availability {
        case .available: DoctorFinding(id, .ok, "the kernel offers \(what)")
        case .denied:
            DoctorFinding(
                id,
                .note,
                "\(what) is denied to this user: \(loss)",
                fixes: [.command("sudo millwarden doctor")]
            )
        case .missing: DoctorFinding(id, .note, "\(what) is not offered here (Linux \(since)): \(loss)")
        case .failed(let error): .unknown(id, what, "\(error)")
        }
    }

    var privilegeFindings: [DoctorFinding] {
        [user, capabilities, container, userNamespace, mountNamespace].compactMap { $0 }
    }

    private var user: DoctorFinding {
        privileges.uid == 0
            ? DoctorFinding("privilege-user", .ok, "it runs as root")
            : DoctorFinding(
                "privilege-user",
                .note,
                "it runs as uid \(privileges.uid): only what this user can read is examined, and these findings are this "
                    + "user's",
                fixes: [.command("sudo millwarden doctor")]
            )
    }

    private var capabilities: DoctorFinding {
        guard case .known(let held) = privileges.capabilities else {
            return .unknown(
                "privilege-capabilities",
                "the capabilities",
                "/proc/self/status does not tell them"
            )
        }
        let reasons: [(Capability, String)] = [
            (.dacReadSearch, "reads every file whatever its mode"),
            (.sysAdmin, "fanotify for whole file systems"),
            (.sysPtrace, "names the program behind a process of another user"),
            (.netAdmin, "hears of each exec through the proc connector"),
        ]
        let missing = reasons.filter { !held.contains($0.0) }
        guard !missing.isEmpty else {
            return DoctorFinding("privilege-capabilities", .ok, "it has every capability it can use")
        }
        // For root something took them away; an ordinary user never had them.
        return DoctorFinding(
            "privilege-capabilities",
            privileges.uid == 0 ? .warning : .note,
            "it lacks \(plural(missing.count, "capability", "capabilities")) that would let it see more",
            details: missing.map { "\($0.0.name): \($0.1)" },
            fixes: privileges.uid == 0
                ? [] : [.command("sudo millwarden doctor")]
        )
    }

    private var container: DoctorFinding? {
        guard let name = privileges.container else {
            return DoctorFinding(
                "privilege-container",
                .ok,
                "no container is around it, as far as files tell"
            )
        }
        return DoctorFinding(
            "privilege-container",
            .warning,
            "it runs in a container (\(escaped(name.utf8))): the host's files, mounts and processes are not seen; install it "
                + "on the host"
        )
    }

    private var userNamespace: DoctorFinding? {
        switch privileges.isInUserNamespace {
        case .unknown(let reason): return .unknown("privilege-user-namespace", "the user namespace", reason)
        case .known(false):
            return DoctorFinding("privilege-user-namespace", .ok, "it is in the host's user namespace")
        case .known(true):
            return DoctorFinding(
                "privilege-user-namespace",
                .warning,
                "it is in a user namespace: its root is an ordinary user of the host, fanotify for whole file systems is "
                    + "denied, and limits of namespaces above apply unseen; run it outside"
            )
        }
    }

    private var mountNamespace: DoctorFinding {
        switch privileges.hasOwnMounts {
        case .unknown(let reason):
            return .unknown("privilege-mount-namespace", "whether process 1 sees the same mounts", reason)
        case .known(false):
            return DoctorFinding("privilege-mount-namespace", .ok, "it sees the mounts of process 1")
        case .known(true):
            return DoctorFinding(
                "privilege-mount-namespace",
                .warning,
                "it has mounts of its own: what is mounted on the host from now on may not be seen here",
                fixes: [.command("nsenter --target 1 --mount millwarden doctor")]
            )
        }
    }
}
