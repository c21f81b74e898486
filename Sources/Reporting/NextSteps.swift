internal import Integrity

extension CheckReport {
    /// What a person does now, in the order in which to do it.
    ///
    /// Every command can be typed as it stands.
    func nextSteps(_ page: inout TextPage) {
        page.blank()
        page.sentence("NEXT", paint: .heading)
        let isQuick = skipped > 0
        if exit & 16 != 0 {
            page.sentence("Find out why the baseline is not trusted:", indent: 2)
            page.command("millwarden baseline verify")
        }
        if isElsewhere {
            stepsElsewhere(&page)
            return
        }
        if summary.unauthorized > 0 { reviewSteps(&page) }
        let hasErrors = !errors.isEmpty || summary.errors > 0
        let hasGaps = gaps.contains(where: \.isOpen) || summary.openGaps > 0
        if hasErrors || (hasGaps && !isQuick) {
            let reasons = [
                hasErrors ? "why paths cannot be read" : nil, hasGaps ? "what keeps the gaps open" : nil,
            ]
            page.sentence("Find out \(enumerated(reasons.compactMap { $0 })), and mend that:", indent: 2)
            page.command("millwarden status")
        }
        if summary.unbaselined > 0 {
            page.sentence(
                "Review what is in scope now and was not approved, then approve the scope:",
                indent: 2
            )
            page.command("millwarden baseline accept --scope --reason TEXT --dry-run")
        }
        if isQuick {
            page.sentence("Read the files that this quick check did not:", indent: 2)
            page.command("millwarden check")
        } else if hasGaps {
            page.sentence("Then examine everything again, which closes the gaps:", indent: 2)
            page.command("millwarden check")
        }
        if exit == 0 && summary.unauthorized == 0 && !isQuick && errors.isEmpty {
            page.sentence("Nothing has to be done.", indent: 2)
        }
    }

    /// What was found is in no history, and can be approved by none.
    private func stepsElsewhere(_ page: inout TextPage) {
        if summary.unauthorized > 0 {
            page.sentence(
                "If a change was not wanted, treat the system that was checked, and what was built on it, as suspect; "
                    + "put the files back from their packages or a copy you trust. If it was wanted, approve it where "
                    + "the baseline was made.",
                indent: 2
            )
        }
        if !errors.isEmpty || gaps.contains(where: \.isOpen) {
            page.sentence(
                "Find out why not everything was examined, mend that, then check again; root can read everything.",
                indent: 2
            )
        }
        if skipped > 0 { page.sentence("Check again without --quick, which reads every file.", indent: 2) }
        if exit == 0 && summary.unauthorized == 0 && skipped == 0 {
            page.sentence("Nothing has to be done.", indent: 2)
        }
    }

    private func reviewSteps(_ page: inout TextPage) {
        let worst = findings.filter { $0.verdict == .unauthorized }.max { $0.severity < $1.severity }
        page.sentence("See when each change happened and who made it, where that is known:", indent: 2)
        page.command("millwarden history list")
        if let worst, let word = shellWord(worst.path), word.utf8.count < 50 {
            page.sentence("See why a path is watched, here the worst:", indent: 2)
            page.command("millwarden rules explain \(word)")
        }
        page.sentence(
            "If a change was not wanted, put the file back from its package or a copy you trust, and treat what "
                + "was built meanwhile as suspect. If it was wanted, look at what would be approved, then "
                + "approve it by leaving out --dry-run:",
            indent: 2
        )
        let selection = worst.flatMap(AcceptSelection.init) ?? .all
        page.command("millwarden baseline accept \(selection.words) --reason TEXT --dry-run")
    }
}

/// The option that selects a finding: its path where that is harmless to paste, else its rule.
private struct AcceptSelection {
    let words: String

    static let all = AcceptSelection(words: "--all")

    private init(words: String) { self.words = words }

    init?(_ finding: Finding) {
        if let path = shellWord(finding.path), path.utf8.count < 50 {
            words = "--path \(path)"
        } else if let rule = shellWord(RawPath(finding.rule)) {
            words = "--rule \(rule)"
        } else {
            return nil
        }
    }
}
