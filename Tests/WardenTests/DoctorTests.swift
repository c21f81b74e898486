import Host
import Integrity
import Ledger
import RulePacks
import TestSupport
import Testing

@testable import Warden

/// Findings as a pure function of plain facts.
struct DoctorTests {
    /// A host on which nothing is to be mended.
    static func goodHost() -> DoctorFacts {
        var scope = ScopeFacts()
        (scope.directories, scope.paths) = (14_000, 40_000)
        scope.fileSystems = [ScopeFileSystem(name: "ext4", path: "/")]
        var rules = DoctorRules()
        rules.states = [PackState(name: "gcc", file: "gcc.yaml", reason: .always)]
        rules.digest = digest(1)
        rules.scope = scope
        var ledger = DoctorLedger()
        let summary = BaselineSummary(
            generation: 3,
            created: noon.adding(nanoseconds: -day),
            entries: 40_000,
            root: digest(2),
            signedBy: "ed25519:aa"
        )
        ledger.baseline = .trusted(
            summary,
            Scope(rules: digest(1), packs: ["gcc"], homes: []),
            .confirmed
        )
        ledger.lastFull = check(ended: noon.adding(nanoseconds: -2 * day))
        var unit = SystemdFile()
        unit.file = "/usr/lib/systemd/system/millwarden.service"
        unit.settings = [setting("LogRateLimitIntervalSec", "0"), setting("ProtectHome", "read-only")]
        return DoctorFacts(
            watches: WatchUse(
                watchLimit: .known(500_000),
                instanceLimit: .known(256),
                queueLimit: .known(65_536)
            ),
            servicePID: 4_711,
            kernel: KernelFeatures(release: "6.1.0"),
            privileges: Privileges(
                uid: 0,
                capabilities: .known(Set(Capability.allCases)),
                isInUserNamespace: .known(false),
                hasOwnMounts: .known(false)
            ),
            journal: JournalFacts(
                refusal: nil,
                configuration: SystemdFile(),
                hasPersistentDirectory: .known(true),
                hasPersistentJournal: .known(true),
                upload: .enabled
            ),
            clock: ClockFacts(
                isSynchronized: .known(true),
                now: noon,
                booted: noon.adding(nanoseconds: -day)
            ),
            disk: .known(
                DiskFacts(
                    path: "/var/lib/millwarden",
                    fileSystem: FileSystem(magic: 0xEF53),
                    freeBytes: 10 << 30,
                    freeInodes: 100_000
                )
            ),
            places: [
                PlaceFacts(role: .state, path: "/var/lib/millwarden", type: .directory, mode: 0o700, uid: 0)
            ],
            unit: unit,
            rules: rules,
            ledger: ledger
        )
    }

    static let day: Int64 = 86_400 * 1_000_000_000

    static func digest(_ fill: UInt64) -> Digest { Digest(words: (fill, fill, fill, fill)) }

    static func setting(_ key: String, _ value: String, section: String = "Service") -> SystemdSetting {
        SystemdSetting(section: section, key: key, value: value, file: "/etc/u.conf", line: 7)
    }

    static func check(ended: Timestamp) -> CheckEvent {
        CheckEvent(
            mode: "full",
            started: ended,
            finished: ended,
            generation: 3,
            summary: CheckSummary(),
            exit: 0,
            worst: nil
        )
    }

    static func place(_ role: PlaceRole, _ mode: UInt16, uid: UInt32 = 0, isAncestor: Bool = false)
        -> PlaceFacts
    {
        PlaceFacts(role: role, path: "/p/q r", type: .directory, mode: mode, uid: uid, isAncestor: isAncestor)
    }

    @Test func aGoodHostHasNothingToMend() {
        let findings = Self.goodHost().findings
        #expect(findings.filter { $0.level != .ok } == [])
        #expect(Set(findings.map(\.id)).count == findings.count, "every finding has an id of its own")
        #expect(findings.allSatisfy { $0.fixes.isEmpty }, "what is well needs no mending")
    }

    /// One thing wrong at a time: the finding that says so, how bad, and a word of what mends it.
    static let table: [(String, DoctorFinding.Level, String, @Sendable (inout DoctorFacts) -> Void)] = [
        (
            "watch-limit", .problem, "fs.inotify.max_user_watches=65536",
            { $0.watches.watchLimit = .known(8_192) }
        ),
        ("watch-limit", .warning, "max_user_watches=65536", { $0.watches.watchLimit = .known(16_000) }),
        (
            "watch-limit", .problem, "max_user_watches=1048576",
            { $0.watches.users = [WatchUser(pid: 9, command: [0x1B], instances: 1, watches: 490_000)] }
        ),
        ("watch-limit", .note, "", { $0.watches.watchLimit = .unknown("permission denied") }),
        ("watch-instances", .problem, "max_user_instances=256", { $0.watches.instanceLimit = .known(0) }),
        ("watch-queue", .note, "max_queued_events=65536", { $0.watches.queueLimit = .known(16_384) }),
        ("watch-queue", .warning, "max_queued_events=65536", { $0.watches.queueLimit = .known(100) }),
        ("kernel-fanotify", .note, "", { $0.kernel.fanotifyNames = .missing }),
        ("kernel-fanotify-pidfd", .note, "sudo", { $0.kernel.fanotifyProcess = .denied }),
        ("who", .note, "", { $0.kernel.fanotifyProcess = .missing }),
        ("who", .note, "", { $0.kernel.fanotifyProcess = .denied }),
        ("who", .note, "", { $0.kernel.processConnector = .missing }),
        ("who", .note, "", { $0.privileges.capabilities = .known([.sysAdmin, .dacReadSearch, .sysPtrace]) }),
        ("who", .note, "", { $0.privileges.capabilities = .known([.sysAdmin, .netAdmin]) }),
        ("who", .note, "", { $0.privileges.capabilities = .unknown("x") }),
        ("kernel-openat2", .note, "", { $0.kernel.openat2 = .failed(.io) }),
        ("privilege-user", .note, "sudo", { $0.privileges.uid = 1_000 }),
        ("privilege-capabilities", .warning, "", { $0.privileges.capabilities = .known([.sysAdmin]) }),
        ("privilege-capabilities", .note, "", { $0.privileges.capabilities = .unknown("x") }),
        ("privilege-container", .warning, "", { $0.privileges.container = "docker" }),
        ("privilege-user-namespace", .warning, "", { $0.privileges.isInUserNamespace = .known(true) }),
        ("privilege-mount-namespace", .warning, "nsenter", { $0.privileges.hasOwnMounts = .known(true) }),
        ("privilege-mount-namespace", .note, "", { $0.privileges.hasOwnMounts = .unknown("x") }),
        ("scope-unreadable", .warning, "", { $0.rules.scope?.unreadable = 3 }),
        ("scope-not-entered", .warning, "", { $0.rules.scope?.notEntered = ["/srv": "nfs"] }),
        ("scope-not-entered", .note, "", { $0.rules.scope?.notEntered = ["/proc": "proc"] }),
        ("scope-birth-time", .note, "", { $0.rules.scope?.fileSystems[0].hasBirthTimes = false }),
        ("scope-coarse-times", .note, "", { $0.rules.scope?.fileSystems[0].hasCoarseTimes = true }),
        ("scope-identity", .note, "", { $0.rules.scope?.fileSystems[0].hasStableIdentity = false }),
        ("scope-ignored", .note, "rules list", { $0.rules.scope?.ignored.paths = 5 }),
        ("journal-socket", .problem, "systemd-journald", { $0.journal.refusal = .noEntry }),
        (
            "journal-storage", .warning, "Storage=persistent",
            { $0.journal.hasPersistentDirectory = .known(false) }
        ),
        ("journal-storage", .note, "--flush", { $0.journal.hasPersistentJournal = .known(false) }),
        (
            "journal-storage", .problem, "Storage=persistent",
            { $0.journal.configuration.settings = [setting("Storage", "none", section: "Journal")] }
        ),
        ("journal-rate-limit", .warning, "LogRateLimitIntervalSec=0", { $0.unit.settings = [] }),
        ("journal-forwarding", .note, "enable", { $0.journal.upload = .installed }),
        ("journal-forwarding", .note, "apt-get", { $0.journal.upload = .absent }),
        ("disk-space", .problem, "", { $0.change { $0.freeBytes = 1 << 20 } }),
        ("disk-space", .warning, "", { $0.change { $0.freeBytes = 100 << 20 } }),
        ("disk-space", .problem, "findmnt", { $0.change { $0.isReadOnly = true } }),
        ("disk-space", .note, "", { $0.disk = .unknown("x") }),
        ("disk-inodes", .problem, "df -i", { $0.change { $0.freeInodes = 3 } }),
        ("disk-file-system", .problem, "", { $0.change { $0.fileSystem = FileSystem(magic: 0x6969) } }),
        ("disk-file-system", .warning, "", { $0.change { $0.fileSystem = FileSystem(magic: 0x0102_1994) } }),
        ("permission-state", .problem, #"chmod go-w $'/p/q\x20r'"#, { $0.places = [place(.state, 0o702)] }),
        ("permission-state", .warning, "chmod 700", { $0.places = [place(.state, 0o755)] }),
        ("permission-rules", .problem, "chmod go-w", { $0.places = [place(.rules, 0o775)] }),
        ("permission-rules", .problem, "chown 0", { $0.places = [place(.rules, 0o755, uid: 5)] }),
        ("permission-program", .problem, "go-w", { $0.places = [place(.program, 0o777, isAncestor: true)] }),
        ("permission-keys", .problem, "chmod 600", { $0.places = [place(.privateKey, 0o644)] }),
        ("clock-synchronized", .warning, "set-ntp", { $0.clock.isSynchronized = .known(false) }),
        ("clock-synchronized", .note, "", { $0.clock.isSynchronized = .unknown("x") }),
        ("clock-behind", .problem, "timedatectl", { $0.ledger.newest = noon.adding(nanoseconds: day) }),
        ("clock-boot", .problem, "timedatectl", { $0.clock.booted = Timestamp(seconds: 0) }),
        (
            "sandbox-private-tmp", .problem, "PrivateTmp=no",
            { $0.unit.settings.append(setting("PrivateTmp", "yes")) }
        ),
        (
            "sandbox-protect-home", .problem, "ProtectHome=read-only",
            { $0.unit.settings.append(setting("ProtectHome", "tmpfs")) }
        ),
        (
            "sandbox-protect-proc", .problem, "default",
            { $0.unit.settings.append(setting("ProtectProc", "invisible")) }
        ),
        (
            "sandbox-inaccessible-paths", .problem, "InaccessiblePaths=",
            { $0.unit.settings.append(setting("InaccessiblePaths", "/opt")) }
        ),
        ("sandbox-masked", .problem, "unmask", { $0.unit.isMasked = true }),
        ("sandbox", .note, "", { $0.unit = SystemdFile() }),
        ("sandbox-unreadable", .note, "", { $0.unit.unreadable = ["/etc/x.conf": "permission denied"] }),
        ("rules-load", .problem, "rules lint", { $0.rules.failure = "a.yaml:1:1: no" }),
        (
            "rules-packs-off", .note, "",
            { $0.rules.states.append(PackState(name: "rust", file: "r", reason: .notDetected)) }
        ),
        (
            "rules-hidden", .note, "",
            { $0.rules.hidden = [.init(name: Array("gcc.yaml".utf8), place: 0, by: 1, isTurnedOff: true)] }
        ),
        ("rules-approved", .warning, "check", { $0.rules.digest = digest(9) }),
        ("baseline", .problem, "baseline create", { $0.ledger.baseline = .missing }),
        (
            "baseline", .problem, "baseline verify",
            { $0.ledger.baseline = .untrusted("a stranger signed it") }
        ),
        ("history", .problem, "history verify", { $0.ledger.historyFailure = "damaged" }),
        ("service", .warning, "enable --now", { $0.servicePID = nil }),
        (
            "check-age", .warning, "millwarden check",
            { $0.ledger.lastFull = check(ended: noon.adding(nanoseconds: -8 * day)) }
        ),
        ("check-age", .note, "millwarden check", { $0.ledger.lastFull = nil }),
        (
            "gaps-open", .warning, "millwarden check",
            { $0.ledger.openGaps = [Gap(id: 4, reason: .mount, scope: ["/x"], opened: noon)] }
        ),
        ("outbox", .warning, "journald", { $0.ledger.unpublished = 2 }),
    ]

    @Test(arguments: DoctorTests.table.indices)
    func oneThingWrong(index: Int) throws {
        let (id, level, fix, spoil) = Self.table[index]
        var facts = Self.goodHost()
        spoil(&facts)
        let wrong = facts.findings.filter { $0.level != .ok && $0.id == id }
        let finding = try #require(wrong.first, "\(id): \(facts.findings.filter { $0.level != .ok })")
        #expect(finding.level == level, "\(finding)")
        let mended = finding.fixes.contains { "\($0)".contains(fix) || shown($0).contains(fix) }
        #expect(fix.isEmpty || mended, "\(finding.fixes)")
        #expect(
            !finding.message.hasSuffix(".") && finding.message.first?.isUppercase != true,
            "\(finding.message)"
        )
        let texts = [finding.message] + finding.details
        let isSafe = texts.allSatisfy {
            $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        }
        #expect(isSafe, "\(finding)")
    }

    private func shown(_ fix: DoctorFinding.Fix) -> String {
        switch fix {
        case .command(let words): words
        case .file(_, let lines): lines.joined(separator: "\n")
        }
    }

    @Test func everyFindingIsExplained() throws {
        let page = RawPath(#filePath).parent.parent.parent.appending("docs/troubleshooting.md")
        let text = try #require(String(validating: try page.contents(), as: UTF8.self))
        var ids: Set<String> = []
        for (_, _, _, spoil) in Self.table {
            var facts = Self.goodHost()
            spoil(&facts)
            ids.formUnion(facts.findings.map(\.id))
        }
        for key in ["PrivateUsers", "ProcSubset", "PrivateDevices", "PrivateMounts", "RootImage"] {
            var facts = Self.goodHost()
            facts.unit.settings.append(Self.setting(key, "yes"))
            let found = facts.findings.filter { $0.id.hasPrefix("sandbox-") }.map(\.id)
            #expect(found.count == 1, "\(key)")
            ids.formUnion(found)
        }
        for id in ids.sorted() { #expect(text.contains("`\(id)`"), "docs/troubleshooting.md lacks \(id)") }
    }

    /// What is pasted into a shell is one word a line, whatever the facts: no blank, no quote.
    @Test func linesOfFilesCanBeQuoted() {
        for (_, _, _, spoil) in Self.table {
            var facts = Self.goodHost()
            spoil(&facts)
            for case .file(let path, let lines) in facts.findings.flatMap(\.fixes) {
                #expect(lines.allSatisfy { !$0.contains(" ") && !$0.contains("'") }, "\(lines)")
                #expect(shellWord(path) == path.description)
            }
        }
    }

    @Test func theServicesOwnWatchesAreNotSomebodyElses() {
        var facts = Self.goodHost()
        facts.watches.users = [
            WatchUser(pid: 4_711, command: [], instances: 1, watches: 14_001),
            WatchUser(pid: 8, command: [], instances: 1, watches: 10),
        ]
        #expect(facts.budget == WatchBudget(needed: 14_001, limit: 500_000, usedByOthers: 10))
    }

    @Test(arguments: [(100, 0, 65_536), (32_768, 0, 65_536), (32_769, 0, 131_072), (40_000, 50_000, 262_144)])
    func theRecommendedLimitLeavesRoom(needed: Int, others: Int, limit: Int) {
        #expect(WatchBudget(needed: needed, limit: nil, usedByOthers: others).recommended == limit)
    }

    static let statuses: [([DoctorFinding.Level], Int)] = [
        ([], 0), ([.ok, .note], 0), ([.warning, .note], 1), ([.warning, .problem], 2),
    ]

    @Test(arguments: DoctorTests.statuses)
    func theExitStatusIsThatOfAMonitoringPlugin(levels: [DoctorFinding.Level], exit: Int) {
        let report = DoctorReport(
            host: HostIdentity(name: "h", machineID: "", bootID: ""),
            version: "1",
            time: noon,
            findings: levels.map { DoctorFinding("x", $0, "y") },
            budget: nil
        )
        #expect(report.exit == exit)
    }

    @Test func aWalkCountsWhatWatchNeeds() throws {
        let tree = MemoryTree()
        tree.change { world in
            world.write("/t/bin/cc", "1")
            world.write("/t/bin/lib/a", "2")
            world.write("/t/noise/a", "3")
            world.write("/t/noise/b/c", "4")
            world.write("/t/names/x", "5")
        }
        let rules = try ruleSet(
            [
                ruleText("t.bin", watch: ["/t/bin/**"]),
                ruleText("t.names", watch: ["/t/names"], profile: "directory"),
                ruleText("t.noise", watch: ["/t/noise/**"], profile: "ignore"),
            ],
            tree: tree
        )
        for jobs in [0, 3] {
            let facts = ScopeWalk(tree: tree, rules: rules, jobs: jobs).run()
            // `/`, `/t`, `bin`, `lib`, and `names` for the names in it.
            #expect(facts.directories == 5)
            #expect(facts.paths == 5)
            #expect(facts.ignored == IgnoredCount(paths: 4))
            #expect(facts.unreadable == 0 && facts.fileSystems.count == 1)
        }
        var walk = ScopeWalk(tree: tree, rules: rules, jobs: 0)
        walk.refusal = { name, _ in name.elementsEqual("cc".utf8) ? .access : nil }
        #expect(walk.run().firstUnreadable.map(\.path) == ["/t/bin/cc"])
        #expect(walk.countIgnored(limit: 2) == IgnoredCount(paths: 2, isTruncated: true))
    }
}

extension DoctorFacts {
    fileprivate mutating func change(_ body: (inout DiskFacts) -> Void) {
        guard var known = disk.value else { return }
        body(&known)
        disk = .known(known)
    }
}
