internal import GRDB
package import Integrity

/// Which entries are wanted; what is not set lets everything through.
package struct HistoryFilter: Sendable {
    /// At this moment or later.
    package var since: Timestamp?
    /// Before this moment.
    package var until: Timestamp?
    package var seqs: ClosedRange<Int64>?
    /// Asked with every path that an entry is about; entries about no path are not let through.
    package var path: (@Sendable (RawPath) -> Bool)?
    package var rules: Set<RuleID> = []
    package var minimumSeverity: Severity?
    package var severities: Set<Severity> = []
    package var verdicts: Set<Verdict> = []
    /// By their names: `change`, `gap`, ….
    package var events: Set<String> = []
    package var limit: Int?
    package var isNewestFirst = false

    package init() {}

    func query(_ columns: String) -> (sql: String, arguments: StatementArguments) {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func add(_ condition: String, _ value: some DatabaseValueConvertible) {
            conditions.append(condition)
            arguments += [value]
        }
        if let since { add("time >= ?", since.inNanoseconds) }
        if let until { add("time < ?", until.inNanoseconds) }
        if let seqs {
            add("seq >= ?", seqs.lowerBound)
            add("seq <= ?", seqs.upperBound)
        }
        if let minimumSeverity { add("severity >= ?", Int(minimumSeverity.rawValue)) }
        func add(_ column: String, among values: [some DatabaseValueConvertible]) {
            guard !values.isEmpty else { return }
            conditions.append("\(column) IN (\(values.map { _ in "?" }.joined(separator: ", ")))")
            arguments += StatementArguments(values)
        }
        add("rule", among: rules.sorted())
        add("severity", among: severities.map { Int($0.rawValue) })
        add("verdict", among: verdicts.map(\.name))
        add("event", among: events.sorted())
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return (
            "SELECT \(columns) FROM history\(condition) ORDER BY seq\(isNewestFirst ? " DESC" : "")",
            arguments
        )
    }

    func lets(_ event: Event) -> Bool {
        guard let path else { return true }
        return event.paths.contains(where: path)
    }
}

extension Event {
    /// The paths it is about.
    var paths: [RawPath] {
        switch self {
        case .change(let finding): [finding.path] + (finding.from.map { [$0] } ?? [])
        case .resolved(let resolution): [resolution.path]
        case .gapOpened(let gap), .gapClosed(let gap): gap.scope
        case .selfProtection(let event): event.paths
        case .start, .stop, .reload, .check, .baseline, .authorization: []
        }
    }
}
