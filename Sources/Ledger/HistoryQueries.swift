package import Integrity

/// Single questions and single acts, each in a transaction of its own.
extension History {
    package func entry(_ seq: Int64) throws(HistoryError) -> Entry? {
        try read { snapshot throws(HistoryError) in try snapshot.entry(seq) }
    }

    package func finding(_ seq: Int64) throws(HistoryError) -> Finding? {
        try read { snapshot throws(HistoryError) in try snapshot.finding(seq) }
    }

    /// Visits the entries that a filter lets through, one at a time, until `body` returns false.
    package func forEachEntry(
        _ filter: HistoryFilter,
        _ body: (Entry) throws(HistoryError) -> Bool
    ) throws(HistoryError) {
        try read { snapshot throws(HistoryError) in try snapshot.forEachEntry(filter, body) }
    }

    /// The entries that a filter lets through, all at once.
    package func entries(_ filter: HistoryFilter = HistoryFilter()) throws(HistoryError) -> [Entry] {
        var entries: [Entry] = []
        try forEachEntry(filter) { entry throws(HistoryError) in
            entries.append(entry)
            return true
        }
        return entries
    }

    package func lastEntry(_ events: Set<String>) throws(HistoryError) -> Entry? {
        try read { snapshot throws(HistoryError) in try snapshot.lastEntry(events) }
    }

    /// The number of the newest row; 0 where there is none.
    package func newestSeq() throws(HistoryError) -> Int64 {
        try read { snapshot throws(HistoryError) in try snapshot.lastSeq() }
    }

    package func lastRun() throws(HistoryError) -> LastRun? {
        try read { snapshot throws(HistoryError) in try snapshot.lastRun() }
    }

    package func newestBaseline() throws(HistoryError) -> BaselineEvent? {
        try read { snapshot throws(HistoryError) in try snapshot.newestBaseline() }
    }

    package func openGaps() throws(HistoryError) -> [Gap] {
        try read { snapshot throws(HistoryError) in try snapshot.openGaps() }
    }

    package func standing(_ path: RawPath) throws(HistoryError) -> [Standing] {
        try read { snapshot throws(HistoryError) in try snapshot.standing(path) }
    }

    package func currentStanding(_ path: RawPath) throws(HistoryError) -> Standing? {
        try read { snapshot throws(HistoryError) in try snapshot.currentStanding(path) }
    }

    package func allStanding() throws(HistoryError) -> [Standing] {
        try read { snapshot throws(HistoryError) in try snapshot.allStanding() }
    }

    /// The newest check of that mode, `full` or `quick`.
    package func lastCheck(mode: String) throws(HistoryError) -> CheckEvent? {
        var filter = HistoryFilter()
        (filter.events, filter.isNewestFirst) = (["check"], true)
        var found: CheckEvent?
        try forEachEntry(filter) { entry throws(HistoryError) in
            guard case .check(let event) = entry.event, event.mode == mode else { return true }
            found = event
            return false
        }
        return found
    }

    package func unpublished(limit: Int) throws(HistoryError) -> [Entry] {
        try read { snapshot throws(HistoryError) in try snapshot.unpublished(limit: limit) }
    }

    package func markPublished(_ seqs: some Sequence<Int64>) throws(HistoryError) {
        _ = try write { transaction throws(HistoryError) in try transaction.markPublished(seqs) }
    }

    /// Appends one event in a transaction of its own.
    @discardableResult
    package func append(_ event: Event, at time: Timestamp) throws(HistoryError) -> Entry {
        try write { transaction throws(HistoryError) in try transaction.append(event, at: time) }.result
    }
}
