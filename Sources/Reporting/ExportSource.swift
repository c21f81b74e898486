package import Integrity

/// What every exported event says of its origin besides the row itself.
package struct ExportSource: Hashable, Sendable {
    package var host: HostIdentity
    /// The version of this program.
    package var version: String

    package init(host: HostIdentity, version: String) {
        self.host = host
        self.version = version
    }

    static let product = "Millwarden"
}

/// What happened, in one word that an alert rule compares with: `file-content`, `gap-opened`, `service-stopped`.
func exportAction(for event: Event) -> String {
    switch event {
    case .change(let finding): "file-" + finding.change.name
    case .resolved: "file-resolved"
    case .gapOpened: "gap-opened"
    case .gapClosed: "gap-closed"
    case .start: "service-started"
    case .stop: "service-stopped"
    case .reload: "service-reloaded"
    case .check: "check-finished"
    case .baseline(let baseline): "baseline-" + baseline.action.rawValue
    case .authorization(let authorization): "authorization-" + authorization.action.rawValue
    case .selfProtection: "self-protection"
    }
}

/// True for what a person has to look at: an unauthorized change, an open gap, a check that was not clean, and
/// interference with the monitor itself.
func isAlert(_ event: Event) -> Bool {
    switch event {
    case .change(let finding): finding.verdict == .unauthorized
    case .gapOpened, .selfProtection: true
    case .check(let check): check.exit != 0
    case .resolved, .gapClosed, .start, .stop, .reload, .baseline, .authorization: false
    }
}

/// One severity for all exports: it follows the journal's `PRIORITY`, so that an authorized change of a critical file
/// does not page anybody.
///
/// The severity of the rule stands beside it, in the own fields.
func exportSeverity(for entry: Entry) -> Severity? {
    switch priority(for: entry) {
    case ...2: .critical
    case 3: .high
    case 4: .medium
    case 5: .low
    default: nil
    }
}

extension Entry {
    /// The own fields: the keys of `history list --format jsonl`, in a form that an index can map.
    ///
    /// What is null or empty is left out, a digest is always text, and xattrs are a list: their names are anybody's
    /// choice and must not become names of fields.
    var ownFields: JSON {
        guard case .object(let object)? = mappable(json) else { return .object(JSONObject()) }
        return .object(object)
    }
}

private func mappable(_ json: JSON) -> JSON? {
    switch json {
    case .null: return nil
    case .array(let elements): return elements.isEmpty ? nil : .array(elements.compactMap(mappable))
    case .object(let object):
        var result = JSONObject()
        for member in object.members {
            if let value = mappable(member) { result.append(member.name, value) }
        }
        return result.members.isEmpty ? nil : .object(result)
    default: return json
    }
}

private func mappable(_ member: JSONObject.Member) -> JSON? {
    switch (member.name, member.value) {
    case ("xattrs", .object(let object)), ("xattrs_base64", .object(let object)):
        let texts = object.members.map { JSON.string("\($0.name)=\($0.value.text ?? "")") }
        return texts.isEmpty ? nil : .array(texts)
    case ("digest", .object):
        return ContentDigest(json: member.value).map { .string(digestText($0)) }
    default: return mappable(member.value)
    }
}

/// An object put together from dotted names; what is nil, null or empty is left out.
struct FieldTree {
    private var fields: [(path: [Substring], value: JSON)] = []

    mutating func add(_ name: String, _ value: JSON?) {
        switch value {
        case nil, .null?, .array([])?: return
        case .object(let object)? where object.members.isEmpty: return
        case let value?: fields.append((name.split(separator: "."), value))
        }
    }

    mutating func add(_ name: String, _ text: String?) { add(name, text.map(JSON.string)) }

    mutating func add(_ name: String, _ number: Int64?) { add(name, number.map(JSON.int)) }

    /// A byte string as the interface's JSON has it; the exact bytes are among the own fields.
    mutating func add(_ name: String, bytes: (some Collection<UInt8>)?) {
        add(name, bytes.map { jsonText(Array($0)).text })
    }

    mutating func add(_ name: String, list: [String]) { add(name, .array(list.map(JSON.string))) }

    var json: JSON { .object(FieldTree.tree(fields[...].map { ($0.path[...], $0.value) })) }

    var isEmpty: Bool { fields.isEmpty }

    private static func tree(_ fields: [(path: ArraySlice<Substring>, value: JSON)]) -> JSONObject {
        var object = JSONObject()
        var done: Set<Substring> = []
        for (path, value) in fields {
            guard let name = path.first, done.insert(name).inserted else { continue }
            let inner = fields.filter { $0.path.first == name && $0.path.count > 1 }
                .map { ($0.path.dropFirst(), $0.value) }
            object.append(String(name), inner.isEmpty ? value : .object(tree(inner)))
        }
        return object
    }
}

/// The ATT&CK techniques among the tags: `attack.t1195.002` is T1195.002.
struct Techniques {
    /// Without the part behind the point, each once, in the order of the tags.
    var ids: [String] = []
    var subtechniques: [String] = []

    init(_ tags: [String]) {
        for tag in tags {
            guard let (technique, sub) = Techniques.parse(tag) else { continue }
            if !ids.contains(technique) { ids.append(technique) }
            if let sub, !subtechniques.contains(sub) { subtechniques.append(sub) }
        }
    }

    private static func parse(_ tag: String) -> (String, String?)? {
        let parts = tag.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts[0].elementsEqual("attack".utf8),
            parts[1].first == UInt8(ascii: "t"), parts[1].count == 5,
            parts[1].dropFirst().allSatisfy(isDigit), let number = String(parts[1].dropFirst())
        else { return nil }
        guard parts.count == 3 else { return ("T" + number, nil) }
        guard parts[2].count == 3, parts[2].allSatisfy(isDigit), let sub = String(parts[2]) else {
            return nil
        }
        return ("T" + number, "T\(number).\(sub)")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

extension Timestamp {
    /// Milliseconds since the epoch; nil where they do not fit.
    var milliseconds: Int64? {
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        let (sum, lost) = scaled.addingReportingOverflow(Int64(nanoseconds / 1_000_000))
        return overflow || lost ? nil : sum
    }

    /// RFC 3339; nil outside the years 0 to 9999, which no log index takes.
    ///
    /// A file's times are whatever somebody set.
    var indexable: String? {
        let text = description
        return text.utf8.count == 27 && !text.hasPrefix("-") ? text : nil
    }
}

extension Attributes {
    /// The permission bits in octal, as everywhere else.
    var octalMode: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// The digest without the algorithm in front.
    var sha256: String? {
        guard case .digest(let digest)? = content else { return nil }
        return hex(digest.bytes)
    }
}

/// The last component of a program's path.
func baseName(_ path: [UInt8]) -> ArraySlice<UInt8> {
    let name = RawPath(bytes: path).name
    return name.isEmpty ? path[...] : name
}
