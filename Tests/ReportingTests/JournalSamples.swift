import CLinux
import Integrity
import Reporting
import TestSupport

/// Journal entries as journald files them: our fields, and those that it adds itself.
enum JournalSamples {
    static let state: RawPath = "/var/lib/millwarden"
    static let otherMachine = "b0e1c2d3a4f5968778695a4b3c2d1e0f"

    /// An entry as a host's journal has it.
    static func record(
        _ entry: Entry,
        machineID: String = Samples.host.machineID,
        host: String = Samples.host.name,
        uid: Int = 0,
        state: RawPath? = state
    ) -> JournalRecord {
        let added = [
            ("_UID", "\(uid)"), ("_HOSTNAME", host), ("_MACHINE_ID", machineID), ("_TRANSPORT", "journal"),
        ]
        return JournalRecord(
            time: Samples.time(entry.seq, 200_000),
            fields: journalFields(for: entry, stateDirectory: state)
                + added.map { JournalField($0.0, Array($0.1.utf8)) }
        )
    }

    /// A row of this host.
    static func row(_ seq: Int64, _ event: Event = .change(Samples.content)) throws -> JournalRow {
        try required(JournalRow(record(Samples.entry(seq, event))))
    }

    static let content: JournalRow = {
        guard let row = JournalRow(record(Samples.entry(2, .change(Samples.content)))) else {
            fatalError("the sample makes no row")
        }
        return row
    }()

    static let outcomes: [JournalComparison.Outcome] = [
        .agrees(rows: 12, missing: 0), .agrees(rows: 1, missing: 40),
        .differs(seq: 3, reason: "it is missing"),
        .nothing,
    ]

    /// The Journal Export Format (systemd's documentation, JOURNAL_EXPORT_FORMATS.md).
    static func exported(_ records: [JournalRecord], boot: String = Samples.host.bootID) -> [UInt8] {
        var bytes: [UInt8] = []
        let bootTime = (Samples.start.seconds - 3_600) * 1_000_000
        for record in records {
            let microseconds = record.time.seconds * 1_000_000 + Int64(record.time.nanoseconds / 1_000)
            bytes += "__REALTIME_TIMESTAMP=\(microseconds)\n".utf8
            bytes += "__MONOTONIC_TIMESTAMP=\(microseconds - bootTime)\n_BOOT_ID=\(boot)\n".utf8
            for field in record.fields {
                bytes += "\(field.name)\n".utf8
                bytes += (0..<8).map { UInt8(truncatingIfNeeded: field.value.count >> (8 * $0)) }
                bytes += field.value + [UInt8(ascii: "\n")]
            }
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    // MARK: Real journal files

    private static let program = "/lib/systemd/systemd-journal-remote"

    static let canWrite = unsafe access(program, X_OK) == 0

    /// Has systemd-journal-remote write a journal file, as a collector does.
    @discardableResult
    static func write(_ records: [JournalRecord], _ name: String, in scratch: TemporaryDirectory) throws
        -> RawPath
    {
        let export = try scratch.write(name + ".export", exported(records))
        _ = try? scratch.makeDirectory("journal")
        let file = scratch.appending("journal/\(name).journal")
        let result = try run(program, ["--output=\(file)", "\(export)"])
        guard result.status == .exited(0) else { throw WrongResult(result: result) }
        return file
    }

    struct WrongResult: Error, CustomStringConvertible {
        var result: ProcessResult
        var description: String { result.description }
    }

    struct Missing: Error {}

    private static func required<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Missing() }
        return value
    }
}
