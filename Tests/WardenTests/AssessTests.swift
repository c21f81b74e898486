import Host
import Integrity
import Testing

@testable import Warden

func someAttributes(
    _ inode: UInt64,
    _ content: String = "same",
    type: FileType = .file,
    ctime: Int64 = 0
) -> Attributes {
    var attributes = Attributes(type: type)
    attributes.inode = inode
    attributes.mode = 0o755
    attributes.mtime = noon
    attributes.ctime = noon.adding(nanoseconds: ctime)
    attributes.btime = noon
    if type == .file {
        attributes.size = UInt64(content.utf8.count)
        attributes.content = .digest(SHA256Hasher.digest(of: Array(content.utf8)))
    }
    if type == .link { attributes.target = Array(content.utf8) }
    return attributes
}

func someRule(_ profile: Profile = .executable, severity: Severity = .high) -> Rule {
    Rule(
        id: "t.rule",
        pack: "test",
        title: "T",
        reason: "R",
        severity: severity,
        profile: profile,
        watch: ["/t/**"],
        tags: ["attack.t1554"]
    )
}

struct AssessTests {
    private func subject(
        _ profile: Profile,
        _ before: Attributes?,
        _ after: Attributes?,
        touches: Touches = .none,
        from: RawPath? = nil
    ) -> Subject {
        Subject(
            path: "/t/cc",
            rule: someRule(profile),
            recorded: before,
            observation: Observation(after),
            touches: touches,
            from: from
        )
    }

    @Test func whatEqualsTheBaselineIsNoFinding() {
        #expect(assess(subject(.executable, someAttributes(1), someAttributes(1))) == nil)
        #expect(assess(subject(.executable, nil, nil)) == nil)
    }

    @Test(arguments: [
        (Profile.executable, ChangeKind.added, Verdict.unauthorized), (.writeOnce, .added, .expected),
        (.content, .added, .unauthorized),
    ])
    func newNames(profile: Profile, change: ChangeKind, verdict: Verdict) throws {
        let finding = try #require(assess(subject(profile, nil, someAttributes(1))))
        #expect(finding.change == change)
        #expect(finding.verdict == verdict)
        #expect(finding.before == nil)
        #expect(finding.after == someAttributes(1))
        #expect(finding.tags == ["attack.t1554"])
    }

    @Test func aNewNameWithAnOriginIsMoved() throws {
        let finding = try #require(assess(subject(.executable, nil, someAttributes(1), from: "/t/old")))
        #expect(finding.change == .moved)
        #expect(finding.from == "/t/old")
    }

    @Test func ontoARecordedNameItIsWhatBecameOfThat() throws {
        let finding = try #require(
            assess(subject(.executable, someAttributes(1), someAttributes(2, "evil"), from: "/t/old"))
        )
        #expect(finding.change == .content)
        #expect(finding.from == nil)
    }

    @Test(arguments: [
        (Profile.executable, Touches(writes: 1), ChangeKind.transient, Verdict.unauthorized),
        (.executable, Touches(leftAndCame: true), .transient, .unauthorized),
        (.executable, Touches(attributes: true), .touched, .expected),
        (.writeOnce, Touches(writes: 1), .transient, .unauthorized),
        (.configuration, Touches(writes: 1), .touched, .expected),
        (.configuration, Touches(writes: 2), .transient, .unauthorized),
        (.configuration, Touches(leftAndCame: true), .transient, .unauthorized),
        (.content, Touches(writes: 1), .touched, .expected),
    ])
    func whatPassedBy(profile: Profile, touches: Touches, change: ChangeKind, verdict: Verdict) throws {
        let finding = try #require(
            assess(subject(profile, someAttributes(1), someAttributes(1, ctime: 5), touches: touches))
        )
        #expect(finding.change == change)
        #expect(finding.verdict == verdict)
    }

    @Test func insideAGapItIsOneSeverityLowerAndNamesTheGap() throws {
        let touches = Touches(gap: 12)
        let finding = try #require(
            assess(subject(.executable, someAttributes(1), someAttributes(1, ctime: 5), touches: touches))
        )
        #expect(finding.change == .transient)
        #expect(finding.severity == .medium)
        #expect(finding.gap == 12)
    }

    @Test func anAuthorizationIsNamed() throws {
        let evidence = Evidence(authorizations: [Authorization(id: "window-7")])
        let finding = try #require(
            assess(subject(.executable, someAttributes(1), someAttributes(1, "new")), evidence: evidence)
        )
        #expect(finding.verdict == .authorized)
        #expect(finding.authorization == "window-7")
    }
}

struct PairMovesTests {
    private func gone(_ path: RawPath, _ attributes: Attributes) -> Finding {
        var finding = Finding(path: path, change: .removed, rule: "t.rule", severity: .critical, verdict: .unauthorized)
        finding.before = attributes
        return finding
    }

    private func come(_ path: RawPath, _ attributes: Attributes) -> Finding {
        var finding = Finding(path: path, change: .added, rule: "t.rule", severity: .low, verdict: .expected)
        finding.after = attributes
        return finding
    }

    private func told(_ findings: [Finding]) -> [String] { findings.map { "\($0.change) \($0.path)" } }

    @Test func aUniquePairIsOneFinding() throws {
        let paired = pairMoves([gone("/t/a", someAttributes(1)), come("/t/b", someAttributes(1, ctime: 9))])
        let finding = try #require(paired.first)
        #expect(paired.count == 1)
        #expect(finding.change == .moved)
        #expect(finding.path == "/t/b")
        #expect(finding.from == "/t/a")
        #expect(finding.before == someAttributes(1))
        #expect(finding.severity == .critical, "the worse of both halves")
        #expect(finding.verdict == .unauthorized)
    }

    @Test(arguments: [
        [1, 1, 1], [1, 1, 2],
    ])
    func twoCandidatesPairNothing(inodes: [Int]) {
        var findings = [gone("/t/a", someAttributes(1)), come("/t/b", someAttributes(1))]
        findings.append(
            inodes[2] == 1 ? come("/t/c", someAttributes(1)) : gone("/t/c", someAttributes(1))
        )
        #expect(pairMoves(findings) == findings)
    }

    @Test func nothingElsePairs() {
        var born = someAttributes(1)
        born.btime = noon.adding(nanoseconds: 1)
        let others = [someAttributes(2), someAttributes(1, "else"), someAttributes(1, type: .link), born]
        for other in others {
            let findings = [gone("/t/a", someAttributes(1)), come("/t/b", other)]
            #expect(pairMoves(findings) == findings)
        }
    }

    @Test func manyPairsAtOnceKeepEverythingElse() {
        var findings: [Finding] = []
        for number in 0..<50 {
            findings.append(gone(RawPath("/t/old\(number)"), someAttributes(UInt64(number))))
            findings.append(come(RawPath("/t/new\(number)"), someAttributes(UInt64(number))))
        }
        findings.append(gone("/t/lost", someAttributes(1_000)))
        let paired = pairMoves(findings)
        #expect(paired.count == 51)
        #expect(told(paired).contains("removed /t/lost"))
        #expect(paired.filter { $0.change == .moved }.allSatisfy { $0.from?.name.dropFirst(3) == $0.path.name.dropFirst(3) })
    }
}
