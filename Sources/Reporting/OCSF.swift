package import Integrity

/// An entry as an event of the Open Cybersecurity Schema Framework, version 1.5.0.
///
/// What somebody has to look at is a Detection Finding (2004): an unauthorized change, a gap, interference. It is
/// created by one row and closed by another, under the same `finding_info.uid`. Changes that were wanted are File System
/// Activity (1001), a check is Scan Activity (6007), an approval Entity Management (3004), the service's own life
/// Application Lifecycle (6002). Own fields stand under `unmapped.millwarden`.
///
/// - SeeAlso: <https://schema.ocsf.io/1.5.0/>; docs/siem.md has the mapping.
package func ocsfEvent(for entry: Entry, from source: ExportSource) -> JSON {
    OCSFEvent(entry, source).json
}

/// A class of OCSF and one of its activities.
private struct OCSFClass {
    var category: (uid: Int64, name: String)
    var uid: Int64
    var name: String
    var activity: (id: Int64, name: String)

    static func finding(_ activity: (Int64, String)) -> OCSFClass {
        OCSFClass(category: (2, "Findings"), uid: 2_004, name: "Detection Finding", activity: activity)
    }

    static func file(_ activity: (Int64, String)) -> OCSFClass {
        OCSFClass(
            category: (1, "System Activity"),
            uid: 1_001,
            name: "File System Activity",
            activity: activity
        )
    }

    static func application(_ uid: Int64, _ name: String, _ activity: (Int64, String)) -> OCSFClass {
        OCSFClass(category: (6, "Application Activity"), uid: uid, name: name, activity: activity)
    }

    static func entity(_ activity: (Int64, String)) -> OCSFClass {
        OCSFClass(
            category: (3, "Identity & Access Management"),
            uid: 3_004,
            name: "Entity Management",
            activity: activity
        )
    }

    init(category: (Int64, String), uid: Int64, name: String, activity: (Int64, String)) {
        (self.category, self.uid, self.name, self.activity) = (category, uid, name, activity)
    }

    init(_ event: Event) {
        switch event {
        case .change(let finding):
            self = finding.verdict == .unauthorized ? .finding((1, "Create")) : .file(fileActivity(finding))
        case .resolved, .gapClosed: self = .finding((3, "Close"))
        case .gapOpened, .selfProtection: self = .finding((1, "Create"))
        case .start: self = .application(6_002, "Application Lifecycle", (3, "Start"))
        case .stop: self = .application(6_002, "Application Lifecycle", (4, "Stop"))
        case .reload: self = .application(6_002, "Application Lifecycle", (8, "Update"))
        case .check: self = .application(6_007, "Scan Activity", (2, "Completed"))
        case .baseline(let baseline):
            switch baseline.action {
            case .created: self = .entity((1, "Create"))
            case .accepted, .imported: self = .entity((3, "Update"))
            case .intended, .abandoned: self = .entity((99, "Baseline \(baseline.action.rawValue)"))
            }
        case .authorization(let authorization):
            switch authorization.action {
            case .opened: self = .entity((1, "Create"))
            case .closed, .usedUp: self = .entity((4, "Delete"))
            case .refused: self = .entity((99, "Authorization refused"))
            }
        }
    }
}

private func fileActivity(_ finding: Finding) -> (Int64, String) {
    switch finding.change {
    case .added: return (1, "Create")
    case .removed: return (4, "Delete")
    case .moved: return (5, "Rename")
    case .content, .type, .replaced: return (3, "Update")
    case .transient:
        return finding.before == nil && finding.after == nil ? (4, "Delete") : (3, "Update")
    case .touched: return (6, "Set Attributes")
    case .metadata:
        let isSecurity = finding.attributes.contains { attribute in
            switch attribute {
            case .mode, .uid, .gid, .xattr: true
            default: false
            }
        }
        return isSecurity ? (7, "Set Security") : (6, "Set Attributes")
    case .shadowed: return finding.by?.kind == .mount ? (12, "Mount") : (99, "Shadow")
    }
}

private struct OCSFEvent {
    private let entry: Entry
    private let source: ExportSource
    private var fields = FieldTree()

    var json: JSON { fields.json }

    init(_ entry: Entry, _ source: ExportSource) {
        (self.entry, self.source) = (entry, source)
        addHead(OCSFClass(entry.event))
        switch entry.event {
        case .change(let finding):
            if finding.verdict == .unauthorized { addDetection(finding) } else { addFileActivity(finding) }
        case .resolved(let resolution):
            addFinding("row:\(resolution.resolves)", title: "\(resolution.change.name): \(resolution.path)")
            addAnalytic(resolution.rule)
            addResources([resolution.path])
        case .gapOpened(let gap), .gapClosed(let gap):
            addFinding("gap:\(gap.id)", title: "gap: \(gap.reason.rawValue)")
            addResources(gap.scope)
        case .selfProtection(let event):
            addFinding("row:\(entry.seq)", title: "self-protection")
            addResources(event.paths)
        case .start, .stop, .reload: addApplication()
        case .check(let check): addScan(check)
        case .baseline(let baseline): addEntity(baseline)
        case .authorization(let authorization): addEntity(authorization)
        }
        var own = JSONObject()
        own.append("millwarden", entry.ownFields)
        fields.add("unmapped", .object(own))
    }

    private mutating func addHead(_ kind: OCSFClass) {
        fields.add("category_uid", kind.category.uid)
        fields.add("category_name", kind.category.name)
        fields.add("class_uid", kind.uid)
        fields.add("class_name", kind.name)
        fields.add("activity_id", kind.activity.id)
        fields.add("activity_name", kind.activity.name)
        fields.add("type_uid", kind.uid * 100 + kind.activity.id)
        fields.add("type_name", "\(kind.name): \(kind.activity.id == 99 ? "Other" : kind.activity.name)")
        fields.add("time", entry.time.milliseconds ?? 0)
        addSeverity()
        fields.add("message", message(for: entry))
        fields.add("metadata.version", "1.5.0")
        fields.add("metadata.product", product)
        fields.add("metadata.profiles", list: ["host"])
        fields.add("metadata.uid", entry.chain.description)
        fields.add("metadata.sequence", entry.seq)
        fields.add("metadata.event_code", messageID(for: entry))
        fields.add("metadata.log_name", "history")
        fields.add("metadata.log_provider", "millwarden")
        fields.add("metadata.original_time", entry.time.description)
        fields.add("device.type_id", 0)
        fields.add("device.type", "Unknown")
        fields.add("device.hostname", source.host.name)
        fields.add("device.name", source.host.name)
        fields.add("device.uid", source.host.machineID.isEmpty ? nil : source.host.machineID)
    }

    private mutating func addSeverity() {
        switch exportSeverity(for: entry) {
        case .critical: addSeverity(5, "Critical")
        case .high: addSeverity(4, "High")
        case .medium: addSeverity(3, "Medium")
        case .low: addSeverity(2, "Low")
        case nil: addSeverity(1, "Informational")
        }
    }

    private mutating func addSeverity(_ id: Int64, _ name: String) {
        fields.add("severity_id", id)
        fields.add("severity", name)
    }

    private var product: JSON {
        var fields = FieldTree()
        fields.add("name", ExportSource.product)
        fields.add("vendor_name", ExportSource.product)
        fields.add("version", source.version)
        return fields.json
    }

    // MARK: Detection Finding

    /// The same identifier opens and closes a finding; `name` is the row of the change, or the gap.
    private mutating func addFinding(_ name: String, title: String) {
        let host = source.host.machineID.isEmpty ? source.host.name : source.host.machineID
        fields.add("finding_info.uid", "\(host):\(name)")
        fields.add("finding_info.title", title)
        fields.add("finding_info.desc", message(for: entry))
        fields.add("finding_info.created_time", entry.time.milliseconds)
        fields.add("finding_info.types", list: [exportAction(for: entry.event)])
        let isClosed = OCSFClass(entry.event).activity.id == 3
        fields.add("status_id", isClosed ? 4 : 1)
        fields.add("status", isClosed ? "Resolved" : "New")
        fields.add("is_alert", .bool(!isClosed))
    }

    private mutating func addAnalytic(_ rule: RuleID) {
        guard !rule.isEmpty else { return }
        fields.add("finding_info.analytic.type_id", 1)
        fields.add("finding_info.analytic.type", "Rule")
        fields.add("finding_info.analytic.uid", rule)
        fields.add("finding_info.analytic.name", rule)
    }

    private mutating func addDetection(_ finding: Finding) {
        addFinding("row:\(entry.seq)", title: "\(finding.change.name): \(finding.path)")
        addAnalytic(finding.rule)
        fields.add("finding_info.attacks", .array(attacks(finding.tags)))
        var evidence = FieldTree()
        let state = finding.after ?? finding.before
        evidence.add("file", file(finding.path, state))
        if let actor = finding.actor { evidence.add("actor", self.actor(actor)) }
        fields.add("evidences", .array([evidence.json]))
        addResources([finding.path])
        addObservables("evidences[0].file", finding.path, state)
    }

    /// The names of techniques change with each version of ATT&CK; the number is the name here, too.
    private func attacks(_ tags: [String]) -> [JSON] {
        let techniques = Techniques(tags)
        return techniques.ids.flatMap { id -> [JSON] in
            let subs = techniques.subtechniques.filter { $0.hasPrefix(id + ".") }
            return (subs.isEmpty ? [nil] : subs.map(Optional.some)).map { sub in
                var attack = FieldTree()
                attack.add("technique.uid", id)
                attack.add("technique.name", id)
                attack.add("sub_technique.uid", sub)
                attack.add("sub_technique.name", sub)
                return attack.json
            }
        }
    }

    /// At most 64, as in the journal; the own fields have all of them.
    private mutating func addResources(_ paths: [RawPath]) {
        let resources = paths.prefix(64).map { path -> JSON in
            var resource = FieldTree()
            resource.add("type", "File")
            resource.add("name", bytes: path.bytes)
            return resource.json
        }
        fields.add("resources", .array(resources))
    }

    // MARK: Other classes

    private mutating func addFileActivity(_ finding: Finding) {
        fields.add("status_id", 1)
        fields.add("status", "Success")
        fields.add("file", file(finding.from ?? finding.path, finding.before ?? finding.after))
        if finding.before != nil, let after = finding.after {
            fields.add("file_result", file(finding.path, after))
        }
        var nobody = FieldTree()
        // The class wants an actor; this is the schema's way to say that nobody knows.
        nobody.add("user.type_id", 0)
        nobody.add("user.type", "Unknown")
        nobody.add("user.name", "Unknown")
        fields.add("actor", finding.actor.flatMap(actor) ?? nobody.json)
        addObservables("file", finding.from ?? finding.path, finding.before ?? finding.after)
    }

    private mutating func addApplication() {
        fields.add("status_id", 1)
        fields.add("status", "Success")
        fields.add("app", product)
    }

    private mutating func addScan(_ check: CheckEvent) {
        fields.add("status_id", 1)
        fields.add("status", "Success")
        fields.add("status_code", "exit \(check.exit)")
        fields.add("scan.type_id", 99)
        fields.add("scan.type", "Integrity check")
        fields.add("scan.name", check.mode)
        fields.add("start_time", check.started.milliseconds)
        fields.add("end_time", check.finished.milliseconds)
        fields.add("duration", max(0, check.finished.nanoseconds(since: check.started)) / 1_000_000)
        fields.add("total", Int64(check.summary.examined))
        fields.add("num_detections", Int64(check.summary.unauthorized))
        fields.add("num_skipped_items", Int64(check.summary.errors))
    }

    private mutating func addEntity(_ baseline: BaselineEvent) {
        fields.add("status_id", 1)
        fields.add("status", "Success")
        fields.add("comment", baseline.reason)
        fields.add("entity.name", "baseline")
        fields.add("entity.type", "Baseline")
        fields.add("entity.type_id", 99)
        fields.add("entity.uid", baseline.baseline.root.description)
        fields.add("entity.version", String(baseline.baseline.generation))
        fields.add("actor.user", user(baseline.uid))
    }

    private mutating func addEntity(_ authorization: AuthorizationEvent) {
        let isGranted = authorization.action != .refused
        fields.add("status_id", isGranted ? 1 : 2)
        fields.add("status", isGranted ? "Success" : "Failure")
        fields.add("comment", authorization.reason)
        fields.add("entity.name", "authorization")
        fields.add("entity.type", "Authorization")
        fields.add("entity.type_id", 99)
        fields.add("entity.uid", authorization.id.isEmpty ? "row:\(entry.seq)" : authorization.id)
        fields.add("actor.user", user(authorization.requester?.uid ?? 0))
    }

    // MARK: Objects

    private func file(_ path: RawPath, _ state: Attributes?) -> JSON {
        var file = FieldTree()
        file.add("name", bytes: path.isRoot ? path.bytes[...] : path.name)
        file.add("path", bytes: path.bytes)
        file.add("parent_folder", bytes: path.parent.bytes)
        file.add("type_id", state.map { OCSFEvent.typeID($0.type) } ?? 0)
        guard let state else { return file.json }
        if state.type == .file { file.add("size", Int64(clamping: state.size)) }
        file.add("uid", String(state.inode))
        file.add("owner", user(Int64(state.uid)))
        file.add("modified_time", state.mtime.milliseconds)
        file.add("created_time", state.btime?.milliseconds)
        if let sha256 = state.sha256 {
            var hash = FieldTree()
            hash.add("algorithm_id", 3)
            hash.add("algorithm", "SHA-256")
            hash.add("value", sha256)
            file.add("hashes", .array([hash.json]))
        }
        return file.json
    }

    private static func typeID(_ type: FileType) -> Int64 {
        switch type {
        case .file: 1
        case .directory: 2
        case .characterDevice: 3
        case .blockDevice: 4
        case .socket: 5
        case .fifo: 6
        case .link: 7
        }
    }

    private func user(_ uid: Int64) -> JSON {
        var user = FieldTree()
        user.add("uid", String(uid))
        user.add("type_id", uid == 0 ? 2 : 1)
        user.add("type", uid == 0 ? "Admin" : "User")
        return user.json
    }

    /// Nil where neither process nor user is known; OCSF has no process without a number.
    private func actor(_ actor: Actor) -> JSON? {
        var fields = FieldTree()
        if let pid = actor.pid {
            fields.add("process.pid", pid)
            fields.add("process.name", bytes: actor.exe.map(baseName))
            if let exe = actor.exe { fields.add("process.file", file(RawPath(bytes: exe), nil)) }
            let line = Array(actor.cmdline.joined(separator: [0x20]))
            fields.add("process.cmd_line", bytes: line.isEmpty ? nil : line)
        }
        fields.add("user", actor.uid.map(user))
        return fields.isEmpty ? nil : fields.json
    }

    private mutating func addObservables(_ place: String, _ path: RawPath, _ state: Attributes?) {
        var observables: [JSON] = []
        func observable(_ name: String, _ id: Int64, _ type: String, _ value: String) -> JSON {
            var fields = FieldTree()
            fields.add("name", name)
            fields.add("type_id", id)
            fields.add("type", type)
            fields.add("value", value)
            return fields.json
        }
        let name = path.isRoot ? path.bytes : Array(path.name)
        observables.append(observable(place + ".name", 7, "File Name", jsonText(name).text))
        if let sha256 = state?.sha256 {
            observables.append(observable(place + ".hashes[0].value", 8, "Hash", sha256))
        }
        fields.add("observables", .array(observables))
    }
}
