package import Integrity
package import Warden

extension DoctorReport {
    /// `millwarden.doctor/1`; `docs/schema/doctor.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.doctor/1"))
        object.append("host", .string(host.name))
        object.append("machine_id", .string(host.machineID))
        object.append("boot_id", .string(host.bootID))
        object.append("version", .string(version))
        object.append("time", .string(time.description))
        object.append("level", .string(level.rawValue))
        object.append("exit", .int(Int64(exit)))
        var counts = JSONObject()
        for level in DoctorFinding.Level.allCases {
            counts.append(level.rawValue, .int(Int64(count(level))))
        }
        object.append("counts", .object(counts))
        object.append("watch_budget", budget?.json ?? .null)
        object.append("findings", .array(findings.map(\.json)))
        return .object(object)
    }
}

extension WatchBudget {
    var json: JSON {
        var object = JSONObject()
        object.append("needed", .int(Int64(needed)))
        object.append("used_by_others", .int(Int64(usedByOthers)))
        object.append("limit", .optional(limit.map(Int64.init)))
        object.append("recommended", .int(Int64(recommended)))
        return .object(object)
    }
}

extension DoctorFinding {
    var json: JSON {
        var object = JSONObject()
        object.append("id", .string(id))
        object.append("level", .string(level.rawValue))
        object.append("message", .string(message))
        object.append("details", .array(details.map(JSON.string)))
        object.append(list: paths.map(\.bytes), as: "paths")
        object.append("fix", .array(fixes.map(\.json)))
        return .object(object)
    }
}

extension DoctorFinding.Fix {
    var json: JSON {
        var object = JSONObject()
        switch self {
        case .command(let words): object.append("command", .string(words))
        case .file(let path, let lines):
            object.append(bytes: path.bytes, as: "file")
            object.append("content", .string(lines.map { $0 + "\n" }.joined()))
        }
        return .object(object)
    }
}
