internal import Integrity

extension TextPage {
    /// One finding: the change and the path, then what was and what is.
    mutating func finding(_ finding: Finding) {
        name(finding.path, label: "  " + padded(finding.change.name, 10), paint: Paint(finding.severity))
        if let from = finding.from { name(from, label: label("from")) }
        if let by = finding.by {
            name(by.path, label: label(by.kind == .mount ? "mount at" : "found 1st"))
            if let source = mountSource(by) { pair("source", source, indent: 4, column: 9) }
        }
        comparison(finding)
        pair("rule", ruleText(finding), indent: 4, column: 9)
        if let via = finding.via { name(via, label: label("via")) }
        if let glob = finding.absent {
            pair("absent", "nothing should exist at \(safe(glob))", indent: 4, column: 9)
        }
        if finding.verdict != .unauthorized || finding.explainedBy != nil {
            pair("verdict", verdictText(finding), indent: 4, column: 9)
        }
        if let actor = finding.actor { self.actor(actor) }
        if let gap = finding.gap { pair("gap", "\(gap): nobody saw it happen", indent: 4, column: 9) }
        if let resolved = finding.resolved {
            pair("undone", "\(resolved.utc); no longer visible on disk", indent: 4, column: 9)
        }
    }

    private mutating func actor(_ actor: Actor) {
        if let words = actorText(actor) { pair("by", words, indent: 4, column: 9) }
        if !actor.cmdline.isEmpty {
            name(actor.cmdline.map(argumentText).joined(separator: " "), label: label("command"))
        }
        if !actor.parents.isEmpty {
            name(actor.parents.map { escaped($0) }.joined(separator: " < "), label: label("parents"))
        }
    }

    private mutating func comparison(_ finding: Finding) {
        switch (finding.before, finding.after) {
        case (nil, nil):
            if finding.change == .transient {
                pair("", "it was created and is gone again", indent: 4, column: 9)
            }
        case (nil, .some(let after)): attributes(after, sign: "+")
        case (.some(let before), nil): attributes(before, sign: "-")
        case (.some(let before), .some(let after)):
            for name in finding.attributes { difference(name, before, after) }
        }
    }

    /// What there is to say of something that is new, or was there.
    private mutating func attributes(_ attributes: Attributes, sign: String) {
        var words = ["\(attributes.type.name)", "mode \(modeText(attributes.mode))"]
        words.append("owner \(attributes.uid):\(attributes.gid)")
        if attributes.type == .file { words.append(counted(attributes.size, "byte")) }
        if let node = attributes.node { words.append("device \(node)") }
        pair(sign == "+" ? "now" : "was", words.joined(separator: ", "), indent: 4, column: 9)
        if let content = attributes.content { exact("", sign, digestText(content)) }
        if let target = attributes.target { exact("target", sign, escaped(target)) }
        pair("mtime", attributes.mtime.exactText, indent: 4, column: 9)
    }

    private mutating func difference(_ name: AttributeName, _ before: Attributes, _ after: Attributes) {
        switch name {
        case .type: change("type", before.type.name, after.type.name)
        case .digest:
            exact("digest", "-", before.content.map(digestText) ?? "none")
            exact("", "+", after.content.map(digestText) ?? "none")
        case .size: change("size", String(before.size), counted(after.size, "byte"))
        case .mode:
            change("mode", modeText(before.mode), modeText(after.mode) + modeWarning(before.mode, after.mode))
        case .uid: change("uid", String(before.uid), String(after.uid))
        case .gid: change("gid", String(before.gid), String(after.gid))
        case .mtime:
            let isBack = after.mtime < before.mtime ? " (set back)" : ""
            change("mtime", before.mtime.exactText, after.mtime.exactText + isBack)
        case .ctime: change("ctime", before.ctime.exactText, after.ctime.exactText)
        case .inode:
            change("inode", String(before.inode), String(after.inode))
            if before.inode == after.inode, before.btime != after.btime {
                change("btime", before.btime?.exactText ?? "none", after.btime?.exactText ?? "none")
            }
        case .links: change("links", String(before.links), String(after.links))
        case .flags: change("flags", flagText(before.flags), flagText(after.flags))
        case .target:
            exact("target", "-", before.target.map { escaped($0) } ?? "none")
            exact("", "+", after.target.map { escaped($0) } ?? "none")
        case .device: change("device", before.node?.description ?? "none", after.node?.description ?? "none")
        case .names:
            exact("names", "-", before.names?.description ?? "none")
            exact("", "+", after.names?.description ?? "none")
        case .xattr(let xattr):
            self.name(escaped(xattr), label: label("xattr"))
            exact("", "-", before.xattrs.first { $0.name == xattr }?.value.description ?? "none")
            exact("", "+", after.xattrs.first { $0.name == xattr }?.value.description ?? "none")
        }
    }

    private mutating func change(_ label: String, _ before: String, _ after: String) {
        pair(label, "\(before) -> \(after)", indent: 4, column: 9)
    }

    /// A value on a line of its own, so that a whole digest fits.
    private mutating func exact(_ label: String, _ sign: String, _ value: String) {
        if !label.isEmpty { sentence(label, indent: 4) }
        name(value, label: "\(sign) ", indent: 6)
    }

    private func label(_ text: String) -> String { "    " + padded(text, 9) + " " }
}

private func ruleText(_ finding: Finding) -> String {
    safe(finding.rule) + (finding.tags.isEmpty ? "" : " [\(finding.tags.map(safe).joined(separator: ", "))]")
}

/// An argument as a person tells it from its neighbours.
private func argumentText(_ argument: [UInt8]) -> String {
    let text = escaped(argument)
    let isPlain = !argument.isEmpty && !argument.contains { $0 == 0x20 || $0 == UInt8(ascii: "'") }
    return isPlain ? text : "'" + text.replacing("'", with: #"\x27"#) + "'"
}

func modeText(_ mode: UInt16) -> String {
    let octal = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 4 - octal.count)) + octal
}

/// What an attacker would have wanted from the new mode.
private func modeWarning(_ before: UInt16, _ after: UInt16) -> String {
    let gained = after & ~before
    var words: [String] = []
    if gained & 0o4000 != 0 { words.append("now set-user-ID") }
    if gained & 0o2000 != 0 { words.append("now set-group-ID") }
    if gained & 0o002 != 0 { words.append("now writable by everybody") }
    return words.isEmpty ? "" : " (\(words.joined(separator: ", ")))"
}

private func flagText(_ flags: FileFlags) -> String {
    flags.isEmpty ? "none" : flags.names.joined(separator: ",")
}
