/// A moment in UTC, in nanoseconds since 1970-01-01T00:00:00Z, as `struct timespec` gives it.
package struct Timestamp: Hashable, Sendable, Comparable {
    /// Seconds since the epoch; negative before it.
    package var seconds: Int64
    /// 0 to 999,999,999, always counted forward.
    package var nanoseconds: UInt32

    package init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = min(nanoseconds, 999_999_999)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// Nanoseconds from `earlier` to this moment, held at the ends of Int64.
    package func nanoseconds(since earlier: Timestamp) -> Int64 {
        let (whole, overflow) = seconds.subtractingReportingOverflow(earlier.seconds)
        guard !overflow else { return seconds < earlier.seconds ? .min : .max }
        let (scaled, tooLarge) = whole.multipliedReportingOverflow(by: 1_000_000_000)
        guard !tooLarge else { return whole < 0 ? .min : .max }
        let (sum, lost) = scaled.addingReportingOverflow(Int64(nanoseconds) - Int64(earlier.nanoseconds))
        return lost ? (whole < 0 ? .min : .max) : sum
    }

    package func adding(nanoseconds delta: Int64) -> Timestamp {
        var whole = seconds &+ delta / 1_000_000_000
        var part = Int64(nanoseconds) + delta % 1_000_000_000
        if part < 0 {
            part += 1_000_000_000
            whole &-= 1
        } else if part >= 1_000_000_000 {
            part -= 1_000_000_000
            whole &+= 1
        }
        return Timestamp(seconds: whole, nanoseconds: UInt32(part))
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with microseconds: `2026-03-01T10:00:00.000000Z`.
    ///
    /// Years outside 0 to 9999 keep all their digits.
    package var description: String {
        let (day, second) = floorDivision(seconds, 86_400)
        let date = CivilDate(daysSinceEpoch: day)
        let clock = [second / 3_600, second / 60 % 60, second % 60].map { padded($0, 2) }.joined(
            separator: ":"
        )
        let year = date.year < 0 ? "-" + padded(-date.year, 4) : padded(date.year, 4)
        return "\(year)-\(padded(date.month, 2))-\(padded(date.day, 2))T\(clock)."
            + padded(Int64(nanoseconds / 1_000), 6) + "Z"
    }

    /// Reads RFC 3339 with any number of fraction digits and `Z` or a numeric offset; also the years outside 0 to 9999
    /// that `description` writes, because a file's times may be anything.
    package init?(rfc3339 text: String) {
        var scanner = DigitScanner(text)
        guard let year = scanner.year(), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2), scanner.skip("T", "t", " "), let hour = scanner.number(2),
            scanner.skip(":"), let minute = scanner.number(2), scanner.skip(":"),
            let second = scanner.number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        let fraction = scanner.fraction()
        guard let fraction, let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        let days = date.daysSinceEpoch
        guard CivilDate(daysSinceEpoch: days) == date else { return nil }
        let wide = Int128(days) * 86_400 + Int128(hour * 3_600 + minute * 60 + second - offset)
        guard let seconds = Int64(exactly: wide) else { return nil }
        self.init(seconds: seconds, nanoseconds: fraction)
    }
}

/// The proleptic Gregorian calendar, after Howard Hinnant's `civil_from_days`.
package struct CivilDate: Equatable, Sendable {
    package var year: Int64
    package var month: Int64
    package var day: Int64

    package init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    package init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = floorDivision(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    package var daysSinceEpoch: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivision(shiftedYear, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

private func floorDivision(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let remainder = value % divisor
    return remainder < 0 ? (value / divisor - 1, remainder + divisor) : (value / divisor, remainder)
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

private struct DigitScanner {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// Four digits or more, with a sign before the year 0; twelve digits reach beyond what 64 bits of seconds do.
    mutating func year() -> Int64? {
        let isNegative = skip("-")
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard (4...12).contains(digits.utf8.count), digits.utf8.count == 4 || !digits.hasPrefix("0"),
            let value = number(digits.utf8.count)
        else { return nil }
        return isNegative ? -value : value
    }

    mutating func number(_ width: Int) -> Int64? {
        let digits = rest.prefix(width)
        guard digits.utf8.count == width, digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        rest = rest.dropFirst(width)
        return Int64(digits)
    }

    mutating func skip(_ allowed: Character...) -> Bool {
        guard let first = rest.first, allowed.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// Nanoseconds; digits beyond the ninth are read and dropped.
    mutating func fraction() -> UInt32? {
        guard skip(".") else { return 0 }
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        let nine = digits.prefix(9)
        return UInt32(nine + String(repeating: "0", count: 9 - nine.count))
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int64? {
        if skip("Z", "z") { return 0 }
        let sign: Int64 = rest.first == "-" ? -1 : 1
        guard skip("+", "-"), let hours = number(2), skip(":"), let minutes = number(2) else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }
}
