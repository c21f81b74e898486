package import Integrity
import Ledger
import RulePacks
package import Warden

extension StatusReport {
    /// `millwarden.status/1`; `docs/schema/status.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.status/1"))
        object.append("running", .bool(isRunning))
        object.append("time", .string(time.description))
        object.append(bytes: stateDirectory.bytes, as: "state_directory")
        object.append("service", service.map(JSON.object) ?? .null)
        object.append("baseline", baselineJSON)
        object.append("scope", rules?.json ?? .null)
        object.append("rules_changed", .bool(hasNewerRules))
        object.append("differing", .int(Int64(history?.differing ?? 0)))
        object.append("unacknowledged", .int(Int64(history?.unacknowledged ?? 0)))
        object.append("gaps", .array((history?.gaps ?? []).map(\.json)))
        object.append("last_full_check", json(history?.lastFull))
        object.append("last_quick_check", json(history?.lastQuick))
        object.append("history", history?.json ?? .null)
        object.append("trouble", .optional(trouble.isEmpty ? nil : trouble.joined(separator: "; ")))
        return .object(object)
    }

    private var baselineJSON: JSON {
        var object = JSONObject()
        switch baseline {
        case .missing: return .null
        case .untrusted(let reason):
            object.append("trusted", .bool(false))
            object.append("reason", .string(reason))
        case .trusted(let summary, _, let anchor):
            object.append("trusted", .bool(true))
            object.append("known_to_history", .bool(anchor != .missing))
            object.append(contentsOf: summary.members)
        }
        return .object(object)
    }

    private func json(_ check: CheckEvent?) -> JSON {
        guard let check else { return .null }
        var object = JSONObject()
        object.append("finished", .string(check.finished.description))
        object.append("age_seconds", .int(max(0, time.nanoseconds(since: check.finished)) / 1_000_000_000))
        object.append("exit", .int(Int64(check.exit)))
        object.append("generation", .int(check.generation))
        object.append("unauthorized", .int(Int64(check.summary.unauthorized)))
        object.append("unexamined", .int(Int64(check.summary.unexamined)))
        return .object(object)
    }
}

extension StatusRules {
    var json: JSON {
        var object = JSONObject()
        object.append("digest", .string(digest.description))
        object.append("rules", .int(Int64(count)))
        object.append("packs_on", .array(states.filter(\.isOn).map { .string($0.name) }))
        object.append(
            "packs_off",
            .array(
                states.filter { !$0.isOn }.map { state in
                    var pack = JSONObject()
                    pack.append("name", .string(state.name))
                    pack.append("because", .string(state.reason.description))
                    return .object(pack)
                }
            )
        )
        object.append("ignored_paths", .int(Int64(ignored.paths)))
        object.append("ignored_truncated", .bool(ignored.isTruncated))
        return .object(object)
    }
}

extension StatusHistory {
    var json: JSON {
        var object = JSONObject()
        object.append("rows", .int(rows))
        object.append("unpublished", .int(Int64(unpublished)))
        object.append("last_published", .optional(lastPublished?.seq))
        object.append("last_published_time", .optional(lastPublished?.time.description))
        object.append("last_start", .optional(lastRun?.started.description))
        object.append("last_stop", .optional(lastRun?.stopped?.description))
        return .object(object)
    }
}
