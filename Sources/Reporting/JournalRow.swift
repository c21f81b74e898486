package import Integrity
package import Ledger

/// A row of some host's history as a journal tells it.
///
/// Nothing of it is believed: the fields that make a row must be there once and well formed, others are left out where
/// they are not.
package struct JournalRow: Hashable, Sendable {
    package var host: String
    package var machineID: String
    /// The uid that journald itself vouches for.
    package var uid: Int64
    /// When the journal filed it; the history's own time is not among the fields.
    package var time: Timestamp
    package var seq: Int64
    package var chain: Digest
    package var event: String
    package var message: [UInt8] = []
    package var priority: Int64?
    package var change: ChangeKind?
    package var verdict: Verdict?
    package var severity: Severity?
    /// The path of a change, or those of a gap, sorted; 64 at most.
    package var paths: [RawPath] = []
    /// The other fields, in the order of the interface, as they are.
    package var others: [JournalField] = []
    /// How many fields were not what they should be.
    package var ignored = 0

    private static let events = [
        "change", "resolved", "gap", "start", "stop", "reload", "check", "baseline", "authorization",
        "checkpoint",
        "build", "self",
    ]

    /// Nil where the fields do not make a row: one of `MILLWARDEN_SEQ`, `_CHAIN`, `_EVENT`, `_MACHINE_ID` or `_UID` is
    /// missing, there twice, or not what it should be, or the entry did not come over the journal's own socket.
    package init?(_ record: JournalRecord) {
        let fields = Dictionary(grouping: record.fields, by: \.name)
        func text(_ name: String) -> String? {
            guard let found = fields[name], found.count == 1 else { return nil }
            return String(validating: found[0].value.prefix(4_096), as: UTF8.self)
        }
        func number(_ name: String) -> Int64? {
            text(name).flatMap { $0.utf8.count <= 19 ? Int64($0) : nil }.flatMap { $0 >= 0 ? $0 : nil }
        }
        guard let seq = number("MILLWARDEN_SEQ"), seq > 0,
            let chain = text("MILLWARDEN_CHAIN").flatMap({ Digest($0) }),
            let event = text("MILLWARDEN_EVENT"), JournalRow.events.contains(event),
            let machineID = text("_MACHINE_ID"), bytes(hex: machineID)?.count == 16,
            let uid = number("_UID"), text("_TRANSPORT") == "journal"
        else { return nil }
        (self.seq, self.chain, self.event, self.uid, self.time) = (seq, chain, event, uid, record.time)
        self.machineID = machineID.lowercased()
        host = fields["_HOSTNAME"]?.first.map { escaped($0.value.prefix(256)) } ?? ""
        message = fields["MESSAGE"]?.first?.value ?? []
        priority = number("PRIORITY").flatMap { $0 <= 7 ? $0 : nil }
        change = text("MILLWARDEN_CHANGE").flatMap(ChangeKind.init(name:))
        verdict = text("MILLWARDEN_VERDICT").flatMap(Verdict.init(name:))
        severity = text("MILLWARDEN_SEVERITY").flatMap(Severity.init(name:))
        if change == nil, fields["MILLWARDEN_CHANGE"] != nil { ignored += 1 }
        if verdict == nil, fields["MILLWARDEN_VERDICT"] != nil { ignored += 1 }
        if severity == nil, fields["MILLWARDEN_SEVERITY"] != nil { ignored += 1 }
        // A journal keeps equal fields of all entries once and forgets their order: two copies may differ in it.
        let found = (fields["MILLWARDEN_PATH"] ?? []).map(\.value)
        let good = found.filter { $0.first == slash && !$0.contains(0) }.map { RawPath(bytes: $0) }
        paths = Array(Set(good).sorted().prefix(64))
        ignored += found.count - good.count + max(0, good.count - 64)
        for (field, _, isNumber) in JournalRow.details {
            guard let values = fields[field] else { continue }
            if values.count == 1, !isNumber || number(field) != nil {
                others.append(values[0])
            } else {
                ignored += 1
            }
        }
    }

    /// Fields that are handed on, with their keys in JSON; true where they hold a number.
    private static let details: [(field: String, key: String, isNumber: Bool)] = [
        ("MILLWARDEN_STATE_DIRECTORY", "state_directory", false),
        ("MILLWARDEN_RULE", "rule", false), ("MILLWARDEN_TAGS", "tags", false),
        ("MILLWARDEN_PATH_FROM", "from", false), ("MILLWARDEN_ABSENT", "absent", false),
        ("MILLWARDEN_SHADOWED_BY", "by", false),
        ("MILLWARDEN_ATTRIBUTES", "attributes", false), ("MILLWARDEN_DIGEST_BEFORE", "digest_before", false),
        ("MILLWARDEN_DIGEST_AFTER", "digest_after", false), ("MILLWARDEN_ACTOR_PID", "actor_pid", true),
        ("MILLWARDEN_ACTOR_UID", "actor_uid", true), ("MILLWARDEN_ACTOR_LOGINUID", "actor_loginuid", true),
        ("MILLWARDEN_ACTOR_EXE", "actor_exe", false), ("MILLWARDEN_ACTOR_CMDLINE", "actor_cmdline", false),
        ("MILLWARDEN_ACTOR_UNIT", "actor_unit", false),
        ("MILLWARDEN_ACTOR_PARENT_EXE", "actor_parent_exe", false),
        ("MILLWARDEN_DIFF", "diff", false), ("MILLWARDEN_ELF", "elf", false),
        ("MILLWARDEN_COPY", "copy", false),
        ("MILLWARDEN_RESOLVES", "resolves", true), ("MILLWARDEN_GAP_ID", "gap_id", true),
        ("MILLWARDEN_GAP_STATE", "gap_state", false), ("MILLWARDEN_GAP_REASON", "gap_reason", false),
        ("MILLWARDEN_BUILD", "build", false), ("MILLWARDEN_AUTHORIZATION", "authorization", false),
        ("MILLWARDEN_EXPLAINED_BY", "explained_by", false),
        ("MILLWARDEN_CONTRADICTED_BY", "contradicted_by", false),
        ("MILLWARDEN_VOUCHED_BY", "vouched_by", false),
        ("MILLWARDEN_GENERATION", "generation", true),
    ]

    package var rule: RuleID? {
        others.first { $0.name == "MILLWARDEN_RULE" }.flatMap { String(validating: $0.value, as: UTF8.self) }
    }

    /// Where the history lies that the row is from; nil where it does not say.
    package var stateDirectory: RawPath? {
        others.first { $0.name == "MILLWARDEN_STATE_DIRECTORY" }.map { RawPath(bytes: $0.value) }
    }

    /// What must be equal where two entries have the same chain value: then one of them is a duplicate.
    package var identity: JournalRow {
        var copy = self
        copy.time = Timestamp(seconds: 0)
        copy.host = ""
        return copy
    }

    /// The line of `history list --journal --format jsonl`.
    package var json: JSON {
        var object = JSONObject()
        object.append("host", .string(host))
        object.append("machine_id", .string(machineID))
        object.append("uid", .int(uid))
        object.append("seq", .int(seq))
        object.append("filed", .string(time.description))
        object.append("event", .string(event))
        object.append("chain", .string(chain.description))
        object.append(bytes: message, as: "message")
        object.append("priority", .optional(priority))
        object.append("change", .optional(change?.name))
        object.append("verdict", .optional(verdict?.name))
        object.append("severity", .optional(severity?.name))
        object.append(list: paths.map(\.bytes), as: "paths")
        for (field, key, isNumber) in JournalRow.details {
            guard let value = others.first(where: { $0.name == field })?.value else { continue }
            if isNumber {
                object.append(key, .optional(Int64(String(decoding: value, as: UTF8.self))))
            } else {
                object.append(bytes: value, as: key)
            }
        }
        return .object(object)
    }

    /// The same question that `history list` asks of the history's own rows.
    package func passes(_ filter: HistoryFilter) -> Bool {
        if let since = filter.since, time < since { return false }
        if let until = filter.until, time >= until { return false }
        if !filter.rules.isEmpty, !(rule.map(filter.rules.contains) ?? false) { return false }
        if let least = filter.minimumSeverity {
            guard event == "change" || event == "resolved", let severity, severity >= least else {
                return false
            }
        }
        if !filter.verdicts.isEmpty, !(verdict.map(filter.verdicts.contains) ?? false) { return false }
        if !filter.events.isEmpty, !filter.events.contains(event) { return false }
        guard let path = filter.path else { return true }
        let from = others.first { $0.name == "MILLWARDEN_PATH_FROM" }.map { [RawPath(bytes: $0.value)] } ?? []
        return (paths + from).contains(where: path)
    }
}

/// The line above those of `history list --journal`.
package let journalHeader = padded("HOST", 16) + historyHeader

/// One line of `history list --journal`: the host, and then as in `history list`.
package func journalLine(for row: JournalRow, style: TextStyle = .plain) -> String {
    let lead = padded(row.host, 16) + aligned(row.seq, 6) + " " + padded(row.time.toSecond, 20)
    let what = row.event == "change" ? row.change?.name ?? row.event : row.event
    let middle =
        padded(what, 10) + padded(row.severity?.name ?? "-", 9) + padded(row.verdict?.name ?? "-", 13)
    let more = row.paths.count > 1 ? " and \(row.paths.count - 1) more" : ""
    let rest = row.paths.first.map { $0.description + more } ?? escapedMessage(row.message)
    guard let severity = row.severity, row.verdict == .unauthorized else { return lead + middle + rest }
    return lead + Paint(severity).apply(middle, style) + rest
}

/// `MESSAGE` was escaped when it was sent, if it is ours; what is not, is escaped here without doubling the rest.
private func escapedMessage(_ message: [UInt8]) -> String {
    escaped(message).replacing(#"\\"#, with: #"\"#)
}

/// How many entries of a journal were not shown, and why.
package struct JournalTally: Equatable, Sendable {
    package var rows = 0
    /// The same row once more: delivery is at least once.
    package var duplicates = 0
    /// The same chain value, and something else beside it: one of the two is forged, and both are shown.
    package var contradictions = 0
    /// Written by another user than those that are trusted.
    package var strangers = 0
    /// Not a row.
    package var malformed = 0
    package var ignoredFields = 0

    package init() {}
}

/// Takes what a journal holds, one entry after the other, and lets each row through once.
package struct JournalSieve {
    package private(set) var tally = JournalTally()
    private let trusted: Set<Int64>
    private var seen: [Digest: Int] = [:]

    /// - Parameter trusted: The uids that are believed to be Millwarden's.
    package init(trusted: Set<Int64>) {
        self.trusted = trusted
    }

    package mutating func take(_ record: JournalRecord) -> JournalRow? {
        guard let row = JournalRow(record) else {
            tally.malformed += 1
            return nil
        }
        guard trusted.contains(row.uid) else {
            tally.strangers += 1
            return nil
        }
        var hasher = Hasher()
        hasher.combine(row.identity)
        let fingerprint = hasher.finalize()
        if let earlier = seen[row.chain] {
            guard earlier != fingerprint else {
                tally.duplicates += 1
                return nil
            }
            tally.contradictions += 1
        } else {
            seen[row.chain] = fingerprint
        }
        tally.rows += 1
        tally.ignoredFields += row.ignored
        return row
    }
}

extension JournalTally {
    /// What was left out, in one sentence; nil where nothing was.
    package var remarks: String? {
        var words: [String] = []
        if contradictions > 0 {
            words.append(
                "\(counted(contradictions, "row")) with a chain value that another row has: one of them is forged"
            )
        }
        if strangers > 0 {
            words.append("\(counted(strangers, "entry", "entries")) of another user left out")
        }
        if malformed > 0 {
            words.append("\(counted(malformed, "entry", "entries")) that make no row left out")
        }
        if ignoredFields > 0 {
            words.append("\(counted(ignoredFields, "field")) with a wrong value left out")
        }
        return words.isEmpty ? nil : words.joined(separator: "; ")
    }
}
