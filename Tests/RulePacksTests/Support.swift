import Integrity

@testable import RulePacks

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A digest that depends on every byte and its place; no SHA-256, which this module does not have.
func testDigest(_ bytes: [UInt8]) -> Digest {
    var words: [UInt64] = [1, 2, 3, 4]
    for byte in bytes {
        for index in words.indices {
            words[index] = (words[index] ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 &+ UInt64(index)
        }
    }
    return Digest(words: (words[0], words[1], words[2], words[3]))
}

func pack(_ yaml: String, file: String = "test.yaml") throws -> RulePack {
    try RulePack(Array(yaml.utf8), file: file, digest: testDigest(Array(yaml.utf8)))
}

/// One rule of a pack, in YAML, with what tests seldom care about filled in.
func rule(
    _ id: String,
    watch: [String] = [],
    except: [String] = [],
    absent: [String] = [],
    severity: String = "high",
    profile: String = "executable"
) -> String {
    func list(_ globs: [String]) -> String { "[" + globs.map { "'\($0)'" }.joined(separator: ", ") + "]" }
    var text = "  - {id: \(id), title: T, reason: R, severity: \(severity), profile: \(profile)"
    if !watch.isEmpty { text += ", watch: " + list(watch) }
    if !except.isEmpty { text += ", except: " + list(except) }
    if !absent.isEmpty { text += ", absent: " + list(absent) }
    return text + "}\n"
}

func loaded(_ name: String, _ rules: [String], precedence: Int = 0, file: String? = nil) throws -> LoadedPack
{
    let yaml = "pack: \(name)\ntitle: T\nrules:\n" + rules.joined()
    return LoadedPack(pack: try pack(yaml, file: file ?? "\(name).yaml"), precedence: precedence)
}

func ruleSet(
    _ packs: [LoadedPack],
    homes: [RawPath] = [],
    links: [RawPath: RawPath] = [:]
) throws -> RuleSet {
    try RuleSet(packs: packs, homes: homes, hash: testDigest) { path in
        for (link, target) in links {
            if let moved = path.moved(from: link, to: target) { return moved }
        }
        return path
    }
}

extension RuleSet {
    /// The id of the rule that decides, as the explanation has it; nil where the path is out of scope.
    func decidingRule(_ path: RawPath) -> RuleID? {
        let explanation = decide(path)
        return explanation.isInScope ? explanation.match.map { rules[$0.rule].id } : nil
    }
}

/// Globs by writing every alternative out and trying every way: slow, and nothing in common with the automaton.
enum NaiveGlob {
    static func matches(_ glob: String, _ path: [UInt8]) -> Bool {
        let bytes = Array(glob.utf8)
        let rooted = bytes.first == 0x2F ? bytes : Array("/**/".utf8) + bytes
        let named = path == [0x2F] ? [] : path
        return expand(deepStars(rooted)).contains { matchesPlain(collapse($0), named) }
    }

    static func covers(_ glob: String, _ path: [UInt8]) -> Bool {
        var current = RawPath(bytes: path)
        while true {
            if matches(glob, current.bytes) { return true }
            if current.isRoot { return false }
            current = current.parent
        }
    }

    /// Two stars or more are one byte of their own, before alternatives put single ones side by side.
    private static let deepStar: UInt8 = 1

    private static func deepStars(_ glob: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < glob.count {
            let end: Int
            switch glob[index] {
            case UInt8(ascii: "\\"): end = index + 2
            case UInt8(ascii: "["): end = classEnd(glob, index)
            case UInt8(ascii: "*"):
                let stars = glob[index...].prefix { $0 == UInt8(ascii: "*") }.count
                result.append(stars > 1 ? deepStar : UInt8(ascii: "*"))
                index += stars
                continue
            default: end = index + 1
            }
            result += glob[index..<end]
            index = end
        }
        return result
    }

    /// Shell brace expansion; `\` and `[…]` protect.
    static func expand(_ glob: [UInt8]) -> [[UInt8]] {
        var index = 0
        while index < glob.count {
            switch glob[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "["): index = classEnd(glob, index)
            case UInt8(ascii: "{"):
                let (branches, end) = self.branches(glob, index)
                return branches.flatMap { expand(Array(glob[..<index]) + $0 + Array(glob[end...])) }
            default: index += 1
            }
        }
        return [glob]
    }

    private static func branches(_ glob: [UInt8], _ open: Int) -> (branches: [[UInt8]], end: Int) {
        var found: [[UInt8]] = []
        var depth = 1
        var start = open + 1
        var index = start
        while true {
            switch glob[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "["): index = classEnd(glob, index) - 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ","):
                if depth == 1 {
                    found.append(Array(glob[start..<index]))
                    start = index + 1
                }
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 {
                    found.append(Array(glob[start..<index]))
                    return (found, index + 1)
                }
            default: break
            }
            index += 1
        }
    }

    /// The index behind the `]`.
    private static func classEnd(_ glob: [UInt8], _ open: Int) -> Int {
        var index = open + 1
        if glob[index] == UInt8(ascii: "!") || glob[index] == UInt8(ascii: "^") { index += 1 }
        if glob[index] == UInt8(ascii: "]") { index += 1 }
        while glob[index] != UInt8(ascii: "]") { index += glob[index] == UInt8(ascii: "\\") ? 2 : 1 }
        return index + 1
    }

    /// What alternatives may leave behind: doubled slashes, one at the end, stars beside stars (any bytes and any bytes
    /// are any bytes).
    private static func collapse(_ glob: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var isQuoted = false
        var isStar = false
        for byte in glob {
            let wasStar = isStar
            isStar = !isQuoted && (byte == UInt8(ascii: "*") || byte == deepStar)
            isQuoted = !isQuoted && byte == UInt8(ascii: "\\")
            if byte == 0x2F, result.last == 0x2F { continue }
            if isStar, wasStar, let last = result.popLast() {
                result.append(last == deepStar ? last : byte)
            } else {
                result.append(byte)
            }
        }
        if result.last == 0x2F { result.removeLast() }
        return result
    }

    private static func matchesPlain(_ glob: [UInt8], _ path: [UInt8]) -> Bool {
        // `dir/**` is `dir` too, and `/**` is `/` too.
        if glob.suffix(2) == [0x2F, deepStar], matchesPlain(Array(glob.dropLast(2)), path) { return true }
        return try_(glob[...], path[...])
    }

    private static func try_(_ glob: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Bool {
        guard let first = glob.first else { return path.isEmpty }
        let rest = glob.dropFirst()
        if glob.starts(with: [0x2F, deepStar, 0x2F]) {
            // None, or any number of whole directories, or any bytes that end in a slash.
            guard path.first == 0x2F else { return false }
            for index in path.indices where path[index] == 0x2F {
                if try_(glob.dropFirst(2), path[index...]) { return true }
            }
            return false
        }
        switch first {
        case UInt8(ascii: "*"), deepStar:
            var tail = path
            while true {
                if try_(rest, tail) { return true }
                guard let byte = tail.first, first == deepStar || byte != 0x2F else { return false }
                tail = tail.dropFirst()
            }
        case UInt8(ascii: "?"):
            return path.first.map { $0 != 0x2F } == true && try_(rest, path.dropFirst())
        case UInt8(ascii: "["):
            let end = classEnd(Array(glob), 0)
            guard let byte = path.first, byte != 0x2F else { return false }
            return inClass(Array(glob.prefix(end)), byte) && try_(glob.dropFirst(end), path.dropFirst())
        case UInt8(ascii: "\\"):
            return path.first == rest.first && try_(rest.dropFirst(), path.dropFirst())
        default:
            return path.first == first && try_(rest, path.dropFirst())
        }
    }

    private static func inClass(_ text: [UInt8], _ byte: UInt8) -> Bool {
        var inner = Array(text.dropFirst().dropLast())
        let isInverted = inner.first == UInt8(ascii: "!") || inner.first == UInt8(ascii: "^")
        if isInverted { inner.removeFirst() }
        var found = false
        var index = 0
        func element() -> UInt8 {
            if inner[index] == UInt8(ascii: "\\") { index += 1 }
            index += 1
            return inner[index - 1]
        }
        while index < inner.count {
            let low = element()
            var high = low
            if index + 1 < inner.count, inner[index] == UInt8(ascii: "-") {
                index += 1
                high = element()
            }
            if low <= byte, byte <= high { found = true }
        }
        return found != isInverted
    }
}
