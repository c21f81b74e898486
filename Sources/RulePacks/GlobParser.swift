/// One element of a glob.
enum GlobNode: Hashable, Sendable {
    case byte(UInt8)
    case slash
    /// `?` and `[…]`: one byte, never the slash.
    indirect case set(ByteSet)
    /// `*`: any bytes but the slash.
    case star
    /// `**`: any bytes.
    case deepStar
    /// `{…,…}`
    indirect case group([[GlobNode]])
}

/// Why a text is no glob.
package enum GlobError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(limit: Int)
    case holdsNUL
    case notAbsolute(orAnywhere: Bool)
    case otherHome
    case trailingBackslash
    case unclosedClass
    case emptyClass
    case reversedRange(UInt8, UInt8)
    case unclosedGroup
    case unopenedGroup
    case emptyGroup
    case nestedTooDeep(limit: Int)
    case doubledSlash
    case trailingSlash
    case dotComponent(String)

    package var description: String {
        switch self {
        case .empty: "a glob is empty; write a path or a pattern"
        case .tooLong(let limit): "a glob is longer than \(limit) bytes; split it"
        case .holdsNUL: "a glob holds a NUL byte, which no path can hold; remove it"
        case .notAbsolute(true):
            "begins neither with `/` nor with `~/`; write it so, or without any slash in front in `except`"
        case .notAbsolute(false): "begins neither with `/` nor with `~/`; write the path from the root on"
        case .otherHome:
            "only `~/` stands for homes; write `~/` for those of all build users, or the path itself"
        case .trailingBackslash: "ends in a backslash that quotes nothing; write `\\\\` for a backslash"
        case .unclosedClass: "has a `[` without its `]`; close it, or write `\\[` for the bracket itself"
        case .emptyClass: "has a `[…]` that no byte can match; a class never matches `/`"
        case .reversedRange(let first, let last):
            "has the range \(shown(first))-\(shown(last)), which is empty; write the lower end first"
        case .unclosedGroup: "has a `{` without its `}`; close it, or write `\\{` for the brace itself"
        case .unopenedGroup: "has a `}` without its `{`; write `\\}` for the brace itself"
        case .emptyGroup: "has an empty `{}`; write the alternatives, or remove it"
        case .nestedTooDeep(let limit):
            "has braces nested more than \(limit) deep; split it into several globs"
        case .doubledSlash: "has two slashes in a row, which no path has; write one"
        case .trailingSlash:
            "ends in a slash; write `dir` for the directory, `dir/**` for it and all below it"
        case .dotComponent(let name):
            "has the component `\(name)`, which never stands in a canonical path; write the path without it"
        }
    }

    private func shown(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7F ? String(Unicode.Scalar(byte)) : "\\x" + String(byte, radix: 16)
    }
}

/// Reads the text of a glob, byte by byte.
struct GlobParser {
    /// PATH_MAX: a longer one could match nothing that can be opened in one piece, save through `**`.
    static let lengthLimit = 4_096
    static let depthLimit = 16

    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) {
        self.text = text
    }

    /// - Throws: what makes it impossible.
    static func parse(_ text: [UInt8]) throws(GlobError) -> [GlobNode] {
        guard text.count <= lengthLimit else { throw .tooLong(limit: lengthLimit) }
        guard !text.isEmpty else { throw .empty }
        guard !text.contains(0) else { throw .holdsNUL }
        var parser = GlobParser(text)
        let nodes = try parser.sequence(depth: 0)
        try check(nodes)
        return nodes
    }

    /// Reads what `GlobNode.text` wrote: it was checked when it was first read, and resolved links may have made it long.
    static func reread(_ text: [UInt8]) throws(GlobError) -> [GlobNode] {
        var parser = GlobParser(text)
        return try parser.sequence(depth: 0)
    }

    private mutating func sequence(depth: Int) throws(GlobError) -> [GlobNode] {
        var nodes: [GlobNode] = []
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "}") || byte == UInt8(ascii: ",") {
                if depth > 0 { return nodes }
                if byte == UInt8(ascii: "}") { throw .unopenedGroup }
            }
            position += 1
            nodes.append(try node(byte, depth))
        }
        guard depth == 0 else { throw .unclosedGroup }
        return nodes
    }

    private mutating func node(_ byte: UInt8, _ depth: Int) throws(GlobError) -> GlobNode {
        switch byte {
        case UInt8(ascii: "/"): return .slash
        case UInt8(ascii: "?"): return .set(.component)
        case UInt8(ascii: "*"): return stars()
        case UInt8(ascii: "["): return .set(try byteClass())
        case UInt8(ascii: "{"): return .group(try alternatives(depth + 1))
        case UInt8(ascii: "\\"):
            guard position < text.count else { throw .trailingBackslash }
            position += 1
            let quoted = text[position - 1]
            return quoted == UInt8(ascii: "/") ? .slash : .byte(quoted)
        default: return .byte(byte)
        }
    }

    private mutating func stars() -> GlobNode {
        var count = 1
        while position < text.count, text[position] == UInt8(ascii: "*") {
            position += 1
            count += 1
        }
        return count > 1 ? .deepStar : .star
    }

    private mutating func alternatives(_ depth: Int) throws(GlobError) -> [[GlobNode]] {
        guard depth <= GlobParser.depthLimit else { throw .nestedTooDeep(limit: GlobParser.depthLimit) }
        var branches: [[GlobNode]] = []
        while true {
            branches.append(try sequence(depth: depth))
            position += 1
            if text[position - 1] == UInt8(ascii: "}") { break }
        }
        if branches == [[]] { throw .emptyGroup }
        return branches
    }

    /// What stands behind `[`: `]` first is itself, `!` or `^` first inverts, `\` quotes.
    private mutating func byteClass() throws(GlobError) -> ByteSet {
        var taken = ByteSet()
        var isInverted = false
        if position < text.count, text[position] == UInt8(ascii: "!") || text[position] == UInt8(ascii: "^") {
            isInverted = true
            position += 1
        }
        var isFirst = true
        while true {
            guard position < text.count else { throw .unclosedClass }
            if text[position] == UInt8(ascii: "]"), !isFirst { break }
            isFirst = false
            let first = try classByte()
            var last = first
            if position + 1 < text.count, text[position] == UInt8(ascii: "-"),
                text[position + 1] != UInt8(ascii: "]")
            {
                position += 1
                last = try classByte()
            }
            guard first <= last else { throw .reversedRange(first, last) }
            for byte in first...last { taken.insert(byte) }
        }
        position += 1
        taken.remove(UInt8(ascii: "/"))
        let result = isInverted ? taken.inverted : taken
        // NUL stands in no name, so that a class of it alone is as empty as one of nothing.
        var usable = result
        usable.remove(0)
        guard !usable.isEmpty else { throw .emptyClass }
        return result
    }

    private mutating func classByte() throws(GlobError) -> UInt8 {
        if text[position] == UInt8(ascii: "\\") { position += 1 }
        guard position < text.count else { throw .unclosedClass }
        position += 1
        return text[position - 1]
    }

    /// Refuses what no canonical path can match, as far as it is written without alternatives.
    private static func check(_ nodes: [GlobNode]) throws(GlobError) {
        var component: [UInt8]? = []
        var isAfterSlash = false
        for (index, node) in nodes.enumerated() {
            guard node == .slash else {
                isAfterSlash = false
                if case .byte(let byte) = node { component?.append(byte) } else { component = nil }
                if case .group(let branches) = node {
                    for branch in branches { try checkDots(branch) }
                }
                continue
            }
            if isAfterSlash { throw .doubledSlash }
            if index > 0, index == nodes.count - 1 { throw .trailingSlash }
            if let component { try checkDots(component) }
            component = []
            isAfterSlash = true
        }
        if let component { try checkDots(component) }
    }

    private static func checkDots(_ component: [UInt8]) throws(GlobError) {
        if component == Array(".".utf8) { throw .dotComponent(".") }
        if component == Array("..".utf8) { throw .dotComponent("..") }
    }

    /// Within a branch only what stands between two slashes is surely a whole component.
    private static func checkDots(_ branch: [GlobNode]) throws(GlobError) {
        let parts = branch.split(separator: .slash, omittingEmptySubsequences: false)
        for part in parts.dropFirst().dropLast() {
            if part.isEmpty { throw .doubledSlash }
            var name: [UInt8] = []
            for case .byte(let byte) in part { name.append(byte) }
            if name.count == part.count { try checkDots(name) }
        }
    }
}
