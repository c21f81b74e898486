import Host
package import Integrity
package import Ledger

/// What the state directory tells.
package struct DoctorLedger: Sendable {
    package enum Baseline: Sendable {
        case missing
        /// Why it is not believed.
        case untrusted(String)
        case trusted(BaselineSummary, Scope, OpenedBaseline.Anchor)

        /// The packs that it was made with, which stay on; none where it is not believed.
        package var packs: [String] {
            guard case .trusted(_, let scope, _) = self else { return [] }
            return scope.packs
        }
    }

    package var baseline = Baseline.missing
    /// Why the history cannot be read; nil where it can, or where there is none.
    package var historyFailure: String?
    package var lastFull: CheckEvent?
    package var openGaps: [Gap] = []
    package var unpublished = 0
    /// The time of the newest row.
    package var newest: Timestamp?

    package init() {}

    var baselineCreated: Timestamp? {
        guard case .trusted(let summary, _, _) = baseline else { return nil }
        return summary.created
    }

    /// Reads what the state directory holds; nothing of it is changed.
    package static func gather(
        store: BaselineStore,
        keys: () throws(KeyError) -> [PublicKey]
    ) -> DoctorLedger {
        var ledger = DoctorLedger()
        var history: History?
        do {
            history = try History.open(at: store.directory, access: .readOnly)
        } catch {
            if case .missing = error {} else { ledger.historyFailure = error.description }
        }
        if let history {
            do { try ledger.take(history) } catch { ledger.historyFailure = error.description }
        }
        do {
            let opened = try store.open(history: history, trusting: try keys())
            ledger.baseline = .trusted(opened.reader.summary, opened.reader.scope, opened.anchor)
        } catch let error as BaselineError {
            if case .missing = error {} else { ledger.baseline = .untrusted(error.description) }
        } catch let error as KeyError {
            // Without a baseline nobody needs a key yet.
            if HostFiles().exists(store.path).value != false {
                ledger.baseline = .untrusted(error.description)
            }
        } catch {
            ledger.baseline = .untrusted("\(error)")
        }
        return ledger
    }

    private mutating func take(_ history: History) throws(HistoryError) {
        openGaps = try history.openGaps()
        newest = try history.lastEntry([])?.time
        unpublished = try history.read { snapshot throws(HistoryError) in try snapshot.unpublishedCount() }
        lastFull = try history.lastCheck(mode: "full")
    }
}

extension DoctorFacts {
    var ledgerFindings: [DoctorFinding] {
        [baseline, history, service, lastCheck, gaps, outbox].compactMap { $0 }
    }

    private var baseline: DoctorFinding {
        switch ledger.baseline {
        case .missing:
            return DoctorFinding(
                "baseline",
                .problem,
                "there is no baseline: nothing can be compared",
                fixes: [.command("millwarden baseline create")]
            )
        case .untrusted(let reason):
            return DoctorFinding(
                "baseline",
                .problem,
                "the baseline is not trusted: \(reason)",
                fixes: [.command("millwarden baseline verify")]
            )
        case .trusted(let summary, _, let anchor):
            let days = max(0, clock.now.nanoseconds(since: summary.created)) / day
            let words =
                "baseline \(summary.generation) holds \(plural(summary.entries, "record")) and is "
                + "\(plural(days, "day")) old"
            guard anchor == .missing else { return DoctorFinding("baseline", .ok, words) }
            return DoctorFinding(
                "baseline",
                .warning,
                "\(words), and the history does not know it: whether it is the last one approved cannot be told",
                fixes: [.command("millwarden baseline verify")]
            )
        }
    }

    private var history: DoctorFinding? {
        ledger.historyFailure.map { reason in
            DoctorFinding(
                "history",
                .problem,
                "the history cannot be read: \(reason)",
                fixes: [.command("millwarden history verify")]
            )
        }
    }

    private var service: DoctorFinding {
        if let pid = servicePID { return DoctorFinding("service", .ok, "the service runs (pid \(pid))") }
        let hasUnit = unit.file != nil
        return DoctorFinding(
            "service",
            .warning,
            "the service does not run: changes are seen at the next start or check only",
            fixes: [.command(hasUnit ? "systemctl enable --now millwarden.service" : "millwarden watch")]
        )
    }

    /// PCI DSS 11.5.2 asks for a comparison once a week at least.
    private var lastCheck: DoctorFinding? {
        guard let created = ledger.baselineCreated, ledger.historyFailure == nil else { return nil }
        let fix: [DoctorFinding.Fix] = [.command("millwarden check")]
        guard let last = ledger.lastFull else {
            let isOld = clock.now.nanoseconds(since: created) > 7 * day
            return DoctorFinding(
                "check-age",
                isOld ? .warning : .note,
                "no full check has run yet",
                fixes: fix
            )
        }
        let age = max(0, clock.now.nanoseconds(since: last.finished))
        let words = "the last full check ended \(plural(age / day, "day")) ago with exit status \(last.exit)"
        return DoctorFinding(
            "check-age",
            age > 7 * day ? .warning : .ok,
            age > 7 * day ? words + "; once a week is the least" : words,
            fixes: age > 7 * day ? fix : []
        )
    }

    private var gaps: DoctorFinding? {
        guard !ledger.openGaps.isEmpty else { return nil }
        return DoctorFinding(
            "gaps-open",
            .warning,
            "\(plural(ledger.openGaps.count, "gap is", "gaps are")) open: something in scope could not be seen",
            details: ledger.openGaps.prefix(10).map { gap in
                "gap \(gap.id): \(gap.reason.rawValue) since \(gap.opened)"
                    + (gap.detail.map { ", " + escaped($0.utf8) } ?? "")
            },
            fixes: [.command("millwarden check")]
        )
    }

    private var outbox: DoctorFinding? {
        guard ledger.unpublished > 0 else { return nil }
        return DoctorFinding(
            "outbox",
            .warning,
            "\(plural(ledger.unpublished, "row")) of the history did not reach the journal yet",
            fixes: [.command("systemctl status systemd-journald.service")]
        )
    }
}

private let day: Int64 = 86_400 * 1_000_000_000
