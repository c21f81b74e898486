import CLinux
import Foundation
import Host
import Integrity

@testable import Ledger

/// A state directory of one suite's own, removed with it.
final class StateDirectory: Sendable {
    let path: RawPath

    init() throws {
        let base = RawPath(ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp")
        path = base.appending("millwarden-ledger-" + String(UInt64.random(in: .min ... .max), radix: 16))
        try LedgerFile.makeDirectory(path, mode: 0o700)
    }

    deinit { try? FileManager.default.removeItem(atPath: path.description) }

    func file(_ name: String) -> RawPath { path.appending(name) }
}

let isRoot = geteuid() == 0

func read(_ path: RawPath) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path.description)))
}

func write(_ bytes: [UInt8], to path: RawPath) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path.description))
}

func setMode(_ mode: Int, of path: RawPath) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path.description)
}

func names(in path: RawPath) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path.description).sorted()
}

/// The same values from the same seed; a failing test prints the seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
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
    if type == .file { attributes.content = .digest(LedgerHasher.digest(Array("\(inode)".utf8))) }
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
    scope: Scope(rules: LedgerHasher.digest([1]), packs: ["gcc", "git"], homes: ["/root", "/home/a\nb"]),
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
