/// Authorizations and vouching records as JSON.
extension AuthorizationEvent {
    package var members: JSONObject {
        var object = JSONObject()
        object.append("action", .string(action.rawValue))
        object.append("kind", .string(kind.rawValue))
        object.append("id", .string(id))
        object.append("reason", .string(reason))
        object.append("requester", requester?.json ?? .null)
        object.append("rules", .array(rules.map(JSON.string)))
        object.append(list: paths, as: "paths")
        object.append("from", .optional(from?.description))
        object.append("until", .optional(until?.description))
        if let bootID {
            object.append("boot_id", .string(bootID))
            object.append("boot_from", bootFrom.map(JSON.int) ?? .null)
            object.append("boot_until", bootUntil.map(JSON.int) ?? .null)
        }
        if let digest { object.append("digest", .string(digest.description)) }
        if let serial { object.append("serial", .int(serial)) }
        if !keys.isEmpty { object.append("keys", .array(keys.map(JSON.string))) }
        return object
    }

    init?(members object: JSONObject) {
        guard let action = object["action"]?.text.flatMap(Action.init(rawValue:)),
            let kind = object["kind"]?.text.flatMap(Kind.init(rawValue:)), let id = object["id"]?.text,
            let reason = object["reason"]?.text, let paths = object.list("paths")
        else { return nil }
        self.init(
            action: action,
            kind: kind,
            id: id,
            reason: reason,
            requester: object["requester"].flatMap(Requester.init(json:))
        )
        rules = (object["rules"]?.elements ?? []).compactMap(\.text)
        self.paths = paths
        from = object["from"]?.text.flatMap { Timestamp(rfc3339: $0) }
        until = object["until"]?.text.flatMap { Timestamp(rfc3339: $0) }
        bootFrom = object["boot_from"]?.integer
        bootUntil = object["boot_until"]?.integer
        bootID = object["boot_id"]?.text
        digest = object["digest"]?.text.flatMap { Digest($0) }
        serial = object["serial"]?.integer
        keys = (object["keys"]?.elements ?? []).compactMap(\.text)
    }
}

extension Requester {
    package var json: JSON {
        var object = JSONObject()
        object.append("pid", .int(pid))
        object.append("uid", .int(uid))
        object.append("loginuid", .optional(loginuid))
        object.append("sudo_user", .optional(sudoUser))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object, let pid = object["pid"]?.integer, let uid = object["uid"]?.integer
        else { return nil }
        self.init(
            pid: pid,
            uid: uid,
            loginuid: object["loginuid"]?.integer,
            sudoUser: object["sudo_user"]?.text
        )
    }
}

extension Vouch {
    package var json: JSON {
        var object = JSONObject()
        object.append("source", .string(source))
        object.append("package", .string(package))
        object.append("version", .optional(version))
        object.append("grade", .string(grade.rawValue))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object, let source = object["source"]?.text,
            let package = object["package"]?.text,
            let grade = object["grade"]?.text.flatMap(Grade.init(rawValue:))
        else { return nil }
        self.init(source: source, package: package, version: object["version"]?.text, grade: grade)
    }
}
