import Integrity
import Reporting
import TestSupport
import Testing

/// Real journal files, written by systemd's own collector.
@Suite(
    .enabled(
        if: JournalSamples.canWrite,
        "systemd-journal-remote is not installed; it writes the journal files to be read"
    )
)
struct JournalReaderTests {
    private let scratch: TemporaryDirectory
    private var place: JournalPlace { .directory(scratch.appending("journal")) }

    init() throws {
        scratch = try TemporaryDirectory()
    }

    /// Every row that a directory holds, in its order, and what was left out.
    private func read(
        machineID: String? = nil,
        since: Timestamp? = nil
    ) throws -> (rows: [JournalRow], tally: JournalTally, passage: JournalPassage) {
        var sieve = JournalSieve(trusted: [0])
        var rows: [JournalRow] = []
        let reader = try JournalReader(place)
        let passage = reader.forEachRecord(machineID: machineID, since: since) { record in
            if let row = sieve.take(record) { rows.append(row) }
            return true
        }
        return (rows, sieve.tally, passage)
    }

    @Test func everyRowComesBack() throws {
        let records = Samples.entries.map { JournalSamples.record($0) }
        try JournalSamples.write(records, "alpha", in: scratch)
        let found = try read()
        #expect(found.rows == records.compactMap { JournalRow($0) })
        #expect(found.tally.remarks == nil && found.passage == JournalPassage())
    }

    @Test func hostileBytesComeBack() throws {
        let records = Hostile.entries.map { JournalSamples.record($0) }
        try JournalSamples.write(records, "alpha", in: scratch)
        #expect(try read().rows.map(\.paths) == records.compactMap { JournalRow($0)?.paths })
    }

    @Test func manyHostsInOrderAndOneHostAlone() throws {
        let entries = (Int64(1)...6).map { Samples.entry($0, .change(Samples.content)) }
        // Two histories never share a chain value.
        let others = entries.map { entry in
            var other = entry
            other.chain = Samples.digest(UInt64(1_000 + entry.seq))
            return other
        }
        try JournalSamples.write(entries.map { JournalSamples.record($0) }, "alpha", in: scratch)
        try JournalSamples.write(
            others.map {
                JournalSamples.record($0, machineID: JournalSamples.otherMachine, host: "build-08")
            },
            "beta",
            in: scratch
        )
        let all = try read().rows
        #expect(all.count == 12 && all.map(\.time) == all.map(\.time).sorted())
        let alone = try read(machineID: JournalSamples.otherMachine).rows
        #expect(alone.map(\.seq) == Array(1...6) && alone.allSatisfy { $0.host == "build-08" })
        #expect(try read(machineID: String(repeating: "0", count: 32)).rows.isEmpty)
        #expect(
            try read(machineID: Samples.host.machineID, since: Samples.time(4)).rows.map(\.seq) == [4, 5, 6]
        )
    }

    @Test func duplicatesAcrossFilesAreOne() throws {
        let records = (Int64(1)...4).map {
            JournalSamples.record(Samples.entry($0, .change(Samples.content)))
        }
        try JournalSamples.write(records, "once", in: scratch)
        // Sent once more, and filed later: libsystemd itself passes over what is equal in its time, too.
        let again = records.suffix(2).map { JournalRecord(time: Samples.time(600), fields: $0.fields) }
        try JournalSamples.write(again, "again", in: scratch)
        let found = try read()
        #expect(found.rows.map(\.seq) == [1, 2, 3, 4])
        #expect(found.tally.duplicates == 2)
    }

    /// Other programs' entries, and those of a user who is not believed.
    @Test func whatIsNotOursIsLeftOut() throws {
        var foreign = JournalSamples.record(Samples.entry(1, .change(Samples.content)))
        foreign.fields = foreign.fields.map {
            $0.name == "SYSLOG_IDENTIFIER" ? JournalField($0.name, Array("sshd".utf8)) : $0
        }
        let forged = JournalSamples.record(Samples.entry(2, .change(Samples.content)), uid: 65_534)
        let true_ = JournalSamples.record(Samples.entry(3, .change(Samples.content)))
        try JournalSamples.write([foreign, forged, true_], "alpha", in: scratch)
        let found = try read()
        #expect(found.rows.map(\.seq) == [3])
        #expect(found.tally.strangers == 1 && found.tally.malformed == 0)
    }

    /// One field is cut, and the rest of the entry stands.
    @Test func aHugeFieldIsCut() throws {
        var record = JournalSamples.record(Samples.entry(1, .change(Samples.content)))
        record.fields = record.fields.map {
            $0.name == "MESSAGE"
                ? JournalField("MESSAGE", Array(repeating: UInt8(ascii: "m"), count: 3_000_000)) : $0
        }
        try JournalSamples.write([record], "alpha", in: scratch)
        let row = try #require(try read().rows.first)
        #expect(row.message.count == JournalReader.fieldLimit)
        #expect(row.paths == [Samples.content.path])
    }

    /// A file that libsystemd passes over in silence is counted.
    @Test func aFileThatDoesNotOpenIsCounted() throws {
        let records = (Int64(1)...3).map {
            JournalSamples.record(Samples.entry($0, .change(Samples.content)))
        }
        try JournalSamples.write(records, "alpha", in: scratch)
        let other = try JournalSamples.write(records, "beta", in: scratch)
        try other.write(Array(try other.contents().prefix(200)), mode: 0o600)
        let found = try read()
        #expect(found.rows.count == 3 && found.passage.unopened == 1)
    }

    /// The index of a file that opens leads nowhere: libsystemd lets go of the file, and the walk says so.
    @Test func aFileThatBreaksOnTheWayIsSaid() throws {
        let records = (Int64(1)...40).map {
            JournalSamples.record(Samples.entry($0, .change(Samples.content)))
        }
        let file = try JournalSamples.write(records, "alpha", in: scratch)
        var bytes = try file.contents()
        // The header of 272 bytes, and what it says of the place of the entries' array, stay.
        for position in 272..<bytes.count where position % 8 == 0 { bytes[position] = 0xFF }
        try file.write(bytes, mode: 0o600)
        let found = try read()
        #expect(found.rows.isEmpty)
        #expect(found.passage.failure == .io(place, "a journal file in it is damaged"))
    }

    /// A file that was cut or written over yields rows, a reason, or nothing: never a crash, never a row that is wrong.
    @Test func damagedFilesAreSurvived() throws {
        let records = (Int64(1)...40).map {
            JournalSamples.record(Samples.entry($0, .change(Samples.content)))
        }
        let whole = try JournalSamples.write(records, "alpha", in: scratch)
        let bytes = try whole.contents()
        let good = Set(records.compactMap { JournalRow($0) })
        var random = SeededGenerator()
        for round in 0..<60 {
            var damaged = bytes
            if round % 3 == 0 {
                damaged = Array(damaged.prefix(Int.random(in: 0..<damaged.count, using: &random)))
            } else {
                for _ in 0..<Int.random(in: 1...200, using: &random) {
                    damaged[Int.random(in: 0..<min(damaged.count, 60_000), using: &random)] =
                        UInt8.random(in: 0...255, using: &random)
                }
            }
            try whole.write(damaged, mode: 0o600)
            do {
                for row in try read().rows where !good.contains(row) {
                    // Bytes of a text may be others; what makes a row stays well formed.
                    #expect(row.seq > 0 && row.machineID.utf8.count == 32, "\(random)")
                }
            } catch let error as JournalReadError {
                #expect(!error.description.contains("\n"), "\(random)")
            }
        }
    }
}

/// Places that are no journal.
struct JournalPlaceTests {
    @Test func aDirectoryThatIsNotThere() throws {
        let path = try TemporaryDirectory().appending("nowhere")
        #expect(throws: JournalReadError.missing(path)) { _ = try JournalReader(.directory(path)) }
    }

    @Test func aDirectoryWithoutJournals() throws {
        let scratch = try TemporaryDirectory()
        let place = JournalPlace.directory(scratch.path)
        #expect(throws: JournalReadError.empty(place)) { _ = try JournalReader(place) }
        try scratch.write("x.journal", "no journal")
        #expect(throws: JournalReadError.empty(place)) { _ = try JournalReader(place) }
    }

    @Test func aFileIsNoDirectory() throws {
        let scratch = try TemporaryDirectory()
        let file = try scratch.write("x.journal", "")
        #expect(throws: JournalReadError.missing(file)) { _ = try JournalReader(.directory(file)) }
    }
}
