package import Host
package import Integrity
package import RulePacks
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
        var rulesDigest: Digest?
        var packStates: [PackState] = []
        /// Of the newest survey of everything; nil before the first.
        var surveyed: (unexamined: Int, notEntered: [RawPath: String])?
        var queues: (@Sendable () -> ServiceQueues)?
        var writers: (@Sendable () -> WriterStatus)?
        var sweep: (@Sendable () -> SweepStatus)?
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

    /// The rules in force, and why each pack is on or off.
    package func noteRules(_ digest: Digest, _ packs: [PackState]) {
        state.withLock {
            $0.rulesDigest = digest
            $0.packStates = packs
        }
    }

    /// What the newest survey of everything could not look at.
    package func noteSurvey(unexamined: Int, notEntered: [RawPath: String]) {
        state.withLock { $0.surveyed = (unexamined, notEntered) }
    }

    /// How the queues stand is asked when somebody asks for the status.
    package func attach(queues: @escaping @Sendable () -> ServiceQueues) {
        state.withLock { $0.queues = queues }
    }

    /// How much is known of who writes is asked likewise.
    package func attach(writers: @escaping @Sendable () -> WriterStatus) {
        state.withLock { $0.writers = writers }
    }

    /// And how the sweep gets on.
    package func attach(sweep: @escaping @Sendable () -> SweepStatus) {
        state.withLock { $0.sweep = sweep }
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
        object.append("rules_digest", .optional(state.rulesDigest?.description))
        object.append("packs_off", .array(state.packStates.filter { !$0.isOn }.map(StatusBoard.json)))
        object.append("unexamined", .optional((state.surveyed?.unexamined).map(Int64.init)))
        let places = (state.surveyed?.notEntered ?? [:]).sorted { $0.key < $1.key }
        object.append("not_entered_count", .int(Int64(places.count)))
        object.append("not_entered", .array(places.prefix(StatusBoard.listed).map(StatusBoard.json)))
        object.append("queues", state.queues?().json ?? .null)
        object.append("who", state.writers?().json ?? .null)
        object.append("sweep", state.sweep?().json ?? .null)
        return .object(object)
    }

    /// How many places are named at the most: an answer has a bound.
    private static let listed = 100

    private static func json(_ pack: PackState) -> JSON {
        var object = JSONObject()
        object.append("name", .string(pack.name))
        object.append("because", .string(pack.reason.description))
        return .object(object)
    }

    private static func json(_ place: (key: RawPath, value: String)) -> JSON {
        var object = JSONObject()
        object.append(bytes: place.key.bytes, as: "path")
        object.append("fstype", .string(place.value))
        return .object(object)
    }
}

/// What waits on the way from the kernel to the journal.
package struct ServiceQueues: Hashable, Sendable {
    /// Bytes of events that the kernel holds.
    package var kernelBytes: Int
    /// `fs.inotify.max_queued_events`; nil where it cannot be read.
    package var kernelEventLimit: Int?
    /// Bytes that the reader holds, and how many it may.
    package var readerBytes: Int
    package var readerLimit: Int
    /// Why the last row could not be handed over; nil while all is well.
    package var publishFailure: String?

    package init(
        kernelBytes: Int,
        kernelEventLimit: Int?,
        readerBytes: Int,
        readerLimit: Int,
        publishFailure: String?
    ) {
        self.kernelBytes = kernelBytes
        self.kernelEventLimit = kernelEventLimit
        self.readerBytes = readerBytes
        self.readerLimit = readerLimit
        self.publishFailure = publishFailure
    }

    var json: JSON {
        var object = JSONObject()
        object.append("kernel_bytes", .int(Int64(kernelBytes)))
        object.append("kernel_event_limit", .optional(kernelEventLimit.map(Int64.init)))
        object.append("reader_bytes", .int(Int64(readerBytes)))
        object.append("reader_limit", .int(Int64(readerLimit)))
        object.append("publish_failure", .optional(publishFailure))
        return .object(object)
    }
}
