import Host
import Integrity

/// The budget of watches, and what else inotify limits.
extension DoctorFacts {
    var watchFindings: [DoctorFinding] {
        [watchLimit, watchInstances, watchQueue].compactMap { $0 }
    }

    private var others: [WatchUser] { watches.users.filter { $0.pid != servicePID } }

    private var watchLimit: DoctorFinding? {
        guard let budget else { return nil }
        let limit: Int
        switch watches.watchLimit {
        case .known(let value): limit = value
        case .unknown(let reason):
            return .unknown("watch-limit", watches.watchKey, reason)
        }
        let used = budget.needed + budget.usedByOthers
        let level: DoctorFinding.Level = used > limit ? .problem : used > limit / 5 * 4 ? .warning : .ok
        var details = others.prefix(5).filter { $0.watches > 0 }.map { user in
            "pid \(user.pid) (\(escaped(user.command))) holds \(plural(user.watches, "watch", "watches"))"
        }
        details.append(
            "\(budget.needed) watches take about \(max(1, (budget.needed * watchCost) >> 20)) MiB of kernel memory"
        )
        if watches.unseen > 0 {
            details.append(
                "unknown: \(plural(watches.unseen, "process", "processes")) of this user could not be looked into"
            )
        }
        let lead = level == .problem ? "too few watches: " : level == .warning ? "watches run short: " : ""
        return DoctorFinding(
            "watch-limit",
            level,
            lead
                + "\(plural(budget.needed, "directory is", "directories are")) to be watched, other programs of uid "
                + "\(privileges.uid) hold \(budget.usedByOthers), and \(watches.watchKey) is \(limit)",
            details: details,
            fixes: level == .ok ? [] : sysctl("watches", watches.watchKey, budget.recommended)
        )
    }

    private var watchInstances: DoctorFinding {
        let limit: Int
        switch watches.instanceLimit {
        case .known(let value): limit = value
        case .unknown(let reason):
            return .unknown("watch-instances", watches.instanceKey, reason)
        }
        let used = others.reduce(0) { $0 + $1.instances }
        let level: DoctorFinding.Level = used >= limit ? .problem : used + 8 > limit ? .warning : .ok
        return DoctorFinding(
            "watch-instances",
            level,
            "other programs of uid \(privileges.uid) hold \(used) of the \(limit) inotify instances that a user may have",
            details: level == .ok
                ? []
                : others.sorted { $0.instances > $1.instances }.prefix(5).map { user in
                    "pid \(user.pid) (\(escaped(user.command))) holds \(user.instances)"
                },
            fixes: level == .ok
                ? [] : sysctl("instances", watches.instanceKey, max(256, 2 * limit))
        )
    }

    private var watchQueue: DoctorFinding {
        switch watches.queueLimit {
        case .unknown(let reason):
            return .unknown("watch-queue", "fs.inotify.max_queued_events", reason)
        case .known(let limit):
            let level: DoctorFinding.Level =
                limit < kernelQueue ? .warning : limit < wantedQueue ? .note : .ok
            let rest =
                level == .ok
                ? ""
                : "; a build that unpacks or moves large trees may overflow it, which is a gap and a new survey"
            return DoctorFinding(
                "watch-queue",
                level,
                "the kernel queues \(plural(limit, "event"))\(rest)",
                fixes: level == .ok ? [] : sysctl("queue", "fs.inotify.max_queued_events", wantedQueue)
            )
        }
    }

    private func sysctl(_ name: String, _ key: String, _ value: Int) -> [DoctorFinding.Fix] {
        let file = RawPath("/etc/sysctl.d/60-millwarden-\(name).conf")
        return [.file(file, lines: ["\(key)=\(value)"]), .command("sysctl -p \(file)")]
    }
}

/// Bytes of kernel memory a watch, as the kernel reckons when it sets its own limit (`INOTIFY_WATCH_COST`): 1,312 on a
/// 64-bit Linux 6.18, most of it the inode that stays in memory.
private let watchCost = 1_312

/// `fs.inotify.max_queued_events` where nobody set it.
private let kernelQueue = 16_384

/// Four times as many: memory is only taken for what is queued.
private let wantedQueue = 65_536
