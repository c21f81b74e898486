internal import Integrity

/// `1 path`, `2 paths`.
func counted(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    "\(count) " + (count == 1 ? one : many ?? one + "s")
}

/// `a, b and c`.
func enumerated(_ words: [String]) -> String {
    guard words.count > 1, let last = words.last else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
}

/// Bytes in the units of IEC 80000-13, with one digit behind the point: `4.1 GiB`.
package func byteText(_ bytes: UInt64) -> String {
    guard bytes >= 1_024 else { return "\(bytes) B" }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var power = 0
    while power < units.count - 1, bytes >> UInt64(10 * (power + 2)) > 0 { power += 1 }
    let unit = UInt64(1) << UInt64(10 * (power + 1))
    return "\(bytes / unit).\(bytes % unit * 10 / unit) \(units[power])"
}

/// Nanoseconds as a person says them: `350 ms`, `12.3 s`, `4 min 5 s`, `3 h 2 min`, `2 d 4 h`.
package func durationText(_ nanoseconds: Int64) -> String {
    let milliseconds = max(0, nanoseconds) / 1_000_000
    let seconds = milliseconds / 1_000
    switch seconds {
    case 0: return "\(milliseconds) ms"
    case ..<60: return "\(seconds).\(milliseconds % 1_000 / 100) s"
    case ..<3_600: return "\(seconds / 60) min \(seconds % 60) s"
    case ..<86_400: return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    default: return "\(seconds / 86_400) d \(seconds / 3_600 % 24) h"
    }
}

extension Timestamp {
    /// `2026-03-01 10:00:00`, in UTC, to the second.
    var toSecond: String {
        let text = description.prefix { $0 != "." }
        return String(text).replacing("T", with: " ")
    }

    /// With microseconds: `2026-03-01 10:00:00.000000 UTC`.
    var exactText: String { description.replacing("T", with: " ").replacing("Z", with: " UTC") }

    var utc: String { toSecond + " UTC" }
}

/// Text that came from a person or a file: safe on one line, like a path.
func safe(_ text: String) -> String { escaped(text.utf8) }

/// A path as a word that a shell reads back exactly; nil where it holds anything a person should not paste, or a glob
/// would read differently.
func shellWord(_ path: RawPath) -> String? {
    let harmless = path.bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: Array("/._+:@%-,".utf8).contains(byte)
        }
    }
    return harmless && !path.bytes.isEmpty ? path.description : nil
}
