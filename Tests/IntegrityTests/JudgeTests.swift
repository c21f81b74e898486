import Testing

@testable import Integrity

struct JudgeTests {
    private let content = Change(.content, [.digest, .size])

    @Test(arguments: Severity.allCases)
    func nobodySaidSo(severity: Severity) {
        let judgement = judge(content, severity: severity, profile: .executable)
        #expect(
            judgement
                == Judgement(verdict: .unauthorized, severity: severity, authorization: nil, explainedBy: nil)
        )
    }

    @Test func anAuthorizationHasToCoverEverything() {
        func verdict(_ attributes: Set<AttributeName>?, _ change: Change) -> Verdict {
            let evidence = Evidence(authorizations: [Authorization(id: "w", attributes: attributes)])
            return judge(change, severity: .high, profile: .executable, evidence: evidence).verdict
        }
        #expect(verdict(nil, content) == .authorized)
        #expect(verdict([.digest, .size], content) == .authorized)
        #expect(verdict([.digest, .size, .mode], content) == .authorized)
        #expect(verdict([.digest], content) == .unauthorized)
        #expect(verdict([], content) == .unauthorized)
        #expect(verdict([.digest], Change(.added)) == .unauthorized)
        #expect(verdict(nil, Change(.removed)) == .authorized)
    }

    @Test func theFirstThatCoversIsNamed() {
        let evidence = Evidence(
            authorizations: [
                Authorization(id: "narrow", attributes: [.mode]), Authorization(id: "wide"),
                Authorization(id: "late"),
            ],
            explanation: "dpkg"
        )
        let judgement = judge(content, severity: .high, profile: .executable, evidence: evidence)
        #expect(
            judgement
                == Judgement(
                    verdict: .authorized,
                    severity: .high,
                    authorization: "wide",
                    explainedBy: "dpkg"
                )
        )
    }

    /// A record that disagrees is worse than none, whatever else explains the change; an authorization outranks it.
    @Test func aContradictionRaisesByOneStep() {
        for (given, raised) in [
            (Severity.critical, Severity.critical), (.high, .critical), (.medium, .high), (.low, .medium),
        ] {
            for explanation in [nil, "dpkg: md5sums of gcc-12"] {
                let evidence = Evidence(
                    explanation: explanation,
                    contradiction: "dpkg: gcc-12 has other bytes"
                )
                let judgement = judge(content, severity: given, profile: .executable, evidence: evidence)
                #expect(judgement.verdict == .unauthorized && judgement.severity == raised)
                #expect(judgement.contradictedBy == "dpkg: gcc-12 has other bytes")
            }
        }
        let evidence = Evidence(authorizations: [Authorization(id: "w")], contradiction: "c")
        let judgement = judge(content, severity: .low, profile: .executable, evidence: evidence)
        #expect(judgement.verdict == .authorized && judgement.severity == .low)
        #expect(judgement.contradictedBy == nil)
    }

    @Test func witnessesAddUp() {
        let vouch = Vouch(source: "pip", package: "requests", version: "2", grade: .file)
        var evidence = Evidence(explanation: "first")
        evidence.add(
            Evidence(authorizations: [Authorization(id: "a")], explanation: "second", vouches: [vouch])
        )
        evidence.add(Evidence(authorizations: [Authorization(id: "b")], contradiction: "no", gap: 3))
        #expect(evidence.authorizations.map(\.id) == ["a", "b"])
        #expect(evidence.explanation == "first" && evidence.contradiction == "no")
        #expect(evidence.vouches == [vouch] && evidence.gap == 3)
    }

    @Test func anExplanationLowersByOneStep() {
        let evidence = Evidence(explanation: "dpkg")
        for (given, lowered) in [
            (Severity.critical, Severity.high), (.high, .medium), (.medium, .low), (.low, .low),
        ] {
            let judgement = judge(content, severity: given, profile: .executable, evidence: evidence)
            #expect(judgement.verdict == .unauthorized && judgement.severity == lowered)
            #expect(judgement.explainedBy == "dpkg")
        }
    }

    @Test func aTransientBehindAGapIsOneStepLower() {
        let evidence = Evidence(gap: 3)
        #expect(
            judge(Change(.transient), severity: .critical, profile: .executable, evidence: evidence).severity
                == .high
        )
        #expect(
            judge(content, severity: .critical, profile: .executable, evidence: evidence).severity
                == .critical
        )
        let both = Evidence(explanation: "dpkg", gap: 3)
        #expect(
            judge(Change(.transient), severity: .critical, profile: .executable, evidence: both).severity
                == .medium
        )
    }

    @Test func whatTheRuleAllowsIsExpected() {
        #expect(judge(Change(.touched), severity: .critical, profile: .executable).verdict == .expected)
        #expect(judge(Change(.touched), severity: .critical, profile: .executable).severity == .low)
        let growth = Change(.content, [.digest, .size], isGrowth: true)
        #expect(judge(growth, severity: .high, profile: .appendOnly).verdict == .expected)
        #expect(judge(Change(.added), severity: .high, profile: .writeOnce).verdict == .expected)
        #expect(judge(Change(.added), severity: .high, profile: .executable).verdict == .unauthorized)
        #expect(judge(Change(.removed), severity: .high, profile: .writeOnce).verdict == .unauthorized)
    }

    @Test func anInventoryIsNeverMoreThanLow() {
        #expect(judge(content, severity: .critical, profile: .inventory).severity == .low)
    }
}
