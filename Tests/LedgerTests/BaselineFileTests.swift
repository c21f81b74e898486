import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

@Suite struct BaselineFileTests {
    let state: TemporaryDirectory
    let key: SigningKey
    let file: RawPath

    init() throws {
        state = try TemporaryDirectory()
        key = try SigningKey.generate()
        file = state.appending("b.mwb")
    }

    private var small: [Record] {
        var link = Attributes(type: .link)
        link.target = Array("../gcc-12".utf8)
        var tagged = attributes(4)
        tagged.xattrs = [ExtendedAttribute(name: Array("user.a\n".utf8), value: SHA256Hasher.digest(of: [2]))]
        return [
            Record(
                path: "/",
                state: .examined(attributes(1, type: .directory), isRacy: false),
                rule: "gcc.driver"
            ),
            Record(path: "/usr", state: .unexamined(Failure(.open, EACCES)), rule: "git.hooks"),
            Record(path: "/usr/bin", state: .examined(link, isRacy: true), rule: "python.site"),
            Record(
                path: "/usr/bin/cc",
                state: .examined(tagged, isRacy: false),
                rule: "gcc.driver",
                via: "/a/b"
            ),
            record(RawPath(bytes: Array("/usr/bin/".utf8) + [0xFF, 0x0A])),
            record("/usr/bin-x/a"),
        ].sorted { $0.path < $1.path }
    }

    /// What the writer wrote is one record whose name no file can have.
    private func expectNamelessRecord(
        _ writer: BaselineWriter,
        location: SourceLocation = #_sourceLocation
    ) throws {
        _ = try writer.finish(someManifest, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        #expect(
            throws: BaselineError.damaged(file, part: "record 0, whose name no file can have"),
            sourceLocation: location
        ) {
            try reader.verifyRecords()
        }
        var cursor = reader.makeCursor()
        let view = try #require(try cursor.next(), sourceLocation: location)
        #expect(throws: BaselineError.self, "no command gets to see it", sourceLocation: location) {
            try view.decode()
        }
    }

    @Test(arguments: ["/usr/../etc", "/usr/.", "usr", "/usr//bin", "/usr/bin/"])
    func aDirectoryThatLeadsElsewhereIsDamage(directory: String) throws {
        let writer = try BaselineWriter(to: file, rules: someRules)
        var run = EncodedRun(directory: RawPath(directory))
        run.append(record("/x/cc"), ruleIndex: 0)
        try writer.append(run)
        try expectNamelessRecord(writer)
    }

    @Test(arguments: [".", "..", "a/b", "a\0b", ""])
    func aNameThatNoFileCanHaveIsDamage(name: String) throws {
        let writer = try BaselineWriter(to: file, rules: someRules)
        var encoded: [UInt8] = []
        RecordEncoder.append(
            name: Array(name.utf8)[...],
            state: record("/x/cc").state,
            ruleIndex: 0,
            via: nil,
            presentAbsent: false,
            to: &encoded
        )
        try writer.append(EncodedRun(directory: "/usr/bin", bytes: encoded, count: 1))
        try expectNamelessRecord(writer)
    }

    @Test func whatIsWrittenReadsBack() throws {
        let summary = try writeBaseline(small, to: file, key: key)
        let reader = try BaselineReader.open(
            file,
            trusting: [try SigningKey.generate().publicKey, key.publicKey]
        )
        #expect(reader.summary == summary)
        #expect(summary.entries == small.count)
        #expect(summary.signedBy == key.id)
        #expect(reader.manifest == someManifest)
        #expect(reader.rules == someRules)
        #expect(try allRecords(reader) == small)
        try reader.verifyRecords()
        for (ordinal, record) in small.enumerated() {
            let found = try #require(try reader.record(for: record.path))
            #expect(found.record == record)
            #expect(found.ordinal == ordinal)
        }
        for absent in ["/a", "/usr/bin/c", "/usr/bin/ccc", "/zzz", "/usr/bin-x"] as [RawPath] {
            #expect(try reader.record(for: absent) == nil)
        }
    }

    @Test func aBaselineWithoutRecordsIsOne() throws {
        try writeBaseline([], to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        #expect(try allRecords(reader).isEmpty)
        #expect(try reader.record(for: "/a") == nil)
        var cursor = reader.makeCursor()
        try cursor.seek(ordinal: 3)
        #expect(try cursor.next() == nil)
        try reader.verifyRecords()
    }

    @Test func theSameRecordsGiveTheSameRoot() throws {
        let first = try writeBaseline(small, to: file, key: key)
        let second = try writeBaseline(small, to: state.appending("c.mwb"), key: key)
        #expect(first.root == second.root)
        let bytes = try file.contents()
        #expect(try bytes == state.appending("c.mwb").contents())
    }

    /// The view shows what the record holds without decoding it.
    @Test func viewsShowTheirRecord() throws {
        try writeBaseline(small, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        var cursor = reader.makeCursor()
        while let view = try cursor.next() {
            let record = small[view.ordinal]
            #expect(view.path == record.path)
            #expect(view.via == record.via)
            #expect(view.compareName(record.path.name) == 0)
            var encoded: [UInt8] = []
            StateCodec.append(record.state, to: &encoded)
            #expect(view.hasState(encoded[...]))
            encoded[encoded.count - 1] ^= 1
            #expect(!view.hasState(encoded[...]))
        }
    }

    @Test func copiedRecordsKeepTheirBytes() throws {
        try writeBaseline(small, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        let writer = try BaselineWriter(to: state.appending("copy"), rules: ["new.rule"] + someRules)
        var cursor = reader.makeCursor()
        while let view = try cursor.next() {
            var run = EncodedRun(directory: view.directory, count: 1)
            RecordEncoder.append(view, ruleIndex: view.ruleIndex + 1, to: &run.bytes)
            try writer.append(run)
        }
        _ = try writer.finish(someManifest, key: key)
        #expect(
            try allRecords(BaselineReader.open(state.appending("copy"), trusting: [key.publicKey])) == small
        )
    }

    // MARK: Damage

    /// Opens a file and reads all of it, as `baseline verify` does.
    private func readAll(_ path: RawPath) throws {
        try BaselineReader.open(path, trusting: [key.publicKey]).verifyRecords()
    }

    @Test func noByteLiesOutsideTheSignature() throws {
        try writeBaseline(small, to: file, key: key)
        let bytes = try file.contents()
        let altered = state.appending("altered")
        for position in bytes.indices {
            var copy = bytes
            copy[position] ^= 1 << UInt8(position % 8)
            try altered.write(copy)
            #expect(throws: BaselineError.self, "byte \(position) of \(bytes.count)") { try readAll(altered) }
        }
    }

    @Test func everyCutIsRefused() throws {
        try writeBaseline(small, to: file, key: key)
        let bytes = try file.contents()
        let cut = state.appending("cut")
        for length in 0..<bytes.count {
            try cut.write(Array(bytes[..<length]))
            #expect(throws: BaselineError.self, "\(length) of \(bytes.count) bytes") { try readAll(cut) }
        }
    }

    @Test func nothingMayBeAddedOrMoved() throws {
        try writeBaseline(small, to: file, key: key)
        let bytes = try file.contents()
        let altered = state.appending("altered")
        for position in [0, BaselineFormat.headerSize, bytes.count - BaselineFormat.footerSize, bytes.count] {
            for added in [[0], [UInt8](repeating: 0x55, count: 100), bytes] as [[UInt8]] {
                try altered.write(Array(bytes[..<position]) + added + bytes[position...])
                // A whole file behind the whole file ends like one, but the table does not reach that far.
                #expect(throws: BaselineError.self, "\(added.count) at \(position)") { try readAll(altered) }
            }
        }
    }

    @Test func exchangedBlocksAreRefused() throws {
        let records = (0..<2_000).map { record(RawPath("/d/" + String(10_000 + $0))) }
        try writeBaseline(records, to: file, key: key)
        let reader = try BaselineReader.open(file, trusting: [key.publicKey])
        #expect(reader.blocks.count > 3)
        var bytes = try file.contents()
        let (first, second) = (reader.blocks[1], reader.blocks[2])
        #expect(first.length == second.length)
        for offset in 0..<first.length { bytes.swapAt(first.offset + offset, second.offset + offset) }
        try state.appending("altered").write(bytes)
        let altered = try BaselineReader.open(state.appending("altered"), trusting: [key.publicKey])
        // Blocks that were not touched still serve; the others do not.
        #expect(try altered.record(for: "/d/10000") != nil)
        let place = "block 1 (bytes \(first.offset) to \(first.offset + first.length - 1))"
        #expect(throws: BaselineError.damaged(state.appending("altered"), part: place)) {
            _ = try altered.record(for: records[first.firstOrdinal].path)
        }
    }

    @Test func errorsSayWhatIsWrong() throws {
        try writeBaseline(small, to: file, key: key)
        let bytes = try file.contents()
        let altered = state.appending("altered")
        func openError(_ bytes: [UInt8]) throws -> BaselineError? {
            try altered.write(bytes)
            do { _ = try BaselineReader.open(altered, trusting: [key.publicKey]) } catch { return error }
            return nil
        }
        #expect(throws: BaselineError.missing(state.appending("none"))) {
            try BaselineReader.open(state.appending("none"), trusting: [])
        }
        #expect(throws: BaselineError.notABaseline(state.path)) {
            try BaselineReader.open(state.path, trusting: [])
        }
        #expect(try openError(Array("- not a baseline\n".utf8)) == .notABaseline(altered))
        #expect(try openError([]) == .notABaseline(altered))
        #expect(try openError(Array(bytes.dropLast())) == .cutOff(altered))
        #expect(try openError(Array(bytes.prefix(9))) == .cutOff(altered))
        var newer = bytes
        newer[8] = 3
        #expect(try openError(newer) == .newerFormat(altered, found: 3, known: 2))
        var flipped = bytes
        flipped[bytes.count - BaselineFormat.footerSize - 1] ^= 1
        #expect(try openError(flipped) == .damaged(altered, part: "the manifest or the footer"))
        var unsigned = bytes
        unsigned[bytes.count - 9] ^= 1
        #expect(try openError(unsigned) == .forged(altered, key: key.id))
        let stranger = try SigningKey.generate()
        #expect(throws: BaselineError.unknownKey(file, found: key.id, trusted: [stranger.id])) {
            try BaselineReader.open(file, trusting: [stranger.publicKey])
        }
    }

    /// A file signed by a stranger who puts a trusted key's name on it.
    @Test func aForeignSignatureUnderATrustedNameIsForged() throws {
        let stranger = try SigningKey.generate()
        try writeBaseline(small, to: file, key: stranger)
        var bytes = try file.contents()
        let keyOffset = bytes.count - BaselineFormat.footerSize + 8 + 64
        bytes.replaceSubrange(keyOffset..<keyOffset + 32, with: key.publicKey.fingerprint.bytes)
        try file.write(bytes)
        #expect(throws: BaselineError.forged(file, key: key.id)) {
            try BaselineReader.open(file, trusting: [key.publicKey])
        }
    }

    @Test func randomBytesAreNeverABaseline() throws {
        var generator = SeededGenerator()
        try writeBaseline(small, to: file, key: key)
        let good = try file.contents()
        for _ in 0..<300 {
            let count = Int.random(in: 0...400, using: &generator)
            var bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            if Bool.random(using: &generator) {
                bytes = BaselineFormat.header + bytes + good.suffix(176 + 40)
            }
            try file.write(bytes)
            #expect(throws: BaselineError.self, "\(generator)") { try readAll(file) }
            #expect(EncodedManifest(bytes, format: 2) == nil, "\(generator)")
            _ = RecordLayout(bytes, at: 0, end: bytes.count)
        }
    }

    // MARK: Writing

    @Test func whatDoesNotAscendIsRefused() throws {
        let pairs: [(RawPath, RawPath)] = [
            ("/b/a", "/a/b"), ("/a/b", "/a/b"), ("/a/c", "/a/b"), ("/a/b/c", "/a/z"), ("/a-b/c", "/a/b/c"),
        ]
        for (first, second) in pairs {
            let writer = try BaselineWriter(to: state.appending("w"), rules: someRules)
            try writer.append(runs([record(first)], rules: someRules)[0])
            let place = first.parent == second.parent ? second : second.parent
            #expect(throws: BaselineError.outOfOrder(place)) {
                try writer.append(runs([record(second)], rules: someRules)[0])
            }
        }
    }

    @Test func runsThatAreNoRunsAreRefused() throws {
        let writer = try BaselineWriter(to: state.appending("w"), rules: someRules)
        var run = EncodedRun(directory: "/a")
        run.append(record("/a/b"), ruleIndex: 0)
        var bad = run
        bad.count = 2
        #expect(throws: BaselineError.self) { try writer.append(bad) }
        bad = EncodedRun(directory: "/b", bytes: Array(run.bytes.dropLast()), count: 1)
        #expect(throws: BaselineError.self) { try writer.append(bad) }
        bad = EncodedRun(directory: "/c")
        bad.append(record("/c/d"), ruleIndex: 3)
        #expect(throws: BaselineError.self) { try writer.append(bad) }
    }

    @Test func anExistingFileIsNotOverwritten() throws {
        try file.write([1])
        #expect(throws: BaselineError.io(file, operation: "open", errno: .exists)) {
            try BaselineWriter(to: file, rules: [])
        }
        #expect(try file.contents() == [1])
    }

    @Test func anAbandonedWriterLeavesNoFile() throws {
        do {
            let writer = try BaselineWriter(to: file, rules: someRules)
            try writer.append(runs([record("/a")], rules: someRules)[0])
            #expect(try names(in: state.path) == ["b.mwb"])
        }
        #expect(try names(in: state.path).isEmpty)
    }
}
