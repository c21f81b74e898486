/// Events and findings as JSON: the keys of the interface, the canonical body of a history row.
///
/// What is written reads back equal, but for times, which keep their microseconds only.
extension Attributes {
    package var json: JSON {
        var object = JSONObject()
        object.append("type", .string(type.name))
        object.append("digest", content?.json ?? .null)
        object.append("size", .int(Int64(clamping: size)))
        let octal = String(mode, radix: 8)
        object.append("mode", .string(String(repeating: "0", count: max(0, 4 - octal.count)) + octal))
        object.append("uid", .int(Int64(uid)))
        object.append("gid", .int(Int64(gid)))
        object.append("mtime", .string(mtime.description))
        object.append("ctime", .string(ctime.description))
        object.append("btime", .optional(btime?.description))
        object.append("inode", .int(Int64(bitPattern: inode)))
        object.append("device", .string((node ?? device).description))
        object.append("links", .int(Int64(links)))
        object.append("flags", .array(flags.names.map(JSON.string)))
        object.append(bytes: target, as: "target")
        object.append("xattrs", xattrsJSON)
        if let exact = exactXattrsJSON { object.append("xattrs_base64", exact) }
        if let names { object.append("names", .string(names.description)) }
        return .object(object)
    }

    private var xattrsJSON: JSON {
        var object = JSONObject()
        var taken: Set<[UInt8]> = []
        for xattr in xattrs {
            // `\xff` may be one bad byte or four good characters; no name may stand twice in an object.
            var text = jsonText(xattr.name).text
            while !taken.insert(Array(text.utf8)).inserted { text += "_" }
            object.append(text, .string(xattr.value.description))
        }
        return .object(object)
    }

    /// The same with every name in base64, where a name is not UTF-8.
    private var exactXattrsJSON: JSON? {
        guard !xattrs.allSatisfy({ jsonText($0.name).isExact }) else { return nil }
        var object = JSONObject()
        for xattr in xattrs { object.append(base64(xattr.name), .string(xattr.value.description)) }
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object, let type = object["type"]?.text.flatMap(FileType.init(name:)),
            let mode = object["mode"]?.text.flatMap({ UInt16($0, radix: 8) }),
            let size = object["size"]?.integer, let uid = object["uid"]?.integer,
            let gid = object["gid"]?.integer,
            let mtime = object["mtime"]?.time, let ctime = object["ctime"]?.time,
            let inode = object["inode"]?.integer, let links = object["links"]?.integer
        else { return nil }
        self.init(type: type)
        self.mode = mode
        self.size = UInt64(clamping: size)
        (self.uid, self.gid) = (UInt32(clamping: uid), UInt32(clamping: gid))
        (self.mtime, self.ctime, self.btime) = (mtime, ctime, object["btime"]?.time)
        (self.inode, self.links) = (UInt64(bitPattern: inode), UInt32(clamping: links))
        content = object["digest"].flatMap(ContentDigest.init(json:))
        if let device = object["device"]?.text.flatMap({ DeviceNumber($0) }) {
            if type.isDevice { node = device } else { self.device = device }
        }
        let flagNames = Set((object["flags"]?.elements ?? []).compactMap(\.text))
        flags = FileFlags(FileFlags.named.filter { flagNames.contains($0.name) }.map(\.flag))
        target = object.bytes("target")
        let exact = object["xattrs_base64"]?.object
        for member in (exact ?? object["xattrs"]?.object ?? JSONObject()).members {
            let name = exact == nil ? Array(member.name.utf8) : Integrity.bytes(base64: member.name)
            guard let name, let value = member.value.text.flatMap({ Digest($0) }) else { return nil }
            xattrs.append(ExtendedAttribute(name: name, value: value))
        }
        names = object["names"]?.text.flatMap { Digest($0) }
    }
}

extension ContentDigest {
    package var json: JSON {
        switch self {
        case .digest(let digest): return .string(digest.description)
        case .unhashed(let reason):
            var object = JSONObject()
            object.append("unhashed", .string(reason.name))
            return .object(object)
        }
    }

    package init?(json: JSON) {
        if let digest = json.text.flatMap({ Digest($0) }) {
            self = .digest(digest)
        } else if let name = json.object?["unhashed"]?.text,
            let reason = UnhashedReason.allCases.first(where: { $0.name == name })
        {
            self = .unhashed(reason)
        } else {
            return nil
        }
    }
}

extension Actor {
    package var json: JSON {
        var object = JSONObject()
        object.append("pid", .optional(pid))
        object.append("uid", .optional(uid))
        object.append("loginuid", .optional(loginuid))
        object.append(bytes: exe, as: "exe")
        object.append(list: cmdline, as: "cmdline")
        object.append(list: parents, as: "parents")
        object.append("unit", .optional(unit))
        object.append("container", .optional(container))
        object.append("others", .int(Int64(others)))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object else { return nil }
        self.init()
        (pid, uid, loginuid) = (object["pid"]?.integer, object["uid"]?.integer, object["loginuid"]?.integer)
        exe = object.bytes("exe")
        (cmdline, parents) = (object.list("cmdline") ?? [], object.list("parents") ?? [])
        (unit, container) = (object["unit"]?.text, object["container"]?.text)
        others = Int(object["others"]?.integer ?? 0)
    }
}

extension Shadow {
    package var json: JSON {
        var object = JSONObject()
        object.append("kind", .string(kind.rawValue))
        object.append(bytes: path.bytes, as: "path")
        object.append(bytes: source, as: "source")
        object.append("fstype", .optional(fileSystem))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object, let kind = object["kind"]?.text.flatMap(Kind.init(rawValue:)),
            let path = object.bytes("path")
        else { return nil }
        self.init(
            kind: kind,
            path: RawPath(bytes: path),
            source: object.bytes("source"),
            fileSystem: object["fstype"]?.text
        )
    }
}

extension Finding {
    /// The keys of a finding, in the order of the interface.
    package var members: JSONObject {
        var object = JSONObject()
        object.append(bytes: path.bytes, as: "path")
        object.append("change", .string(change.name))
        object.append(list: attributes.map(\.bytes), as: "attributes")
        object.append("before", before?.json ?? .null)
        object.append("after", after?.json ?? .null)
        if let from { object.append(bytes: from.bytes, as: "from") }
        if let by { object.append("by", by.json) }
        object.append("rule", .string(rule))
        object.append(bytes: via?.bytes, as: "via")
        object.append("severity", .string(severity.name))
        object.append("tags", .array(tags.map(JSON.string)))
        object.append("verdict", .string(verdict.name))
        object.append("authorization", .optional(authorization))
        object.append("explained_by", .optional(explainedBy))
        // Only where they apply: rows of before keep their bytes.
        if let contradictedBy { object.append("contradicted_by", .string(contradictedBy)) }
        if !vouchedBy.isEmpty { object.append("vouched_by", .array(vouchedBy.map(\.json))) }
        object.append("resolved", .optional(resolved?.description))
        object.append("actor", actor?.json ?? .null)
        if let gap { object.append("gap", .int(gap)) }
        if let absent { object.append("absent", .string(absent)) }
        if let evidence { object.append("evidence", evidence.json) }
        return object
    }

    package init?(members object: JSONObject) {
        guard let path = object.bytes("path"),
            let change = object["change"]?.text.flatMap(ChangeKind.init(name:)),
            let rule = object["rule"]?.text,
            let severity = object["severity"]?.text.flatMap(Severity.init(name:)),
            let verdict = object["verdict"]?.text.flatMap(Verdict.init(name:)),
            let attributes = object.list("attributes")
        else { return nil }
        self.init(
            path: RawPath(bytes: path),
            change: change,
            rule: rule,
            severity: severity,
            verdict: verdict
        )
        self.attributes = attributes.compactMap { AttributeName(bytes: $0) }
        before = object["before"].flatMap(Attributes.init(json:))
        after = object["after"].flatMap(Attributes.init(json:))
        from = object.bytes("from").map(RawPath.init(bytes:))
        by = object["by"].flatMap(Shadow.init(json:))
        via = object.bytes("via").map(RawPath.init(bytes:))
        tags = (object["tags"]?.elements ?? []).compactMap(\.text)
        authorization = object["authorization"]?.text
        explainedBy = object["explained_by"]?.text
        contradictedBy = object["contradicted_by"]?.text
        vouchedBy = (object["vouched_by"]?.elements ?? []).compactMap(Vouch.init(json:))
        resolved = object["resolved"]?.time
        actor = object["actor"].flatMap(Actor.init(json:))
        gap = object["gap"]?.integer
        absent = object["absent"]?.text
        evidence = object["evidence"].flatMap(FileEvidence.init(json:))
    }
}

extension Gap {
    package var json: JSON { .object(members) }

    package var members: JSONObject {
        var object = JSONObject()
        object.append("id", .int(id))
        object.append("reason", .string(reason.rawValue))
        object.append(list: scope.map(\.bytes), as: "scope")
        object.append("opened", .string(opened.description))
        object.append("closed", .optional(closed?.description))
        object.append("found", .optional(found.map(Int64.init)))
        if let detail { object.append("detail", .string(detail)) }
        return object
    }

    package init?(members object: JSONObject) {
        guard let id = object["id"]?.integer,
            let reason = object["reason"]?.text.flatMap(Reason.init(rawValue:)),
            let scope = object.list("scope"), let opened = object["opened"]?.time
        else { return nil }
        self.init(
            id: id,
            reason: reason,
            scope: scope.map(RawPath.init(bytes:)),
            opened: opened,
            closed: object["closed"]?.time,
            found: object["found"]?.integer.map { Int($0) },
            detail: object["detail"]?.text
        )
    }
}

extension BaselineSummary {
    package var members: JSONObject {
        var object = JSONObject()
        object.append("generation", .int(generation))
        object.append("created", .string(created.description))
        object.append("entries", .int(Int64(entries)))
        object.append("root", .string(root.description))
        object.append("signed_by", .string(signedBy))
        return object
    }

    package init?(members object: JSONObject) {
        guard let generation = object["generation"]?.integer, let created = object["created"]?.time,
            let entries = object["entries"]?.integer, let root = object["root"]?.text.flatMap({ Digest($0) }),
            let signedBy = object["signed_by"]?.text
        else { return nil }
        self.init(
            generation: generation,
            created: created,
            entries: Int(entries),
            root: root,
            signedBy: signedBy
        )
    }
}

extension CheckSummary {
    package var json: JSON {
        var object = JSONObject()
        for counter in CheckSummary.counters {
            object.append(counter.name, .int(Int64(self[keyPath: counter.path])))
        }
        return .object(object)
    }

    package init(json: JSON?) {
        self.init()
        for counter in CheckSummary.counters {
            self[keyPath: counter.path] = Int(json?.object?[counter.name]?.integer ?? 0)
        }
    }
}

extension Event {
    /// The keys that stand beside `seq`, `time`, `event` and `chain`.
    package var members: JSONObject {
        var object = JSONObject()
        switch self {
        case .change(let finding): return finding.members
        case .resolved(let resolution):
            object.append(bytes: resolution.path.bytes, as: "path")
            object.append("resolves", .int(resolution.resolves))
            object.append("rule", .string(resolution.rule))
            object.append("change", .string(resolution.change.name))
            object.append("severity", .string(resolution.severity.name))
        case .gapOpened(let gap), .gapClosed(let gap):
            object = gap.members
            object.append("state", .string(gap.isOpen ? "opened" : "closed"))
        case .start(let start), .reload(let start):
            object.append("version", .string(start.version))
            object.append("pid", .int(start.pid))
            object.append("generation", .int(start.generation))
            object.append("directories", .int(Int64(start.directories)))
            object.append("rules", .string(start.rules.description))
            object.append("after_unclean_stop", .bool(start.afterUncleanStop))
        case .stop(let stop):
            object.append("reason", .string(stop.reason))
            object.append("pid", .int(stop.pid))
        case .check(let check):
            object.append("mode", .string(check.mode))
            object.append("started", .string(check.started.description))
            object.append("finished", .string(check.finished.description))
            object.append("generation", .int(check.generation))
            object.append("summary", check.summary.json)
            object.append("exit", .int(Int64(check.exit)))
            object.append("worst", .optional(check.worst?.name))
        case .baseline(let baseline):
            object.append("action", .string(baseline.action.rawValue))
            object.append("baseline", .object(baseline.baseline.members))
            object.append("reason", .optional(baseline.reason))
            object.append("uid", .int(baseline.uid))
            object.append("loginuid", .optional(baseline.loginuid))
            if let origin = baseline.origin { object.append("origin", .object(origin.members)) }
            object.append("accepted", .array(baseline.accepted.map(JSON.int)))
            object.append("paths", .int(Int64(baseline.paths)))
            // Only where it applies: rows of before keep their bytes.
            if let scope = baseline.scope {
                var counts = JSONObject()
                counts.append("incoming", .int(Int64(scope.incoming)))
                counts.append("outgoing", .int(Int64(scope.outgoing)))
                object.append("scope", .object(counts))
            }
        case .authorization(let event): return event.members
        case .selfProtection(let event):
            object.append("message", .string(event.message))
            object.append(list: event.paths.map(\.bytes), as: "paths")
        }
        return object
    }

    /// Reads an event of the given name; nil where the keys do not make one.
    package init?(name: String, members object: JSONObject) {
        let event: Event? =
            switch name {
            case "change": Finding(members: object).map(Event.change)
            case "resolved": Resolution(members: object).map(Event.resolved)
            case "gap": Gap(members: object).map { $0.isOpen ? .gapOpened($0) : .gapClosed($0) }
            case "start": StartEvent(members: object).map(Event.start)
            case "reload": StartEvent(members: object).map(Event.reload)
            case "stop": StopEvent(members: object).map(Event.stop)
            case "check": CheckEvent(members: object).map(Event.check)
            case "baseline": BaselineEvent(members: object).map(Event.baseline)
            case "authorization": AuthorizationEvent(members: object).map(Event.authorization)
            case "self": SelfEvent(members: object).map(Event.selfProtection)
            default: nil
            }
        guard let event else { return nil }
        self = event
    }
}

extension Entry {
    /// The line of `history list --format jsonl` and `watch --format jsonl`.
    package var json: JSON {
        var object = JSONObject()
        object.append("seq", .int(seq))
        object.append("time", .string(time.description))
        object.append("event", .string(event.name))
        object.append("chain", .string(chain.description))
        object.append("builds", .array([]))
        object.append(contentsOf: event.members)
        return .object(object)
    }
}

extension Resolution {
    fileprivate init?(members object: JSONObject) {
        guard let path = object.bytes("path"), let resolves = object["resolves"]?.integer,
            let rule = object["rule"]?.text,
            let change = object["change"]?.text.flatMap(ChangeKind.init(name:)),
            let severity = object["severity"]?.text.flatMap(Severity.init(name:))
        else { return nil }
        self.init(
            path: RawPath(bytes: path),
            resolves: resolves,
            rule: rule,
            change: change,
            severity: severity
        )
    }
}

extension StartEvent {
    fileprivate init?(members object: JSONObject) {
        guard let version = object["version"]?.text, let pid = object["pid"]?.integer,
            let generation = object["generation"]?.integer, let directories = object["directories"]?.integer,
            let rules = object["rules"]?.text.flatMap({ Digest($0) }),
            let unclean = object["after_unclean_stop"]?.boolean
        else { return nil }
        self.init(
            version: version,
            pid: pid,
            generation: generation,
            directories: Int(directories),
            rules: rules,
            afterUncleanStop: unclean
        )
    }
}

extension StopEvent {
    fileprivate init?(members object: JSONObject) {
        guard let reason = object["reason"]?.text, let pid = object["pid"]?.integer else { return nil }
        self.init(reason: reason, pid: pid)
    }
}

extension CheckEvent {
    fileprivate init?(members object: JSONObject) {
        guard let mode = object["mode"]?.text, let started = object["started"]?.time,
            let finished = object["finished"]?.time, let generation = object["generation"]?.integer,
            let exit = object["exit"]?.integer
        else { return nil }
        self.init(
            mode: mode,
            started: started,
            finished: finished,
            generation: generation,
            summary: CheckSummary(json: object["summary"]),
            exit: Int(exit),
            worst: object["worst"]?.text.flatMap(Severity.init(name:))
        )
    }
}

extension BaselineOrigin {
    package var members: JSONObject {
        var object = JSONObject()
        object.append("host", .string(host))
        object.append("machine_id", .string(machineID))
        object.append("trusted_key", .optional(trustedKey))
        return object
    }

    fileprivate init?(members object: JSONObject) {
        guard let host = object["host"]?.text, let machineID = object["machine_id"]?.text else { return nil }
        self.init(host: host, machineID: machineID, trustedKey: object["trusted_key"]?.text)
    }
}

extension BaselineEvent {
    fileprivate init?(members object: JSONObject) {
        guard let action = object["action"]?.text.flatMap(Action.init(rawValue:)),
            let baseline = object["baseline"]?.object.flatMap(BaselineSummary.init(members:)),
            let uid = object["uid"]?.integer, let paths = object["paths"]?.integer
        else { return nil }
        self.init(
            action: action,
            baseline: baseline,
            reason: object["reason"]?.text,
            uid: uid,
            loginuid: object["loginuid"]?.integer,
            accepted: (object["accepted"]?.elements ?? []).compactMap(\.integer),
            paths: Int(paths),
            scope: object["scope"]?.object.flatMap(ScopeCounts.init(members:))
        )
        origin = object["origin"]?.object.flatMap(BaselineOrigin.init(members:))
    }
}

extension BaselineEvent.ScopeCounts {
    fileprivate init?(members object: JSONObject) {
        guard let incoming = object["incoming"]?.integer, let outgoing = object["outgoing"]?.integer else {
            return nil
        }
        self.init(incoming: Int(incoming), outgoing: Int(outgoing))
    }
}

extension SelfEvent {
    fileprivate init?(members object: JSONObject) {
        guard let message = object["message"]?.text, let paths = object.list("paths") else { return nil }
        self.init(message: message, paths: paths.map(RawPath.init(bytes:)))
    }
}

extension JSON {
    fileprivate var time: Timestamp? { text.flatMap { Timestamp(rfc3339: $0) } }
}
