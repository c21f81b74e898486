import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// What a SOC reads: every field of every entry in the real journal, once.
@Suite struct JournalTests {
    private let journal: Journal
    private let world: Millwarden

    init() throws {
        journal = try Journal()
        world = try Millwarden()
        try world.createBaseline()
    }

    @Test func aChangeHasEveryField() throws {
        let daemon = try world.watch()
        try world.compiler.append([1])
        let entry = try daemon.change("content", on: world.compiler)
        let fields = try only(entry)
        #expect(fields["MESSAGE_ID"] == "5e922ca65303473c9ca0469bf5b74a82")
        #expect(fields["PRIORITY"] == "2")
        #expect(fields["MILLWARDEN_CHANGE"] == "content")
        #expect(fields["MILLWARDEN_VERDICT"] == "unauthorized")
        #expect(fields["MILLWARDEN_SEVERITY"] == "critical")
        #expect(fields["MILLWARDEN_RULE"] == "demo.tools")
        #expect(fields["MILLWARDEN_TAGS"] == "attack.t1554,supply-chain")
        #expect(fields["MILLWARDEN_PATH"] == world.text(world.compiler))
        let attributes = Set((fields["MILLWARDEN_ATTRIBUTES"] ?? "").split(separator: ",").map(String.init))
        #expect(attributes == entry.attributes && attributes.contains("digest"))
        #expect(fields["MILLWARDEN_DIGEST_BEFORE"] == digestText(of: Millwarden.compilerText))
        #expect(fields["MILLWARDEN_DIGEST_AFTER"] == digestText(of: Millwarden.compilerText + [1]))
        #expect(fields["MESSAGE"]?.contains(world.text(world.compiler)) == true)
        try daemon.terminate()
    }

    /// Every severity has its priority; what is expected is informational.
    @Test func severitiesArePriorities() throws {
        let daemon = try world.watch()
        try world.configuration.append([1])
        let medium = try only(try daemon.change("content", on: world.configuration))
        #expect(medium["PRIORITY"] == "4" && medium["MILLWARDEN_SEVERITY"] == "medium")
        try world.linker.setMode(0o755)
        let touched = try only(try daemon.change("touched", on: world.linker))
        #expect(touched["MESSAGE_ID"] == "14758fa2734b4705a27b514533aa31bc" && touched["PRIORITY"] == "6")
        #expect(touched["MILLWARDEN_VERDICT"] == "expected")
        try daemon.terminate()
    }

    @Test func aMoveAndItsUndoingHaveTheirFields() throws {
        let daemon = try world.watch()
        let old = world.tools.appending("cc.old")
        try world.compiler.rename(to: old)
        let moved = try daemon.change("moved", on: old)
        let fields = try only(moved)
        #expect(fields["MILLWARDEN_PATH_FROM"] == world.text(world.compiler))
        #expect(fields["MILLWARDEN_PATH"] == world.text(old))
        try old.rename(to: world.compiler)
        let resolved = try daemon.entry("the undoing") { $0.event == "resolved" && $0.resolves == moved.seq }
        let undone = try only(resolved)
        #expect(undone["MESSAGE_ID"] == "6591aa34660e4b2bbe57f5a12d34a5eb" && undone["PRIORITY"] == "6")
        #expect(undone["MILLWARDEN_RESOLVES"] == "\(moved.seq)")
        #expect(undone["MILLWARDEN_PATH"] == world.text(old))
        try daemon.terminate()
    }

    /// Everything else that the history holds after a working day.
    @Test func everyRowIsThereOnceUnderItsIdentifier() throws {
        let first = try world.watch()
        try world.compiler.append([1])
        let change = try first.change("content", on: world.compiler)
        first.send(SIGHUP)
        try first.entry("the reload") { $0.event == "reload" }
        try first.killHard()
        let second = try world.watch()
        try world.expect(4, "check")
        try world.expect(0, "baseline", "accept", "--seq", "\(change.seq)", "--reason", "an exercise")
        try second.terminate()
        // What is down leaves its rows to the next command that publishes.
        try world.expect(0, "check")

        let identifiers: [String: (id: String, priority: String)] = [
            "change": ("5e922ca65303473c9ca0469bf5b74a82", "2"),
            "start": ("0783109d51fa434fb9268bd34f191e95", "6"),
            "stop": ("b194ec9eac4940419e0909754b4f6541", "6"),
            "reload": ("c2a1702c67e14ff5b440db74b9b063b2", "6"),
            "gap opened": ("a73b8a05a62944bd95d67e21500c3baf", "3"),
            "gap closed": ("e6b3aa640ee342d298d6aa9aabec4fea", "5"),
        ]
        let rows = try world.history()
        var seen: Set<String> = []
        for row in rows {
            let fields = try only(row)
            let kind = row.event == "gap" ? "gap " + (fields["MILLWARDEN_GAP_STATE"] ?? "") : row.event
            seen.insert(kind)
            if let expected = identifiers[kind] {
                #expect(fields["MESSAGE_ID"] == expected.id, "\(row)")
                #expect(fields["PRIORITY"] == expected.priority, "\(row)")
            }
            switch row.event {
            case "gap":
                #expect(fields["MILLWARDEN_GAP_ID"] == row.gapID.map { "\($0)" }, "\(row)")
                #expect(fields["MILLWARDEN_GAP_REASON"] == row.gapReason, "\(row)")
            case "baseline":
                #expect(fields["MESSAGE_ID"] == "83db1a80c41f41ed9a2f571d0b674960", "\(row)")
                #expect(fields["MILLWARDEN_GENERATION"] != nil, "\(row)")
            case "check": #expect(fields["MESSAGE_ID"] == "5fa914cf1f5d425a9f49cee751e93a49", "\(row)")
            default: break
            }
        }
        #expect(seen.isSuperset(of: identifiers.keys), "\(seen)")
        #expect(seen.contains("baseline") && seen.contains("check"))
        let checks = try rows.filter { $0.event == "check" }.map { try only($0)["PRIORITY"] }
        #expect(checks == ["2", "6"])
    }

    @Test(arguments: HostileNameTests.names)
    func theExactBytesOfANameAreKept(name: [UInt8]) throws {
        let daemon = try world.watch()
        let path = world.tools.appending(name)
        try path.write([1])
        let entry = try daemon.change("added", on: path)
        let found = try journal.entries(chain: entry.chain)
        #expect(found.count == 1)
        #expect(found.first?["MILLWARDEN_PATH"] == [path.bytes])
        let message = try #require(found.first?["MESSAGE"]?.first)
        #expect(escaped(message).replacing(#"\\"#, with: #"\"#) == jsonText(message).text)
        try daemon.terminate()
    }

    /// The journal lists this history's rows among those of others, and holds against whoever deletes it.
    @Test func theHistoryIsHeldToTheJournal() throws {
        try world.compiler.append([1])
        try world.expect(4, "check")
        let rows = try world.history()
        for row in rows { _ = try only(row) }
        let listing = [
            "history", "list", "--journal", "--format", "jsonl", "--path", world.text(world.compiler),
        ]
        let listed = try world.run(listing)
        #expect(listed.status == .exited(0), "\(listed)")
        let mine = listed.text.split(separator: "\n").filter { $0.contains(world.text(world.state)) }
        #expect(mine.count == rows.count { $0.path == world.compiler }, "\(listed)")
        let agreed = try world.expect(0, "history", "verify", "--against-journal")
        #expect(agreed.text.contains("\(rows.count) rows of the journal stand in the history"), "\(agreed)")
        // A trial elsewhere counts from 1 as well, and is no contradiction.
        let trial = try Millwarden()
        try trial.createBaseline()
        for row in try trial.history() { _ = try only(row) }
        try world.expect(0, "history", "verify", "--against-journal")

        for file in ["history.db", "history.db-wal", "history.db-shm"] {
            try? world.state.appending(file).delete()
        }
        let gone = try world.expect(1, "history", "verify", "--against-journal")
        #expect(gone.errorText.contains("deleted and begun anew"), "\(gone)")
        try world.expect(0, "baseline", "create", "--force")
        try world.expect(0, "history", "verify")
        let anew = try world.expect(1, "history", "verify", "--against-journal")
        #expect(anew.errorText.contains("row 1: the history was deleted and begun anew"), "\(anew)")
    }

    /// The fields of an entry that stands in the journal exactly once.
    private func only(_ entry: LogEntry, location: SourceLocation = #_sourceLocation) throws -> [String:
        String]
    {
        let found = try journal.entries(chain: entry.chain)
        #expect(found.count == 1, "row \(entry.seq) stands \(found.count) times", sourceLocation: location)
        let first = try #require(found.first, "\(entry)", sourceLocation: location)
        let fields = first.compactMapValues { $0.count == 1 ? $0.first.map { jsonText($0).text } : nil }
        #expect(fields["SYSLOG_IDENTIFIER"] == "millwarden", sourceLocation: location)
        #expect(fields["MILLWARDEN_EVENT"] == entry.event, sourceLocation: location)
        #expect(fields["MILLWARDEN_SEQ"] == "\(entry.seq)", sourceLocation: location)
        #expect(fields["MILLWARDEN_CHAIN"] == entry.chain, sourceLocation: location)
        #expect(fields["MESSAGE"]?.contains("\n") == false, sourceLocation: location)
        return fields
    }
}
