import Integrity
import Testing

/// One line of `watch --format jsonl` or of `history list --format jsonl`.
struct LogEntry: Equatable, CustomStringConvertible {
    let json: JSONObject

    /// The complete lines of an output.
    static func parse(lines output: [UInt8], location: SourceLocation = #_sourceLocation) throws -> [LogEntry]
    {
        try output.split(separator: UInt8(ascii: "\n")).map { line in
            let object = (try? JSON(parsing: line))?.object
            return LogEntry(
                json: try #require(
                    object,
                    "not a JSON object: \(jsonText(Array(line)).text)",
                    sourceLocation: location
                )
            )
        }
    }

    var seq: Int64 { json["seq"]?.integer ?? -1 }
    var time: String { json["time"]?.text ?? "" }
    var event: String { json["event"]?.text ?? "" }
    var chain: String { json["chain"]?.text ?? "" }
    /// The exact bytes, `path_base64` where the name is not UTF-8.
    var path: RawPath? { json.bytes("path").map(RawPath.init(bytes:)) }
    var from: RawPath? { json.bytes("from").map(RawPath.init(bytes:)) }
    var change: String? { json["change"]?.text }
    var verdict: String? { json["verdict"]?.text }
    var severity: String? { json["severity"]?.text }
    var rule: String? { json["rule"]?.text }
    var resolves: Int64? { json["resolves"]?.integer }
    var before: JSONObject? { json["before"]?.object }
    var after: JSONObject? { json["after"]?.object }
    var attributes: Set<String> { Set((json["attributes"]?.elements ?? []).compactMap(\.text)) }
    var gapReason: String? { json["reason"]?.text }
    /// The gap's number and whether this row opens or closes it.
    var gapID: Int64? { json["id"]?.integer }
    var gapIsClosed: Bool { (json["closed"] ?? .null) != .null }

    var isChange: Bool { event == "change" }

    /// A change somewhere that the sentinels are not.
    var isFinding: Bool { isChange && rule != "demo.marks" }

    var description: String { JSON.object(json).compact }
}

extension Sequence<LogEntry> {
    /// Changes on one path.
    func changes(on path: RawPath) -> [LogEntry] { filter { $0.isChange && $0.path == path } }

    /// For the message of an expectation that fails.
    var listing: String { map { "\n  \($0)" }.joined() }
}

extension JSONObject {
    /// The findings of a check's report, but for sentinels.
    var findings: [LogEntry] {
        (self["findings"]?.elements ?? []).compactMap { $0.object.map(LogEntry.init(json:)) }
            .filter { $0.rule != "demo.marks" }
    }

    func count(_ name: String) -> Int64? { self["summary"]?.object?[name]?.integer }

    var pretty: String { JSON.object(self).pretty }
}
