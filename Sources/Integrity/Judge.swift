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
    /// A record that should know the path and says something else than what stands there: worse than no record.
    package var contradiction: String?
    /// Records that agree with what stands there; they authorize nothing.
    package var vouches: [Vouch]
    /// The gap the change fell into, where nobody saw it happen.
    package var gap: Int64?

    package init(
        authorizations: [Authorization] = [],
        explanation: String? = nil,
        contradiction: String? = nil,
        vouches: [Vouch] = [],
        gap: Int64? = nil
    ) {
        self.authorizations = authorizations
        self.explanation = explanation
        self.contradiction = contradiction
        self.vouches = vouches
        self.gap = gap
    }

    package static let none = Evidence()

    /// Adds what another witness says; of two explanations, contradictions or gaps the first one stays.
    package mutating func add(_ other: Evidence) {
        authorizations += other.authorizations
        explanation = explanation ?? other.explanation
        contradiction = contradiction ?? other.contradiction
        vouches += other.vouches
        gap = gap ?? other.gap
    }
}

/// A record of a package manager or build tool that agrees with the content of a path.
package struct Vouch: Hashable, Sendable {
    /// How much it is worth.
    package enum Grade: String, Hashable, Sendable, CaseIterable {
        /// A chain of signatures up to a key.
        case signed = "S"
        /// A strong digest of the file, unsigned on this host.
        case file = "A"
        /// A strong digest of the archive it came from.
        case archive = "B"
        /// A weak digest, or the bare name.
        case weak = "D"
    }

    /// `dpkg`, `pip`, `cargo`, `go`, `npm`, `nuget`, `git`.
    package var source: String
    package var package: String
    package var version: String?
    package var grade: Grade

    package init(source: String, package: String, version: String? = nil, grade: Grade) {
        self.source = source
        self.package = package
        self.version = version
        self.grade = grade
    }
}

package struct Judgement: Hashable, Sendable {
    package var verdict: Verdict
    package var severity: Severity
    /// The one authorization that covers every counted attribute.
    package var authorization: String?
    package var explainedBy: String?
    /// Set where a record disagrees with what stands there, and nobody authorized it.
    package var contradictedBy: String?
}

/// Says whether a change was wanted, and how bad it is if it was not.
///
/// A pure function: the one judgement of the program. Where several authorizations cover the change, the first given
/// is named. What a weaker record explains is one step less severe; what a record contradicts is one step more, whatever
/// else explains it.
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
    if evidence.contradiction != nil {
        lowered = lowered.raised
    } else if evidence.explanation != nil {
        lowered = lowered.lowered
    }
    if change.kind == .transient && evidence.gap != nil { lowered = lowered.lowered }
    return Judgement(
        verdict: .unauthorized,
        severity: lowered,
        authorization: nil,
        explainedBy: evidence.explanation,
        contradictedBy: evidence.contradiction
    )
}
