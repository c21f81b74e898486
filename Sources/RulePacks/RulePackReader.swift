import Integrity
import Yams

/// Turns YAML into a pack, and notes everything that is wrong on the way.
struct RulePackReader {
    struct Content {
        var name: String
        var title: String
        var detect: [Glob]
        var rules: [Rule] = []
        var globs: [RuleGlobs] = []
        var positions: [RulePosition] = []
    }

    /// So many are enough to mend a file by.
    static let errorLimit = 100
    private static let packKeys = ["pack", "title", "detect", "rules"]
    private static let ruleKeys = [
        "id", "title", "reason", "severity", "profile", "watch", "except", "absent", "keep", "tags",
    ]

    let file: String
    private(set) var errors: [RulePackError] = []

    init(file: String) {
        self.file = file
    }

    /// Nil, with at least one error, where there is no pack in it at all.
    mutating func read(_ bytes: [UInt8]) -> Content? {
        do throws(YAMLGuard.Refusal) {
            let text = try YAMLGuard.text(bytes)
            guard let root = compose(text) else { return nil }
            guard let map = mapping(root, "the file", RulePackReader.packKeys) else { return nil }
            return pack(map)
        } catch {
            report(error.message, line: error.line, column: error.column)
            return nil
        }
    }

    // MARK: The pack

    private mutating func pack(_ map: Fields) -> Content? {
        let name = identifier(map, "pack", of: "the file")
        let title = sentence(map, "title", of: "the file")
        let detect = globs(map["detect"], "detect", anywhere: false)
        if let empty = map["detect"], empty.value.sequence?.isEmpty == true {
            report(
                "`detect` is empty; name a path, or leave it out for a pack that is always on",
                at: empty.value
            )
        }
        guard let list = map["rules"] else {
            report("`rules` is missing; list at least one rule", at: map.node)
            return nil
        }
        guard let nodes = list.value.sequence, !nodes.isEmpty else {
            report("`rules` is no list of rules; write one rule a `- `", at: list.value)
            return nil
        }
        var content = Content(name: name ?? "", title: title ?? "", detect: detect)
        var known: [RuleID: RulePosition] = [:]
        for node in nodes {
            guard let (rule, globs, position) = rule(node, pack: content.name) else { continue }
            if !rule.id.isEmpty, let there = known.updateValue(position, forKey: rule.id) {
                let place = "line \(there.line), column \(there.column)"
                report("the id `\(rule.id)` is used at \(place) already; give each rule its own", position)
            }
            content.rules.append(rule)
            content.globs.append(globs)
            content.positions.append(position)
        }
        return content
    }

    // MARK: A rule

    private mutating func rule(_ node: Node, pack: String) -> (Rule, RuleGlobs, RulePosition)? {
        guard let map = mapping(node, "a rule", RulePackReader.ruleKeys) else { return nil }
        let id = identifier(map, "id", of: "the rule")
        let owner = id.map { "the rule `\($0)`" } ?? "the rule"
        let globs = RuleGlobs(
            watch: globs(map["watch"], "watch", anywhere: false),
            except: globs(map["except"], "except", anywhere: true),
            absent: globs(map["absent"], "absent", anywhere: false)
        )
        checkSelection(map, owner)
        let rule = Rule(
            id: id ?? "",
            pack: pack,
            title: sentence(map, "title", of: owner) ?? "",
            reason: sentence(map, "reason", of: owner) ?? "",
            severity: choice(map, "severity", of: owner, Severity.allCases.reversed(), \.name) ?? .low,
            profile: choice(map, "profile", of: owner, Profile.allCases, \.name) ?? .ignore,
            watch: globs.watch.map(\.text),
            except: globs.except.map(\.text),
            absent: globs.absent.map(\.text),
            keep: map["keep"] == nil ? .none : choice(map, "keep", of: owner, Keep.allCases, \.name) ?? .none,
            tags: tags(map["tags"])
        )
        return (rule, globs, map["id"].map { position($0.value) } ?? position(node))
    }

    private mutating func checkSelection(_ map: Fields, _ owner: String) {
        if let watch = map["watch"], watch.value.sequence?.isEmpty == true {
            report(
                "`watch` of \(owner) is empty, so that it watches nothing; name a path, or remove it",
                at: watch.value
            )
        } else if map["watch"] == nil, map["absent"]?.value.sequence?.isEmpty ?? true {
            report(
                "`watch` is missing in \(owner); name the paths, or those that must not exist in `absent`",
                at: map.node
            )
        }
        if let except = map["except"], map["watch"] == nil, except.value.sequence?.isEmpty == false,
            map["absent"] == nil
        {
            report("`except` of \(owner) has nothing to take paths from; add `watch`", at: except.value)
        }
    }

    private mutating func tags(_ field: Field?) -> [String] {
        strings(field, "tags") { text in
            let isPlain = text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._:/-".utf8.contains(byte)
                }
            }
            guard !text.isEmpty, isPlain else {
                return
                    "the tag `\(shown(text))` has other characters than letters, digits and `._:/-`; rename it"
            }
            return nil
        }
    }

    // MARK: Values

    private mutating func globs(_ field: Field?, _ key: String, anywhere: Bool) -> [Glob] {
        var found: [Glob] = []
        _ = strings(field, key) { text in
            do throws(GlobError) {
                found.append(try Glob(text, anywhere: anywhere))
                return nil
            } catch {
                // "a glob is empty" is a sentence of its own; the others follow the glob they speak of.
                return text.isEmpty || text.utf8.count > GlobParser.lengthLimit
                    ? "in `\(key)` \(error)" : "the glob `\(shown(text))` in `\(key)` \(error)"
            }
        }
        return found
    }

    private mutating func strings(_ field: Field?, _ key: String, _ problem: (String) -> String?) -> [String]
    {
        guard let field else { return [] }
        guard let nodes = field.value.sequence else {
            report("`\(key)` is no list; write it as `[first, second]` or one a `- `", at: field.value)
            return []
        }
        var found: [String] = []
        for node in nodes {
            guard let text = text(node) else {
                report("an entry of `\(key)` is no text; put it in quotes", at: node)
                continue
            }
            if let problem = problem(text) {
                report(problem, at: node)
            } else {
                found.append(text)
            }
        }
        return found
    }

    private mutating func identifier(_ map: Fields, _ key: String, of owner: String) -> String? {
        guard let text = required(map, key, of: owner) else { return nil }
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "._-".utf8.contains(byte)
            }
        }
        guard !text.isEmpty, isPlain, text.utf8.count <= 100 else {
            let reason =
                "has other characters than lower-case letters, digits and `._-`, or is empty or too long"
            report("the \(key) `\(shown(text))` \(reason); rename it", at: map[key]?.value ?? map.node)
            return nil
        }
        return text
    }

    /// One line: white space, line breaks included, becomes one space.
    private mutating func sentence(_ map: Fields, _ key: String, of owner: String) -> String? {
        guard let text = required(map, key, of: owner) else { return nil }
        if isOneLine(text) { return text }
        let words = text.unicodeScalars.split { $0.properties.isWhitespace }
        guard !words.isEmpty else {
            report("`\(key)` of \(owner) is empty; say it in a few words", at: map[key]?.value ?? map.node)
            return nil
        }
        return words.map { String($0) }.joined(separator: " ")
    }

    private mutating func choice<Value>(
        _ map: Fields,
        _ key: String,
        of owner: String,
        _ values: some Sequence<Value>,
        _ name: (Value) -> String
    ) -> Value? {
        guard let text = required(map, key, of: owner) else { return nil }
        if let match = values.first(where: { name($0) == text }) { return match }
        let names = values.map(name)
        let hint = nearest(text, among: names).map { "did you mean `\($0)`?" } ?? "use \(listed(names))"
        report("`\(shown(text))` is no \(key); \(hint)", at: map[key]?.value ?? map.node)
        return nil
    }

    private mutating func required(_ map: Fields, _ key: String, of owner: String) -> String? {
        guard let field = map[key] else {
            report("`\(key)` is missing in \(owner); add it", at: map.node)
            return nil
        }
        guard let text = text(field.value) else {
            report(
                "`\(key)` is no text; write one value behind the colon, in quotes where it is unclear",
                at: field.value
            )
            return nil
        }
        return text
    }

    /// Nil for lists and mappings, and for what YAML takes for null.
    private func text(_ node: Node) -> String? {
        guard let scalar = node.scalar else { return nil }
        if scalar.style == .plain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return nil }
        return scalar.string
    }
}

// MARK: - YAML

extension RulePackReader {
    struct Field {
        var key: Node
        var value: Node
    }

    /// A mapping whose keys are all known and stand once.
    struct Fields {
        var node: Node
        var fields: [String: Field] = [:]

        subscript(_ key: String) -> Field? { fields[key] }
    }

    private mutating func compose(_ text: String) -> Node? {
        do {
            // Nothing is guessed from a value's look: `title: no` is the word.
            let parser = try Parser(yaml: text, resolver: .basic, constructor: .default, encoding: .utf8)
            if let node = try parser.singleRoot() { return node }
            report("the file is empty; a rule pack begins with `pack: NAME`", line: 1, column: 1)
        } catch let error as YamlError {
            report(error)
        } catch {
            report("the file cannot be read as YAML; check its syntax", line: 1, column: 1)
        }
        return nil
    }

    private mutating func report(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _):
            report("\(problem); check indentation, quotes and brackets", line: mark.line, column: mark.column)
        case .composer(_, let problem, let mark, _):
            let isSecond = problem.contains("another document")
            let next =
                isSecond
                ? "keep one pack a file" : "rule packs take no aliases; quote a glob that begins with `*`"
            report("\(problem); \(next)", line: mark.line, column: mark.column)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.prefix(4).map { "`\(shown($0))`" }.joined(separator: ", ")
            report(
                "\(names) stands twice in one mapping; keep one of them",
                line: max(context.mark.line, 1),
                column: max(context.mark.column, 1)
            )
        default:
            report("the file cannot be read as YAML; check its syntax", line: 1, column: 1)
        }
    }

    mutating func mapping(_ node: Node, _ what: String, _ known: [String]) -> Fields? {
        guard let pairs = node.mapping else {
            report("\(what) is no mapping of `key: value`; begin with `\(known[0]):`", at: node)
            return nil
        }
        checkTag(node)
        var result = Fields(node: node)
        for (key, value) in pairs {
            guard let name = key.scalar?.string else {
                report("a key is no text; use \(listed(known))", at: key)
                continue
            }
            checkTag(key)
            checkTag(value)
            if let elements = value.sequence {
                for element in elements where element.mapping == nil { checkTag(element) }
            }
            guard known.contains(name) else {
                let hint =
                    nearest(name, among: known).map { "did you mean `\($0)`?" } ?? "use \(listed(known))"
                report("unknown key `\(shown(name))` in \(what); \(hint)", at: key)
                continue
            }
            if result.fields.updateValue(Field(key: key, value: value), forKey: name) != nil {
                report("`\(name)` stands twice in \(what); keep one of them", at: key)
            }
        }
        return result
    }

    /// A tag (`!!binary`, `!name`) would give the value another meaning than the one that is read.
    private mutating func checkTag(_ node: Node) {
        let name = node.tag.rawValue
        guard !plainTags.contains(name) else { return }
        report("the tag `\(shown(name))`, which rule packs do not take; remove it", at: node)
    }

    private func position(_ node: Node) -> RulePosition {
        RulePosition(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    private mutating func report(_ message: String, at node: Node) { report(message, position(node)) }

    private mutating func report(_ message: String, line: Int, column: Int) {
        report(message, RulePosition(file: file, line: line, column: column))
    }

    private mutating func report(_ message: String, _ position: RulePosition) {
        guard errors.count < RulePackReader.errorLimit else { return }
        errors.append(RulePackError(position: position, message: message))
    }
}

private let plainTags: [String] = [Tag.Name.implicit, .nonSpecific, .str, .seq, .map].map(\.rawValue)

/// A text from the file on one line, however long and whatever is in it.
private func shown(_ text: String) -> String {
    let bytes = Array(text.utf8)
    guard bytes.count > 120 else { return escaped(bytes) }
    let whole = text.unicodeScalars.prefix(100)
    return escaped(Array(String(whole).utf8)) + "…"
}

/// Words of printable ASCII with one space between: what nearly every sentence is, and nothing has to be done to.
private func isOneLine(_ text: String) -> Bool {
    let space = UInt8(ascii: " ")
    var previous = space
    for byte in text.utf8 {
        guard (0x20...0x7E).contains(byte), byte != space || previous != space else { return false }
        previous = byte
    }
    return previous != space
}

/// A list in words: `a, b or c`.
private func listed(_ names: [String]) -> String {
    names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
}
