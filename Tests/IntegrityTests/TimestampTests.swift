import Integrity
import TestSupport
import Testing

struct TimestampTests {
    @Test(
        arguments: [
            (0, 0, "1970-01-01T00:00:00.000000Z"), (1_772_359_200, 1_500, "2026-03-01T10:00:00.000001Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000Z"), (-1, 999_999_999, "1969-12-31T23:59:59.999999Z"),
            (-62_167_219_200, 0, "0000-01-01T00:00:00.000000Z"),
            (-62_167_219_201, 0, "-0001-12-31T23:59:59.000000Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59.000000Z"),
            (253_402_300_800, 0, "10000-01-01T00:00:00.000000Z"),
            (.max, 0, "292277026596-12-04T15:30:07.000000Z"),
            (.min, 0, "-292277022657-01-27T08:29:52.000000Z"),
        ] as [(Int64, UInt32, String)]
    )
    func writtenAndRead(seconds: Int64, nanoseconds: UInt32, text: String) {
        let time = Timestamp(seconds: seconds, nanoseconds: nanoseconds)
        #expect(time.description == text)
        #expect(
            Timestamp(rfc3339: text) == Timestamp(seconds: seconds, nanoseconds: nanoseconds / 1_000 * 1_000)
        )
    }

    @Test(
        arguments: [
            ("2026-03-01T10:00:00Z", 1_772_359_200, 0), ("2026-03-01t10:00:00z", 1_772_359_200, 0),
            ("2026-03-01 10:00:00.5Z", 1_772_359_200, 500_000_000),
            ("2026-03-01T12:30:00+02:30", 1_772_359_200, 0),
            ("2026-03-01T08:00:00-02:00", 1_772_359_200, 0),
            ("2026-03-01T10:00:00.1234567899Z", 1_772_359_200, 123_456_789),
            ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ] as [(String, Int64, UInt32)]
    )
    func otherFormsAreRead(text: String, seconds: Int64, nanoseconds: UInt32) {
        #expect(Timestamp(rfc3339: text) == Timestamp(seconds: seconds, nanoseconds: nanoseconds))
    }

    @Test(arguments: [
        "", "2026", "2026-03-01", "2026-03-01T10:00:00", "2026-13-01T10:00:00Z", "2026-02-29T10:00:00Z",
        "2026-04-31T10:00:00Z", "2026-00-01T10:00:00Z", "2026-01-00T10:00:00Z", "2026-03-01T24:00:00Z",
        "2026-03-01T10:60:00Z", "2026-03-01T10:00:61Z", "2026-03-01T10:00:00.Z", "2026-03-01T10:00:00Zx",
        "2026-03-01T10:00:00+2:00", "226-03-01T10:00:00Z", "02026-03-01T10:00:00Z", "+2026-03-01T10:00:00Z",
        "٢٠٢٦-03-01T10:00:00Z", "292277026597-01-01T00:00:00Z", "999999999999-01-01T00:00:00Z",
        "9999999999999-01-01T00:00:00Z",
    ])
    func whatIsNoTimeIsRefused(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func anyTimeReadsBackToTheMicrosecond() {
        var random = SeededGenerator()
        for _ in 0..<2_000 {
            let time = random.time(wholeMicroseconds: true)
            #expect(Timestamp(rfc3339: time.description) == time, "\(random)")
        }
    }

    @Test func theCalendarCountsEveryDay() {
        var date = CivilDate(daysSinceEpoch: -150_000)
        for day in Int64(-149_999)...150_000 {
            let next = CivilDate(daysSinceEpoch: day)
            let follows =
                next.day == date.day + 1 && next.month == date.month
                || next.day == 1 && (next.month == date.month + 1 || next.month == 1 && date.month == 12)
            guard follows, next.daysSinceEpoch == day else {
                Issue.record("\(date) is followed by \(next)")
                return
            }
            date = next
        }
    }

    @Test func differencesAreHeldAtTheEnds() {
        let (first, last) = (Timestamp(seconds: .min), Timestamp(seconds: .max, nanoseconds: 999_999_999))
        #expect(last.nanoseconds(since: first) == .max)
        #expect(first.nanoseconds(since: last) == .min)
        #expect(last.nanoseconds(since: last) == 0)
        #expect(
            Timestamp(seconds: 2, nanoseconds: 1).nanoseconds(since: Timestamp(seconds: 1, nanoseconds: 2))
                == 999_999_999
        )
    }

    @Test func addingCountsForwardAndBack() {
        let time = Timestamp(seconds: 10, nanoseconds: 5)
        #expect(time.adding(nanoseconds: -6) == Timestamp(seconds: 9, nanoseconds: 999_999_999))
        #expect(time.adding(nanoseconds: 999_999_995) == Timestamp(seconds: 11))
        #expect(time.adding(nanoseconds: -2_000_000_005) == Timestamp(seconds: 8))
    }
}
