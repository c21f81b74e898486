package import Integrity
package import Ledger
package import RulePacks

/// Whether the service runs, what it covers, and what is known either way from the state directory.
package struct StatusReport: Sendable {
    package var stateDirectory: RawPath
    package var time: Timestamp
    /// What the running service says of itself; nil where none answers.
    package var service: JSONObject?
    package var baseline = DoctorLedger.Baseline.missing
    /// The rules on disk; nil where they do not load.
    package var rules: StatusRules?
    package var history: StatusHistory?
    /// Sentences about what could not be found out.
    package var trouble: [String] = []

    package init(stateDirectory: RawPath, time: Timestamp) {
        self.stateDirectory = stateDirectory
        self.time = time
    }

    package var isRunning: Bool { service != nil }

    /// The rules on disk are not those that the service has in force.
    package var hasNewerRules: Bool {
        guard let inForce = service?["rules_digest"]?.text, let rules else { return false }
        return inForce != rules.digest.description
    }
}

/// The rules as they lie on disk.
package struct StatusRules: Sendable {
    package var digest: Digest
    package var count: Int
    package var states: [PackState]
    package var ignored: IgnoredCount

    package init(digest: Digest, count: Int, states: [PackState], ignored: IgnoredCount) {
        self.digest = digest
        self.count = count
        self.states = states
        self.ignored = ignored
    }
}

/// What the history tells of how things stand.
package struct StatusHistory: Sendable {
    /// Unauthorized states that stand, and those that were undone and not acknowledged.
    package var differing = 0
    package var unacknowledged = 0
    package var gaps: [Gap] = []
    package var lastFull: CheckEvent?
    package var lastQuick: CheckEvent?
    package var rows: Int64 = 0
    package var unpublished = 0
    /// The newest row that reached the journal, with all before it.
    package var lastPublished: (seq: Int64, time: Timestamp)?
    package var lastRun: LastRun?

    package init() {}

    /// Asks the history; nothing of it is changed.
    package init(_ history: History) throws(HistoryError) {
        let drift = try history.allStanding().filter { $0.verdict == .unauthorized }
        differing = drift.count(where: \.isCurrent)
        unacknowledged = drift.count - differing
        gaps = try history.openGaps()
        lastFull = try history.lastCheck(mode: "full")
        lastQuick = try history.lastCheck(mode: "quick")
        lastRun = try history.lastRun()
        rows = try history.newestSeq()
        unpublished = try history.read { snapshot throws(HistoryError) in try snapshot.unpublishedCount() }
        // Rows go in order, so that all before the first one left went.
        let first = try history.unpublished(limit: 1).first?.seq
        if let last = try history.entry((first ?? rows + 1) - 1) { lastPublished = (last.seq, last.time) }
    }
}
