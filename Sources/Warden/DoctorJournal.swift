import Host
import Integrity

/// Whether entries reach the journal, stay in it, and leave the host.
extension DoctorFacts {
    var journalFindings: [DoctorFinding] {
        let unreadable = journal.configuration.unreadable.sorted { $0.key < $1.key }.map { path, reason in
            DoctorFinding.unknown("journal-configuration", "what \(path) says", reason)
        }
        return unreadable + [socket, storage, rateLimit, forwarding].compactMap { $0 }
    }

    private var socket: DoctorFinding {
        guard let refusal = journal.refusal else {
            return DoctorFinding("journal-socket", .ok, "the journal takes entries")
        }
        return DoctorFinding(
            "journal-socket",
            .problem,
            "the journal takes no entries (\(refusal.message)): they wait in the history until it does",
            fixes: [.command("systemctl restart systemd-journald.socket systemd-journald.service")]
        )
    }

    private var storage: DoctorFinding {
        let setting = journal.configuration.setting("Journal", "Storage")
        let persist: [DoctorFinding.Fix] = [
            .file(
                "/etc/systemd/journald.conf.d/zz-millwarden-storage.conf",
                lines: ["[Journal]", "Storage=persistent"]
            ),
            .command("systemctl restart systemd-journald.service"), .command("journalctl --flush"),
        ]
        switch setting?.value.lowercased() ?? "auto" {
        case "none":
            return DoctorFinding(
                "journal-storage",
                .problem,
                "the journal keeps nothing (Storage=none): entries exist only where they are forwarded to",
                fixes: persist
            )
        case "volatile":
            return DoctorFinding(
                "journal-storage",
                .warning,
                "the journal is kept in memory (Storage=volatile): a restart of the host forgets it",
                fixes: persist
            )
        case "persistent":
            return DoctorFinding("journal-storage", .ok, "the journal is kept on disk")
        default:
            switch (journal.hasPersistentDirectory, journal.hasPersistentJournal) {
            case (.unknown(let reason), _):
                return .unknown("journal-storage", "whether the journal is kept on disk", reason)
            case (.known(false), _):
                return DoctorFinding(
                    "journal-storage",
                    .warning,
                    "the journal is kept in memory (Storage=auto without /var/log/journal): a restart of the host forgets "
                        + "it",
                    fixes: persist
                )
            case (.known(true), .known(false)):
                return DoctorFinding(
                    "journal-storage",
                    .note,
                    "/var/log/journal is there and holds no journal of this host yet",
                    fixes: [.command("journalctl --flush")]
                )
            case (.known(true), _):
                return DoctorFinding("journal-storage", .ok, "the journal is kept on disk")
            }
        }
    }

    /// The service's unit may lift the limit for itself alone, which is what the shipped one does.
    private var rateLimit: DoctorFinding {
        if let own = unit.setting("Service", "LogRateLimitIntervalSec"), isZero(own.value) {
            return DoctorFinding("journal-rate-limit", .ok, "the journal drops no entries of the service")
        }
        let configuration = journal.configuration
        let limits = ["RateLimitIntervalSec", "RateLimitInterval", "RateLimitBurst"]
        if let off = limits.compactMap({ configuration.setting("Journal", $0) }).first(where: {
            isZero($0.value)
        }) {
            return DoctorFinding("journal-rate-limit", .ok, "the journal limits no sender (\(off.key)=0)")
        }
        let interval = configuration.setting("Journal", "RateLimitIntervalSec")?.value ?? "30s"
        let burst = configuration.setting("Journal", "RateLimitBurst")?.value ?? "10000"
        let hasUnit = unit.file != nil
        return DoctorFinding(
            "journal-rate-limit",
            hasUnit ? .warning : .note,
            "the journal drops what a service sends beyond \(escaped(burst.utf8)) entries in \(escaped(interval.utf8))",
            fixes: hasUnit
                ? [
                    .file(
                        "/etc/systemd/system/millwarden.service.d/zz-rate-limit.conf",
                        lines: ["[Service]", "LogRateLimitIntervalSec=0"]
                    ),
                    .command("systemctl daemon-reload"), .command("systemctl restart millwarden.service"),
                ]
                : []
        )
    }

    private func isZero(_ value: String) -> Bool {
        let digits = value.prefix { $0.isASCII && $0.isNumber }
        return !digits.isEmpty && digits.allSatisfy { $0 == "0" }
    }

    private var forwarding: DoctorFinding {
        switch journal.upload {
        case .enabled:
            DoctorFinding(
                "journal-forwarding",
                .ok,
                "systemd-journal-upload sends the journal to another host"
            )
        case .installed:
            DoctorFinding(
                "journal-forwarding",
                .note,
                "systemd-journal-upload is installed and not enabled: whoever is root here can rewrite what only this host "
                    + "keeps",
                fixes: [.command("systemctl enable --now systemd-journal-upload.service")]
            )
        case .absent:
            DoctorFinding(
                "journal-forwarding",
                .note,
                "no systemd-journal-upload is installed: unless something else forwards the journal, whoever is root here "
                    + "can rewrite it",
                fixes: [.command("apt-get install systemd-journal-remote")]
            )
        }
    }
}
