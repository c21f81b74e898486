import CLinux
import Host
import Integrity
import TestSupport

@testable import Ledger

func setMode(_ mode: mode_t, of path: RawPath) throws(Errno) {
    try unsafe path.call { unsafe chmod($0, mode) }
}

/// The names in a directory, sorted; all of them are text here.
func names(in path: RawPath) throws -> [String] {
    try LedgerFile.names(in: path).map { String(validating: $0, as: UTF8.self) ?? "?" }.sorted()
}

let noon = Timestamp(seconds: 1_772_366_400, nanoseconds: 123_456_000)

func attributes(_ inode: UInt64, size: UInt64 = 10, type: FileType = .file) -> Attributes {
    var attributes = Attributes(type: type)
    attributes.inode = inode
    attributes.size = size
    attributes.mode = 0o755
    attributes.mtime = noon
    attributes.ctime = noon.adding(nanoseconds: 1)
    attributes.btime = noon.adding(nanoseconds: -1)
    attributes.device = DeviceNumber(major: 254, minor: 1)
    if type == .file { attributes.content = .digest(SHA256Hasher.digest(of: Array("\(inode)".utf8))) }
    return attributes
}

func record(_ path: RawPath, inode: UInt64 = 1, rule: RuleID = "gcc.driver") -> Record {
    Record(path: path, state: .examined(attributes(inode), isRacy: false), rule: rule)
}

/// Runs of the records, by directory; they must be sorted.
func runs(_ records: [Record], rules: [RuleID]) -> [EncodedRun] {
    var runs: [EncodedRun] = []
    for record in records {
        if runs.last?.directory != record.path.parent {
            runs.append(EncodedRun(directory: record.path.parent))
        }
        let index = UInt16(rules.firstIndex(of: record.rule) ?? 0)
        runs[runs.count - 1].append(record, ruleIndex: index)
    }
    return runs
}

let someRules: [RuleID] = ["gcc.driver", "git.hooks", "python.site"]

let someManifest = BaselineManifest(
    generation: 1,
    created: noon,
    scope: Scope(
        rules: SHA256Hasher.digest(of: [1]),
        packs: ["gcc", "git"],
        homes: ["/root", "/home/a\nb"]
    ),
    hostName: "build-07",
    machineID: "0123456789abcdef0123456789abcdef",
    historyID: HistoryID(bytes: Array(0..<16))
)

/// Writes a whole baseline and leaves it at `path`.
@discardableResult
func writeBaseline(
    _ records: [Record],
    to path: RawPath,
    key: SigningKey,
    generation: Int64 = 1,
    rules: [RuleID] = someRules
) throws -> BaselineSummary {
    let temporary = RawPath(bytes: path.bytes + Array(".writing".utf8))
    let writer = try BaselineWriter(to: temporary, rules: rules)
    for run in runs(records, rules: rules) { try writer.append(run) }
    var manifest = someManifest
    manifest.generation = generation
    let summary = try writer.finish(manifest, key: key)
    try LedgerFile.rename(temporary, to: path, isReplacing: true)
    return summary
}

func allRecords(_ reader: BaselineReader) throws -> [Record] {
    var records: [Record] = []
    var cursor = reader.makeCursor()
    while let view = try cursor.next() { records.append(try view.decode()) }
    return records
}
