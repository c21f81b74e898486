import Integrity
import TestSupport
import Testing

struct EscapingTests {
    @Test(arguments: [
        (Array("plain".utf8), "plain"), (Array("a\u{1B}[0m".utf8), #"a\x1b[0m"#),
        (Array("\u{7F}".utf8), #"\x7f"#),
        (Array("\u{9B}".utf8), #"\xc2\x9b"#), (Array("\u{202E}".utf8), #"\xe2\x80\xae"#),
        (Array("\u{200B}\u{FEFF}".utf8), #"\xe2\x80\x8b\xef\xbb\xbf"#),
        (Array("\u{2028}".utf8), #"\xe2\x80\xa8"#),
        (Array("\u{E000}".utf8), #"\xee\x80\x80"#), (Array(#"\"#.utf8), #"\\"#),
        ([0xC0, 0x80], #"\xc0\x80"#),
        ([0xED, 0xA0, 0x80], #"\xed\xa0\x80"#), ([0xF4, 0x90, 0x80, 0x80], #"\xf4\x90\x80\x80"#),
        ([0xE2, 0x82], #"\xe2\x82"#),
        (Array("€😀".utf8), "€😀"), ([], ""),
    ])
    func escapedForPeople(bytes: [UInt8], text: String) {
        #expect(escaped(bytes) == text)
    }

    /// Undoing the escapes gives the bytes back: no two names look the same.
    @Test func escapingIsUnambiguous() throws {
        var random = SeededGenerator()
        for round in 0..<2_000 {
            let bytes = round.isMultiple(of: 2) ? random.bytes(upTo: 30) : random.name()
            #expect(unescaped(escaped(bytes)) == bytes, "\(random)")
            let (text, isExact) = jsonText(bytes)
            #expect(isExact == isValidUTF8(bytes), "\(random)")
            if isExact {
                #expect(Array(text.utf8) == bytes, "\(random)")
            } else {
                #expect(unescaped(text) == bytes, "\(random)")
            }
        }
    }

    private func unescaped(_ text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte != 0x5C {
                result.append(byte)
            } else if rest.first == 0x5C {
                result.append(0x5C)
                rest.removeFirst()
            } else {
                guard rest.popFirst() == UInt8(ascii: "x"),
                    let digits = String(validating: rest.prefix(2), as: UTF8.self),
                    let value = bytes(hex: digits)
                else { return nil }
                result += value
                rest = rest.dropFirst(2)
            }
        }
        return result
    }

    @Test func piecesAgreeWithTheStandardLibrary() {
        var random = SeededGenerator()
        for _ in 0..<2_000 {
            let bytes = random.bytes(
                upTo: 12,
                of: [0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xA0, 0xED, 0xF0, 0x90, 0xF4, 0x8F, 0xFF]
            )
            let pieces = Array(UTF8Pieces(bytes))
            let isWhole = pieces.allSatisfy { if case .scalar = $0 { true } else { false } }
            #expect(isWhole == (String(validating: bytes, as: UTF8.self) != nil), "\(random)")
            let length = pieces.reduce(0) { sum, piece in
                if case .scalar(_, let length) = piece { sum + length } else { sum + 1 }
            }
            #expect(length == bytes.count, "\(random)")
        }
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64Vectors(plain: String, encoded: String) {
        #expect(base64(Array(plain.utf8)) == encoded)
        #expect(bytes(base64: encoded) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm-_", "Zmö=",
    ])
    func base64RefusesWhatIsNotExact(text: String) {
        #expect(bytes(base64: text) == nil)
    }

    @Test(arguments: ["0", "0g", "abc", "0x", "٠٠"])
    func hexRefuses(text: String) {
        #expect(bytes(hex: text) == nil)
    }

    @Test func encodingsGiveBackAnyBytes() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let value = random.bytes(upTo: 50)
            #expect(bytes(base64: base64(value)) == value, "\(random)")
            #expect(bytes(hex: hex(value)) == value, "\(random)")
            #expect(bytes(hex: hex(value).uppercased()) == value, "\(random)")
        }
    }
}
