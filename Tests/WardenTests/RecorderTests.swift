import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

private let cc: RawPath = "/t/cc"

struct RecorderTests {
    private let state: TemporaryDirectory
    private let history: History
    private let recorder: Recorder

    init() throws {
        state = try TemporaryDirectory()
        history = try History.open(at: state.path, access: .readWrite)
        recorder = Recorder(history: history)
    }

    /// What came of looking at the path, compared with what was recorded of it.
    private func outcome(
        _ before: Attributes?,
        _ after: Attributes?,
        profile: Profile = .executable,
        touches: Touches = .none,
        prefix: Digest? = nil
    ) -> Outcome {
        let rule = someRule(profile)
        let observation = Observation(after, prefix: prefix)
        let subject = Subject(path: cc, rule: rule, recorded: before, observation: observation, touches: touches)
        let state = after.map { RecordedState.examined($0, isRacy: false) }
        return Outcome(path: cc, rule: rule, finding: assess(subject), state: state)
    }

    /// Records, and tells the rows that came of it.
    private func record(_ outcomes: Outcome...) throws -> [String] {
        try recorder.record(outcomes, at: noon).map { entry in
            switch entry.event {
            case .change(let finding): finding.change.name
            case .resolved(let resolution): "resolved \(resolution.resolves)"
            default: entry.event.name
            }
        }
    }

    private let good = someAttributes(1, "good")
    private let evil = someAttributes(1, "evil", ctime: 1)
    private let worse = someAttributes(1, "worse", ctime: 2)
    private let restored = someAttributes(1, "good", ctime: 3)

    @Test func nothingIsWrittenWhereNothingDiffers() throws {
        #expect(try record(outcome(good, good)) == [])
        #expect(try history.newestSeq() == 0)
    }

    @Test func eachDistinctStateIsOneRow() throws {
        #expect(try record(outcome(good, evil)) == ["content"])
        #expect(try record(outcome(good, evil)) == [])
        #expect(try record(outcome(good, worse)) == ["content"])
        #expect(try record(outcome(good, evil)) == ["content"])
        #expect(try history.allStanding().map(\.seq) == [3])
    }

    @Test func onlyTheLastStateOfABatchStands() throws {
        #expect(try record(outcome(good, evil), outcome(good, worse)) == ["content", "content"])
        #expect(try history.currentStanding(cc)?.state == .examined(worse, isRacy: false))
    }

    /// A new ctime alone is nothing new to tell, yet `accept` compares with what was seen last.
    @Test func theStateSeenLastIsKeptSilently() throws {
        _ = try record(outcome(good, evil))
        var later = evil
        later.ctime = noon.adding(nanoseconds: 99)
        #expect(try record(outcome(good, later)) == [])
        #expect(try history.currentStanding(cc)?.state == .examined(later, isRacy: false))
    }

    @Test func whatIsUndoneIsResolvedOnceAndStaysOnRecord() throws {
        _ = try record(outcome(good, evil))
        #expect(try record(outcome(good, restored, touches: Touches(writes: 1))) == ["resolved 1"])
        #expect(try record(outcome(good, restored)) == [])
        let standing = try history.allStanding()
        #expect(standing.map(\.isCurrent) == [false])
        #expect(standing.map(\.resolved) == [noon])
        #expect(try record(outcome(good, evil)) == ["content"], "again is a change of its own")
        #expect(try history.allStanding().map(\.isCurrent) == [false, true])
    }

    @Test func removedAndBack() throws {
        #expect(try record(outcome(good, nil)) == ["removed"])
        #expect(try record(outcome(good, nil)) == [])
        #expect(try record(outcome(good, good)) == ["resolved 1"])
    }

    @Test func addedAndGone() throws {
        #expect(try record(outcome(nil, evil)) == ["added"])
        #expect(try record(outcome(nil, nil)) == ["resolved 1"])
        #expect(try record(outcome(nil, nil)) == [])
    }

    @Test func aTransientStandsUntilItIsAcknowledged() throws {
        let passing = outcome(good, restored, touches: Touches(writes: 1))
        #expect(try record(passing) == ["transient"])
        #expect(try record(outcome(good, restored)) == [], "the ctime that it left was told")
        #expect(try history.allStanding().map(\.isCurrent) == [false])
        try history.write { (transaction) throws(HistoryError) in try transaction.acknowledge([1]) }
        #expect(try history.allStanding() == [])
    }

    @Test func aSecondTransientIsToldToo() throws {
        _ = try record(outcome(good, restored, touches: Touches(writes: 1)))
        let again = someAttributes(1, "good", ctime: 7)
        #expect(try record(outcome(good, again, touches: Touches(writes: 1))) == ["transient"])
        #expect(try history.allStanding().count == 2)
    }

    @Test func aNameThatCameAndLeftIsTold() throws {
        #expect(try record(outcome(nil, nil, touches: Touches(cameAndLeft: true))) == ["transient"])
        #expect(try history.allStanding().map(\.state) == [nil])
    }

    @Test func touchedIsToldOnce() throws {
        #expect(try record(outcome(good, restored)) == ["touched"])
        #expect(try record(outcome(good, restored)) == [])
    }

    @Test func aChangeBehindATouchIsTold() throws {
        _ = try record(outcome(good, restored))
        #expect(try record(outcome(good, evil)) == ["content"])
        #expect(try history.currentStanding(cc)?.verdict == .unauthorized)
    }

    @Test func aSwapBehindATouchIsTold() throws {
        _ = try record(outcome(good, restored))
        let again = someAttributes(1, "good", ctime: 7)
        #expect(try record(outcome(good, again, touches: Touches(writes: 1))) == ["transient"])
    }

    @Test func aLogThatGrowsIsToldOnceAndFollowed() throws {
        let log = someAttributes(1, "one")
        guard case .digest(let prefix)? = log.content else { throw Missing.digest }
        for (number, text) in ["one two", "one two three", "one two three four"].enumerated() {
            let grown = someAttributes(1, text, ctime: Int64(number))
            let rows = try record(outcome(log, grown, profile: .appendOnly, prefix: prefix))
            #expect(rows == (number == 0 ? ["content"] : []))
            #expect(try history.currentStanding(cc)?.state == .examined(grown, isRacy: false))
        }
        let other = someAttributes(1, "two three four five", ctime: 9)
        #expect(try record(outcome(log, other, profile: .appendOnly, prefix: nil)) == ["content"])
        #expect(try history.currentStanding(cc)?.verdict == .unauthorized)
    }

    private enum Missing: Error { case digest }

    @Test func aFullHistoryIsSaidAndNothingIsHalfWritten() throws {
        try history.limit(pages: 1)
        #expect(throws: HistoryError.full(history.path)) {
            for number in 0..<200 {
                _ = try record(outcome(good, someAttributes(1, "\(number)", ctime: Int64(number))))
            }
        }
        try history.limit(pages: 1 << 20)
        let before = try history.newestSeq()
        #expect(try record(outcome(good, evil)) == ["content"])
        #expect(try history.newestSeq() == before + 1)
    }
}
