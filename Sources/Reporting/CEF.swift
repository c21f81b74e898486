package import Integrity

/// An entry as one line of the Common Event Format, version 0 (ArcSight).
///
/// A byte string is escaped as in `MESSAGE`, so that no control byte is left, and then as CEF wants it. One that is not
/// UTF-8 has its exact bytes beside it, in an extension key of our own that ends in `Base64`.
package func cefLine(for entry: Entry, from source: ExportSource) -> String {
    var fields = CEFExtension()
    fields.add("rt", entry.time.milliseconds.map { String($0) })
    fields.add("externalId", String(entry.seq))
    fields.add("dvchost", source.host.name)
    fields.add("deviceExternalId", source.host.machineID)
    fields.add("deviceProcessName", "millwarden")
    fields.add("deviceFacility", messageID(for: entry))
    fields.add("cat", entry.event.name)
    fields.add("act", exportAction(for: entry.event))
    fields.add("msg", plain: message(for: entry))
    fields.add(custom: 1, "chain", entry.chain.description)
    switch entry.event {
    case .change(let finding): fields.add(finding)
    case .resolved(let resolution):
        fields.add(path: resolution.path)
        fields.add(custom: 2, "rule", resolution.rule)
        fields.add(number: 1, "resolves", resolution.resolves)
    case .gapOpened(let gap), .gapClosed(let gap):
        fields.add("reason", gap.reason.rawValue)
        fields.add("outcome", gap.isOpen ? "opened" : "closed")
        if let path = gap.scope.first { fields.add(path: path) }
        fields.add(number: 1, "gap", gap.id)
        fields.add(number: 2, "found", gap.found.map { Int64($0) })
    case .start(let start), .reload(let start):
        fields.add("dvcpid", String(start.pid))
        fields.add(number: 1, "generation", start.generation)
        fields.add(number: 2, "directories", Int64(start.directories))
    case .stop(let stop):
        fields.add("dvcpid", String(stop.pid))
        fields.add("reason", stop.reason)
    case .check(let check):
        fields.add("start", check.started.milliseconds.map { String($0) })
        fields.add("end", check.finished.milliseconds.map { String($0) })
        fields.add("outcome", "exit \(check.exit)")
        fields.add(number: 1, "generation", check.generation)
        fields.add(number: 2, "unauthorized", Int64(check.summary.unauthorized))
        fields.add(number: 3, "examined", Int64(check.summary.examined))
    case .baseline(let baseline):
        fields.add("suid", String(baseline.uid))
        fields.add("reason", baseline.reason)
        fields.add("outcome", baseline.action.rawValue)
        fields.add(number: 1, "generation", baseline.baseline.generation)
        fields.add(number: 2, "paths", Int64(baseline.paths))
    case .authorization(let authorization):
        fields.add("outcome", authorization.action.rawValue)
        fields.add("reason", authorization.reason)
    case .selfProtection(let event):
        if let path = event.paths.first { fields.add(path: path) }
    }
    let header = [
        "CEF:0", ExportSource.product, ExportSource.product, source.version, exportAction(for: entry.event),
        cefName(entry.event), String(cefSeverity(exportSeverity(for: entry))),
    ]
    return header.map(cefHeader).joined(separator: "|") + "|" + fields.text
}

/// The event's name, without what differs from one to the next.
private func cefName(_ event: Event) -> String {
    switch event {
    case .change(let finding): "\(finding.verdict.name) file change: \(finding.change.name)"
    case .resolved: "file change undone"
    case .gapOpened: "coverage gap opened"
    case .gapClosed: "coverage gap closed"
    case .start: "service started"
    case .stop: "service stopped"
    case .reload: "service reloaded"
    case .check(let check): check.exit == 0 ? "check intact" : "check not clean"
    case .baseline(let baseline): "baseline \(baseline.action.rawValue)"
    case .authorization(let authorization): "authorization \(authorization.action.rawValue)"
    case .selfProtection: "self-protection"
    }
}

/// 0 to 3 is low, to 6 medium, to 8 high, to 10 very high.
private func cefSeverity(_ severity: Severity?) -> Int {
    switch severity {
    case .critical: 10
    case .high: 8
    case .medium: 5
    case .low: 3
    case nil: 1
    }
}

private func cefHeader(_ text: String) -> String {
    safe(text).replacing(#"\"#, with: #"\\"#).replacing("|", with: #"\|"#)
}

private struct CEFExtension {
    private var pairs: [String] = []

    var text: String { pairs.joined(separator: " ") }

    /// Text that is on one line already, and escaped for people.
    mutating func add(_ key: String, plain text: String?) {
        guard var text, !text.isEmpty else { return }
        text = text.replacing(#"\"#, with: #"\\"#).replacing("=", with: #"\="#)
        // A space at the end would belong to nobody.
        let spaces = text.utf8.reversed().prefix { $0 == UInt8(ascii: " ") }.count
        pairs.append(key + "=" + text.dropLast(spaces) + String(repeating: #"\\x20"#, count: spaces))
    }

    mutating func add(_ key: String, _ text: String?) { add(key, plain: text.map(safe)) }

    mutating func add(_ key: String, bytes: [UInt8]?) {
        guard let bytes else { return }
        add(key, plain: escaped(bytes))
        if !isValidUTF8(bytes) {
            add("millwarden\(key.prefix(1).uppercased())\(key.dropFirst())Base64", base64(bytes))
        }
    }

    mutating func add(custom number: Int, _ label: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        add("cs\(number)", text)
        add("cs\(number)Label", label)
    }

    mutating func add(number: Int, _ label: String, _ value: Int64?) {
        guard let value else { return }
        add("cn\(number)", String(value))
        add("cn\(number)Label", label)
    }

    mutating func add(path: RawPath) {
        add("filePath", bytes: path.bytes)
        add("fname", plain: escaped(path.name))
    }

    mutating func add(_ finding: Finding) {
        add(path: finding.path)
        add("outcome", finding.verdict.name)
        add(custom: 2, "rule", finding.rule)
        add(custom: 3, "verdict", finding.verdict.name)
        add(custom: 4, "severity", finding.severity.name)
        add(custom: 5, "tags", finding.tags.joined(separator: ","))
        // An xattr's name is anybody's choice: a comma in it must not make two elements.
        let attributes = finding.attributes.map { escaped($0.bytes).replacing(",", with: #"\x2c"#) }
        if !attributes.isEmpty {
            add("cs6", plain: attributes.joined(separator: ","))
            add("cs6Label", "attributes")
        }
        add("reason", finding.authorization ?? finding.contradictedBy ?? finding.explainedBy)
        add(number: 1, "gap", finding.gap)
        add("oldFilePath", bytes: finding.from?.bytes)
        if let after = finding.after {
            add("fileHash", after.sha256)
            add("fsize", after.type == .file ? String(after.size) : nil)
            add("fileType", after.type.name)
            add("filePermission", after.octalMode)
            add("fileId", String(after.inode))
            add("fileModificationTime", after.mtime.milliseconds.map { String($0) })
        }
        if let before = finding.before {
            add("oldFileHash", before.sha256)
            add("oldFileSize", before.type == .file ? String(before.size) : nil)
            add("oldFileType", before.type.name)
            add("oldFilePermission", before.octalMode)
            add("oldFileId", String(before.inode))
            add("oldFileModificationTime", before.mtime.milliseconds.map { String($0) })
        }
        guard let actor = finding.actor else { return }
        add("suid", actor.uid.map { String($0) })
        add("spid", actor.pid.map { String($0) })
        add("sproc", bytes: actor.exe)
    }
}
