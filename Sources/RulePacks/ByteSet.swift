/// Which of the 256 bytes a character class or a wildcard takes.
struct ByteSet: Hashable, Sendable {
    private var low: (UInt64, UInt64) = (0, 0)
    private var high: (UInt64, UInt64) = (0, 0)

    init() {}

    /// Every byte but the slash: what `?` and `*` take.
    static let component = ByteSet().inverted

    /// Its runs, which nearly every glob needs.
    static let componentRanges: [ClosedRange<UInt8>] = component.ranges

    var isEmpty: Bool { low == (0, 0) && high == (0, 0) }

    func contains(_ byte: UInt8) -> Bool {
        let bit = UInt64(1) << UInt64(byte & 63)
        return switch byte >> 6 {
        case 0: low.0 & bit != 0
        case 1: low.1 & bit != 0
        case 2: high.0 & bit != 0
        default: high.1 & bit != 0
        }
    }

    mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: low.0 |= bit
        case 1: low.1 |= bit
        case 2: high.0 |= bit
        default: high.1 |= bit
        }
    }

    mutating func remove(_ byte: UInt8) {
        let mask = ~(UInt64(1) << UInt64(byte & 63))
        switch byte >> 6 {
        case 0: low.0 &= mask
        case 1: low.1 &= mask
        case 2: high.0 &= mask
        default: high.1 &= mask
        }
    }

    /// Everything else, and never the slash: no class reaches over a directory's end.
    var inverted: ByteSet {
        var other = ByteSet()
        other.low = (~low.0, ~low.1)
        other.high = (~high.0, ~high.1)
        other.remove(UInt8(ascii: "/"))
        return other
    }

    /// The runs of consecutive bytes, in order.
    var ranges: [ClosedRange<UInt8>] {
        var found: [ClosedRange<UInt8>] = []
        var start: UInt8?
        for byte in UInt8.min...UInt8.max {
            if contains(byte) {
                if start == nil { start = byte }
            } else if let first = start {
                found.append(first...(byte - 1))
                start = nil
            }
        }
        if let first = start { found.append(first...UInt8.max) }
        return found
    }

    static func == (left: ByteSet, right: ByteSet) -> Bool {
        left.low == right.low && left.high == right.high
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(low.0)
        hasher.combine(low.1)
        hasher.combine(high.0)
        hasher.combine(high.1)
    }
}
