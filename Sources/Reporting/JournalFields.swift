package import Integrity

/// One field of a journal entry.
///
/// Values are bytes: journald keeps what is not UTF-8, and newlines, as they are.
package struct JournalField: Hashable, Sendable {
    package var name: String
    package var value: [UInt8]

    package init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// Every field of an entry's journal form, in the order of the interface; what does not apply is left out.
///
/// A gap and an event of self-protection may concern many paths: each is a `MILLWARDEN_PATH` of its own, 64 at most
/// (the history has them all). Paths are never clipped; an argument list is, at 8 KiB.
///
/// - Parameters:
///   - entry: The row.
///   - stateDirectory: Where its history lies: a host may have several, and each counts from 1.
/// - Returns: Names and values, each name once but for `MILLWARDEN_PATH`.
package func journalFields(for entry: Entry, stateDirectory: RawPath? = nil) -> [JournalField] {
    var fields = FieldList()
    fields.add("MESSAGE", message(for: entry))
    fields.add("MESSAGE_ID", messageID(for: entry))
    fields.add("PRIORITY", String(priority(for: entry)))
    fields.add("SYSLOG_IDENTIFIER", "millwarden")
    fields.add("MILLWARDEN_EVENT", entry.event.name)
    fields.add("MILLWARDEN_SEQ", String(entry.seq))
    fields.add("MILLWARDEN_CHAIN", entry.chain.description)
    fields.add("MILLWARDEN_STATE_DIRECTORY", stateDirectory?.bytes)
    switch entry.event {
    case .change(let finding): fields.add(finding)
    case .resolved(let resolution):
        fields.add("MILLWARDEN_CHANGE", resolution.change.name)
        fields.add("MILLWARDEN_SEVERITY", resolution.severity.name)
        fields.add("MILLWARDEN_RULE", resolution.rule)
        fields.add("MILLWARDEN_PATH", resolution.path.bytes)
        fields.add("MILLWARDEN_RESOLVES", String(resolution.resolves))
    case .gapOpened(let gap), .gapClosed(let gap):
        fields.add(paths: gap.scope)
        fields.add("MILLWARDEN_GAP_ID", String(gap.id))
        fields.add("MILLWARDEN_GAP_STATE", gap.isOpen ? "opened" : "closed")
        fields.add("MILLWARDEN_GAP_REASON", gap.reason.rawValue)
    case .start(let start), .reload(let start):
        fields.add("MILLWARDEN_GENERATION", String(start.generation))
    case .stop: break
    case .check(let check):
        fields.add("MILLWARDEN_SEVERITY", check.worst?.name)
        fields.add("MILLWARDEN_GENERATION", String(check.generation))
    case .baseline(let baseline):
        fields.add("MILLWARDEN_GENERATION", String(baseline.baseline.generation))
    case .authorization(let authorization):
        if !authorization.id.isEmpty { fields.add("MILLWARDEN_AUTHORIZATION", authorization.id) }
    case .selfProtection(let event):
        fields.add(paths: event.paths)
    }
    return fields.fields
}

/// What kind of entry it is, for `journalctl MESSAGE_ID=…` and the message catalog.
///
/// An approval that is only intended, or was abandoned, has the identifier of all approvals.
package func messageID(for entry: Entry) -> String {
    switch entry.event {
    case .change(let finding):
        finding.verdict == .unauthorized
            ? "5e922ca65303473c9ca0469bf5b74a82" : "14758fa2734b4705a27b514533aa31bc"
    case .resolved: "6591aa34660e4b2bbe57f5a12d34a5eb"
    case .gapOpened: "a73b8a05a62944bd95d67e21500c3baf"
    case .gapClosed: "e6b3aa640ee342d298d6aa9aabec4fea"
    case .start: "0783109d51fa434fb9268bd34f191e95"
    case .stop: "b194ec9eac4940419e0909754b4f6541"
    case .reload: "c2a1702c67e14ff5b440db74b9b063b2"
    case .check: "5fa914cf1f5d425a9f49cee751e93a49"
    case .baseline: "83db1a80c41f41ed9a2f571d0b674960"
    case .authorization: "0cf953057b1f42c5bbfef70c6586e437"
    case .selfProtection: "8a6bd801bb284752b9cb5c4bed076042"
    }
}

/// The syslog(3) priority.
///
/// An approval that is only intended, or was abandoned, changed nothing yet and is informational.
package func priority(for entry: Entry) -> Int {
    switch entry.event {
    case .change(let finding): finding.verdict == .unauthorized ? finding.severity.priority : 6
    case .resolved, .start, .stop, .reload: 6
    case .gapOpened: 3
    case .gapClosed: 5
    case .check(let check): check.worst?.priority ?? 6
    case .baseline(let baseline):
        baseline.action == .intended || baseline.action == .abandoned ? 6 : 5
    case .authorization: 5
    case .selfProtection: 2
    }
}

private struct FieldList {
    var fields: [JournalField] = []

    mutating func add(_ name: String, _ value: [UInt8]?) {
        if let value { fields.append(JournalField(name, value)) }
    }

    mutating func add(_ name: String, _ value: String?) {
        add(name, value.map { Array($0.utf8) })
    }

    /// A list, left out where it is empty.
    mutating func add(_ name: String, list: [String]) {
        if !list.isEmpty { add(name, list.joined(separator: ",")) }
    }

    mutating func add(paths: [RawPath]) {
        for path in paths.prefix(64) { add("MILLWARDEN_PATH", path.bytes) }
    }

    mutating func add(_ finding: Finding) {
        add("MILLWARDEN_CHANGE", finding.change.name)
        add("MILLWARDEN_VERDICT", finding.verdict.name)
        add("MILLWARDEN_SEVERITY", finding.severity.name)
        add("MILLWARDEN_RULE", finding.rule)
        add("MILLWARDEN_TAGS", list: finding.tags)
        add("MILLWARDEN_PATH", finding.path.bytes)
        add("MILLWARDEN_PATH_FROM", finding.from?.bytes)
        add("MILLWARDEN_ABSENT", finding.absent)
        add("MILLWARDEN_SHADOWED_BY", finding.by?.path.bytes)
        // An xattr's name is anybody's choice: a comma in it must not make two elements.
        add(
            "MILLWARDEN_ATTRIBUTES",
            list: finding.attributes.map { escaped($0.bytes).replacing(",", with: #"\x2c"#) }
        )
        add("MILLWARDEN_DIGEST_BEFORE", finding.before?.content.map(digestText))
        add("MILLWARDEN_DIGEST_AFTER", finding.after?.content.map(digestText))
        if let actor = finding.actor { add(actor) }
        add("MILLWARDEN_DIFF", finding.evidence?.diff?.text)
        add("MILLWARDEN_ELF", finding.evidence?.elf.map(elfText))
        add("MILLWARDEN_COPY", finding.evidence?.copy?.description)
        add("MILLWARDEN_GAP_ID", finding.gap.map { String($0) })
        add("MILLWARDEN_AUTHORIZATION", finding.authorization)
        add("MILLWARDEN_EXPLAINED_BY", finding.explainedBy)
        add("MILLWARDEN_CONTRADICTED_BY", finding.contradictedBy)
        add(
            "MILLWARDEN_VOUCHED_BY",
            list: finding.vouchedBy.map {
                "\($0.source):\($0.package):\($0.grade.rawValue)".replacing(",", with: #"\x2c"#)
            }
        )
    }

    mutating func add(_ actor: Actor) {
        add("MILLWARDEN_ACTOR_PID", actor.pid.map { String($0) })
        add("MILLWARDEN_ACTOR_UID", actor.uid.map { String($0) })
        add("MILLWARDEN_ACTOR_LOGINUID", actor.loginuid.map { String($0) })
        add("MILLWARDEN_ACTOR_EXE", actor.exe)
        if !actor.cmdline.isEmpty { add("MILLWARDEN_ACTOR_CMDLINE", commandLine(actor.cmdline)) }
        add("MILLWARDEN_ACTOR_UNIT", actor.unit)
        add("MILLWARDEN_ACTOR_PARENT_EXE", actor.parents.first)
    }
}

/// `sha256:…`, or `unhashed:` and why.
func digestText(_ content: ContentDigest) -> String {
    switch content {
    case .digest(let digest): digest.description
    case .unhashed(let reason): "unhashed:\(reason.name)"
    }
}

/// The arguments with a space between each two, as journald's own `_CMDLINE` has them; 8 KiB at most, and then `…`.
private func commandLine(_ arguments: [[UInt8]]) -> [UInt8] {
    let limit = 8_192
    var line: [UInt8] = []
    for argument in arguments {
        if !line.isEmpty { line.append(UInt8(ascii: " ")) }
        line.append(contentsOf: argument.prefix(limit + 1))
        if line.count > limit { return Array(line.prefix(limit)) + Array("…".utf8) }
    }
    return line
}
