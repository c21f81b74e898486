package import Integrity
package import Ledger

/// Under `append-only`, what was last observed has to be the beginning, not only what was approved: a log that grew and
/// is cut back to the baseline did not return to anything.
struct LastObserved: Sendable {
    let attributes: Attributes

    /// Nil where the rule is another, or where nothing but growth was told of since the baseline.
    init?(_ standing: Standing?, rule: Rule?) {
        guard rule?.profile == .appendOnly, let standing, standing.isCurrent, standing.verdict == .expected,
            let attributes = standing.state?.attributes, attributes.type == .file
        else { return nil }
        self.attributes = attributes
    }

    /// How many bytes have to be the beginning now.
    var size: UInt64 { attributes.size }

    /// What to compare, given an observation whose prefix covers `size` bytes.
    ///
    /// Growth that goes on from the last observed state is growth of the baseline too; anything else is compared with
    /// the last observed state itself. `isContinuation` says that it goes on and nothing else differs.
    func comparison(
        baseline: Attributes?,
        observation: Observation
    ) -> (recorded: Attributes?, observation: Observation, isContinuation: Bool) {
        var observation = observation
        guard let now = observation.attributes, now.type == .file, now.inode == attributes.inode,
            now.size >= attributes.size, let prefix = observation.prefix,
            attributes.content == .digest(prefix)
        else {
            observation.prefix = nil
            return (attributes, observation, false)
        }
        let isContinuation = continues(attributes, now, prefix: prefix)
        if case .digest(let digest) = baseline?.content { observation.prefix = digest }
        return (baseline, observation, isContinuation)
    }
}

extension History {
    /// The logs that grew since the baseline, with what was last observed of them.
    package func grownLogs(under rules: [Rule]) throws(HistoryError) -> [RawPath: Standing] {
        let ids = Set(rules.lazy.filter { $0.profile == .appendOnly }.map(\.id))
        guard !ids.isEmpty else { return [:] }
        var grown: [RawPath: Standing] = [:]
        for standing in try allStanding() where standing.isCurrent && ids.contains(standing.rule) {
            grown[standing.path] = standing
        }
        return grown
    }
}
