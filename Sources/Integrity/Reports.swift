/// The host a report speaks of.
package struct HostIdentity: Hashable, Sendable {
    /// The node name of uname(2).
    package var name: String
    /// machine-id(5): 32 hexadecimal digits; empty where there is none.
    package var machineID: String
    /// /proc/sys/kernel/random/boot_id without its dashes.
    package var bootID: String

    package init(name: String, machineID: String, bootID: String) {
        self.name = name
        self.machineID = machineID
        self.bootID = bootID
    }
}

/// A path that could not be examined.
package struct ExaminationError: Hashable, Sendable {
    package var path: RawPath
    package var failure: Failure
    /// `EACCES`.
    package var name: String
    /// `permission denied`.
    package var message: String

    package init(path: RawPath, failure: Failure, name: String, message: String) {
        self.path = path
        self.failure = failure
        self.name = name
        self.message = message
    }
}

/// The result of `check`.
package struct CheckReport: Hashable, Sendable {
    package var host: HostIdentity
    package var started: Timestamp
    package var finished: Timestamp
    /// `full` or `quick`.
    package var mode: String
    package var baseline: BaselineSummary
    package var summary = CheckSummary()
    /// One a path, sorted by path.
    package var findings: [Finding] = []
    /// The open ones, and those that this check opened.
    package var gaps: [Gap] = []
    package var errors: [ExaminationError] = []
    /// How many files a quick check did not read, because their identity, size and ctime stand as recorded.
    package var skipped = 0
    /// Bytes read.
    package var bytes: UInt64 = 0
    /// The sum of the bits of the interface.
    package var exit = 0
    /// `--fail-on`: what is less severe is shown and sets no bit.
    package var failOn = Severity.low
    /// `--root`: paths are those below it.
    package var root: RawPath?
    /// `--baseline`: where it is not this host's own.
    package var baselineFile: RawPath?
    /// The host whose files were recorded, where that need not be the one that is checked.
    package var origin: BaselineOrigin?
    /// What was examined are copies of the recorded files: identity and change time were not compared.
    package var isCopy = false

    /// Another system was checked, or another baseline than this host's: nothing here knows of it.
    package var isElsewhere: Bool { root != nil || baselineFile != nil }

    package init(
        host: HostIdentity,
        started: Timestamp,
        finished: Timestamp,
        mode: String,
        baseline: BaselineSummary
    ) {
        self.host = host
        self.started = started
        self.finished = finished
        self.mode = mode
        self.baseline = baseline
    }
}

/// The result of `baseline create`.
package struct CreateReport: Hashable, Sendable {
    package var baseline: BaselineSummary
    /// Where the file was written.
    package var file: RawPath
    package var scope: Scope
    /// Bytes hashed.
    package var bytes: UInt64
    package var started: Timestamp
    package var finished: Timestamp
    /// Selected, but unreadable: recorded as unexamined.
    package var unexamined: [ExaminationError]
    /// Paths that should not exist, exist, and are approved by this.
    package var presentAbsent: [RawPath]
    /// Directories that were not entered because of the file system they lie on, with its name.
    package var notEntered: [RawPath: String]
    /// `--root`: whose root was recorded; paths are those below it.
    package var root: RawPath?
    /// The public key that verifies the file, where that is not this host's baseline.
    package var keyFile: RawPath?

    package init(
        baseline: BaselineSummary,
        file: RawPath,
        scope: Scope,
        bytes: UInt64,
        started: Timestamp,
        finished: Timestamp,
        unexamined: [ExaminationError],
        presentAbsent: [RawPath],
        notEntered: [RawPath: String]
    ) {
        self.baseline = baseline
        self.file = file
        self.scope = scope
        self.bytes = bytes
        self.started = started
        self.finished = finished
        self.unexamined = unexamined
        self.presentAbsent = presentAbsent
        self.notEntered = notEntered
    }
}

/// The result of `baseline accept`.
package struct AcceptReport: Hashable, Sendable {
    /// A change that was accepted, or why it was refused.
    package struct Item: Hashable, Sendable {
        package var seq: Int64
        package var finding: Finding
        /// Nil where it was, or would be, accepted; else one sentence.
        package var refusal: String?

        package init(seq: Int64, finding: Finding, refusal: String? = nil) {
            self.seq = seq
            self.finding = finding
            self.refusal = refusal
        }
    }

    package var items: [Item]
    /// What approving the scope does; nil where changes are approved.
    package var scope: ScopeApproval?
    /// The new baseline; nil with `--dry-run`, where nothing was accepted, or where everything left nothing on disk.
    package var baseline: BaselineSummary?
    package var isDryRun: Bool
    package var reason: String

    package init(
        items: [Item],
        scope: ScopeApproval? = nil,
        baseline: BaselineSummary?,
        isDryRun: Bool,
        reason: String
    ) {
        self.items = items
        self.scope = scope
        self.baseline = baseline
        self.isDryRun = isDryRun
        self.reason = reason
    }
}

/// What came into scope since the baseline was approved, and what fell out of it.
package struct ScopeApproval: Hashable, Sendable {
    /// Names that are there now and were not then, and the other way round.
    package struct Names<Name: Hashable & Sendable>: Hashable, Sendable {
        package var new: [Name]
        package var gone: [Name]

        package init(new: [Name] = [], gone: [Name] = []) {
            self.new = new
            self.gone = gone
        }
    }

    /// The paths of one rule.
    package struct Group: Hashable, Sendable {
        package var rule: RuleID
        package var count: Int
        /// The first of them, in order.
        package var first: [RawPath]

        /// How many paths a group names.
        package static let shown = 5

        package init(rule: RuleID, count: Int, first: [RawPath]) {
            self.rule = rule
            self.count = count
            self.first = first
        }

        /// One group a rule, sorted by its name.
        package static func all(of records: some Sequence<Record>) -> [Group] {
            Dictionary(grouping: records, by: \.rule)
                .map { rule, records in
                    let paths = records.map(\.path).sorted()
                    return Group(rule: rule, count: paths.count, first: Array(paths.prefix(shown)))
                }
                .sorted { $0.rule < $1.rule }
        }
    }

    package var rules = Names<RuleID>()
    package var changedRules: [RuleID] = []
    package var packs = Names<String>()
    package var homes = Names<RawPath>()
    package var incoming: [Group] = []
    package var outgoing: [Group] = []
    /// What goes out without ever having had a record: it was added since the scope was approved.
    package var hidden: [Group] = []
    /// Of what comes in, what could not be examined: it is recorded as unexamined where it has a record.
    package var unexamined: [ExaminationError] = []
    /// Of what comes in, what should not exist, exists, and is approved by this.
    package var presentAbsent: [RawPath] = []
    /// Reported changes of what falls out: they are not shown any more.
    package var dropped: [Int64] = []

    package init() {}

    package var incomingCount: Int { incoming.reduce(0) { $0 + $1.count } }
    package var outgoingCount: Int { outgoing.reduce(0) { $0 + $1.count } }
}
