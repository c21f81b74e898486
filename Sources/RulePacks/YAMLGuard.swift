import Integrity

/// Looks at a rule file's bytes before the YAML parser does, and refuses what could cost it more than the file's size:
/// aliases expand without bound, and do so in a mapping's keys as soon as they are compared. (libyaml itself ends at a
/// depth of 1,000.)
struct YAMLGuard {
    /// Where and why a file is refused.
    struct Refusal: Error, Equatable {
        var line: Int
        var column: Int
        var message: String
    }

    /// Bytes; the largest pack shipped has a hundredth of that.
    static let sizeLimit = 1_048_576

    /// The text of a file that is safe to parse.
    static func text(_ bytes: [UInt8]) throws(Refusal) -> String {
        guard bytes.count <= sizeLimit else {
            throw Refusal(
                line: 1,
                column: 1,
                message: "the file is larger than \(sizeLimit) bytes; split it into packs"
            )
        }
        var line = 1
        var column = 1
        var previous: Unicode.Scalar = "\n"
        var pendingAnchor: (line: Int, column: Int)?
        let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        for piece in UTF8Pieces(hasMark ? bytes[3...] : bytes[...]) {
            guard case .scalar(let scalar, _) = piece else {
                throw Refusal(
                    line: line,
                    column: column,
                    message: "a byte that is not UTF-8; save the file as UTF-8"
                )
            }
            if !isAllowed(scalar) {
                let shown = "U+" + String(scalar.value, radix: 16, uppercase: true)
                throw Refusal(
                    line: line,
                    column: column,
                    message: "the control character \(shown); remove it"
                )
            }
            if let anchor = pendingAnchor, isAnchorLetter(scalar) {
                throw Refusal(
                    line: anchor.line,
                    column: anchor.column,
                    message:
                        "an anchor (`&name`), which rule packs do not take; write the value out, or put a space"
                        + " behind an `&` that belongs to a text"
                )
            }
            pendingAnchor = scalar == "&" && canBeginToken(behind: previous) ? (line, column) : nil
            // As libyaml counts: CR LF is one break, and so are a lone CR, NEL, LS and PS.
            if isBreak(scalar), !(scalar == "\n" && previous == "\r") {
                line += 1
                column = 1
            } else if !isBreak(scalar) {
                column += 1
            }
            previous = scalar
        }
        guard let text = String(validating: hasMark ? bytes[3...] : bytes[...], as: UTF8.self) else {
            throw Refusal(line: 1, column: 1, message: "the file is not UTF-8; save it as UTF-8")
        }
        return text
    }

    /// Whether an anchor's `&` may stand behind a character, which it may not inside a word.
    ///
    /// It can follow only white space, a bracket, a comma, a colon or a closing quote. That it might stand inside a
    /// quoted text or a comment is not looked at, since what a quote begins or ends is for the parser to say.
    private static func canBeginToken(behind scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", "/", "\\", "*", "+", "=", "&", "~", "$", "%",
            "(", ")",
            ";":
            // A dash before an anchor would need a space between.
            false
        default: true
        }
    }

    private static func isAnchorLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }

    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
        default: false
        }
    }

    /// What YAML 1.1 calls printable.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xFEFF: false
        case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFFFD, 0x1_0000...0x10_FFFF: true
        default: false
        }
    }
}
