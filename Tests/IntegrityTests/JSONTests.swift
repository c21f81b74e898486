import Integrity
import TestSupport
import Testing

struct JSONTests {
    @Test(arguments: [
        ("null", JSON.null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .int(0)),
        ("-0", .int(0)),
        ("-9223372036854775808", .int(.min)), ("9223372036854775807", .int(.max)), (#""""#, .string("")),
        (#""\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\""#, .string("é😀/\u{8}\u{C}\n\r\t\"\\")), ("[]", .array([])),
        ("[1,[2]]", .array([.int(1), .array([.int(2)])])), ("{}", .object(JSONObject())),
    ])
    func read(text: String, value: JSON) throws {
        #expect(try JSON(parsing: text.utf8) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "True", "01", "-", "1.5", "1e3", "9223372036854775808", "+1", "[1,]", "[,1]", "[1 2]",
        "[", "{",
        #"{"a"}"#, #"{"a":1,}"#, "{a:1}", #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"""#, #""\x""#,
        #""\u12""#,
        #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, "\"\n\"", "\"\u{0}\"", "1 1", "[1]]", "'a'", "// a",
        "NaN",
        #""\u+123""#, #""\u 12 ""#,
    ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text.utf8) }
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func theErrorSaysWhere() {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: Array("[1, x]".utf8)) }
        #expect(error?.offset == 4)
        #expect(error?.description.hasPrefix("not valid JSON at byte 4: ") == true)
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array(String(repeating: "[", count: depth).utf8)
                + Array(String(repeating: "]", count: depth).utf8)
        }
        _ = try JSON(parsing: nested(64))
        #expect(throws: JSONError.self) { try JSON(parsing: nested(65)) }
        #expect(throws: JSONError.self) { try JSON(parsing: nested(100_000)) }
    }

    /// What is written is one line of harmless characters, and reads back equal.
    @Test func whatIsWrittenReadsBack() throws {
        var random = SeededGenerator()
        for _ in 0..<300 {
            let value = any(&random, depth: 0)
            #expect(try JSON(parsing: value.compact.utf8) == value, "\(random)")
            #expect(try JSON(parsing: value.pretty.utf8) == value, "\(random)")
            #expect(value.compact.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "\(random)")
        }
    }

    private func any(_ random: inout SeededGenerator, depth: Int) -> JSON {
        switch Int.random(in: 0...(depth < 4 ? 5 : 3), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .int(Int64(bitPattern: random.next()))
        case 3: return .string(text(&random))
        case 4:
            return .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in any(&random, depth: depth + 1) }
            )
        default:
            var object = JSONObject()
            for position in 0..<Int.random(in: 0...4, using: &random) {
                object.append("\(position)" + text(&random), any(&random, depth: depth + 1))
            }
            return .object(object)
        }
    }

    private func text(_ random: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let value =
                UInt32.random(in: 0...0x10FFFF, using: &random) >> UInt32.random(in: 0...20, using: &random)
            if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
        }
        return text
    }

    /// Random bytes, and documents with a byte changed, are read or refused; nothing else happens.
    @Test func damagedDocumentsNeverTrap() throws {
        var random = SeededGenerator()
        let alphabet = Array(#"{}[]",:\u0123dDeE-+. tfn"#.utf8) + [0x00, 0xFF]
        for _ in 0..<3_000 {
            _ = try? JSON(parsing: random.bytes(upTo: 40, of: alphabet))
            var document = Array(any(&random, depth: 2).compact.utf8)
            if let place = document.indices.randomElement(using: &random) {
                document[place] = random.bytes(upTo: 1).first ?? 0
            }
            if let value = try? JSON(parsing: document) {
                #expect(try JSON(parsing: value.compact.utf8) == value, "\(random)")
            }
        }
    }

    @Test func objectsKeepTheirOrder() {
        var object = JSONObject()
        object["b"] = .int(1)
        object["a"] = .int(2)
        object["b"] = .int(3)
        #expect(JSON.object(object).compact == #"{"a":2,"b":3}"#)
        object["a"] = nil
        #expect(object.members.count == 1)
    }

    @Test func byteStringsKeepTheirBytes() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let value = random.name()
            let list = [random.name(), value]
            var object = JSONObject()
            object.append(bytes: value, as: "path")
            object.append(list: list, as: "list")
            object.append(bytes: nil, as: "none")
            #expect(object.bytes("path") == value, "\(random)")
            #expect(object.list("list") == list, "\(random)")
            #expect((object["path_base64"] == nil) == isValidUTF8(value), "\(random)")
            #expect(object.bytes("none") == nil && object["none"] == .null)
        }
    }

    @Test func pretty() {
        var object = JSONObject()
        object.append("a", .array([.int(1), .null]))
        object.append("b", .array([]))
        #expect(JSON.object(object).pretty == "{\n  \"a\": [\n    1,\n    null\n  ],\n  \"b\": []\n}")
    }

    @Test(arguments: [
        ("\u{1B}[0m", #""\u001b[0m""#), ("\u{7F}", #""\u007f""#), ("\u{85}", #""\u0085""#),
        ("\u{202E}", #""\u202e""#),
        ("\u{2028}", #""\u2028""#), ("\u{E0041}", #""\udb40\udc41""#), ("é😀", #""é😀""#),
    ])
    func aTerminalIsNotDriven(text: String, written: String) {
        #expect(JSON.string(text).compact == written)
    }
}
