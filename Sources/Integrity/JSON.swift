/// A JSON value (RFC 8259) whose objects keep their order, so that what is written is the same byte for byte.
///
/// Numbers are whole: nothing this program says needs a fraction.
package enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

/// The members of an object in the order in which they were set.
package struct JSONObject: Hashable, Sendable {
    package private(set) var members: [Member] = []

    package struct Member: Hashable, Sendable {
        package var name: String
        package var value: JSON
    }

    package init() {}

    package subscript(name: String) -> JSON? {
        get { members.first { $0.name == name }?.value }
        set {
            members.removeAll { $0.name == name }
            if let newValue { members.append(Member(name: name, value: newValue)) }
        }
    }

    /// Adds a member without looking for an earlier one of the same name.
    package mutating func append(_ name: String, _ value: JSON) {
        members.append(Member(name: name, value: value))
    }

    package mutating func append(contentsOf other: JSONObject) {
        members.append(contentsOf: other.members)
    }

    /// Adds a byte string: as text, and where the bytes are not UTF-8, also exactly, as `NAME_base64`.
    package mutating func append(bytes value: [UInt8]?, as name: String) {
        guard let value else {
            append(name, .null)
            return
        }
        let (text, isExact) = jsonText(value)
        append(name, .string(text))
        if !isExact { append(name + "_base64", .string(base64(value))) }
    }

    /// Adds a list of byte strings; `NAME_base64` holds all of them where one is not UTF-8.
    package mutating func append(list: [[UInt8]], as name: String) {
        let texts = list.map(jsonText)
        append(name, .array(texts.map { .string($0.text) }))
        if !texts.allSatisfy(\.isExact) { append(name + "_base64", .array(list.map { .string(base64($0)) })) }
    }

    /// The exact bytes of a member written by `append(bytes:as:)`.
    package func bytes(_ name: String) -> [UInt8]? {
        if case .string(let encoded)? = self[name + "_base64"] { return Integrity.bytes(base64: encoded) }
        guard case .string(let text)? = self[name] else { return nil }
        return Array(text.utf8)
    }

    /// The exact bytes of a member written by `append(list:as:)`.
    package func list(_ name: String) -> [[UInt8]]? {
        if case .array(let encoded)? = self[name + "_base64"] {
            let decoded = encoded.map { $0.text.flatMap { Integrity.bytes(base64: $0) } }
            return decoded.contains { $0 == nil } ? nil : decoded.compactMap { $0 }
        }
        guard case .array(let texts)? = self[name] else { return nil }
        let decoded = texts.map { $0.text.map { Array($0.utf8) } }
        return decoded.contains { $0 == nil } ? nil : decoded.compactMap { $0 }
    }
}

extension JSON {
    package var text: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    package var integer: Int64? {
        guard case .int(let value) = self else { return nil }
        return value
    }

    package var boolean: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    package var elements: [JSON]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    package var object: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    package static func optional(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }
    package static func optional(_ number: Int64?) -> JSON { number.map(JSON.int) ?? .null }
}

/// Writing. Control characters, DEL, C1 and the line separators are escaped, so that a document printed on a terminal
/// cannot drive it.
extension JSON {
    /// On one line, without spaces: the canonical form.
    package var compact: String {
        var output = ""
        write(to: &output, indent: nil)
        return output
    }

    /// Over several lines, for people; two spaces a level.
    package var pretty: String {
        var output = ""
        write(to: &output, indent: 0)
        return output
    }

    private func write(to output: inout String, indent: Int?) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .int(let value): output += String(value)
        case .string(let value): JSON.write(value, to: &output)
        case .array(let values):
            JSON.write(values, "[", "]", to: &output, indent: indent) { value, output, indent in
                value.write(to: &output, indent: indent)
            }
        case .object(let object):
            JSON.write(object.members, "{", "}", to: &output, indent: indent) { member, output, indent in
                JSON.write(member.name, to: &output)
                output += indent == nil ? ":" : ": "
                member.value.write(to: &output, indent: indent)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element],
        _ open: String,
        _ close: String,
        to output: inout String,
        indent: Int?,
        each: (Element, inout String, Int?) -> Void
    ) {
        output += open
        let inner = indent.map { $0 + 1 }
        for (position, element) in elements.enumerated() {
            if position > 0 { output += "," }
            if let inner { output += "\n" + String(repeating: "  ", count: inner) }
            each(element, &output, inner)
        }
        if let indent, !elements.isEmpty { output += "\n" + String(repeating: "  ", count: indent) }
        output += close
    }

    private static func write(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            default:
                if needsEscape(scalar) {
                    for unit in String(scalar).utf16 {
                        let digits = String(unit, radix: 16)
                        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                    }
                } else {
                    output.unicodeScalars.append(scalar)
                }
            }
        }
        output += "\""
    }

    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

/// Why text is not the JSON that this program writes.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// Counted in bytes from 0.
    package var offset: Int
    package var reason: String

    package var description: String { "not valid JSON at byte \(offset): \(reason)" }
}

/// Reading: strict, whole numbers only, at most 64 levels deep, no name twice in one object.
extension JSON {
    package init(parsing text: some Sequence<UInt8>) throws(JSONError) {
        var parser = JSONParser(bytes: Array(text))
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw error("more after the value") }
        return value
    }

    private func error(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard take(byte) else { throw error("expected '\(Unicode.Scalar(byte))'") }
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        for byte in "\(text)".utf8 { try expect(byte) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard depth < 64 else { throw error("nested more than 64 levels deep") }
        skipSpace()
        guard position < bytes.count else { throw error("unexpected end") }
        switch bytes[position] {
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "{"): return try object(depth: depth)
        default: return try number()
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        position += 1
        var object = JSONObject()
        var names: Set<[UInt8]> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(object) }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw error("expected a name")
            }
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else {
                throw error("a name stands twice in one object")
            }
            skipSpace()
            try expect(UInt8(ascii: ":"))
            object.append(name, try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(object) }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = position
        _ = take(UInt8(ascii: "-"))
        let digits = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        let hasLeadingZero = position - digits > 1 && bytes[digits] == 0x30
        guard position > digits, !hasLeadingZero,
            let value = Int64(String(decoding: bytes[start..<position], as: UTF8.self))
        else { throw error("expected a whole number of at most 64 bits") }
        if position < bytes.count, [0x2E, 0x45, 0x65].contains(bytes[position]) {
            throw error("fractions and exponents are not used here")
        }
        return .int(value)
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var collected: [UInt8] = []
        while true {
            guard position < bytes.count else { throw error("a string without its end") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: collected, as: UTF8.self) else {
                    throw error("a string that is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): collected.append(contentsOf: Array(String(try escape()).utf8))
            case 0..<0x20: throw error("a control character inside a string")
            default: collected.append(byte)
            }
        }
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard position < bytes.count else { throw error("a string without its end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try unit()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard (0xD800..<0xDC00).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u"))
            else { throw error("half a surrogate pair") }
            let second = try unit()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw error("half a surrogate pair") }
            return scalar
        default: throw error("an unknown escape")
        }
    }

    private mutating func unit() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count,
            let raw = Integrity.bytes(hex: String(decoding: bytes[position..<position + 4], as: UTF8.self))
        else { throw error("expected four hexadecimal digits") }
        position += 4
        return UInt32(raw[0]) << 8 | UInt32(raw[1])
    }
}
