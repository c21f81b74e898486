import Integrity
import Ledger
import RulePacks
import Warden

/// What `doctor` and `status` say, with hostile names in it.
enum HostSamples {
    static let hostile = RawPath(bytes: Array("/srv/\u{1B}[2J".utf8) + [0xFF])

    static let doctor = report([
        DoctorFinding("baseline", .ok, "baseline 3 holds 41234 records and is 1 day old"),
        DoctorFinding(
            "watch-limit",
            .problem,
            "too few watches: 14000 directories are to be watched, other programs of uid 0 hold 4102, and "
                + "fs.inotify.max_user_watches is 8192",
            details: ["pid 811 (fs\\x1bwatch) holds 4102 watches"],
            fixes: [
                .file(
                    "/etc/sysctl.d/60-millwarden-watches.conf",
                    lines: ["fs.inotify.max_user_watches=65536"]
                ),
                .command("sysctl -p /etc/sysctl.d/60-millwarden-watches.conf"),
            ]
        ),
        DoctorFinding(
            "sandbox-private-tmp",
            .problem,
            "the unit says PrivateTmp=yes, which hides scope: /tmp and /var/tmp are others than those of builds",
            details: ["/etc/systemd/system/millwarden.service.d/hard.conf:2"],
            fixes: [
                .file(
                    "/etc/systemd/system/millwarden.service.d/zz-private-tmp.conf",
                    lines: ["[Service]", "PrivateTmp=no"]
                ),
                .command("systemctl daemon-reload"),
            ]
        ),
        DoctorFinding(
            "scope-not-entered",
            .warning,
            "1 directory is not entered because of the file system there",
            details: ["\(hostile) (nfs)"],
            paths: [hostile]
        ),
        DoctorFinding(
            "clock-synchronized",
            .note,
            "unknown: whether the clock is synchronized: permission denied"
        ),
    ])

    static let fine = report([
        DoctorFinding("baseline", .ok, "baseline 3 holds 41234 records and is 1 day old"),
        DoctorFinding(
            "rules-packs-off",
            .note,
            "3 rule packs are on, and 1 off",
            details: ["rust: nothing is there"]
        ),
    ])

    private static func report(_ findings: [DoctorFinding]) -> DoctorReport {
        DoctorReport(
            host: Samples.host,
            version: "0.1.0",
            time: Samples.time(0),
            findings: findings,
            budget: WatchBudget(needed: 14_000, limit: 8_192, usedByOthers: 4_102)
        )
    }

    static let empty = StatusReport(stateDirectory: "/var/lib/millwarden", time: Samples.time(0))

    static let stopped: StatusReport = {
        var report = empty
        report.baseline = .trusted(Samples.baseline, Samples.scope, .missing)
        report.rules = StatusRules(
            digest: Samples.digest(5),
            count: 31,
            states: [
                PackState(name: "gcc", file: "gcc.yaml", reason: .always),
                PackState(name: "rust", file: "rust.yaml", reason: .notDetected),
                PackState(name: "go", file: "go.yaml", reason: .configuredOff),
            ],
            ignored: IgnoredCount(paths: 100_000, isTruncated: true)
        )
        var history = StatusHistory()
        (history.differing, history.unacknowledged, history.gaps) = (2, 1, [Samples.openGap])
        history.lastFull = CheckEvent(
            mode: "full",
            started: Samples.time(-90_100),
            finished: Samples.time(-90_000),
            generation: 3,
            summary: CheckSummary(),
            exit: 4,
            worst: .high
        )
        (history.rows, history.unpublished) = (120, 3)
        history.lastPublished = (117, Samples.time(-60))
        history.lastRun = LastRun(
            start: StartEvent(
                version: "0.1.0",
                pid: 812,
                generation: 3,
                directories: 14_000,
                rules: Samples.digest(5),
                afterUncleanStop: false
            ),
            started: Samples.time(-9_000),
            stopped: nil,
            lastEntry: Samples.time(-50)
        )
        report.history = history
        report.trouble = ["something could not be read"]
        return report
    }()

    /// The service's own words come from its board.
    static let running: StatusReport = {
        let board = StatusBoard(version: "0.1.0", pid: 812)
        board.noteScope(baseline: Samples.baseline, packs: ["gcc"], rules: 31)
        board.noteRules(Samples.digest(6), [PackState(name: "rust", file: "rust.yaml", reason: .notDetected)])
        board.noteReady(directories: 14_000, at: Samples.time(-9_000))
        board.noteSurvey(unexamined: 4, notEntered: [hostile: "nfs", "/proc": "proc"])
        board.attach {
            ServiceQueues(
                kernelBytes: 4_096,
                kernelEventLimit: 16_384,
                readerBytes: 0,
                readerLimit: 32 << 20,
                publishFailure: "the journal does not answer"
            )
        }
        board.noteTrouble("the history does not take rows: no space left")
        board.update(pending: 7, watches: 14_001)
        var report = stopped
        report.service = board.json.object
        report.baseline = .trusted(Samples.baseline, Samples.scope, .confirmed)
        return report
    }()
}
