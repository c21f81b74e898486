import CLinux
import GRDB
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

/// A history that somebody laid hands on, or that a disk lost a part of.
@Suite struct HistoryDamageTests {
    let state: TemporaryDirectory

    init() throws {
        state = try TemporaryDirectory()
    }

    private var file: RawPath { state.appending("history.db") }

    /// Six rows of every form, closed so that all of it is in the one file.
    private func makeHistory() throws -> [Entry] {
        let history = try History.open(at: state.path, access: .readWrite)
        let (_, entries) = try history.write { transaction throws(HistoryError) in
            try transaction.append(start(), at: noon)
            try transaction.append(.change(finding("/usr/bin/cc")), at: noon)
            let gap = try transaction.openGap(.down, scope: ["/usr"], at: noon)
            try transaction.append(.change(finding("/usr/bin/ld", .metadata)), at: noon)
            try transaction.closeGap(gap.id, found: 1, at: noon)
            _ = try transaction.openGap(.mount, scope: ["/opt"], at: noon)
        }
        try history.close()
        return entries
    }

    /// What verify says after the rows were changed behind the program's back.
    private func verification(after sql: String...) throws -> ChainVerification {
        let queue = try DatabaseQueue(path: file.description)
        try queue.write { database in for sql in sql { try database.execute(sql: sql) } }
        try queue.close()
        let history = try History.open(at: state.path, access: .readWrite)
        defer { try? history.close() }
        return try history.verify()
    }

    private func expectBroken(_ verification: ChainVerification, at seq: Int64, _ note: String) {
        guard case .broken(seq, let reason) = verification else {
            Issue.record("\(note): \(verification)")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test(arguments: 1...6)
    func everyAlteredRowShows(seq: Int64) throws {
        let columns = [
            "time": "time + 1", "event": "'stop'", "path": "x'2F'", "rule": "'x.y'", "severity": "9",
            "verdict": "'x'",
            "change": "'x'", "body": "CAST(replace(body, '/usr', '/opt') || ' ' AS BLOB)",
            "chain": "zeroblob(32)",
        ]
        let entries = try makeHistory()
        let whole = try file.contents()
        #expect(try verification(after: "SELECT 1") == .intact(count: 6, head: entries[5].chain))
        for (column, value) in columns {
            try file.write(whole)
            let result = try verification(after: "UPDATE history SET \(column) = \(value) WHERE seq = \(seq)")
            expectBroken(result, at: seq, "\(column) of row \(seq)")
        }
    }

    @Test(arguments: 1...6)
    func everyMissingRowShows(seq: Int64) throws {
        _ = try makeHistory()
        expectBroken(try verification(after: "DELETE FROM history WHERE seq = \(seq)"), at: seq, "deleted")
        // Closing the ranks does not help.
        let result = try verification(after: "UPDATE history SET seq = seq - 1 WHERE seq > \(seq)")
        expectBroken(result, at: seq, "closed ranks")
    }

    @Test func everyExchangeShows() throws {
        _ = try makeHistory()
        let whole = try file.contents()
        for first in 1...5 {
            for second in first + 1...6 {
                try file.write(whole)
                let result = try verification(
                    after: "UPDATE history SET seq = -1 WHERE seq = \(first)",
                    "UPDATE history SET seq = \(first) WHERE seq = \(second)",
                    "UPDATE history SET seq = \(second) WHERE seq = -1"
                )
                expectBroken(result, at: Int64(first), "\(first) and \(second)")
            }
        }
    }

    @Test func rowsOfAnotherHistoryShow() throws {
        _ = try makeHistory()
        let other = try HistoryDamageTests()
        _ = try other.makeHistory()
        let result = try verification(
            after: "ATTACH '\(other.file)' AS other",
            "DELETE FROM history",
            "INSERT INTO history SELECT * FROM other.history",
            "UPDATE meta SET value = (SELECT value FROM other.meta WHERE name = 'head') WHERE name = 'head'"
        )
        expectBroken(result, at: 1, "another history's rows")
    }

    @Test func aRowThatWasSlippedInShows() throws {
        _ = try makeHistory()
        let columns = "time, event, path, rule, severity, verdict, change, body, chain"
        let result = try verification(
            after: "INSERT INTO history (seq, \(columns)) SELECT 7, \(columns) FROM history WHERE seq = 6"
        )
        expectBroken(result, at: 7, "added")
    }

    @Test func aGapThatWasStruckOffShows() throws {
        _ = try makeHistory()
        expectBroken(try verification(after: "DELETE FROM gap WHERE id = 2"), at: 6, "struck off")
        expectBroken(
            try verification(after: "INSERT INTO gap VALUES (2, 6, 5)"),
            at: 6,
            "closed without a row"
        )
    }

    /// The rows that follow take numbers of their own, so that the hole stays.
    @Test func aCutEndIsNeverGrownOver() throws {
        let entries = try makeHistory()
        _ = try verification(after: "DELETE FROM history WHERE seq > 4", "DELETE FROM gap WHERE id = 2")
        let history = try History.open(at: state.path, access: .readWrite)
        #expect(try history.missingTail() == 5...6)
        let added = try history.append(stop(), at: noon)
        #expect(added.seq == 7)
        #expect(added.chain != entries[4].chain)
        #expect(try history.missingTail() == nil)
        expectBroken(try history.verify(), at: 5, "cut")
    }

    @Test func withoutItsNoteAHistoryIsNotWhole() throws {
        _ = try makeHistory()
        expectBroken(try verification(after: "DELETE FROM meta WHERE name = 'head'"), at: 6, "no note")
    }

    // MARK: Files that are no history

    private func openError(_ access: History.Access) -> HistoryError? {
        do {
            let history = try History.open(at: state.path, access: access)
            _ = try history.verify()
            _ = try history.entries()
            try history.close()
        } catch {
            return error
        }
        return nil
    }

    @Test func whatIsNoHistoryIsLeftAlone() throws {
        var generator = SeededGenerator()
        let noise = (0..<5_000).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let foreign = state.appending("foreign.db")
        let queue = try DatabaseQueue(path: foreign.description)
        try queue.write { try $0.execute(sql: "CREATE TABLE history (seq INTEGER PRIMARY KEY)") }
        try queue.close()
        let cases: [(bytes: [UInt8], reason: String)] = [
            ([], "it is empty"), (noise, "it is no SQLite database"), (Array("SQLite".utf8), "it is cut off"),
            (try foreign.contents(), "it is the database of another program"),
        ]
        for (bytes, reason) in cases {
            try file.write(bytes)
            for access in [.readWrite, .readOnly] as [History.Access] {
                #expect(openError(access) == .damaged(file, reason: reason), "\(generator)")
                #expect(try file.contents() == bytes)
            }
        }
    }

    @Test func aDirectoryOrALinkIsNoHistory() throws {
        try LedgerFile.makeDirectory(file, mode: 0o700)
        #expect(openError(.readWrite) == .damaged(file, reason: "it is no regular file"))
        let other = try HistoryDamageTests()
        #expect(unsafe symlink(file.description, other.file.description) == 0)
        #expect(other.openError(.readWrite) == .damaged(other.file, reason: "it is a link"))
    }

    @Test func aMissingHistoryIsNotMadeByAReader() throws {
        #expect(openError(.readOnly) == .missing(file))
        #expect(try names(in: state.path).isEmpty)
    }

    @Test func aNewerVersionIsRefused() throws {
        _ = try makeHistory()
        let queue = try DatabaseQueue(path: file.description)
        try queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('history 2')") }
        try queue.close()
        #expect(openError(.readWrite) == .newerFormat(file))
        #expect(openError(.readOnly) == .newerFormat(file))
    }

    @Test(arguments: ["history", "meta", "outbox", "gap", "standing"])
    func aMissingTableIsDamage(table: String) throws {
        _ = try makeHistory()
        let queue = try DatabaseQueue(path: file.description)
        try queue.write { try $0.execute(sql: "DROP TABLE \(table)") }
        try queue.close()
        do {
            let history = try History.open(at: state.path, access: .readWrite)
            _ = try history.write { transaction throws(HistoryError) in
                try transaction.append(stop(), at: noon)
                try transaction.clearAllStanding()
                _ = try transaction.openGap(.down, scope: [], at: noon)
            }
            Issue.record("nothing was missed")
        } catch HistoryError.damaged(let path, _) {
            #expect(path == file)
        }
    }

    /// Pages cut off and pages overwritten: an error or a broken chain, never a crash, never a changed file for readers.
    @Test func damagedPagesAreFound() throws {
        _ = try makeHistory()
        let whole = try file.contents()
        for length in stride(from: 0, to: whole.count, by: 1_024) {
            try file.write(Array(whole[..<length]))
            guard case .damaged? = openError(.readOnly) else {
                Issue.record(
                    "cut to \(length) of \(whole.count): \(String(describing: openError(.readOnly)))"
                )
                continue
            }
            #expect(try file.contents().count == length)
        }
        var generator = SeededGenerator()
        for page in 1..<whole.count / 4_096 {
            var bytes = whole
            for offset in 0..<4_096 {
                bytes[page * 4_096 + offset] = UInt8.random(in: .min ... .max, using: &generator)
            }
            try file.write(bytes)
            // A page of an index nobody asked for may go unseen; whatever is seen is an error of ours.
            _ = openError(.readOnly)
        }
    }

    // MARK: Writing that fails

    @Test func aFullDiskHalfWritesNothing() throws {
        let history = try History.open(at: state.path, access: .readWrite)
        try history.append(start(), at: noon)
        try history.limit(pages: 1)
        var large = finding("/usr/bin/cc")
        large.tags = (0..<2_000).map { "tag.\($0)" }
        let event = Event.change(large)
        #expect(throws: HistoryError.full(history.path)) {
            try history.write { transaction throws(HistoryError) in
                try transaction.append(stop(), at: noon)
                for _ in 0..<50 { try transaction.append(event, at: noon) }
            }
        }
        #expect(try history.entries().count == 1)
        #expect(try history.unpublished(limit: 99).count == 1)
        try history.limit(pages: 1_000_000)
        #expect(try history.append(event, at: noon).seq == 2)
        guard case .intact(2, _) = try history.verify() else {
            Issue.record("\(try history.verify())")
            return
        }
    }

    @Test func aHistoryThatWasReplacedIsNotWrittenInto() throws {
        let history = try History.open(at: state.path, access: .readWrite)
        try history.append(start(), at: noon)
        let other = try TemporaryDirectory()
        let planted = try History.open(at: other.path, access: .readWrite)
        try planted.close()
        try LedgerFile.rename(other.appending("history.db"), to: file, isReplacing: true)
        #expect(throws: HistoryError.replaced(file)) { try history.append(stop(), at: noon) }
        try LedgerFile.remove(file)
        #expect(throws: HistoryError.replaced(file)) { try history.append(stop(), at: noon) }
    }

    @Test func resultCodesHaveTheirMeaning() {
        // The result code alone: waiting for the ten seconds to pass would prove no more.
        #expect(HistoryError(DatabaseError(resultCode: .SQLITE_BUSY), file) == .busy(file))
        #expect(HistoryError(DatabaseError(resultCode: .SQLITE_IOERR_SHMSIZE), file) == .full(file))
        #expect(HistoryError(DatabaseError(resultCode: .SQLITE_READONLY_DBMOVED), file) == .replaced(file))
        let corrupt = DatabaseError(resultCode: .SQLITE_CORRUPT_INDEX, message: "x")
        #expect(HistoryError(corrupt, file) == .damaged(file, reason: "x"))
    }

    @Test func aClosedHistoryIsOneFile() throws {
        _ = try makeHistory()
        #expect(try names(in: state.path) == ["history.db"])
    }

    @Test(.enabled(if: !isRoot, "root may write everywhere"))
    func aReadOnlyDirectoryIsReadFromACopy() throws {
        let entries = try makeHistory()
        #expect(try names(in: state.path) == ["history.db"])
        try setMode(0o500, of: state.path)
        defer { try? setMode(0o700, of: state.path) }
        let history = try History.open(at: state.path, access: .readOnly)
        #expect(try history.entries() == entries)
        #expect(openError(.readWrite) == .readOnly(file))
    }

    @Test(.enabled(if: !isRoot, "root may read everything"))
    func aHistoryOfAnotherUserIsAMatterOfPermission() throws {
        _ = try makeHistory()
        try setMode(0o000, of: file)
        defer { try? setMode(0o600, of: file) }
        #expect(openError(.readOnly) == .permission(file))
        #expect(openError(.readWrite) == .permission(file))
    }
}
