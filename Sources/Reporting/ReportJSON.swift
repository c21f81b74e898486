internal import Host
package import Integrity

extension CheckReport {
    /// `millwarden.check/1`; `docs/schema/check.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.check/1"))
        object.append("host", .string(host.name))
        object.append("machine_id", .string(host.machineID))
        object.append("boot_id", .string(host.bootID))
        object.append("started", .string(started.description))
        object.append("finished", .string(finished.description))
        object.append("mode", .string(mode))
        object.append("baseline", .object(baseline.members))
        object.append("summary", summary.json)
        object.append("findings", .array(findings.map { .object($0.members) }))
        object.append("gaps", .array(gaps.map(\.json)))
        object.append("errors", .array(errors.map(\.json)))
        object.append("skipped", .int(Int64(skipped)))
        object.append("bytes", .int(Int64(clamping: bytes)))
        object.append("fail_on", .string(failOn.name))
        object.append("exit", .int(Int64(exit)))
        // Only where they apply.
        if let root { object.append(bytes: root.bytes, as: "root") }
        if let baselineFile { object.append(bytes: baselineFile.bytes, as: "baseline_file") }
        if let origin {
            var made = JSONObject()
            made.append("host", .string(origin.host))
            made.append("machine_id", .string(origin.machineID))
            made.append("copy", .bool(isCopy))
            object.append("origin", .object(made))
        }
        return .object(object)
    }
}

extension ExaminationError {
    package var json: JSON {
        var object = JSONObject()
        object.append(bytes: path.bytes, as: "path")
        object.append("operation", .string(failure.operation.name))
        object.append("error", .string(name))
        object.append("message", .string(message))
        return .object(object)
    }
}

extension CreateReport {
    /// `millwarden.baseline-create/1`; `docs/schema/baseline-create.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.baseline-create/1"))
        object.append("started", .string(started.description))
        object.append("finished", .string(finished.description))
        object.append(bytes: file.bytes, as: "file")
        object.append("baseline", .object(baseline.members))
        object.append("scope", scope.json)
        object.append("bytes", .int(Int64(clamping: bytes)))
        object.append("unexamined", .array(unexamined.map(\.json)))
        object.append(list: presentAbsent.map(\.bytes), as: "present_absent")
        object.append("not_entered", .array(notEnteredSorted.map(CreateReport.json)))
        // Only where they apply.
        if let root { object.append(bytes: root.bytes, as: "root") }
        if let keyFile { object.append(bytes: keyFile.bytes, as: "key_file") }
        return .object(object)
    }

    /// In the order of paths, so that two runs say the same.
    var notEnteredSorted: [(path: RawPath, fileSystem: String)] {
        notEntered.sorted { $0.key < $1.key }.map { (path: $0.key, fileSystem: $0.value) }
    }

    private static func json(_ place: (path: RawPath, fileSystem: String)) -> JSON {
        var object = JSONObject()
        object.append(bytes: place.path.bytes, as: "path")
        object.append("fstype", .string(place.fileSystem))
        return .object(object)
    }
}

extension Scope {
    package var json: JSON {
        var object = JSONObject()
        object.append("rules", .string(rules.description))
        object.append("packs", .array(packs.map(JSON.string)))
        object.append(list: homes.map(\.bytes), as: "homes")
        return .object(object)
    }
}

extension AcceptReport {
    /// `millwarden.baseline-accept/1`; `docs/schema/baseline-accept.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.baseline-accept/1"))
        object.append("dry_run", .bool(isDryRun))
        object.append("reason", .string(reason))
        object.append("items", .array(items.map(\.json)))
        object.append("scope", scope?.json ?? .null)
        object.append("baseline", baseline.map { .object($0.members) } ?? .null)
        return .object(object)
    }
}

extension ScopeApproval {
    /// The member `scope` of that report.
    fileprivate var json: JSON {
        var object = JSONObject()
        var rules = JSONObject()
        rules.append("new", .array(self.rules.new.map(JSON.string)))
        rules.append("changed", .array(changedRules.map(JSON.string)))
        rules.append("gone", .array(self.rules.gone.map(JSON.string)))
        object.append("rules", .object(rules))
        var packs = JSONObject()
        packs.append("new", .array(self.packs.new.map(JSON.string)))
        packs.append("gone", .array(self.packs.gone.map(JSON.string)))
        object.append("packs", .object(packs))
        var homes = JSONObject()
        homes.append(list: self.homes.new.map(\.bytes), as: "new")
        homes.append(list: self.homes.gone.map(\.bytes), as: "gone")
        object.append("homes", .object(homes))
        object.append("incoming", .array(incoming.map(\.json)))
        object.append("outgoing", .array(outgoing.map(\.json)))
        object.append("hidden", .array(hidden.map(\.json)))
        object.append("unexamined", .array(unexamined.map(\.json)))
        object.append(list: presentAbsent.map(\.bytes), as: "present_absent")
        object.append("dropped", .array(dropped.map(JSON.int)))
        return .object(object)
    }
}

extension ScopeApproval.Group {
    fileprivate var json: JSON {
        var object = JSONObject()
        object.append("rule", .string(rule))
        object.append("count", .int(Int64(count)))
        object.append(list: first.map(\.bytes), as: "first")
        return .object(object)
    }
}

extension AcceptReport.Item {
    /// The row, whether it is part of the approval, and the finding's keys.
    package var json: JSON {
        var object = JSONObject()
        object.append("seq", .int(seq))
        object.append("accepted", .bool(refusal == nil))
        object.append("refusal", .optional(refusal))
        object.append(contentsOf: finding.members)
        return .object(object)
    }
}

extension Record {
    /// The line of `baseline show --format jsonl`; `docs/schema/baseline-record.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append(bytes: path.bytes, as: "path")
        object.append("rule", .string(rule))
        object.append(bytes: via?.bytes, as: "via")
        switch state {
        case .examined(let attributes, let isRacy):
            object.append("racy", .bool(isRacy))
            object.append("attributes", attributes.json)
            object.append("unexamined", .null)
        case .unexamined(let failure):
            object.append("racy", .bool(false))
            object.append("attributes", .null)
            object.append("unexamined", failure.json)
        }
        return .object(object)
    }
}

extension Failure {
    fileprivate var json: JSON {
        var object = JSONObject()
        object.append("operation", .string(operation.name))
        object.append("error", .string(Errno(errno).name))
        object.append("message", .string(Errno(errno).message))
        return .object(object)
    }
}
