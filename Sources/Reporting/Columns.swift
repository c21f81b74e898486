internal import Integrity

/// How many columns of a terminal a text takes.
///
/// Counted by scalars, as wcwidth(3) does: combining marks take none, the wide and full-width characters of Unicode's
/// EastAsianWidth.txt take two. Control and format characters do not come here: `escaped` has replaced them.
package func columns(_ text: some StringProtocol) -> Int {
    text.unicodeScalars.reduce(0) { $0 + columns($1) }
}

func columns(_ scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: break
    }
    // The vowels and final consonants of Hangul are drawn into the syllable before them.
    if (0x1160...0x11FF).contains(scalar.value) { return 0 }
    return scalar.value >= 0x1100 && isWide(scalar.value) ? 2 : 1
}

private func isWide(_ value: UInt32) -> Bool {
    var (low, high) = (0, wideRanges.count)
    while low < high {
        let middle = (low + high) / 2
        if wideRanges[middle].upperBound < value { low = middle + 1 } else { high = middle }
    }
    return low < wideRanges.count && wideRanges[low].contains(value)
}

/// The blocks whose characters are wide, in ascending order, a little generously: a line that ends early is better than one too long.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23F3, 0x25FD...0x25FE, 0x2614...0x2615,
    0x2630...0x2637, 0x2648...0x2653, 0x267F...0x267F, 0x268A...0x2693, 0x26A1...0x26A1, 0x26AA...0x26AB,
    0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4, 0x26EA...0x26EA, 0x26F2...0x26F5,
    0x26FA...0x26FD, 0x2705...0x2705, 0x270A...0x270B, 0x2728...0x2728, 0x274C...0x274E, 0x2753...0x2757,
    0x2795...0x2797, 0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B55, 0x2E80...0x303E,
    0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F,
    0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1D300...0x1D376,
    0x1F004...0x1F004,
    0x1F0CF...0x1F0CF, 0x1F18E...0x1F19A, 0x1F200...0x1F320, 0x1F32D...0x1F64F, 0x1F680...0x1F6FF,
    0x1F7E0...0x1F7F0, 0x1F90C...0x1FAFF, 0x20000...0x3FFFD,
]

/// Escaped text in the smallest pieces that may stand on different lines: one escape (`\x0a`, `\\`), or one scalar with
/// the combining marks behind it.
func atoms(_ text: String) -> [String] {
    var result: [String] = []
    var scalars = text.unicodeScalars[...]
    while let first = scalars.popFirst() {
        var atom = String(first)
        if first == "\\" {
            let isHex = scalars.first == "x"
            for scalar in scalars.prefix(isHex ? 3 : 1) { atom.unicodeScalars.append(scalar) }
            scalars = scalars.dropFirst(isHex ? 3 : 1)
        } else if columns(first) == 0, let last = result.popLast() {
            atom = last + atom
        }
        result.append(atom)
    }
    return result
}

/// Lays out a name, a link target or a command over as many lines as it needs, nothing left out.
///
/// `text` is what `escaped` made of the bytes; the first line has `first` columns, the others have `rest`. Where a line
/// ends within the name there is a single backslash, as in a shell: a backslash of the name itself is always doubled.
/// A break behind a slash is preferred.
func brokenName(_ text: String, first: Int, rest: Int) -> [String] {
    var lines: [String] = []
    var pending = atoms(text)[...]
    var room = max(first, 8)
    while !pending.isEmpty {
        var used = 0
        var fits = 0
        for atom in pending {
            used += columns(atom)
            if used > room { break }
            fits += 1
        }
        if fits == pending.count {
            lines.append(pending.joined())
            return lines
        }
        // One column goes to the backslash that marks the break.
        var end = pending.startIndex
        var width = 0
        while end < pending.endIndex, width + columns(pending[end]) <= room - 1 {
            width += columns(pending[end])
            end += 1
        }
        let line = pending[..<end]
        if let cut = line.lastIndex(of: "/"), (cut - line.startIndex) * 2 > line.count { end = cut + 1 }
        end = max(end, pending.startIndex + 1)
        lines.append(pending[..<end].joined() + "\\")
        pending = pending[end...]
        room = max(rest, 8)
    }
    return lines.isEmpty ? [""] : lines
}

/// Breaks a sentence at its spaces; a word that is longer than a line is broken like a name.
func brokenSentence(_ text: String, first: Int, rest: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    var room = max(first, 8)
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
        let isFirst = line.isEmpty && lines.isEmpty
        let candidate = isFirst || line.isEmpty ? String(word) : line + " " + word
        if columns(candidate) <= room {
            line = candidate
            continue
        }
        if !line.isEmpty {
            lines.append(line)
            room = max(rest, 8)
        }
        let pieces = brokenName(String(word), first: room, rest: rest)
        if pieces.count > 1 { room = max(rest, 8) }
        lines.append(contentsOf: pieces.dropLast())
        line = pieces.last ?? ""
    }
    lines.append(line)
    return lines
}
