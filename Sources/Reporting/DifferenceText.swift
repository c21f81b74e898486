internal import Host
package import Integrity

extension DifferenceReport {
    /// The beginning of the text of `baseline diff`: the answer in one line, and what was compared with what.
    package func heading(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(verdictLine(style.width), paint: summary.different == 0 ? .good : .warning)
        side("from", before, &page)
        side("to", after, &page)
        page.blank()
        page.pair("compared", compared.joined(separator: ", "))
        if !isOfSameFiles {
            page.pair("", "not ctime, inode, birth time: the two were made of different files")
        }
        if !ignored.isEmpty {
            page.pair("ignored", ignored.map { escaped($0.bytes) }.joined(separator: ", "))
        }
        scope(&page)
        return page.text
    }

    private func verdictLine(_ width: Int) -> String {
        let paths = counted(summary.paths, "path")
        guard summary.different > 0 else { return "EQUAL: \(paths)" }
        let kinds = [
            (summary.added, "added"), (summary.removed, "removed"), (summary.changed, "changed"),
            (summary.unexamined, "not examined"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let words = "DIFFERENT: " + enumerated(kinds)
        return fitting(width, [words + " of \(paths)", words, "DIFFERENT: \(summary.different) of \(paths)"])
    }

    private func side(_ label: String, _ side: Side, _ page: inout TextPage) {
        page.blank()
        if let file = side.file {
            page.name(file, label: padded(label, 13))
        } else {
            page.pair(label, "the baseline of this host")
        }
        page.pair(
            "baseline",
            "\(side.baseline.generation) of \(side.baseline.created.utc), \(counted(side.baseline.entries, "record"))"
        )
        page.key(side.baseline.signedBy)
        page.pair("made on", hostText(side.origin))
    }

    /// What was in scope decides which paths can be in either; it does not count as a difference by itself.
    private func scope(_ page: inout TextPage) {
        let (old, new) = (before.scope, after.scope)
        if old.rules != new.rules { page.pair("rules", "not the same") }
        names("packs", old.packs.map(safe), new.packs.map(safe), &page)
        names("homes", old.homes.map(\.description), new.homes.map(\.description), &page)
    }

    private func names(_ label: String, _ old: [String], _ new: [String], _ page: inout TextPage) {
        let gone = old.filter { !new.contains($0) }
        let come = new.filter { !old.contains($0) }
        var words: [String] = []
        if !gone.isEmpty { words.append("only before: " + gone.joined(separator: ", ")) }
        if !come.isEmpty { words.append("only after: " + come.joined(separator: ", ")) }
        if !words.isEmpty { page.pair(label, words.joined(separator: "; ")) }
    }

    /// The groups of the text, in their order; nil in one leaves it out.
    package var groups: [DifferenceGroup] { DifferenceGroup.allCases.filter { $0.count(summary) > 0 } }
}

/// Differences that stand together in the text.
package enum DifferenceGroup: CaseIterable, Sendable {
    case added, removed, changed, unexamined

    package init(_ difference: BaselineDifference) {
        switch difference.kind {
        case .added: self = .added
        case .removed: self = .removed
        case .change: self = .changed
        case .unexamined: self = .unexamined
        }
    }

    func count(_ summary: DifferenceSummary) -> Int {
        switch self {
        case .added: summary.added
        case .removed: summary.removed
        case .changed: summary.changed
        case .unexamined: summary.unexamined
        }
    }

    /// `ADDED (3)`, after a blank line.
    package func heading(_ summary: DifferenceSummary, _ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        let name = self == .unexamined ? "NOT EXAMINED IN ONE OF THEM" : "\(self)".uppercased()
        page.sentence("\(name) (\(count(summary)))", paint: .heading)
        return "\n" + page.text
    }
}

extension BaselineDifference {
    /// The change and the path, then what was and what is; a blank line stands before it.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        switch kind {
        case .change(let change):
            var finding = Finding(
                path: path,
                change: change,
                rule: after?.rule ?? before?.rule ?? "",
                severity: .low,
                verdict: .unauthorized
            )
            finding.attributes = attributes
            finding.before = before?.state.attributes
            finding.after = after?.state.attributes
            finding.via = after?.via ?? before?.via
            page.finding(finding)
        case .unexamined: page.name(path, label: "  " + padded("unknown", 10), paint: .heading)
        }
        for (label, record) in [("before", before), ("after", after)] {
            guard case .unexamined(let failure)? = record?.state else { continue }
            let error = Errno(failure.errno)
            page.pair(
                label,
                "not examined: \(failure.operation.name): \(safe(error.message)) (\(error.name))",
                indent: 4,
                column: 9
            )
        }
        return "\n" + page.text
    }

    /// One line of `--format jsonl`, and one of the items of `--format json`.
    package var json: JSON {
        var object = JSONObject()
        object.append(bytes: path.bytes, as: "path")
        object.append("change", .string(name))
        object.append(list: attributes.map(\.bytes), as: "attributes")
        object.append("before", before?.json ?? .null)
        object.append("after", after?.json ?? .null)
        return .object(object)
    }
}

extension DifferenceReport {
    /// `millwarden.baseline-diff/1` but for its last member, `items`; `docs/schema/baseline-diff.json` describes it.
    package var members: JSONObject {
        var object = JSONObject()
        object.append("schema", .string("millwarden.baseline-diff/1"))
        object.append("before", before.json)
        object.append("after", after.json)
        object.append("same_files", .bool(isOfSameFiles))
        object.append("compared", .array(compared.map(JSON.string)))
        object.append(list: ignored.map(\.bytes), as: "ignored")
        object.append("summary", summary.json)
        return object
    }
}

extension DifferenceReport.Side {
    fileprivate var json: JSON {
        var object = JSONObject()
        object.append(bytes: file?.bytes, as: "file")
        object.append("baseline", .object(baseline.members))
        object.append("host", .string(origin.host))
        object.append("machine_id", .string(origin.machineID))
        object.append("scope", scope.json)
        return .object(object)
    }
}

extension DifferenceSummary {
    fileprivate var json: JSON {
        var object = JSONObject()
        for (name, count) in [
            ("paths", paths), ("equal", equal), ("added", added), ("removed", removed), ("changed", changed),
            ("unexamined", unexamined),
        ] { object.append(name, .int(Int64(count))) }
        return .object(object)
    }
}
