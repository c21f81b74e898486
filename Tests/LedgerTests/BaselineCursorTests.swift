import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

@Suite struct BaselineCursorTests {
    let state: TemporaryDirectory
    let key: SigningKey
    let file: RawPath

    init() throws {
        state = try TemporaryDirectory()
        key = try SigningKey.generate()
        file = state.appending("b.mwb")
    }

    /// Records of random paths whose names are likely to sort wrongly when somebody forgets what a slash is.
    private func randomPaths(_ count: Int, _ generator: inout SeededGenerator) -> [RawPath] {
        let alphabet: [UInt8] = [0x01, 0x2D, 0x2E, 0x30, 0x61, 0x62, 0xC3, 0xFF]
        var paths: Set<RawPath> = []
        while paths.count < count {
            var path = RawPath.root
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let length = Int.random(in: 1...3, using: &generator)
                path = path.appending(
                    (0..<length).map { _ in alphabet[Int.random(in: 0..<8, using: &generator)] }
                )
            }
            // `.` and `..` are no names.
            guard !path.components.contains(where: { $0.allSatisfy { $0 == 0x2E } }) else { continue }
            paths.insert(path)
        }
        return paths.sorted()
    }

    @Test func seekingAndReadingAgreeWithASortedArray() throws {
        var generator = SeededGenerator()
        for count in [1, 2, 50, 3_000] {
            let records = randomPaths(count, &generator).map { record($0) }
            try writeBaseline(records, to: file, key: key)
            let reader = try BaselineReader.open(file, trusting: [key.publicKey])
            #expect(try allRecords(reader) == records, "\(generator)")
            try reader.verifyRecords()
            var cursor = reader.makeCursor()
            let keys = records.map(\.path.orderKey)
            /// The ordinal of the first record that is not before the key.
            func ordinal(from key: [UInt8]) -> Int {
                keys.firstIndex { !$0.lexicographicallyPrecedes(key) } ?? count
            }
            for path in randomPaths(100, &generator)
                + records.shuffled(using: &generator).prefix(100).map(\.path)
            {
                try cursor.seek(directory: path.parent, after: path.name)
                let behind = ordinal(from: path.orderKey + [0])
                #expect(cursor.ordinal == behind, "\(generator), behind \(path)")
                #expect(
                    try cursor.next()?.decode() == (behind < count ? records[behind] : nil),
                    "\(generator)"
                )
                try cursor.seek(directory: path.parent, to: path.name)
                #expect(
                    try cursor.next()?.ordinal ?? count == ordinal(from: path.orderKey),
                    "\(generator), at \(path)"
                )
                // What stands in the directory begins with its components, each with its NUL, and one more.
                try cursor.seek(directory: path)
                let within = ordinal(from: path.components.flatMap { $0 + [0] } + [0])
                #expect(try cursor.next()?.ordinal ?? count == within, "\(generator), in \(path)")
            }
            for _ in 0..<100 {
                let ordinal = Int.random(in: 0...count, using: &generator)
                try cursor.seek(ordinal: ordinal)
                #expect(cursor.ordinal == ordinal)
                let view = try cursor.next()
                #expect(view?.ordinal == (ordinal < count ? ordinal : nil), "\(generator)")
                #expect(try view?.decode() == (ordinal < count ? records[ordinal] : nil), "\(generator)")
            }
        }
    }

    /// Every record may end its block: runs that go on in the next block, seeks to its first and last record.
    @Test func everyRecordOfManyBlocksIsFound() throws {
        var records: [Record] = []
        for directory in 0..<7 {
            for name in 0..<400 {
                records.append(record(RawPath("/d\(directory)/" + String(1_000 + name)), inode: UInt64(name)))
            }
        }
        try writeBaseline(records, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        #expect(reader.blocks.count > 5)
        for block in reader.blocks { #expect(block.length <= BaselineFormat.blockSize) }
        for (ordinal, record) in records.enumerated() {
            #expect(try reader.record(for: record.path)?.ordinal == ordinal)
        }
        let range = 350..<850
        var visited: [RawPath] = []
        try reader.forEachRecord(in: range) { visited.append($0.path) }
        #expect(visited == records[range].map(\.path))
        visited = []
        try reader.forEachRecord(in: 2_799..<9_999) { visited.append($0.path) }
        #expect(visited == [records[2_799].path])
    }

    @Test func aRecordLongerThanABlockHasOneOfItsOwn() throws {
        var large = attributes(2)
        large.xattrs = (0..<3_000).map {
            ExtendedAttribute(name: Array("user.\(10_000 + $0)".utf8), value: SHA256Hasher.digest(of: [1]))
        }
        let long = Record(path: "/a/b", state: .examined(large, isRacy: false), rule: "gcc.driver")
        let records = [record("/a/a"), long, record("/a/c"), record("/a/d")]
        try writeBaseline(records, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        #expect(reader.blocks.map(\.count) == [1, 1, 2])
        #expect(try allRecords(reader) == records)
        #expect(try reader.record(for: "/a/b")?.record == long)
    }

    @Test func oneRunMayComeInPieces() throws {
        let records = (0..<1_000).map { record(RawPath("/a/" + String(1_000 + $0))) }
        let writer = try BaselineWriter(to: file, rules: someRules)
        for start in stride(from: 0, to: records.count, by: 3) {
            for run in runs(Array(records[start..<min(start + 3, records.count)]), rules: someRules) {
                try writer.append(run)
            }
        }
        #expect(writer.count == 1_000)
        let pieces = try writer.finish(someManifest, key: key)
        let whole = try writeBaseline(records, to: state.appending("whole"), key: key)
        #expect(pieces.root == whole.root)
    }

    @Test func aHundredThousandRecordsStandInAFewMegabytes() throws {
        let writer = try BaselineWriter(to: file, rules: someRules)
        for directory in 0..<1_000 {
            var run = EncodedRun(directory: RawPath("/usr/lib/d" + String(1_000 + directory)))
            for name in 0..<100 {
                let name = Array("file-\(100 + name).h".utf8)
                let found = attributes(UInt64(directory))
                RecordEncoder.append(
                    name: name[...],
                    attributes: found,
                    isRacy: false,
                    ruleIndex: 0,
                    to: &run.bytes
                )
                run.count += 1
            }
            try writer.append(run)
        }
        let summary = try writer.finish(someManifest, key: key)
        #expect(summary.entries == 100_000)
        let status = try #require(try LedgerFile.status(file))
        #expect(status.st_size < 100_000 * 180)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        var cursor = reader.makeCursor()
        var count = 0
        while try cursor.next() != nil { count += 1 }
        #expect(count == 100_000)
        #expect(try reader.record(for: "/usr/lib/d1500/file-150.h")?.ordinal == 50_050)
    }

    @Test func threadsShareOneReader() async throws {
        let records = (0..<3_000).map { record(RawPath("/a/" + String(10_000 + $0))) }
        try writeBaseline(records, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        let paths = records.map(\.path)
        await withTaskGroup(of: Bool.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    stride(from: thread, to: paths.count, by: 7).allSatisfy { index in
                        (try? reader.record(for: paths[index])?.ordinal) == index
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test func directoriesCompareAsTheirPathsDo() {
        var generator = SeededGenerator()
        let paths = randomPaths(300, &generator) + [.root]
        for left in paths {
            for right in paths.prefix(100) {
                let inLeft = left.appending([0x61])
                let inRight = right.appending([0x61])
                let order = compareDirectories(left.bytes[...], right.bytes[...])
                #expect((order < 0) == (inLeft < inRight) && (order == 0) == (left == right), "\(generator)")
            }
        }
    }
}
