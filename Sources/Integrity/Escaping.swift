/// One decoded piece of a byte string: a Unicode scalar with its length in bytes, or one byte that is not UTF-8.
package enum UTF8Piece: Equatable, Sendable {
    case scalar(Unicode.Scalar, length: Int)
    case broken(UInt8)
}

/// Splits bytes into Unicode scalars and broken bytes without repairing anything.
///
/// Strict as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF.
///
/// Not generic, so that other modules do not run it unspecialised.
package struct UTF8Pieces: Sequence, IteratorProtocol {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        self.position = bytes.startIndex
    }

    package init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    package mutating func next() -> UTF8Piece? {
        guard position < bytes.endIndex else { return nil }
        let first = bytes[position]
        if first < 0x80 {
            position += 1
            return .scalar(Unicode.Scalar(first), length: 1)
        }
        let (length, lead): (Int, UInt32) =
            switch first {
            case 0xC2...0xDF: (2, UInt32(first & 0x1F))
            case 0xE0...0xEF: (3, UInt32(first & 0x0F))
            case 0xF0...0xF4: (4, UInt32(first & 0x07))
            default: (0, 0)
            }
        guard length > 0, position + length <= bytes.endIndex else { return broken(first) }
        var value = lead
        for offset in 1..<length {
            let byte = bytes[position + offset]
            guard byte & 0xC0 == 0x80 else { return broken(first) }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        let smallest: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x1_0000
        guard value >= smallest, let scalar = Unicode.Scalar(value) else { return broken(first) }
        position += length
        return .scalar(scalar, length: length)
    }

    private mutating func broken(_ byte: UInt8) -> UTF8Piece {
        position += 1
        return .broken(byte)
    }
}

/// True where every byte belongs to a well-formed UTF-8 sequence.
package func isValidUTF8(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}

/// The text a person sees on a terminal or in a log line.
///
/// Printable UTF-8 stays. Every byte of a control, format (bidirectional marks, zero-width joiners), line or paragraph
/// separator, unassigned or private-use character, and every byte that is not UTF-8, becomes `\xnn` in lower case; a
/// backslash is doubled, so that the text is unambiguous.
package func escaped(_ bytes: some Collection<UInt8>) -> String {
    let bytes = Array(bytes)
    var text = ""
    text.reserveCapacity(bytes.count)
    var position = 0
    for piece in UTF8Pieces(bytes) {
        switch piece {
        case .broken(let byte):
            text += hexEscape(byte)
            position += 1
        case .scalar("\\", _):
            text += #"\\"#
            position += 1
        case .scalar(let scalar, let length):
            if isPrintable(scalar) {
                text.unicodeScalars.append(scalar)
            } else {
                for byte in bytes[position..<position + length] { text += hexEscape(byte) }
            }
            position += length
        }
    }
    return text
}

/// The text of a byte string inside a JSON string, before JSON's own escapes.
///
/// Valid UTF-8 is given as it is. Otherwise each bad byte is `\xnn`, each backslash doubled, and the caller puts the
/// exact bytes beside it in base64.
package func jsonText(_ bytes: [UInt8]) -> (text: String, isExact: Bool) {
    if let exact = String(validating: bytes, as: UTF8.self) { return (exact, true) }
    var text = ""
    for piece in UTF8Pieces(bytes) {
        switch piece {
        case .broken(let byte): text += hexEscape(byte)
        case .scalar("\\", _): text += #"\\"#
        case .scalar(let scalar, _): text.unicodeScalars.append(scalar)
        }
    }
    return (text, false)
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value >= 0x20 && scalar.value < 0x7F { return true }
    return switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
}

private func hexEscape(_ byte: UInt8) -> String {
    "\\x" + hex([byte])
}

/// Lower-case hexadecimal, two digits a byte.
package func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 0x0F)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes of lower- or upper-case hexadecimal text; nil for an odd length or another character.
package func bytes(hex text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
        result.append(high << 4 | low)
    }
    return result
}

private func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

private let base64Alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

/// Base64 with padding (RFC 4648, section 4).
package func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let padded = Array(group) + [UInt8](repeating: 0, count: 3 - group.count)
        let word = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
        for position in 0..<4 {
            text.append(
                position <= group.count
                    ? base64Alphabet[Int(word >> (18 - 6 * UInt32(position)) & 0x3F)]
                    : UInt8(ascii: "=")
            )
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes of base64 text (RFC 4648, section 4); nil where it is not exactly that.
package func bytes(base64 text: some StringProtocol) -> [UInt8]? {
    let symbols = Array(text.utf8)
    guard symbols.count.isMultiple(of: 4) else { return nil }
    var result: [UInt8] = []
    for start in stride(from: 0, to: symbols.count, by: 4) {
        let isLast = start + 4 == symbols.count
        let padding =
            isLast ? symbols[start..<start + 4].reversed().prefix { $0 == UInt8(ascii: "=") }.count : 0
        guard padding <= 2 else { return nil }
        var word: UInt32 = 0
        for position in 0..<4 {
            let symbol = symbols[start + position]
            let value = position >= 4 - padding ? 0 : base64Alphabet.firstIndex(of: symbol)
            guard let value else { return nil }
            word = word << 6 | UInt32(value)
        }
        guard padding == 0 || word & (padding == 1 ? 0xFF : 0xFFFF) == 0 else { return nil }
        let group = [UInt8(word >> 16 & 0xFF), UInt8(word >> 8 & 0xFF), UInt8(word & 0xFF)]
        result.append(contentsOf: group.prefix(3 - padding))
    }
    return result
}
