import Integrity
import Reporting

extension Samples {
    /// As the command writes it, piece by piece.
    static func document(_ report: DifferenceReport, _ items: [BaselineDifference]) -> JSON {
        var object = report.members
        object.append("items", .array(items.map(\.json)))
        return .object(object)
    }

    static var differenceText: String {
        difference.heading()
            + difference.groups.map { group in
                group.heading(difference.summary)
                    + differences.filter { DifferenceGroup($0) == group }.map { $0.text() }.joined()
            }.joined()
    }
}
