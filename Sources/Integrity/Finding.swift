/// Who wrote, as far as the kernel told.
///
/// What is not known stays nil; it is never guessed.
package struct Actor: Hashable, Sendable {
    package var pid: Int64?
    package var uid: Int64?
    /// The login uid of /proc/PID/loginuid: who logged in, whatever su or sudo did later.
    package var loginuid: Int64?
    package var exe: [UInt8]?
    package var cmdline: [[UInt8]] = []
    package var parents: [[UInt8]] = []
    package var unit: String?
    package var container: String?
    /// How many further writers there were.
    package var others = 0

    package init() {}
}

/// What stands in front of a path that no longer wins.
package struct Shadow: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        case mount, path
    }

    package var kind: Kind
    package var path: RawPath
    package var source: [UInt8]?
    package var fileSystem: String?

    package init(kind: Kind, path: RawPath, source: [UInt8]? = nil, fileSystem: String? = nil) {
        self.kind = kind
        self.path = path
        self.source = source
        self.fileSystem = fileSystem
    }
}

/// A change with its rule and judgement.
///
/// There is one a path.
package struct Finding: Hashable, Sendable {
    package var path: RawPath
    package var change: ChangeKind
    package var attributes: [AttributeName] = []
    package var before: Attributes?
    package var after: Attributes?
    /// The name it had, for `moved`.
    package var from: RawPath?
    /// What covers it, for `shadowed`.
    package var by: Shadow?
    package var rule: RuleID
    package var via: RawPath?
    package var severity: Severity
    package var tags: [String] = []
    package var verdict: Verdict
    package var authorization: String?
    package var explainedBy: String?
    /// A record that should know the path and says something else.
    package var contradictedBy: String?
    /// Records that agree with what stands there.
    package var vouchedBy: [Vouch] = []
    /// When the change was undone; nil while it stands.
    package var resolved: Timestamp?
    package var actor: Actor?
    /// The gap it was found behind.
    package var gap: Int64?
    /// The glob, as its rule has it, that says that the path should not exist.
    package var absent: String?
    /// What is kept of the change besides its attributes; nil where there is nothing.
    package var evidence: FileEvidence?

    package init(path: RawPath, change: ChangeKind, rule: RuleID, severity: Severity, verdict: Verdict) {
        self.path = path
        self.change = change
        self.rule = rule
        self.severity = severity
        self.verdict = verdict
    }
}

/// A change that is no more: what stands at the path equals the baseline again.
package struct Resolution: Hashable, Sendable {
    package var path: RawPath
    /// The row of the change that is undone.
    package var resolves: Int64
    package var rule: RuleID
    package var change: ChangeKind
    package var severity: Severity

    package init(path: RawPath, resolves: Int64, rule: RuleID, change: ChangeKind, severity: Severity) {
        self.path = path
        self.resolves = resolves
        self.rule = rule
        self.change = change
        self.severity = severity
    }
}

/// Something that could not be seen: numbered, and open until the part affected was examined again.
package struct Gap: Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        case queueOverflow = "queue-overflow"
        case watchLimit = "watch-limit"
        case unreadable
        case down
        case uncleanStop = "unclean-stop"
        case mount
        case clockStep = "clock-step"
        case scope
        case history
        case ioError = "io-error"
    }

    /// Counts up from 1 over the life of a history.
    package var id: Int64
    package var reason: Reason
    /// The directories or paths affected.
    package var scope: [RawPath]
    package var opened: Timestamp
    package var closed: Timestamp?
    /// How many changes the re-examination found; nil while it is open.
    package var found: Int?
    /// One sentence: what happened and what to do.
    package var detail: String?

    package init(
        id: Int64,
        reason: Reason,
        scope: [RawPath],
        opened: Timestamp,
        closed: Timestamp? = nil,
        found: Int? = nil,
        detail: String? = nil
    ) {
        self.id = id
        self.reason = reason
        self.scope = scope
        self.opened = opened
        self.closed = closed
        self.found = found
        self.detail = detail
    }

    package var isOpen: Bool { closed == nil }
}
