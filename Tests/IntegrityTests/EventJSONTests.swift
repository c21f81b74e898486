import Integrity
import TestSupport
import Testing

/// Everything the history keeps as JSON reads back equal.
struct EventJSONTests {
    private func finding(_ random: inout SeededGenerator) -> Finding {
        var finding = Finding(
            path: random.path(),
            change: ChangeKind.allCases.randomElement(using: &random) ?? .added,
            rule: "a.rule",
            severity: Severity.allCases.randomElement(using: &random) ?? .low,
            verdict: Verdict.allCases.randomElement(using: &random) ?? .expected
        )
        finding.attributes = [.digest, .mode, .xattr(random.name())]
        finding.before = Bool.random(using: &random) ? random.attributes(forJSON: true) : nil
        finding.after = Bool.random(using: &random) ? random.attributes(forJSON: true) : nil
        finding.from = random.path()
        finding.by = Shadow(kind: .mount, path: random.path(), source: random.name(), fileSystem: "tmpfs")
        finding.via = random.path()
        finding.tags = ["attack.t1554"]
        finding.authorization = "w-1"
        finding.explainedBy = "dpkg"
        finding.contradictedBy = Bool.random(using: &random) ? "dpkg: other bytes" : nil
        finding.vouchedBy = [Vouch(source: "git", package: "p", version: nil, grade: .weak)]
        finding.resolved = random.time(wholeMicroseconds: true)
        var actor = Actor()
        (actor.pid, actor.uid, actor.loginuid, actor.others) = (1, 0, nil, 3)
        (actor.exe, actor.cmdline, actor.parents) = (random.name(), [random.name(), []], [random.name()])
        (actor.unit, actor.container) = ("a.service", nil)
        finding.actor = actor
        finding.gap = 4
        return finding
    }

    private func roundTrip(_ event: Event) throws -> Event? {
        let entry = Entry(
            seq: 1,
            time: Timestamp(seconds: 0),
            chain: Digest(words: (1, 2, 3, 4)),
            event: event
        )
        let members = try #require(try JSON(parsing: entry.json.compact.utf8).object)
        return Event(name: event.name, members: members)
    }

    @Test func findingsOfAnyShape() throws {
        var random = SeededGenerator()
        for _ in 0..<300 {
            let event = Event.change(finding(&random))
            #expect(try roundTrip(event) == event, "\(random)")
        }
    }

    @Test func attributesOfAnyShape() throws {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let attributes = random.attributes(forJSON: true)
            let read = try JSON(parsing: attributes.json.compact.utf8)
            #expect(Attributes(json: read) == attributes, "\(random)")
        }
    }

    /// Two names of which one is the other's escaped form once made a document that could not be read back.
    @Test func xattrNamesThatLookAlikeStayApart() throws {
        var attributes = Attributes(type: .file)
        attributes.xattrs = [Array(#"\xff"#.utf8), Array(#"\xff_"#.utf8), [0xFF]]
            .map { ExtendedAttribute(name: $0, value: Digest(words: (1, 1, 1, 1))) }
        let read = try JSON(parsing: attributes.json.compact.utf8)
        #expect(Attributes(json: read) == attributes)
    }

    /// A file may carry a time beyond the year 9999; its history row must be readable all the same.
    @Test(arguments: [Int64.min, -62_167_219_201, 253_402_300_800, .max])
    func timesOutsideTheFourDigitYears(seconds: Int64) throws {
        var attributes = Attributes(type: .file)
        attributes.mtime = Timestamp(seconds: seconds)
        #expect(Attributes(json: attributes.json) == attributes)
    }

    @Test func everyOtherEvent() throws {
        var random = SeededGenerator()
        let summary = BaselineSummary(
            generation: 2,
            created: random.time(wholeMicroseconds: true),
            entries: 7,
            root: random.digest(),
            signedBy: "ed25519:00"
        )
        let start = StartEvent(
            version: "1",
            pid: 2,
            generation: 3,
            directories: 4,
            rules: random.digest(),
            afterUncleanStop: true
        )
        var counts = CheckSummary()
        for (position, counter) in CheckSummary.counters.enumerated() {
            counts[keyPath: counter.path] = position + 1
        }
        let check = CheckEvent(
            mode: "quick",
            started: random.time(wholeMicroseconds: true),
            finished: random.time(wholeMicroseconds: true),
            generation: 1,
            summary: counts,
            exit: 12,
            worst: .high
        )
        var events: [Event] = [
            .resolved(
                Resolution(path: random.path(), resolves: 9, rule: "r", change: .type, severity: .medium)
            ),
            .start(start), .reload(start), .stop(StopEvent(reason: "SIGTERM", pid: 3)), .check(check),
            .selfProtection(SelfEvent(message: "m", paths: [random.path(), RawPath(bytes: [0x2F, 0xFF])])),
        ]
        for action in [BaselineEvent.Action.intended, .created, .accepted, .abandoned, .imported] {
            var approval = BaselineEvent(
                action: action,
                baseline: summary,
                reason: "CHG",
                uid: 1,
                loginuid: nil,
                accepted: [1, 2],
                paths: 3
            )
            if action == .imported {
                approval.origin = BaselineOrigin(host: "h", machineID: "", trustedKey: "k")
            }
            if action == .intended { approval.origin = BaselineOrigin(host: "", machineID: "m") }
            events.append(.baseline(approval))
        }
        for reason in Gap.Reason.allCases {
            var gap = Gap(
                id: 1,
                reason: reason,
                scope: [random.path()],
                opened: random.time(wholeMicroseconds: true)
            )
            events.append(.gapOpened(gap))
            (gap.closed, gap.found, gap.detail) = (random.time(wholeMicroseconds: true), 0, "d")
            events.append(.gapClosed(gap))
        }
        for (action, kind) in zip(
            AuthorizationEvent.Action.allCases,
            AuthorizationEvent.Kind.allCases
        ) {
            var event = AuthorizationEvent(action: action, kind: kind, id: "window:1", reason: "r")
            events.append(.authorization(event))
            event.requester = Requester(pid: 1, uid: 0, loginuid: 1_000, sudoUser: "ann")
            (event.rules, event.paths) = (["a.b"], [[0x2F, 0xFF], Array("/usr/**".utf8)])
            event.from = random.time(wholeMicroseconds: true)
            event.until = random.time(wholeMicroseconds: true)
            (event.bootID, event.bootFrom, event.bootUntil) = ("b", 1, .max)
            (event.digest, event.serial, event.keys) = (random.digest(), 7, ["ed25519:00"])
            events.append(.authorization(event))
        }
        for event in events { #expect(try roundTrip(event) == event, "\(random)") }
    }

    /// Without any one of its keys an event is refused or differs; it never traps.
    @Test func missingKeysAreNoEvent() throws {
        var random = SeededGenerator()
        let event = Event.change(finding(&random))
        for needed in ["path", "change", "attributes", "rule", "severity", "verdict"] {
            var members = event.members
            members[needed] = nil
            members[needed + "_base64"] = nil
            #expect(Event(name: "change", members: members) == nil, "without \(needed)")
        }
        for name in [
            "change", "resolved", "gap", "start", "reload", "stop", "check", "baseline", "self", "alert", "",
        ] {
            #expect(Event(name: name, members: JSONObject()) == nil)
        }
    }

    @Test func theSummaryHasTheKeysOfTheInterface() {
        #expect(
            CheckSummary.counters.map(\.name) == [
                "examined", "unchanged", "added", "removed", "moved", "changed", "replaced", "transient",
                "shadowed",
                "touched", "unauthorized", "authorized", "expected", "unbaselined", "unexamined", "errors",
                "open_gaps",
            ]
        )
    }

    @Test func everyFindingIsCountedOnceByKindAndOnceByVerdict() {
        var summary = CheckSummary()
        for kind in ChangeKind.allCases {
            for verdict in Verdict.allCases {
                summary.count(Finding(path: "/a", change: kind, rule: "r", severity: .low, verdict: verdict))
            }
        }
        let kinds = [
            summary.added, summary.removed, summary.moved, summary.replaced, summary.transient,
            summary.shadowed, summary.touched,
        ]
        #expect(kinds == Array(repeating: 3, count: 7))
        #expect(summary.changed == 9)  // content, type and metadata
        #expect([summary.unauthorized, summary.authorized, summary.expected] == [10, 10, 10])
    }
}
