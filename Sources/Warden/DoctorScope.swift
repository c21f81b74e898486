import Host
package import Integrity
package import RulePacks

/// The rules, as far as they loaded, and what they select here.
package struct DoctorRules: Sendable {
    /// Why there are none; nil where they loaded.
    package var failure: String?
    package var states: [PackState] = []
    package var hidden: [RuleFilesInEffect.Hidden] = []
    package var places: [RawPath] = []
    package var digest: Digest?
    package var scope: ScopeFacts?

    package init() {}
}

/// The rules and the files that they select.
extension DoctorFacts {
    var ruleFindings: [DoctorFinding] {
        if let failure = rules.failure {
            return [
                DoctorFinding(
                    "rules-load",
                    .problem,
                    "there are no rules to work with",
                    details: failure.split(separator: "\n").map(String.init),
                    fixes: [.command("millwarden rules lint")]
                )
            ]
        }
        return [packs, hiddenFiles, approvedRules].compactMap { $0 }
    }

    private var packs: DoctorFinding {
        let off = rules.states.filter { !$0.isOn }
        let on = rules.states.count - off.count
        guard !off.isEmpty else {
            return DoctorFinding("rules-packs-off", .ok, "\(plural(on, "rule pack is", "rule packs are")) on")
        }
        return DoctorFinding(
            "rules-packs-off",
            .note,
            "\(plural(on, "rule pack is", "rule packs are")) on, and \(off.count) off",
            details: off.map { "\(escaped($0.name.utf8)): \($0.reason)" }
        )
    }

    private var hiddenFiles: DoctorFinding? {
        guard !rules.hidden.isEmpty else { return nil }
        func place(_ index: Int) -> String {
            rules.places.indices.contains(index) ? rules.places[index].description : "?"
        }
        return DoctorFinding(
            "rules-hidden",
            .note,
            "\(plural(rules.hidden.count, "rule file is", "rule files are")) hidden by a file of the same name",
            details: rules.hidden.map { hidden in
                let name = escaped(hidden.name)
                return hidden.isTurnedOff
                    ? "\(name) of \(place(hidden.place)) is turned off in \(place(hidden.by))"
                    : "\(name) of \(place(hidden.place)) is replaced by that in \(place(hidden.by))"
            }
        )
    }

    private var approvedRules: DoctorFinding? {
        guard case .trusted(_, let scope, _) = ledger.baseline, let digest = rules.digest else { return nil }
        guard scope.rules != digest else {
            return DoctorFinding(
                "rules-approved",
                .ok,
                "the rules are those that the baseline was approved with"
            )
        }
        return DoctorFinding(
            "rules-approved",
            .warning,
            "the rules are not those that the baseline was approved with",
            fixes: [.command("millwarden check")]
        )
    }

    var scopeFindings: [DoctorFinding] {
        guard let scope = rules.scope else { return [] }
        return [unreadable(scope), notEntered(scope)] + fileSystems(scope)
            + [ignored(scope)].compactMap { $0 }
    }

    private func unreadable(_ scope: ScopeFacts) -> DoctorFinding {
        guard scope.unreadable > 0 else {
            return DoctorFinding(
                "scope-unreadable",
                .ok,
                "\(plural(scope.paths, "path")) in \(plural(scope.directories, "directory", "directories")) can be read"
            )
        }
        return DoctorFinding(
            "scope-unreadable",
            .warning,
            "\(plural(scope.unreadable, "path")) in scope cannot be read, nor what is below, beside \(scope.paths) that were "
                + "found",
            details: scope.firstUnreadable.map { "\($0.path): \($0.message)" },
            paths: scope.firstUnreadable.map(\.path),
            fixes: privileges.uid == 0 ? [] : [.command("sudo millwarden doctor")]
        )
    }

    private func notEntered(_ scope: ScopeFacts) -> DoctorFinding {
        let places = scope.notEntered.sorted { $0.key < $1.key }
        // The kernel's own are met by every rule that begins at the root, and hold no stored file.
        let stored = places.filter { !FileSystem.isPseudo(name: $0.value) }
        guard !places.isEmpty else {
            return DoctorFinding("scope-not-entered", .ok, "no file system under the scope is left out")
        }
        return DoctorFinding(
            "scope-not-entered",
            stored.isEmpty ? .note : .warning,
            "\(plural(places.count, "directory is", "directories are")) not entered because of the file system there",
            details: places.prefix(10).map { "\($0.key) (\($0.value))" },
            paths: places.map(\.key)
        )
    }

    private func fileSystems(_ scope: ScopeFacts) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        func say(_ id: String, _ systems: [ScopeFileSystem], _ message: String) {
            guard !systems.isEmpty else { return }
            findings.append(
                DoctorFinding(
                    id,
                    .note,
                    message,
                    details: systems.prefix(10).map { "\($0.path) (\($0.name))" },
                    paths: systems.map(\.path)
                )
            )
        }
        say(
            "scope-birth-time",
            scope.fileSystems.filter { !$0.hasBirthTimes },
            "file systems under the scope keep no birth times: a file that was replaced by an equal one may show only by "
                + "its inode"
        )
        say(
            "scope-coarse-times",
            scope.fileSystems.filter(\.hasCoarseTimes),
            "file systems under the scope keep coarse times: records made in the same moment as a change are read again"
        )
        say(
            "scope-identity",
            scope.fileSystems.filter { !$0.hasStableIdentity },
            "file systems under the scope change inode numbers by themselves: `replaced` is not judged there"
        )
        if findings.isEmpty {
            let names = Set(scope.fileSystems.map(\.name)).sorted().joined(separator: ", ")
            findings.append(
                DoctorFinding(
                    "scope-file-systems",
                    .ok,
                    "the scope lies on \(names.isEmpty ? "nothing" : names)"
                )
            )
        }
        return findings
    }

    private func ignored(_ scope: ScopeFacts) -> DoctorFinding? {
        guard scope.ignored.paths > 0 else { return nil }
        let more = scope.ignored.isTruncated ? "more than " : ""
        return DoctorFinding(
            "scope-ignored",
            .note,
            "rules of the profile ignore take \(more)\(plural(scope.ignored.paths, "path")) out of scope",
            fixes: [.command("millwarden rules list")]
        )
    }
}
