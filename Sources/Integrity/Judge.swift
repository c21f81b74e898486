/// The judgement of one change.
package enum Verdict: UInt8, Hashable, Sendable, CaseIterable {
    case unauthorized = 1
    case authorized = 2
    case expected = 3

    package var name: String { String(describing: self) }

    package init?(name: String) {
        guard let match = Verdict.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}

/// Somebody's word, given beforehand, that a path may change.
///
/// Who gave it and until when was checked by those who gathered the evidence; here it is in force and about
/// this path.
package struct Authorization: Hashable, Sendable {
    /// What the finding names.
    package var id: String
    /// The attributes it speaks for; nil for all of them.
    package var attributes: Set<AttributeName>?

    package init(id: String, attributes: Set<AttributeName>? = nil) {
        self.id = id
        self.attributes = attributes
    }

    /// An authorization covers a change only as a whole: one that speaks for the bytes does not excuse a new mode.
    package func covers(_ change: Change) -> Bool {
        guard let attributes else { return true }
        return !change.counted.isEmpty && attributes.isSuperset(of: change.counted)
    }
}

/// Plain values that others gathered about one change.
package struct Evidence: Hashable, Sendable {
    /// In force for this path at the time of the change.
    package var authorizations: [Authorization]
    /// A record that explains the change without being strong enough to authorize it.
    package var explanation: String?
    /// The gap the change fell into, where nobody saw it happen.
    package var gap: Int64?

    package init(authorizations: [Authorization] = [], explanation: String? = nil, gap: Int64? = nil) {
        self.authorizations = authorizations
        self.explanation = explanation
        self.gap = gap
    }

    package static let none = Evidence()
}

package struct Judgement: Hashable, Sendable {
    package var verdict: Verdict
    package var severity: Severity
    /// The one authorization that covers every counted attribute.
    package var authorization: String?
    package var explainedBy: String?
}

/// Says whether a change was wanted, and how bad it is if it was not.
///
/// A pure function: the one judgement of the program. Where several authorizations cover the change, the first given
/// is named.
package func judge(_ change: Change, severity: Severity, profile: Profile, evidence: Evidence = .none)
    -> Judgement
{
    let severity = profile == .inventory ? .low : severity
    if change.kind == .touched {
        return Judgement(verdict: .expected, severity: .low, authorization: nil, explainedBy: nil)
    }
    if change.isGrowth || (change.kind == .added && profile == .writeOnce) {
        return Judgement(verdict: .expected, severity: severity, authorization: nil, explainedBy: nil)
    }
    if let authorization = evidence.authorizations.first(where: { $0.covers(change) }) {
        return Judgement(
            verdict: .authorized,
            severity: severity,
            authorization: authorization.id,
            explainedBy: evidence.explanation
        )
    }
    var lowered = severity
    if evidence.explanation != nil { lowered = lowered.lowered }
    if change.kind == .transient && evidence.gap != nil { lowered = lowered.lowered }
    return Judgement(
        verdict: .unauthorized,
        severity: lowered,
        authorization: nil,
        explainedBy: evidence.explanation
    )
}
