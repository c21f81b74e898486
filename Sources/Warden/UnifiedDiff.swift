package import Integrity

/// How much of a difference is shown.
package struct DiffLimits: Hashable, Sendable {
    /// Bytes of the whole text.
    package var bytes: Int
    /// Bytes of one line, before they are escaped.
    package var line: Int
    /// Equal lines around each change.
    package var context: Int

    package init(bytes: Int = 16 << 10, line: Int = 320, context: Int = 3) {
        self.bytes = bytes
        self.line = line
        self.context = context
    }
}

/// True for bytes that are no text: a NUL, as every format of a program has one early and no text has any.
package func isBinary(_ bytes: [UInt8]) -> Bool { bytes.contains(0) }

/// The difference of two texts, masked, escaped and cut to the limits.
///
/// A pure function. Its time is bounded by the length of the texts, whatever they hold. Lines are compared as they are
/// and masked afterwards, so that a secret that changed shows as a changed line.
package func unifiedDiff(_ before: [UInt8], _ after: [UInt8], limits: DiffLimits = DiffLimits())
    -> TextDifference
{
    let (old, new) = (TextLines(before), TextLines(after))
    var numbers = LineNumbers()
    let (oldNumbers, newNumbers) = (
        old.lines.map { numbers.number(of: $0) }, new.lines.map { numbers.number(of: $0) }
    )
    let edits = lineEdits(oldNumbers, newNumbers)
    var page = DiffPage(limits: limits)
    let hunks = hunks(edits, oldCount: old.lines.count, context: limits.context)
    if !hunks.isEmpty {
        let oldLines = old.masked(hunks.map(\.old))
        let newLines = new.masked(hunks.map(\.new))
        page.add("--- approved")
        page.add("+++ observed")
        for hunk in hunks { page.add(hunk, oldLines, newLines) }
    }
    let added = edits.reduce(0) { $0 + $1.new.count }
    let removed = edits.reduce(0) { $0 + $1.old.count }
    return page.finished(added: added, removed: removed)
}

/// One text, line by line, each with its line feed.
private struct TextLines {
    let lines: [ArraySlice<UInt8>]

    init(_ bytes: [UInt8]) {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.endIndex
            lines.append(bytes[start..<end])
            start = end
        }
        self.lines = lines
    }

    /// The lines of the ranges, masked; those before are looked at too, since a secret may have begun there.
    func masked(_ ranges: [Range<Int>]) -> [Int: MaskedLine] {
        var mask = SecretMask()
        var result: [Int: MaskedLine] = [:]
        var position = 0
        for range in ranges {
            while position < range.upperBound {
                let line = lines[position]
                let isEnded = line.last == UInt8(ascii: "\n")
                let masked = mask.masked(isEnded ? line.dropLast() : line)
                if position >= range.lowerBound {
                    result[position] = MaskedLine(
                        bytes: masked.line,
                        isMasked: masked.isMasked,
                        isEnded: isEnded
                    )
                }
                position += 1
            }
        }
        return result
    }
}

private struct MaskedLine {
    var bytes: [UInt8]
    var isMasked: Bool
    /// It ends with a line feed.
    var isEnded: Bool
}

/// Gives equal lines of both texts equal numbers.
private struct LineNumbers {
    private var numbers: [ArraySlice<UInt8>: Int32] = [:]

    mutating func number(of line: ArraySlice<UInt8>) -> Int32 {
        let next = Int32(numbers.count)
        return numbers[line]
            ?? {
                numbers[line] = next; return next
            }()
    }
}

/// Edits that lie close together, with the equal lines around them.
private struct Hunk {
    var old: Range<Int>
    var new: Range<Int>
    var edits: [LineEdit]
}

private func hunks(_ edits: [LineEdit], oldCount: Int, context: Int) -> [Hunk] {
    var hunks: [Hunk] = []
    for edit in edits {
        if let last = hunks.last, let previous = last.edits.last,
            edit.old.lowerBound - previous.old.upperBound <= 2 * context
        {
            hunks[hunks.count - 1].edits.append(edit)
        } else {
            hunks.append(Hunk(old: edit.old, new: edit.new, edits: [edit]))
        }
    }
    return hunks.map { hunk in
        guard let first = hunk.edits.first, let last = hunk.edits.last else { return hunk }
        let lead = min(context, first.old.lowerBound)
        let trail = min(context, oldCount - last.old.upperBound)
        return Hunk(
            old: first.old.lowerBound - lead..<last.old.upperBound + trail,
            new: first.new.lowerBound - lead..<last.new.upperBound + trail,
            edits: hunk.edits
        )
    }
}

/// The text of a difference, filled line by line up to its limit.
private struct DiffPage {
    let limits: DiffLimits
    private var text = ""
    private var masked = 0
    private var linesLeftOut = 0

    init(limits: DiffLimits) {
        self.limits = limits
    }

    func finished(added: Int, removed: Int) -> TextDifference {
        var whole = text
        if linesLeftOut > 0 { whole += "[cut: \(linesLeftOut) more lines]\n" }
        return TextDifference(
            text: whole,
            added: added,
            removed: removed,
            masked: masked,
            isCut: linesLeftOut > 0
        )
    }

    mutating func add(_ line: String, isMasked: Bool = false) {
        // Once a line does not fit, no later one is shown: what stands there has no holes.
        guard linesLeftOut == 0, text.utf8.count + line.utf8.count < limits.bytes else {
            linesLeftOut += 1
            return
        }
        text += line + "\n"
        if isMasked { masked += 1 }
    }

    mutating func add(_ hunk: Hunk, _ old: [Int: MaskedLine], _ new: [Int: MaskedLine]) {
        add("@@ -\(span(hunk.old)) +\(span(hunk.new)) @@")
        var position = hunk.old.lowerBound
        for edit in hunk.edits {
            for line in position..<edit.old.lowerBound { add(" ", old[line]) }
            for (place, line) in edit.old.enumerated() {
                add("-", old[line], beside: edit.new.count > place ? new[edit.new.lowerBound + place] : nil)
            }
            for (place, line) in edit.new.enumerated() {
                add("+", new[line], beside: edit.old.count > place ? old[edit.old.lowerBound + place] : nil)
            }
            position = edit.old.upperBound
        }
        for line in position..<hunk.old.upperBound { add(" ", old[line]) }
    }

    /// First line and number of lines, as diff(1) counts them.
    private func span(_ range: Range<Int>) -> String {
        if range.count == 1 { return "\(range.lowerBound + 1)" }
        return "\(range.isEmpty ? range.lowerBound : range.lowerBound + 1),\(range.count)"
    }

    /// A long line is shown from shortly before where it differs from the one that it took the place of.
    private mutating func add(_ sign: String, _ line: MaskedLine?, beside other: MaskedLine? = nil) {
        guard let line else { return }
        var (shown, lead) = (line.bytes[...], "")
        if line.bytes.count > limits.line {
            let equal = other.map { zip($0.bytes, line.bytes).prefix { $0 == $1 }.count } ?? 0
            let start = max(0, min(equal - limits.line / 4, line.bytes.count - limits.line))
            if start > 0 { lead = "[cut: \(start) bytes]" }
            shown = shown[start...].prefix(limits.line)
        }
        let rest = line.bytes.endIndex - shown.endIndex
        let trail = rest > 0 ? "[cut: \(rest) bytes]" : ""
        add(sign + lead + escaped(shown) + trail, isMasked: line.isMasked)
        if !line.isEnded { add("\\ no line feed at the end of the file") }
    }
}
