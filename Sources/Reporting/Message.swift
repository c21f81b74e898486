package import Integrity

/// One line that says what happened: the journal's `MESSAGE`, a line of `watch`, the first line of `history show`.
///
/// Every control, format and broken byte is `\xnn` and a backslash is doubled; nothing is left out of a path.
package func message(for entry: Entry) -> String {
    switch entry.event {
    case .change(let finding): message(for: finding)
    case .resolved(let resolution):
        "resolved: \(resolution.path) is as the baseline has it again; undoes entry \(resolution.resolves), "
            + "\(resolution.change.name) (\(safe(resolution.rule)))"
    case .gapOpened(let gap), .gapClosed(let gap): message(for: gap)
    case .start(let start):
        "started: version \(safe(start.version)) watches \(counted(start.directories, "directory", "directories")) "
            + "against baseline \(start.generation)"
            + (start.afterUncleanStop ? "; the last run did not end in order" : "")
    case .stop(let stop): "stopped: \(safe(stop.reason))"
    case .reload(let start):
        "reloaded: watches \(counted(start.directories, "directory", "directories")) "
            + "against baseline \(start.generation)"
    case .check(let check): message(for: check)
    case .baseline(let baseline): message(for: baseline)
    case .authorization(let authorization): message(for: authorization)
    case .selfProtection(let event):
        "self-protection: \(safe(event.message))" + (event.paths.isEmpty ? "" : ": " + pathList(event.paths))
    }
}

/// What happened to one path and how it was judged.
package func message(for finding: Finding) -> String {
    var text = "\(finding.severity.name): \(finding.path) \(deed(finding)) (\(safe(finding.rule))), "
    text += verdictText(finding)
    if let glob = finding.absent { text += "; nothing should exist at \(safe(glob))" }
    if let actor = finding.actor, let words = actorText(actor) { text += "; by \(words)" }
    if let gap = finding.gap { text += "; found behind gap \(gap)" }
    if let resolved = finding.resolved { text += "; undone at \(resolved.utc)" }
    return text
}

/// `unauthorized`, `authorized by W-3`, `expected`, and the weaker record that explains it.
func verdictText(_ finding: Finding) -> String {
    var text = finding.verdict.name
    if let authorization = finding.authorization { text += " by \(safe(authorization))" }
    if let explanation = finding.explainedBy { text += ", explained by \(safe(explanation))" }
    return text
}

/// What was done to the path, as the end of a sentence that begins with it.
private func deed(_ finding: Finding) -> String {
    switch finding.change {
    case .shadowed:
        guard let by = finding.by else { return "is shadowed" }
        return switch by.kind {
        case .mount: "is covered by a mount" + (mountSource(by).map { " of \($0)" } ?? "") + " at \(by.path)"
        case .path: "is shadowed by \(by.path), which stands earlier in the search path"
        }
    case .added: return "was added"
    case .removed: return "was removed"
    case .moved: return finding.from.map { "was moved from \($0)" } ?? "was moved"
    case .type:
        guard let before = finding.before, let after = finding.after else { return "changed type" }
        return "changed type from \(before.type.name) to \(after.type.name)"
    case .content: return "changed content"
    case .metadata:
        let names = finding.attributes.map { escaped($0.bytes) }
        return "changed metadata" + (names.isEmpty ? "" : " (\(names.joined(separator: ", ")))")
    case .replaced: return "was replaced by an equal file"
    case .transient:
        let cameAndWent = finding.before == nil && finding.after == nil
        return cameAndWent ? "was created and is gone again" : "was changed and put back"
    case .touched: return "was touched"
    }
}

/// Device and file system, `/dev/sdb1 (ext4)`; nil where neither is known.
func mountSource(_ shadow: Shadow) -> String? {
    let words = [shadow.source.map { escaped($0) }, shadow.fileSystem.map { "(\(safe($0)))" }].compactMap {
        $0
    }
    return words.isEmpty ? nil : words.joined(separator: " ")
}

/// Program, process and users, as far as they are known; nil where nothing is.
func actorText(_ actor: Actor) -> String? {
    var words: [String] = []
    if let exe = actor.exe { words.append(escaped(exe)) }
    if let pid = actor.pid { words.append("pid \(pid)") }
    if let uid = actor.uid { words.append("uid \(uid)") }
    if let loginuid = actor.loginuid, loginuid != actor.uid { words.append("login uid \(loginuid)") }
    if let unit = actor.unit { words.append("unit \(safe(unit))") }
    if let container = actor.container { words.append("container \(safe(container))") }
    if actor.others > 0 { words.append("and \(counted(actor.others, "other writer"))") }
    return words.isEmpty ? nil : words.joined(separator: ", ")
}

private func message(for gap: Gap) -> String {
    let place = gap.scope.isEmpty ? "" : " in \(pathList(gap.scope))"
    guard gap.isOpen else {
        let found = gap.found.map { ", \(counted($0, "change")) found" } ?? ""
        return "gap \(gap.id) closed: \(gap.reason.rawValue)\(place) was examined again\(found)"
    }
    let detail = gap.detail.map { "; \(safe($0))" } ?? ""
    return "gap \(gap.id) opened: \(gap.reason.rawValue)\(place)\(detail)"
}

/// The first paths and how many more there are: a gap may cover thousands.
private func pathList(_ paths: [RawPath]) -> String {
    guard paths.count > 3 else { return enumerated(paths.map(\.description)) }
    return paths.prefix(3).map(\.description).joined(separator: ", ") + " and \(paths.count - 3) more"
}

private func message(for check: CheckEvent) -> String {
    let summary = check.summary
    var words = [counted(summary.examined, "path") + " examined"]
    words.append(counted(summary.unauthorized, "unauthorized change"))
    if summary.authorized > 0 { words.append("\(summary.authorized) authorized") }
    if summary.expected > 0 { words.append("\(summary.expected) expected") }
    if summary.errors > 0 { words.append("\(summary.errors) unreadable") }
    if summary.openGaps > 0 { words.append(counted(summary.openGaps, "open gap")) }
    let verdict = check.exit == 0 ? "intact" : check.exit & 7 != 0 ? "changed" : "incomplete"
    let worst = check.worst.map { ", worst \($0.name)" } ?? ""
    return "\(safe(check.mode)) check \(verdict): \(words.joined(separator: ", "))\(worst); "
        + "baseline \(check.generation), exit \(check.exit)"
}

private func message(for event: BaselineEvent) -> String {
    let generation = event.baseline.generation
    let who =
        "by uid \(event.uid)" + (event.loginuid.map { $0 == event.uid ? "" : " (login uid \($0))" } ?? "")
    let reason = event.reason.map { ": \(safe($0))" } ?? ""
    let entries = counted(event.baseline.entries, "record")
    let paths = counted(event.paths, "path")
    return switch event.action {
    case .intended: "baseline \(generation) is about to be written \(who)\(reason)"
    case .created: "baseline \(generation) created \(who) with \(entries)\(reason)"
    case .accepted:
        event.scope.map {
            "baseline \(generation): scope approved \(who), \($0.incoming) in, \($0.outgoing) out\(reason)"
        } ?? "baseline \(generation) accepted \(who), \(paths) approved\(reason)"
    case .abandoned: "baseline \(generation) was never written; the one before it stays in force"
    case .imported:
        "baseline \(generation)\(event.origin.map { " of \(hostText($0))" } ?? "") imported \(who) with \(entries)"
            + (event.origin?.trustedKey.map { ", signed by \(safe($0)), which is trusted from now on" } ?? "")
            + reason
    }
}

/// The host that a baseline comes from, as far as it has a name.
func hostText(_ origin: BaselineOrigin) -> String {
    let machine = origin.machineID.isEmpty ? "no machine id" : "machine \(safe(origin.machineID))"
    return origin.host.isEmpty ? "a host without a name (\(machine))" : "\(safe(origin.host)) (\(machine))"
}

/// Who said what may change, until when, and why.
func message(for event: AuthorizationEvent) -> String {
    var text = event.kind == .key ? "key" : "authorization"
    text += " \(event.action == .usedUp ? "used up" : event.action.rawValue)"
    if !event.id.isEmpty { text += ": \(safe(event.id))" }
    if let until = event.until, event.action == .opened { text += " until \(until)" }
    if let requester = event.requester {
        text += " by uid \(requester.uid)"
        if let user = requester.sudoUser { text += " (sudo by \(safe(user)))" }
        if let login = requester.loginuid, login != requester.uid { text += ", logged in as \(login)" }
    }
    return text + ": \(safe(event.reason))"
}
