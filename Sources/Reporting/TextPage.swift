internal import Integrity

/// How a report for people looks.
package struct TextStyle: Hashable, Sendable {
    /// No line is wider than that, whatever the paths in it.
    package var width: Int
    package var isColored: Bool

    package init(width: Int = 80, isColored: Bool = false) {
        self.width = max(width, 40)
        self.isColored = isColored
    }

    package static let plain = TextStyle()
}

/// What a line is painted with where colours were asked for (ECMA-48, SGR).
enum Paint: String {
    case good = "32"
    case bad = "1;31"
    case warning = "33"
    case heading = "1"
    case faint = "2"

    func apply(_ text: String, _ style: TextStyle) -> String {
        style.isColored && !text.isEmpty ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
    }

    init(_ severity: Severity) {
        self = severity >= .high ? .bad : severity == .medium ? .warning : .heading
    }
}

/// A report for people, filled line by line and never wider than its style allows.
struct TextPage {
    let style: TextStyle
    private(set) var text = ""

    init(_ style: TextStyle) {
        self.style = style
    }

    mutating func blank() {
        if !text.isEmpty && !text.hasSuffix("\n\n") { text += "\n" }
    }

    /// A sentence, broken at spaces; the lines after the first stand `hanging` columns further in.
    mutating func sentence(_ words: String, indent: Int = 0, hanging: Int = 0, paint: Paint? = nil) {
        let inner = indent + hanging
        let lines = brokenSentence(words, first: style.width - indent, rest: style.width - inner)
        add(lines, first: spaces(indent), rest: spaces(inner), paint: paint)
    }

    /// A name that must be shown exactly, behind a label.
    mutating func name(_ escapedName: String, label: String = "", indent: Int = 0, paint: Paint? = nil) {
        let lead = spaces(indent) + label
        guard columns(lead) <= style.width / 2 else {
            name(String(label.drop { $0 == " " }), indent: indent, paint: paint)
            name(escapedName, indent: indent + 2, paint: paint)
            return
        }
        let room = style.width - columns(lead)
        add(
            brokenName(escapedName, first: room, rest: room),
            first: lead,
            rest: spaces(columns(lead)),
            paint: paint
        )
    }

    mutating func name(_ path: RawPath, label: String = "", indent: Int = 0, paint: Paint? = nil) {
        name(path.description, label: label, indent: indent, paint: paint)
    }

    /// A label in a column of its own and a sentence behind it.
    mutating func pair(_ label: String, _ value: String, indent: Int = 0, column: Int = 12) {
        let lead = spaces(indent) + padded(label, column) + " "
        let room = style.width - columns(lead)
        add(
            brokenSentence(value, first: room, rest: room),
            first: lead,
            rest: spaces(columns(lead)),
            paint: nil
        )
    }

    /// A command to type, on lines of its own, in a form that a shell takes as it stands.
    mutating func command(_ words: String) {
        let room = style.width - 6
        let lines = brokenSentence(words, first: room - 2, rest: room - 2)
        let joined = lines.enumerated().map { $0.offset < lines.count - 1 ? $0.element + " \\" : $0.element }
        add(joined, first: spaces(4), rest: spaces(6), paint: nil)
    }

    private mutating func add(_ lines: [String], first: String, rest: String, paint: Paint?) {
        for (position, line) in lines.enumerated() {
            let whole = (position == 0 ? first : rest) + line
            text += paint?.apply(whole, style) ?? whole
            text += "\n"
        }
    }
}

func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

/// The text with spaces behind it up to a number of columns.
func padded(_ text: String, _ width: Int) -> String { text + spaces(width - columns(text)) }

/// The text with spaces before it.
func aligned(_ number: some BinaryInteger, _ width: Int) -> String {
    let digits = String(number)
    return spaces(width - digits.utf8.count) + digits
}

/// The first that fits; the last where none does.
func fitting(_ width: Int, _ candidates: [String]) -> String {
    candidates.first { columns($0) <= width } ?? candidates.last ?? ""
}
