package import Integrity

/// The line above those of `history list`.
package let historyHeader =
    "   SEQ " + padded("TIME (UTC)", 20) + padded("WHAT", 10) + padded("SEVERITY", 9)
    + padded("VERDICT", 13) + "PATH"

/// One line of `history list`, whatever the event: number, time, what happened, severity, verdict, path.
///
/// It is as long as its path needs: an entry is never broken over two lines.
package func historyLine(for entry: Entry, style: TextStyle = .plain) -> String {
    let lead = aligned(entry.seq, 6) + " " + padded(entry.time.toSecond, 20)
    let row = HistoryRow(entry.event)
    let middle = padded(row.what, 10) + padded(row.severity?.name ?? "-", 9) + padded(row.verdict, 13)
    guard let severity = row.severity, row.verdict == Verdict.unauthorized.name else {
        return lead + middle + row.rest
    }
    return lead + Paint(severity).apply(middle, style) + row.rest
}

private struct HistoryRow {
    var what: String
    var severity: Severity?
    var verdict = "-"
    var rest: String

    init(_ event: Event) {
        what = event.name
        switch event {
        case .change(let finding):
            (what, severity, verdict) = (finding.change.name, finding.severity, finding.verdict.name)
            rest = finding.path.description
        case .resolved(let resolution):
            severity = resolution.severity
            rest = "\(resolution.path) (entry \(resolution.resolves))"
        case .gapOpened(let gap), .gapClosed(let gap):
            verdict = gap.isOpen ? "opened" : "closed"
            let more = gap.scope.count > 1 ? " and \(gap.scope.count - 1) more" : ""
            rest = "\(gap.id) \(gap.reason.rawValue)" + (gap.scope.first.map { " \($0)\(more)" } ?? "")
        case .start(let start), .reload(let start): rest = "baseline \(start.generation)"
        case .stop(let stop): rest = safe(stop.reason)
        case .check(let check):
            severity = check.worst
            verdict = "exit \(check.exit)"
            rest = "\(safe(check.mode)), \(check.summary.unauthorized) unauthorized"
        case .baseline(let baseline):
            verdict = baseline.action.rawValue
            rest =
                "baseline \(baseline.baseline.generation)" + (baseline.reason.map { ": \(safe($0))" } ?? "")
        case .authorization(let authorization):
            verdict = authorization.action.rawValue
            rest = message(for: authorization)
        case .selfProtection(let event): rest = safe(event.message)
        }
    }
}

/// The text of `history show SEQ`: the sentence, what differs, and every key that is kept.
///
/// - Parameters:
///   - entry: The row.
///   - copy: Where the copy of the altered file lies, where the row says that there is one.
///   - style: How it looks.
/// - Returns: Lines that end with a line feed.
package func historyText(for entry: Entry, copy: CopyPlace? = nil, style: TextStyle = .plain) -> String {
    var page = TextPage(style)
    page.sentence(message(for: entry), hanging: 2, paint: .heading)
    if case .change(let finding) = entry.event {
        page.blank()
        page.finding(finding, .whole, copy: copy)
    }
    page.blank()
    if case .object(var object) = entry.json {
        // It stands above, in lines that can be read.
        object["evidence"] = nil
        page.members(object, indent: 2)
    }
    return page.text
}

extension TextPage {
    /// Every member of an object, exact bytes escaped, objects within it indented.
    ///
    /// `exact` is the same object with its names in base64, where they are not UTF-8.
    mutating func members(_ object: JSONObject, exact: JSONObject? = nil, indent: Int) {
        let shown = object.members.filter { !$0.name.hasSuffix("_base64") }
        let labels = (exact?.members ?? shown).map { member in
            escaped(exact == nil ? Array(member.name.utf8) : Integrity.bytes(base64: member.name) ?? [])
        }
        let width = min(labels.map { columns($0) }.max() ?? 0, 24)
        for (member, label) in zip(shown, labels) {
            if case .object(let inner) = member.value, !inner.members.isEmpty {
                sentence(label, indent: indent)
                members(inner, exact: object[member.name + "_base64"]?.object, indent: indent + 2)
                continue
            }
            let values = texts(of: member, in: object)
            let room = style.width - indent - width - 2
            // A digest that fits a line of its own is not broken.
            let isSplit = values.contains { columns($0) > room && columns($0) <= style.width - indent - 2 }
            guard columns(label) <= width, !isSplit else {
                name(label, indent: indent)
                for value in values { name(value, indent: indent + 2) }
                continue
            }
            for (position, value) in values.enumerated() {
                name(value, label: padded(position == 0 ? label : "", width) + "  ", indent: indent)
            }
        }
    }

    /// What stands behind a label, one line or more.
    private func texts(of member: JSONObject.Member, in object: JSONObject) -> [String] {
        switch member.value {
        case .null, .object: return ["none"]
        case .bool(let value): return [value ? "yes" : "no"]
        case .int(let value): return [String(value)]
        case .string: return [escaped(object.bytes(member.name) ?? [])]
        case .array(let elements):
            let exact = object.list(member.name)?.map { escaped($0) }
            let lines = exact ?? elements.map { safe($0.text ?? $0.compact) }
            return lines.isEmpty ? ["none"] : lines
        }
    }
}
