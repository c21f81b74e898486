package import Integrity
import Synchronization

/// What the running service knows of itself, for `status`: written by the pipeline, read by the control socket.
package final class StatusBoard: Sendable {
    private struct State: Sendable {
        var pid: Int64
        var version: String
        var generation: Int64 = 0
        var entries = 0
        var packs: [String] = []
        var rules = 0
        var readySince: Timestamp?
        var directories = 0
        var pending = 0
        var recorded = 0
        var lastSeq: Int64 = 0
        var trouble: String?
    }

    private let state: Mutex<State>

    package init(version: String, pid: Int64) {
        state = Mutex(State(pid: pid, version: version))
    }

    package func noteScope(baseline: BaselineSummary, packs: [String], rules: Int) {
        state.withLock {
            $0.generation = baseline.generation
            $0.entries = baseline.entries
            $0.packs = packs
            $0.rules = rules
        }
    }

    package func noteReady(directories: Int, at time: Timestamp) {
        state.withLock {
            $0.readySince = time
            $0.directories = directories
        }
    }

    package func noteRecorded(_ entries: [Entry]) {
        state.withLock {
            $0.recorded += entries.count
            $0.lastSeq = max($0.lastSeq, entries.last?.seq ?? 0)
        }
    }

    package func noteTrouble(_ sentence: String?) {
        state.withLock { $0.trouble = sentence }
    }

    package func update(pending: Int, watches: Int) {
        state.withLock {
            $0.pending = pending
            $0.directories = watches
        }
    }

    /// The answer to `status`, as one JSON object.
    package var json: JSON {
        let state = state.withLock { $0 }
        var object = JSONObject()
        object.append("schema", .string("millwarden.service/1"))
        object.append("pid", .int(state.pid))
        object.append("version", .string(state.version))
        object.append("ready_since", .optional(state.readySince?.description))
        object.append("generation", .int(state.generation))
        object.append("paths", .int(Int64(state.entries)))
        object.append("directories_watched", .int(Int64(state.directories)))
        object.append("rules", .int(Int64(state.rules)))
        object.append("packs", .array(state.packs.map(JSON.string)))
        object.append("pending", .int(Int64(state.pending)))
        object.append("recorded", .int(Int64(state.recorded)))
        object.append("trouble", .optional(state.trouble))
        return .object(object)
    }
}
