package import Integrity

extension CheckReport {
    /// The report of `check` for a person: the verdict in one line, the changes, worst first, and what to do next.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(verdictLine(style.width), paint: verdictPaint)
        heading(&page)
        for severity in Severity.allCases.reversed() { changes(of: severity, &page) }
        wanted(&page)
        gapList(&page)
        errorList(&page)
        counts(&page)
        nextSteps(&page)
        return page.text
    }

    /// True where something in scope could not be examined, or could have changed unseen.
    private var isIncomplete: Bool { exit & 8 != 0 }

    private var unauthorized: [Finding] { findings.filter { $0.verdict == .unauthorized } }

    private var verdictPaint: Paint {
        summary.unauthorized > 0 || exit & 16 != 0 ? .bad : isIncomplete ? .warning : .good
    }

    /// One line that fits, whatever the numbers.
    func verdictLine(_ width: Int) -> String {
        let examined = counted(summary.examined, "path") + " examined"
        if exit & 16 != 0 {
            return fitting(width, ["UNTRUSTED: the baseline cannot be trusted; \(examined)", "UNTRUSTED"])
        }
        if summary.unauthorized > 0 { return changedLine(width, examined) }
        let baselineName = "baseline \(baseline.generation)"
        if isIncomplete {
            let missing = [
                summary.errors > 0 ? "\(summary.errors) unreadable" : nil,
                summary.openGaps > 0 ? counted(summary.openGaps, "open gap") : nil,
                summary.unbaselined > 0 ? "\(summary.unbaselined) not in the baseline" : nil,
            ]
            let words = missing.compactMap { $0 }.joined(separator: ", ")
            let rest = words.isEmpty ? "" : "; " + words
            return fitting(
                width,
                [
                    "INCOMPLETE: what was examined matches \(baselineName)\(rest)",
                    "INCOMPLETE: no change seen\(rest)",
                    "INCOMPLETE\(rest)", "INCOMPLETE",
                ]
            )
        }
        let wanted = [
            summary.authorized > 0 ? "\(summary.authorized) authorized" : nil,
            summary.expected > 0 ? "\(summary.expected) expected" : nil,
        ].compactMap { $0 }
        if wanted.isEmpty && skipped > 0 {
            let match = "INTACT as far as metadata tells: " + counted(summary.examined, "path")
            let unread = "; " + counted(skipped, "file") + " not read"
            return fitting(
                width,
                [match + unread, "INTACT as far as metadata tells\(unread)", "INTACT\(unread)", "INTACT"]
            )
        }
        if wanted.isEmpty {
            let match =
                "INTACT: " + counted(summary.examined, "path matches", "paths match") + " \(baselineName)"
            return fitting(width, [match + " of \(baseline.created.utc)", match, "INTACT"])
        }
        let changes = summary.authorized + summary.expected == 1 ? "change" : "changes"
        return fitting(
            width,
            ["INTACT: \(examined), only \(enumerated(wanted)) \(changes)", "INTACT: \(examined)", "INTACT"]
        )
    }

    private func changedLine(_ width: Int, _ examined: String) -> String {
        let changes = "CHANGED: " + counted(summary.unauthorized, "unauthorized change")
        let severities = Severity.allCases.reversed().compactMap { severity -> String? in
            let count = unauthorized.filter { $0.severity == severity }.count
            return count > 0 ? "\(count) \(severity.name)" : nil
        }
        let detailed = severities.isEmpty ? changes : changes + " (\(severities.joined(separator: ", ")))"
        let coverage = "coverage is incomplete"
        let brief =
            severities.isEmpty ? [] : [detailed.replacing(" unauthorized changes", with: " unauthorized")]
        return isIncomplete
            ? fitting(
                width,
                [detailed + "; " + coverage] + brief.map { $0 + "; incomplete" } + [
                    changes + "; " + coverage, changes,
                ]
            )
            : fitting(width, [detailed + "; " + examined, detailed] + brief + [changes])
    }

    private func heading(_ page: inout TextPage) {
        page.blank()
        page.pair("host", host.name.isEmpty ? "without a name" : safe(host.name))
        if let root { page.name(root, label: padded("root", 13)) }
        if let baselineFile { page.name(baselineFile, label: padded("compared to", 13)) }
        page.pair(
            "baseline",
            "\(baseline.generation) of \(baseline.created.utc), \(counted(baseline.entries, "record"))"
        )
        page.key(baseline.signedBy)
        if let origin { page.pair("made on", hostText(origin) + whoseFiles(origin)) }
        let duration = durationText(finished.nanoseconds(since: started))
        page.pair("checked", "\(started.utc), \(safe(mode)), in \(duration), \(byteText(bytes)) read")
        if skipped > 0 {
            page.pair(
                "not read",
                counted(skipped, "file") + " whose identity, size and change time stand as recorded; "
                    + "only a full check believes nothing of that"
            )
        }
    }

    /// Whether what was recorded is what was examined, or another machine's.
    private func whoseFiles(_ origin: BaselineOrigin) -> String {
        let isOther = origin.machineID != host.machineID || host.machineID.isEmpty
        return (isOther ? "; this is another machine" : "")
            + (isCopy ? "; inode, birth time and change time are not compared" : "")
    }

    private func changes(of severity: Severity, _ page: inout TextPage) {
        let group = unauthorized.filter { $0.severity == severity }
        guard !group.isEmpty else { return }
        page.blank()
        let note = severity < failOn ? ", below --fail-on \(failOn.name)" : ""
        page.sentence("\(severity.name.uppercased()) (\(group.count)\(note))", paint: Paint(severity))
        for finding in group {
            page.blank()
            page.finding(finding)
        }
    }

    /// Authorized and expected: named, but not in the way.
    private func wanted(_ page: inout TextPage) {
        for verdict in [Verdict.authorized, .expected] {
            let group = findings.filter { $0.verdict == verdict }
            guard !group.isEmpty else { continue }
            page.blank()
            page.sentence("\(verdict.name.uppercased()) (\(group.count))", paint: .heading)
            page.blank()
            for finding in group {
                page.name(finding.path, label: "  " + padded(finding.change.name, 10))
                if finding.authorization != nil || finding.explainedBy != nil {
                    page.pair("", verdictText(finding), indent: 4, column: 7)
                }
            }
        }
    }

    private func gapList(_ page: inout TextPage) {
        guard !gaps.isEmpty else { return }
        page.blank()
        page.sentence("NOT SEEN (\(counted(gaps.count, "gap")))", paint: .warning)
        for gap in gaps {
            page.blank()
            page.gap(gap)
        }
    }

    private func errorList(_ page: inout TextPage) {
        guard !errors.isEmpty else { return }
        page.blank()
        page.sentence("NOT EXAMINED (\(counted(errors.count, "path")))", paint: .warning)
        page.blank()
        for error in errors { page.error(error) }
    }

    private func counts(_ page: inout TextPage) {
        page.blank()
        page.sentence("SUMMARY", paint: .heading)
        let changes = CheckSummary.counters.dropFirst(2).dropLast(7).filter { summary[keyPath: $0.path] > 0 }
        page.pair(
            "examined",
            counted(summary.examined, "path") + ", \(summary.unchanged) unchanged",
            indent: 2
        )
        let kinds = changes.map { "\(summary[keyPath: $0.path]) \($0.name)" }
        page.pair("changes", kinds.isEmpty ? "none" : kinds.joined(separator: ", "), indent: 2)
        let verdicts = [
            "\(summary.unauthorized) unauthorized", "\(summary.authorized) authorized",
            "\(summary.expected) expected",
        ]
        page.pair("verdicts", verdicts.joined(separator: ", "), indent: 2)
        let coverage = [
            (summary.errors, "unreadable"),
            (summary.openGaps, summary.openGaps == 1 ? "open gap" : "open gaps"),
            (summary.unbaselined, "not in the baseline"),
            (summary.unexamined, "unexamined since the baseline"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        page.pair("coverage", coverage.isEmpty ? "complete" : coverage.joined(separator: ", "), indent: 2)
        page.pair("exit status", String(exit), indent: 2)
    }
}

extension TextPage {
    /// The signer, on a line of its own, so that it can be compared as a whole.
    mutating func key(_ identifier: String) { name(safe(identifier), label: padded("key", 7)) }

    mutating func gap(_ gap: Gap) {
        let closed = gap.closed.map { ", closed \($0.utc)" } ?? ", still open"
        sentence(
            "\(gap.id)  \(gap.reason.rawValue), opened \(gap.opened.utc)\(closed)",
            indent: 2,
            hanging: 2
        )
        for path in gap.scope.prefix(20) { name(path, indent: 4) }
        if gap.scope.count > 20 { sentence("and \(gap.scope.count - 20) more", indent: 4) }
        if let detail = gap.detail { sentence(safe(detail), indent: 4) }
        if let found = gap.found {
            sentence("\(counted(found, "change")) found when it was examined again", indent: 4)
        }
    }

    mutating func error(_ error: ExaminationError) {
        name(error.path, indent: 2)
        sentence("\(error.failure.operation.name): \(safe(error.message)) (\(safe(error.name)))", indent: 6)
    }
}
