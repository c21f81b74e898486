import Integrity

/// Values that every test of reports starts from: always the same, so that golden files stay.
enum Samples {
    static let start = Timestamp(seconds: 1_772_359_200)  // 2026-03-01T10:00:00Z

    static func time(_ seconds: Int64, _ microseconds: UInt32 = 0) -> Timestamp {
        Timestamp(seconds: start.seconds + seconds, nanoseconds: microseconds * 1_000)
    }

    static func digest(_ fill: UInt64) -> Digest {
        Digest(words: (fill, fill &* 0x9E37_79B9, ~fill, fill << 7))
    }

    static let host = HostIdentity(
        name: "build-07",
        machineID: "3d1219c7c4c5404aaa1f6d2a48adfda4",
        bootID: "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    )

    static let baseline = BaselineSummary(
        generation: 3,
        created: start,
        entries: 41_234,
        root: digest(0xABCD_EF01_2345_6789),
        signedBy: "ed25519:" + hex(digest(77).bytes)
    )

    static let scope = Scope(
        rules: digest(5),
        packs: ["gcc", "git", "python"],
        homes: ["/home/ci", "/root"]
    )

    static func file(_ fill: UInt64 = 1, size: UInt64 = 1_200, mode: UInt16 = 0o755) -> Attributes {
        var attributes = Attributes(type: .file)
        attributes.content = .digest(digest(fill))
        attributes.size = size
        attributes.mode = mode
        attributes.mtime = time(-86_400, 250_000)
        attributes.ctime = time(-86_000)
        attributes.btime = time(-90_000)
        attributes.inode = 1_311_074
        attributes.device = DeviceNumber(major: 254, minor: 0)
        return attributes
    }

    static func link(to target: [UInt8]) -> Attributes {
        var attributes = file()
        attributes.type = .link
        attributes.content = nil
        attributes.target = target
        attributes.mode = 0o777
        return attributes
    }

    static let actor: Actor = {
        var actor = Actor()
        (actor.pid, actor.uid, actor.loginuid) = (4_711, 0, 1_000)
        actor.exe = Array("/usr/bin/cp".utf8)
        actor.cmdline = ["cp", "new gcc", "/usr/bin/gcc-12"].map { Array($0.utf8) }
        actor.parents = ["/bin/sh", "/usr/lib/systemd/systemd"].map { Array($0.utf8) }
        actor.unit = "ci.service"
        actor.others = 1
        return actor
    }()

    static func finding(
        _ path: RawPath,
        _ change: ChangeKind,
        _ severity: Severity = .high,
        _ verdict: Verdict = .unauthorized,
        rule: RuleID = "gcc.driver",
        _ fill: (inout Finding) -> Void = { _ in }
    ) -> Finding {
        var finding = Finding(path: path, change: change, rule: rule, severity: severity, verdict: verdict)
        fill(&finding)
        return finding
    }

    static let content = finding("/usr/bin/gcc-12", .content, .critical) { finding in
        finding.before = file()
        var after = file(2, size: 1_300, mode: 0o4755)
        after.mtime = time(-90_000)
        finding.after = after
        finding.attributes = [.digest, .size, .mode, .mtime]
        finding.tags = ["attack.t1554"]
        finding.actor = actor
    }

    static let metadata = finding("/usr/lib/gcc/cc1", .metadata) { finding in
        var before = file()
        before.xattrs = [ExtendedAttribute(name: Array("user.a".utf8), value: digest(9))]
        before.flags = [.immutable]
        finding.before = before
        var after = file(mode: 0o777)
        (after.uid, after.gid, after.links) = (1_000, 100, 2)
        after.xattrs = [ExtendedAttribute(name: Array("security.capability".utf8), value: digest(10))]
        finding.after = after
        finding.attributes = [
            .mode, .uid, .gid, .links, .flags, .xattr(Array("security.capability".utf8)),
            .xattr(Array("user.a".utf8)),
        ]
        finding.via = "/usr/bin/cc"
        finding.gap = 12
    }

    static let moved = finding("/usr/bin/renamed", .moved) { finding in
        finding.from = "/usr/bin/original"
        finding.before = file()
        finding.after = file()
    }

    static let mounted = finding("/usr/lib/gcc", .shadowed, .critical) { finding in
        finding.by = Shadow(
            kind: .mount,
            path: "/usr/lib/gcc",
            source: Array("tmpfs".utf8),
            fileSystem: "tmpfs"
        )
        finding.before = Attributes(type: .directory)
    }

    static let shadowed = finding("/usr/bin/make", .shadowed) { finding in
        finding.by = Shadow(kind: .path, path: "/usr/local/bin/make")
        finding.before = file()
        finding.after = file()
    }

    static let added = finding("/etc/ld.so.preload", .added, .critical, rule: "loader.preload") { finding in
        finding.after = file(3, size: 21, mode: 0o644)
    }

    static let removed = finding("/usr/bin/as", .removed, .medium) { finding in
        finding.before = link(to: Array("x86_64-linux-gnu-as".utf8))
    }

    static let retargeted = finding("/etc/alternatives/cc", .content, .low) { finding in
        finding.before = link(to: Array("/usr/bin/gcc".utf8))
        finding.after = link(to: Array("/tmp/gcc".utf8))
        finding.attributes = [.target]
    }

    static let typed = finding("/usr/bin/ld", .type) { finding in
        finding.before = link(to: Array("ld.bfd".utf8))
        finding.after = file(4)
        finding.attributes = [.type, .digest, .mode, .target]
    }

    static let transient = finding("/usr/include/stdio.h", .transient) { finding in
        finding.before = file()
        var after = file()
        after.ctime = time(30)
        finding.after = after
        finding.attributes = [.ctime]
        finding.resolved = time(31)
    }

    static let vanished = finding("/usr/lib/gcc/specs", .transient, .medium)

    static let replaced = finding("/usr/bin/nm", .replaced) { finding in
        finding.before = file()
        var after = file()
        (after.inode, after.btime) = (77, time(12))
        finding.after = after
        finding.attributes = [.inode]
        finding.explainedBy = "dpkg: binutils 2.40-2"
    }

    static let unhashed = finding("/var/log/build.log", .content, .low) { finding in
        finding.before = file()
        var after = file(size: 1)
        after.content = .unhashed(.unstable)
        finding.after = after
        finding.attributes = [.digest, .size]
    }

    static let authorized = finding("/usr/bin/git", .content, .high, .authorized, rule: "git.program") {
        finding in
        finding.before = file()
        finding.after = file(8)
        finding.attributes = [.digest]
        finding.authorization = "window-4"
    }

    static let touched = finding("/etc/profile", .touched, .low, .expected, rule: "shell.profile") {
        finding in
        finding.before = file()
        var after = file()
        (after.ctime, after.mtime) = (time(3), time(3))
        finding.after = after
        finding.attributes = [.mtime]
    }

    static let findings = [
        added, retargeted, touched, typed, content, authorized, replaced, removed, shadowed, moved, transient,
        vanished, mounted, metadata, unhashed,
    ].sorted { $0.path < $1.path }

    static let openGap = Gap(
        id: 12,
        reason: .queueOverflow,
        scope: ["/usr", "/etc"],
        opened: time(-300),
        detail: "16384 events were lost; raise fs.inotify.max_queued_events"
    )

    static let closedGap = Gap(
        id: 11,
        reason: .down,
        scope: ["/"],
        opened: time(-900),
        closed: time(-600, 17),
        found: 2
    )

    static let unreadable = ExaminationError(
        path: "/root/.ssh/id_ed25519",
        failure: Failure(.open, 13),
        name: "EACCES",
        message: "permission denied"
    )

    /// A check with these findings, counted and with the exit status that belongs to them.
    static func check(
        _ findings: [Finding] = [],
        mode: String = "full",
        exit: Int = 0,
        _ fill: (inout CheckReport) -> Void = { _ in }
    ) -> CheckReport {
        var report = CheckReport(
            host: host,
            started: time(3_600),
            finished: time(3_612, 340_000),
            mode: mode,
            baseline: baseline
        )
        for finding in findings { report.summary.count(finding) }
        report.summary.examined = 41_236
        report.summary.unchanged = 41_236 - findings.count
        report.findings = findings
        report.bytes = 4_402_341_478
        report.exit = exit
        fill(&report)
        return report
    }

    static let changedCheck = check(findings, exit: 15) { report in
        report.gaps = [openGap, closedGap]
        report.errors = [unreadable]
        report.summary.openGaps = 1
        report.summary.errors = 1
    }

    static let created = CreateReport(
        baseline: baseline,
        file: "/var/lib/millwarden/baseline.mwb",
        scope: scope,
        bytes: 4_402_341_478,
        started: start,
        finished: time(75),
        unexamined: [unreadable],
        presentAbsent: ["/etc/ld.so.preload"],
        notEntered: ["/usr/src/nfs": "nfs", "/usr/lib/fuse": "fuse"]
    )

    static func accepted(isDryRun: Bool, refused: Bool = true) -> AcceptReport {
        var items = [
            AcceptReport.Item(seq: 17, finding: content), AcceptReport.Item(seq: 18, finding: vanished),
        ]
        if refused {
            let reason = "it changed again after entry 19 was written; run `millwarden check` and look at it"
            items.append(AcceptReport.Item(seq: 19, finding: added, refusal: reason))
        }
        return AcceptReport(
            items: items,
            baseline: isDryRun ? nil : baseline,
            isDryRun: isDryRun,
            reason: "CHG-7"
        )
    }

    static func acceptedScope(isDryRun: Bool) -> AcceptReport {
        var scope = ScopeApproval()
        scope.rules = .init(new: ["rust.toolchain"], gone: ["gcc.old"])
        scope.changedRules = ["gcc.driver"]
        scope.packs = .init(new: ["rust"])
        scope.homes = .init(new: [RawPath(bytes: Array("/home/b".utf8) + [0xFF])], gone: ["/home/old"])
        scope.incoming = [
            .init(rule: "gcc.driver", count: 1, first: ["/usr/bin/gcc-13"]),
            .init(
                rule: "rust.toolchain",
                count: 1_207,
                first: [
                    "/home/b/.cargo/bin/cargo", RawPath(bytes: Array("/home/b/.cargo/bin/".utf8) + [0xFE]),
                ]
            ),
        ]
        scope.outgoing = [.init(rule: "gcc.old", count: 2, first: ["/opt/gcc/bin/cpp", "/opt/gcc/bin/gcc"])]
        scope.hidden = [.init(rule: "gcc.old", count: 1, first: ["/opt/gcc/bin/implant"])]
        scope.unexamined = [unreadable]
        scope.presentAbsent = ["/usr/lib/gcc/specs"]
        scope.dropped = [12, 14]
        return AcceptReport(
            items: [],
            scope: scope,
            baseline: isDryRun ? nil : baseline,
            isDryRun: isDryRun,
            reason: "CHG-8"
        )
    }

    static let record = Record(
        path: "/usr/bin/gcc-12",
        state: .examined(metadata.before ?? file(), isRacy: true),
        rule: "gcc.driver",
        via: "/usr/bin/cc"
    )

    static let unexaminedRecord = Record(
        path: "/root/.ssh/id_ed25519",
        state: .unexamined(Failure(.open, 13)),
        rule: "ssh.keys"
    )

    static func entry(_ seq: Int64, _ event: Event) -> Entry {
        Entry(
            seq: seq,
            time: time(seq, 123_456),
            chain: digest(UInt64(seq) &* 0x1234_5678_9ABC_DEF1),
            event: event
        )
    }

    static let summary: CheckSummary = changedCheck.summary

    /// One entry of every kind, in every state that is told apart.
    static let entries: [Entry] = {
        let started = StartEvent(
            version: "0.1.0",
            pid: 812,
            generation: 3,
            directories: 1_904,
            rules: digest(5),
            afterUncleanStop: true
        )
        let resolution = Resolution(
            path: "/usr/bin/gcc-12",
            resolves: 2,
            rule: "gcc.driver",
            change: .content,
            severity: .critical
        )
        func check(_ exit: Int, _ worst: Severity?, _ summary: CheckSummary) -> Event {
            .check(
                CheckEvent(
                    mode: "full",
                    started: time(60),
                    finished: time(72),
                    generation: 3,
                    summary: summary,
                    exit: exit,
                    worst: worst
                )
            )
        }
        func approval(_ action: BaselineEvent.Action, reason: String?) -> Event {
            var event = BaselineEvent(
                action: action,
                baseline: baseline,
                reason: reason,
                uid: 0,
                loginuid: 1_000,
                accepted: action == .accepted ? [2, 3] : [],
                paths: 2
            )
            if action == .imported { event.origin = origin }
            return .baseline(event)
        }
        var clean = CheckSummary()
        (clean.examined, clean.unchanged) = (41_236, 41_236)
        var unread = clean
        (unread.errors, unread.openGaps) = (2, 1)
        let events: [Event] =
            [.start(started)] + findings.map(Event.change)
            + [
                .resolved(resolution), .gapOpened(openGap), .gapClosed(closedGap), .reload(started),
                check(0, nil, clean), check(8, nil, unread), check(15, .critical, summary),
                approval(.intended, reason: "CHG-7"), approval(.accepted, reason: "CHG-7"),
                approval(.created, reason: nil), approval(.imported, reason: nil),
                approval(.abandoned, reason: nil),
                .selfProtection(
                    SelfEvent(
                        message: "a rule file changed while the service runs",
                        paths: ["/etc/millwarden/rules.d/a.yaml"]
                    )
                ),
                .stop(StopEvent(reason: "SIGTERM", pid: 812)),
            ]
        return events.enumerated().map { entry(Int64($0.offset + 1), $0.element) }
    }()
}

/// Baselines that are moved between hosts.
extension Samples {
    static let origin = BaselineOrigin(
        host: "golden",
        machineID: "89abcdef0123456789abcdef01234567",
        trustedKey: baseline.signedBy
    )

    static let exported = ExportReport(
        baseline: baseline,
        file: "/media/usb/build-07.mwb",
        keyFile: "/var/lib/millwarden/keys/baseline.pub"
    )

    static let imported = ImportReport(
        baseline: baseline,
        file: "/media/usb/golden\n.mwb",
        origin: origin,
        scope: created.scope,
        host: HostIdentity(
            name: "build-07",
            machineID: "0123456789abcdef0123456789abcdef",
            bootID: "fedcba9876543210fedcba9876543210"
        ),
        isCopy: true,
        replaced: nil
    )

    /// This host's own export of before, brought back.
    static let importedBack: ImportReport = {
        var report = imported
        report.origin = BaselineOrigin(host: "build-07", machineID: report.host.machineID)
        report.isCopy = false
        var newer = baseline
        newer.generation += 4
        report.replaced = newer
        return report
    }()

    /// A mounted disk against a file from a stick.
    static let checkedElsewhere: CheckReport = {
        var report = changedCheck
        report.host = HostIdentity(name: "", machineID: "", bootID: "")
        report.root = "/mnt/disk"
        report.baselineFile = "/media/usb/build-07.mwb"
        report.origin = BaselineOrigin(host: "golden", machineID: origin.machineID)
        report.isCopy = true
        return report
    }()
}

/// Two baselines compared.
extension Samples {
    static let differences: [BaselineDifference] = {
        var link = record
        link.via = "/usr/bin/cc\n"
        var changed = BaselineDifference(.change(.content), before: record, after: link)
        if case .examined(var attributes, let isRacy) = record.state {
            attributes.size += 9
            attributes.mode = 0o4755
            attributes.xattrs.append(ExtendedAttribute(name: [0xFF, 0x0A], value: created.scope.rules))
            link.state = .examined(attributes, isRacy: isRacy)
            changed.after = link
        }
        changed.attributes = [.size, .mode, .xattr([0xFF, 0x0A])]
        return [
            BaselineDifference(.added, before: nil, after: record),
            BaselineDifference(.removed, before: unexaminedRecord, after: nil), changed,
            BaselineDifference(.unexamined, before: unexaminedRecord, after: record),
        ]
    }()

    static let difference: DifferenceReport = {
        var summary = DifferenceSummary()
        summary.paths = 41_234
        for difference in differences { summary.count(difference) }
        var other = created.scope
        other.packs = ["gcc", "rust"]
        other.homes = ["/root", "/home/\u{202E}x"]
        other.rules = Samples.baseline.root
        return DifferenceReport(
            before: DifferenceReport.Side(
                file: imported.file,
                baseline: baseline,
                origin: origin,
                scope: created.scope
            ),
            after: DifferenceReport.Side(
                file: nil,
                baseline: baseline,
                origin: importedBack.origin,
                scope: other
            ),
            isOfSameFiles: false,
            ignored: [.mtime, .xattr([0xFF])],
            summary: summary
        )
    }()

    static let sameFiles: DifferenceReport = {
        var report = difference
        report.after = report.before
        (report.isOfSameFiles, report.ignored, report.summary) = (true, [], DifferenceSummary())
        report.summary.paths = 3
        return report
    }()

    static let createdElsewhere: CreateReport = {
        var report = created
        (report.root, report.file) = ("/srv/image", "/srv/golden.mwb")
        report.keyFile = exported.keyFile
        return report
    }()
}
