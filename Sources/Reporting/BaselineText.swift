package import Integrity

extension CreateReport {
    /// The report of `baseline create` for a person.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(verdictLine, paint: unexamined.isEmpty ? .good : .warning)
        page.blank()
        if let root { page.name(root, label: padded("root of", 13)) }
        page.name(file, label: padded("written to", 13))
        page.key(baseline.signedBy)
        page.name(baseline.root.description, label: padded("root", 7))
        page.pair("packs", scope.packs.isEmpty ? "none" : scope.packs.map(safe).joined(separator: ", "))
        for (position, home) in scope.homes.enumerated() {
            page.name(home, label: padded(position == 0 ? "homes" : "", 13))
        }
        let duration = durationText(finished.nanoseconds(since: started))
        page.pair("took", "\(duration), \(byteText(bytes)) hashed")
        if !presentAbsent.isEmpty {
            page.blank()
            page.sentence("WARNING: \(presentSentence)", paint: .bad)
            page.blank()
            for path in presentAbsent { page.name(path, indent: 2, paint: .bad) }
        }
        if !unexamined.isEmpty {
            page.blank()
            page.sentence("NOT EXAMINED (\(counted(unexamined.count, "path")))", paint: .warning)
            page.blank()
            for error in unexamined { page.error(error) }
        }
        if !notEntered.isEmpty {
            page.blank()
            page.sentence("NOT ENTERED, because of the file system (\(notEntered.count))", paint: .heading)
            page.blank()
            for place in notEnteredSorted {
                page.name(place.path, label: "  " + padded(safe(place.fileSystem), 10))
            }
        }
        nextSteps(&page)
        return page.text
    }

    private var verdictLine: String {
        let missing = unexamined.isEmpty ? "" : ", \(unexamined.count) unreadable"
        return
            "CREATED: baseline \(baseline.generation) with \(counted(baseline.entries, "record"))\(missing)"
    }

    private var presentSentence: String {
        counted(
            presentAbsent.count,
            "path that should not exist does, and is now approved",
            "paths that should not exist do, and are now approved"
        )
            + "; look at each before you rely on this baseline"
    }

    private func nextSteps(_ page: inout TextPage) {
        page.blank()
        page.sentence("NEXT", paint: .heading)
        if !unexamined.isEmpty {
            page.sentence(
                "To have the rest read too, run it as a user who may, root at the most, and make the baseline again "
                    + "with --force.",
                indent: 2
            )
        }
        if let keyFile {
            page.sentence(
                "Take it over where the image runs, with the public key that verifies it:",
                indent: 2
            )
            page.command("millwarden baseline import FILE --trust-key KEY")
            page.name(keyFile, label: "KEY is ", indent: 2)
            return
        }
        page.sentence("Keep a copy off this host, so that nobody here can replace it unseen:", indent: 2)
        page.command("millwarden baseline export FILE")
        page.sentence("Watch from now on, or check now and then:", indent: 2)
        page.command("millwarden watch")
        page.command("millwarden check")
    }
}

extension AcceptReport {
    /// The report of `baseline accept` for a person: exactly what was or would be approved, and what was refused.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        if let scope { return text(scope, page) }
        let accepted = items.filter { $0.refusal == nil }
        let refused = items.filter { $0.refusal != nil }
        page.sentence(verdictLine(accepted.count, refused.count), paint: refused.isEmpty ? .good : .warning)
        page.blank()
        approval(&page)
        if !refused.isEmpty {
            page.blank()
            page.sentence("REFUSED (\(refused.count))", paint: .bad)
            for item in refused { self.item(item, &page) }
        }
        if !accepted.isEmpty {
            page.blank()
            page.sentence(
                "\(isDryRun ? "WOULD BE ACCEPTED" : "ACCEPTED") (\(accepted.count))",
                paint: .heading
            )
            for item in accepted { self.item(item, &page) }
        }
        nextSteps(accepted.count, refused.count, &page)
        return page.text
    }

    /// Why, and what came of it.
    private func approval(_ page: inout TextPage) {
        page.pair("reason", safe(reason))
        guard let baseline else { return }
        page.pair(
            "baseline",
            "\(baseline.generation) of \(baseline.created.utc), \(counted(baseline.entries, "record"))"
        )
        page.key(baseline.signedBy)
    }

    /// The report of `baseline accept --scope`.
    private func text(_ scope: ScopeApproval, _ page: TextPage) -> String {
        var page = page
        page.sentence(verdictLine(scope), paint: baseline != nil || isDryRun ? .good : .warning)
        page.blank()
        approval(&page)
        names("new rules", scope.rules.new, &page)
        names("changed", scope.changedRules, &page)
        names("rules gone", scope.rules.gone, &page)
        names("new packs", scope.packs.new, &page)
        names("packs gone", scope.packs.gone, &page)
        paths("new homes", scope.homes.new, &page)
        paths("homes gone", scope.homes.gone, &page)
        groups(isDryRun ? "WOULD COME IN" : "CAME IN", scope.incoming, scope.incomingCount, &page)
        groups(isDryRun ? "WOULD GO OUT" : "WENT OUT", scope.outgoing, scope.outgoingCount, &page)
        hidden(scope.hidden, &page)
        if !scope.presentAbsent.isEmpty {
            page.blank()
            page.sentence("WARNING: \(presentSentence(scope.presentAbsent.count))", paint: .bad)
            page.blank()
            for path in scope.presentAbsent { page.name(path, indent: 2, paint: .bad) }
        }
        if !scope.unexamined.isEmpty {
            page.blank()
            page.sentence("NOT EXAMINED (\(counted(scope.unexamined.count, "path")))", paint: .warning)
            page.blank()
            for error in scope.unexamined { page.error(error) }
        }
        if !scope.dropped.isEmpty {
            page.blank()
            page.sentence(
                "Reported changes of what goes out, shown no more: entries "
                    + scope.dropped.map(String.init).joined(separator: ", "),
                paint: .warning
            )
        }
        nextSteps(scope, &page)
        return page.text
    }

    private func verdictLine(_ scope: ScopeApproval) -> String {
        let counts = "\(counted(scope.incomingCount, "path")) in, \(scope.outgoingCount) out"
        if isDryRun { return "DRY RUN: the scope would be approved, \(counts); nothing was written" }
        guard let baseline else { return "NOTHING ACCEPTED: the scope is the one that was approved" }
        return "ACCEPTED: the scope into baseline \(baseline.generation), \(counts)"
    }

    private func presentSentence(_ count: Int) -> String {
        isDryRun
            ? counted(
                count,
                "path that should not exist does, and would be approved",
                "paths that should not exist do, and would be approved"
            )
            : counted(
                count,
                "path that should not exist does, and is now approved",
                "paths that should not exist do, and are now approved"
            )
    }

    private func names(_ label: String, _ names: [String], _ page: inout TextPage) {
        guard !names.isEmpty else { return }
        page.pair(label, names.map(safe).joined(separator: ", "))
    }

    private func paths(_ label: String, _ paths: [RawPath], _ page: inout TextPage) {
        guard !paths.isEmpty else { return }
        page.pair(label, paths.map(\.description).joined(separator: ", "))
    }

    /// What was added where the rules looked when they were approved, and do not look now.
    private func hidden(_ hidden: [ScopeApproval.Group], _ page: inout TextPage) {
        let count = hidden.reduce(0) { $0 + $1.count }
        guard count > 0 else { return }
        page.blank()
        let noun = counted(count, "path was added", "paths were added")
        page.sentence(
            "WARNING: \(noun) where the approved rules looked and those in force do not; nobody reviewed what is there",
            paint: .bad
        )
        list(hidden, &page)
    }

    private func groups(
        _ heading: String,
        _ groups: [ScopeApproval.Group],
        _ count: Int,
        _ page: inout TextPage
    ) {
        guard count > 0 else { return }
        page.blank()
        page.sentence("\(heading) (\(count))", paint: .heading)
        list(groups, &page)
    }

    private func list(_ groups: [ScopeApproval.Group], _ page: inout TextPage) {
        for group in groups {
            page.blank()
            page.name("\(safe(group.rule)) (\(group.count))", indent: 2)
            for path in group.first { page.name(path, indent: 4) }
            let rest = group.count - group.first.count
            if rest > 0 { page.sentence("and \(rest) more", indent: 4) }
        }
    }

    private func nextSteps(_ scope: ScopeApproval, _ page: inout TextPage) {
        guard isDryRun || baseline != nil else { return }
        page.blank()
        page.sentence("NEXT", paint: .heading)
        if isDryRun {
            page.sentence(
                "If this is what should be watched, run the same command without --dry-run; else put the rules back.",
                indent: 2
            )
        } else {
            page.sentence("Keep a copy of the new baseline off this host:", indent: 2)
            page.command("millwarden baseline export FILE")
        }
    }

    private func verdictLine(_ accepted: Int, _ refused: Int) -> String {
        let refusal = refused > 0 ? ", \(refused) refused" : ""
        guard accepted > 0 else {
            return "NOTHING ACCEPTED: " + (refused > 0 ? "\(refused) refused" : "no change was selected")
        }
        let changes = counted(accepted, "change")
        if isDryRun { return "DRY RUN: \(changes) would be accepted\(refusal); nothing was written" }
        let place = baseline.map { " into baseline \($0.generation)" } ?? ""
        return "ACCEPTED: \(changes)\(place)\(refusal)"
    }

    private func item(_ item: Item, _ page: inout TextPage) {
        page.blank()
        page.finding(item.finding)
        page.pair("entry", String(item.seq), indent: 4, column: 9)
        if let refusal = item.refusal { page.pair("refused", safe(refusal), indent: 4, column: 9) }
    }

    private func nextSteps(_ accepted: Int, _ refused: Int, _ page: inout TextPage) {
        page.blank()
        page.sentence("NEXT", paint: .heading)
        if refused > 0 {
            page.sentence("Look at what changed since it was last observed, then accept again:", indent: 2)
            page.command("millwarden check")
        }
        if accepted == 0 && refused == 0 {
            page.sentence("See which changes stand:", indent: 2)
            page.command("millwarden check --quick")
        }
        if accepted > 0 && isDryRun {
            page.sentence(
                "If this is what you want to approve, run the same command without --dry-run.",
                indent: 2
            )
        }
        if accepted > 0 && !isDryRun && baseline != nil {
            page.sentence("Keep a copy of the new baseline off this host:", indent: 2)
            page.command("millwarden baseline export FILE")
        }
        if accepted > 0 && !isDryRun && baseline == nil {
            page.sentence("The changes are acknowledged; the baseline stays as it was.", indent: 2)
        }
    }
}

extension Record {
    /// The text of `baseline show PATH`: everything that is recorded.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.name(path, paint: .heading)
        guard case .object(var object) = json else { return page.text }
        object["path"] = nil
        object["path_base64"] = nil
        page.members(object, indent: 2)
        return page.text
    }
}
