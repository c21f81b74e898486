package import Integrity

/// An entry in the Elastic Common Schema, version 8.17; own fields stand under `millwarden`.
///
/// - SeeAlso: <https://www.elastic.co/guide/en/ecs/8.17/index.html>; docs/siem.md has the mapping.
package func ecsDocument(for entry: Entry, from source: ExportSource) -> JSON {
    var fields = FieldTree()
    fields.add("@timestamp", entry.time.indexable)
    fields.add("ecs.version", "8.17.0")
    fields.add("message", message(for: entry))
    let kind = ECSKind(entry.event)
    fields.add("event.kind", isAlert(entry.event) ? "alert" : "event")
    fields.add("event.category", list: [kind.category])
    fields.add("event.type", list: kind.types)
    fields.add("event.action", exportAction(for: entry.event))
    fields.add("event.severity", ecsSeverity(exportSeverity(for: entry)))
    fields.add("event.id", entry.chain.description)
    fields.add("event.sequence", entry.seq)
    fields.add("event.code", messageID(for: entry))
    fields.add("event.provider", "millwarden")
    fields.add("event.module", "millwarden")
    fields.add("event.dataset", "millwarden.history")
    fields.add("host.hostname", source.host.name)
    fields.add("host.name", source.host.name)
    fields.add("host.id", source.host.machineID.isEmpty ? nil : source.host.machineID)
    fields.add("observer.vendor", ExportSource.product)
    fields.add("observer.product", ExportSource.product)
    fields.add("observer.type", "file-integrity")
    fields.add("observer.version", source.version)
    switch entry.event {
    case .change(let finding): fields.add(ecs: finding)
    case .resolved(let resolution):
        fields.add(ecsPath: resolution.path)
        fields.add(ecsRule: resolution.rule)
    case .gapOpened(let gap), .gapClosed(let gap):
        fields.add("event.reason", gap.reason.rawValue)
        if let path = gap.scope.first { fields.add(ecsPath: path) }
    case .start(let start), .reload(let start):
        fields.add("process.pid", start.pid)
        fields.add("process.name", "millwarden")
        fields.add("service.version", start.version)
    case .stop(let stop):
        fields.add("event.reason", stop.reason)
        fields.add("process.pid", stop.pid)
        fields.add("process.name", "millwarden")
    case .check(let check):
        fields.add("event.start", check.started.indexable)
        fields.add("event.end", check.finished.indexable)
        fields.add("event.duration", max(0, check.finished.nanoseconds(since: check.started)))
    case .baseline(let baseline):
        fields.add("event.reason", baseline.reason)
        fields.add("user.id", String(baseline.uid))
        fields.add("related.user", list: [String(baseline.uid)])
    case .authorization(let authorization):
        fields.add("event.reason", authorization.reason)
        if let requester = authorization.requester {
            fields.add("user.id", String(requester.uid))
            fields.add("related.user", list: [String(requester.uid)])
        }
    case .selfProtection(let event):
        if let path = event.paths.first { fields.add(ecsPath: path) }
    }
    fields.add("millwarden", entry.ownFields)
    return fields.json
}

/// The values of `event.category` and `event.type`; ECS says which types go with which category.
private struct ECSKind {
    var category: String
    var types: [String]

    init(_ event: Event) {
        switch event {
        case .change(let finding): (category, types) = ("file", ECSKind.types(of: finding))
        case .resolved: (category, types) = ("file", ["info"])
        case .gapOpened, .gapClosed, .check: (category, types) = ("host", ["info"])
        case .start: (category, types) = ("process", ["start"])
        case .stop: (category, types) = ("process", ["end"])
        case .reload: (category, types) = ("process", ["change"])
        case .baseline(let baseline):
            category = "configuration"
            switch baseline.action {
            case .created: types = ["creation"]
            case .accepted, .imported: types = ["change"]
            case .intended, .abandoned: types = ["info"]
            }
        case .authorization(let authorization):
            category = "configuration"
            types = authorization.action == .refused ? ["info"] : ["change"]
        case .selfProtection: (category, types) = ("intrusion_detection", ["info"])
        }
    }

    private static func types(of finding: Finding) -> [String] {
        switch finding.change {
        case .added: ["creation"]
        case .removed: ["deletion"]
        case .transient where finding.before == nil && finding.after == nil: ["creation", "deletion"]
        case .shadowed, .moved, .type, .content, .metadata, .replaced, .transient, .touched: ["change"]
        }
    }
}

/// The scale of Elastic's own detection rules.
private func ecsSeverity(_ severity: Severity?) -> Int64 {
    switch severity {
    case .critical: 99
    case .high: 73
    case .medium: 47
    case .low: 21
    case nil: 0
    }
}

extension FieldTree {
    fileprivate mutating func add(ecsPath path: RawPath) {
        add("file.path", bytes: path.bytes)
        add("file.name", bytes: path.isRoot ? path.bytes[...] : path.name)
        add("file.directory", bytes: path.parent.bytes)
    }

    fileprivate mutating func add(ecsRule rule: RuleID) {
        add("rule.id", rule)
        add("rule.name", rule)
        // `gcc.driver` belongs to the pack `gcc`.
        if let cut = rule.firstIndex(of: "."), cut > rule.startIndex {
            add("rule.ruleset", String(rule[..<cut]))
        }
    }

    fileprivate mutating func add(ecs finding: Finding) {
        add(ecsPath: finding.path)
        // The file that is there now; of one that is gone, what was.
        if let state = finding.after ?? finding.before { add(ecs: state) }
        add(ecsRule: finding.rule)
        add("tags", list: finding.tags)
        let techniques = Techniques(finding.tags)
        if !techniques.ids.isEmpty { add("threat.framework", "MITRE ATT&CK") }
        add("threat.technique.id", list: techniques.ids)
        add("threat.technique.subtechnique.id", list: techniques.subtechniques)
        let hashes = [finding.before?.sha256, finding.after?.sha256].compactMap { $0 }
        add("related.hash", list: hashes.count == 2 && hashes[0] == hashes[1] ? [hashes[0]] : hashes)
        if let actor = finding.actor { add(ecs: actor) }
    }

    private mutating func add(ecs state: Attributes) {
        add("file.type", state.type == .directory ? "dir" : state.type == .link ? "symlink" : state.type.name)
        if state.type == .file { add("file.size", Int64(clamping: state.size)) }
        add("file.mode", state.octalMode)
        add("file.uid", String(state.uid))
        add("file.gid", String(state.gid))
        add("file.inode", String(state.inode))
        add("file.mtime", state.mtime.indexable)
        add("file.ctime", state.ctime.indexable)
        add("file.created", state.btime?.indexable)
        add("file.target_path", bytes: state.target)
        add("file.hash.sha256", state.sha256)
    }

    private mutating func add(ecs actor: Actor) {
        add("process.pid", actor.pid)
        add("process.executable", bytes: actor.exe)
        add("process.name", bytes: actor.exe.map(baseName))
        if !actor.cmdline.isEmpty {
            add("process.command_line", bytes: Array(actor.cmdline.joined(separator: [0x20])))
            add("process.args", list: actor.cmdline.map { jsonText($0).text })
            add("process.args_count", Int64(actor.cmdline.count))
        }
        add("process.parent.executable", bytes: actor.parents.first)
        add("process.user.id", actor.uid.map { String($0) })
        add("user.id", actor.uid.map { String($0) })
        let users = [actor.uid, actor.loginuid].compactMap { $0 }
        add(
            "related.user",
            list: (users.first == users.last ? Array(users.prefix(1)) : users).map { String($0) }
        )
        add("container.id", actor.container)
    }
}
