import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// Two baselines compared, record by record.
struct BaselineComparisonTests {
    private static let machine = "0123456789abcdef0123456789abcdef"
    private let state: TemporaryDirectory
    private let key: SigningKey

    init() throws {
        state = try TemporaryDirectory()
        key = try SigningKey.generate()
    }

    private func file(_ inode: UInt64, _ change: (inout Attributes) -> Void = { _ in }) -> RecordedState {
        var attributes = Attributes(type: .file)
        attributes.inode = inode
        attributes.btime = Timestamp(seconds: Int64(inode))
        attributes.mtime = noon
        attributes.ctime = noon
        attributes.mode = 0o755
        attributes.content = .digest(Digest(words: (1, 1, 1, 1)))
        change(&attributes)
        return .examined(attributes, isRacy: false)
    }

    /// A signed baseline of these records.
    private func baseline(
        _ records: [(path: RawPath, state: RecordedState)],
        machine: String = BaselineComparisonTests.machine
    ) throws -> BaselineReader {
        let path = state.path.appending("\(UInt64.random(in: .min ... .max))")
        let writer = try BaselineWriter(to: path, rules: ["t.rule"])
        var run: EncodedRun?
        for (path, state) in records.sorted(by: { $0.path < $1.path }) {
            if run?.directory != path.parent {
                if let run { try writer.append(run) }
                run = EncodedRun(directory: path.parent)
            }
            run?.append(Record(path: path, state: state, rule: "t.rule"), ruleIndex: 0)
        }
        if let run { try writer.append(run) }
        let manifest = BaselineManifest(
            generation: 1,
            created: noon,
            scope: Scope(rules: Digest(words: (0, 0, 0, 0)), packs: [], homes: []),
            hostName: "h",
            machineID: machine,
            historyID: nil
        )
        _ = try writer.finish(manifest, key: key)
        return try withExtendedLifetime(writer) {
            try BaselineReader.open(path, trusting: [key.publicKey])
        }
    }

    private func told(_ before: BaselineReader, _ after: BaselineReader, ignoring: Set<AttributeName> = [])
        throws
        -> [String]
    {
        var told: [String] = []
        let comparison = try BaselineComparison(before, after, ignoring: ignoring)
        let summary = try comparison.run { told.append("\($0.name) \($0.path)") }
        #expect(summary.different == told.count)
        #expect(summary.paths == summary.equal + told.count)
        return told
    }

    @Test func everyKindIsTold() throws {
        let before = try baseline([
            ("/a/gone", file(1)), ("/a/same", file(2)), ("/a/bytes", file(3)), ("/a/mode", file(4)),
            ("/a/inode", file(5)), ("/a/time", file(6)), ("/a/kind", file(7)), ("/a/ctime", file(8)),
            ("/a/unread", file(9)), ("/a/neither", .unexamined(Failure(.open, 13))),
        ])
        let after = try baseline([
            ("/a/new", file(1)), ("/a/same", file(2)),
            ("/a/bytes", file(3) { $0.content = .digest(Digest(words: (2, 2, 2, 2))) }),
            ("/a/mode", file(4) { $0.mode = 0o4755 }), ("/a/inode", file(50)),
            ("/a/time", file(6) { $0.mtime = Timestamp(seconds: 1) }),
            ("/a/kind", .examined(Attributes(type: .directory), isRacy: false)),
            ("/a/ctime", file(8) { $0.ctime = Timestamp(seconds: 1) }),
            ("/a/unread", .unexamined(Failure(.open, 13))), ("/a/neither", .unexamined(Failure(.read, 5))),
        ])
        #expect(
            try told(before, after) == [
                "content /a/bytes", "touched /a/ctime", "removed /a/gone", "replaced /a/inode",
                "type /a/kind",
                "metadata /a/mode", "added /a/new", "touched /a/time", "unexamined /a/unread",
            ]
        )
        #expect(try told(before, before) == [])
        #expect(
            try told(before, after, ignoring: [.digest, .mode, .inode, .mtime, .ctime]) == [
                "removed /a/gone", "type /a/kind", "added /a/new", "unexamined /a/unread",
            ]
        )
    }

    /// Another machine's inodes tell nothing; nor do those of a copy that took the machine id along.
    @Test func identityCountsOnlyWhereTheFilesAreTheSame() throws {
        let before = try baseline([("/a", file(1)), ("/b", file(2))])
        let replaced = [(path: RawPath("/a"), state: file(1)), (path: RawPath("/b"), state: file(3))]
        #expect(try told(before, baseline(replaced)) == ["replaced /b"])
        #expect(try told(before, baseline(replaced, machine: "ffffffffffffffffffffffffffffffff")) == [])
        #expect(try told(before, baseline([("/a", file(11)), ("/b", file(12))])) == [])
        let nameless = try baseline([("/a", file(1)), ("/b", file(2))], machine: "")
        #expect(try told(nameless, baseline(replaced, machine: "")) == [])
        #expect(try BaselineComparison(before, nameless).ignored == [.inode, .ctime])
    }

    @Test func anEmptyOneIsComparedToo() throws {
        let (empty, full) = (try baseline([]), try baseline([("/a", file(1)), ("/b/c", file(2))]))
        #expect(try told(empty, empty) == [])
        #expect(try told(empty, full) == ["added /a", "added /b/c"])
        #expect(try told(full, empty) == ["removed /a", "removed /b/c"])
    }

    /// Directory-major order, names that are no text, many blocks: the same as two dictionaries say.
    @Test(arguments: 0..<20) func theSameAsADictionarySays(round: UInt64) throws {
        var random = SeededGenerator(seed: SeededGenerator().seed &+ round)
        let names: [[UInt8]] =
            ["a", "a-b", "a.b", "b", "ü"].map { Array($0.utf8) } + [[0x01], [0xFF], [0x0A]]
        func make() -> [RawPath: UInt64] {
            var made: [RawPath: UInt64] = [:]
            for _ in 0..<Int.random(in: 0...1_200, using: &random) {
                var path = RawPath.root
                for _ in 0...Int.random(in: 0...4, using: &random) {
                    path = path.appending(names.randomElement(using: &random) ?? [0x61])
                }
                made[path] = UInt64.random(in: 1...3, using: &random)
            }
            return made
        }
        let (old, new) = (make(), make())
        func reader(_ world: [RawPath: UInt64]) throws -> BaselineReader {
            try baseline(
                world.map { (path: $0.key, state: file(9) { $0.size = 0 }.sized(world[$0.key] ?? 0)) }
            )
        }
        let expected = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted().map { path in
            let kind = old[path] == nil ? "added" : new[path] == nil ? "removed" : "content"
            return "\(kind) \(path)"
        }
        #expect(try told(reader(old), reader(new)) == expected, "\(random)")
    }
}

extension RecordedState {
    fileprivate func sized(_ size: UInt64) -> RecordedState {
        guard case .examined(var attributes, let isRacy) = self else { return self }
        attributes.size = size
        return .examined(attributes, isRacy: isRacy)
    }
}
