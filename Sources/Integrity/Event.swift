/// One thing the history keeps: what happened, before it got its number and its place in the chain.
package enum Event: Hashable, Sendable {
    case change(Finding)
    case resolved(Resolution)
    case gapOpened(Gap)
    case gapClosed(Gap)
    case start(StartEvent)
    case stop(StopEvent)
    case reload(StartEvent)
    case check(CheckEvent)
    case baseline(BaselineEvent)
    case authorization(AuthorizationEvent)
    /// The monitor itself was interfered with, or could not do its work: one sentence and the paths concerned.
    case selfProtection(SelfEvent)

    /// The value of the key `event`.
    package var name: String {
        switch self {
        case .change: "change"
        case .resolved: "resolved"
        case .gapOpened, .gapClosed: "gap"
        case .start: "start"
        case .stop: "stop"
        case .reload: "reload"
        case .check: "check"
        case .baseline: "baseline"
        case .authorization: "authorization"
        case .selfProtection: "self"
        }
    }
}

/// The service began to watch, or took up a new configuration.
package struct StartEvent: Hashable, Sendable {
    package var version: String
    package var pid: Int64
    package var generation: Int64
    /// Directories watched.
    package var directories: Int
    package var rules: Digest
    /// The last run did not end with a `stop`.
    package var afterUncleanStop: Bool

    package init(
        version: String,
        pid: Int64,
        generation: Int64,
        directories: Int,
        rules: Digest,
        afterUncleanStop: Bool
    ) {
        self.version = version
        self.pid = pid
        self.generation = generation
        self.directories = directories
        self.rules = rules
        self.afterUncleanStop = afterUncleanStop
    }
}

/// The service ended in order.
package struct StopEvent: Hashable, Sendable {
    /// `SIGTERM`, or one sentence.
    package var reason: String
    package var pid: Int64

    package init(reason: String, pid: Int64) {
        self.reason = reason
        self.pid = pid
    }
}

/// How many of what a check found; the keys of the report's `summary`.
package struct CheckSummary: Hashable, Sendable {
    package var examined = 0
    package var unchanged = 0
    package var added = 0
    package var removed = 0
    package var moved = 0
    /// `content`, `type` and `metadata`.
    package var changed = 0
    package var replaced = 0
    package var transient = 0
    package var shadowed = 0
    package var touched = 0
    package var unauthorized = 0
    package var authorized = 0
    package var expected = 0
    package var unbaselined = 0
    package var unexamined = 0
    package var errors = 0
    package var openGaps = 0

    package init() {}

    /// The counters under their names in the interface, in its order.
    package static var counters: [(name: String, path: WritableKeyPath<CheckSummary, Int>)] {
        [
            ("examined", \.examined), ("unchanged", \.unchanged), ("added", \.added), ("removed", \.removed),
            ("moved", \.moved), ("changed", \.changed), ("replaced", \.replaced), ("transient", \.transient),
            ("shadowed", \.shadowed), ("touched", \.touched), ("unauthorized", \.unauthorized),
            ("authorized", \.authorized), ("expected", \.expected), ("unbaselined", \.unbaselined),
            ("unexamined", \.unexamined), ("errors", \.errors), ("open_gaps", \.openGaps),
        ]
    }

    package mutating func count(_ finding: Finding) {
        switch finding.change {
        case .added: added += 1
        case .removed: removed += 1
        case .moved: moved += 1
        case .content, .type, .metadata: changed += 1
        case .replaced: replaced += 1
        case .transient: transient += 1
        case .shadowed: shadowed += 1
        case .touched: touched += 1
        }
        switch finding.verdict {
        case .unauthorized: unauthorized += 1
        case .authorized: authorized += 1
        case .expected: expected += 1
        }
    }
}

/// A check ran to its end.
package struct CheckEvent: Hashable, Sendable {
    /// What the service calls its own look at everything in the background.
    package static let sweepMode = "sweep"

    /// `full`, `quick` or `sweep`.
    package var mode: String
    package var started: Timestamp
    package var finished: Timestamp
    package var generation: Int64
    package var summary: CheckSummary
    /// The exit status it ended with.
    package var exit: Int
    /// The severity of the worst unauthorized finding.
    package var worst: Severity?

    package init(
        mode: String,
        started: Timestamp,
        finished: Timestamp,
        generation: Int64,
        summary: CheckSummary,
        exit: Int,
        worst: Severity?
    ) {
        self.mode = mode
        self.started = started
        self.finished = finished
        self.generation = generation
        self.summary = summary
        self.exit = exit
        self.worst = worst
    }
}

/// Somebody approved something.
package struct BaselineEvent: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable {
        /// An intent comes before the file is replaced; only what follows it says whether it was.
        case intended, created, accepted, abandoned, imported
    }

    package var action: Action
    package var baseline: BaselineSummary
    /// Why, in the words of the one who approved; nil for `create`.
    package var reason: String?
    /// The real uid of the process, and the login uid where the kernel knows one.
    package var uid: Int64
    package var loginuid: Int64?
    /// Where an imported baseline comes from; nil for one that was made here.
    package var origin: BaselineOrigin?
    /// The rows of the changes that were accepted.
    package var accepted: [Int64]
    /// How many paths the approval changed.
    package var paths: Int
    /// How many paths came into scope and fell out of it; nil where the approval was not about the scope.
    package var scope: ScopeCounts?

    package struct ScopeCounts: Hashable, Sendable {
        package var incoming: Int
        package var outgoing: Int

        package init(incoming: Int, outgoing: Int) {
            self.incoming = incoming
            self.outgoing = outgoing
        }
    }

    package init(
        action: Action,
        baseline: BaselineSummary,
        reason: String?,
        uid: Int64,
        loginuid: Int64?,
        accepted: [Int64] = [],
        paths: Int,
        scope: ScopeCounts? = nil
    ) {
        self.action = action
        self.baseline = baseline
        self.reason = reason
        self.uid = uid
        self.loginuid = loginuid
        self.accepted = accepted
        self.paths = paths
        self.scope = scope
    }
}

/// Where a baseline that was not made here comes from, by its own signed word.
package struct BaselineOrigin: Hashable, Sendable {
    /// The node name of the host whose files were recorded.
    package var host: String
    /// machine-id(5) of that host; empty where it had none.
    package var machineID: String
    /// The key that is trusted since the import; nil where it was trusted before.
    package var trustedKey: String?

    package init(host: String, machineID: String, trustedKey: String? = nil) {
        self.host = host
        self.machineID = machineID
        self.trustedKey = trustedKey
    }
}

/// Interference with the monitor itself.
package struct SelfEvent: Hashable, Sendable {
    package var message: String
    package var paths: [RawPath]

    package init(message: String, paths: [RawPath] = []) {
        self.message = message
        self.paths = paths
    }
}

/// An event as the history keeps it.
package struct Entry: Hashable, Sendable {
    /// Counts up from 1 without holes over the life of a history.
    package var seq: Int64
    package var time: Timestamp
    /// SHA-256 of the previous row's chain value and this row in its canonical form.
    package var chain: Digest
    package var event: Event

    package init(seq: Int64, time: Timestamp, chain: Digest, event: Event) {
        self.seq = seq
        self.time = time
        self.chain = chain
        self.event = event
    }
}
