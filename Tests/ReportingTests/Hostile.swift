import Integrity

/// Names as an attacker would choose them, and everything that can hold one.
enum Hostile {
    static let names: [[UInt8]] = [
        Array("new\nline".utf8),
        Array("carriage\rreturn\u{8}\u{7F}".utf8),
        Array("\u{1B}[2J\u{1B}]0;title\u{7}".utf8),
        Array("c1\u{85}\u{9B}2J".utf8),
        [0x63, 0x31, 0x9B, 0x32, 0x4A, 0x85],
        Array("bidi\u{202E}cod.c\u{2066}\u{200F}".utf8),
        Array("zero\u{200B}width\u{FEFF}\u{2028}line\u{2029}".utf8),
        Array("tag\u{E0041}private\u{E000}".utf8),
        [0xFF, 0xFE, 0xC0, 0xAF, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80],
        Array(#"back\slash \x0a \\"#.utf8),
        Array("quote\"'`$(reboot) & | ; * ? [a] {b,c} ~ #".utf8),
        Array("  spaces  \u{A0}".utf8),
        Array("-rf".utf8),
        Array("wide漢字カタカナ한국어😀".utf8),
        Array("combining e\u{301}\u{301}\u{301}".utf8),
        Array(String(repeating: "n", count: 255).utf8),
        Array(String(repeating: "漢", count: 85).utf8),
        [UInt8](repeating: 0xFF, count: 255),
        [UInt8](repeating: 0x0A, count: 255),
        [UInt8](repeating: UInt8(ascii: "\\"), count: 255),
        Array(String(repeating: "deep/", count: 100).utf8),
        [],
    ]

    /// A finding with the name in every place that takes one.
    static func finding(_ name: [UInt8], _ change: ChangeKind, _ verdict: Verdict = .unauthorized) -> Finding
    {
        let path = RawPath(bytes: Array("/srv/".utf8) + name)
        let text = String(decoding: name, as: UTF8.self)
        return Samples.finding(path, change, .critical, verdict) { finding in
            var before = Samples.link(to: name)
            before.xattrs = [ExtendedAttribute(name: name, value: Samples.digest(1))]
            finding.before = before
            finding.after = Samples.link(to: name + [0x2E])
            finding.attributes = [.target, .xattr(name)]
            finding.from = change == .moved ? path : nil
            finding.by = Shadow(kind: .mount, path: path, source: name, fileSystem: text)
            finding.via = path
            finding.tags = [text]
            finding.authorization = text
            finding.explainedBy = text
            var actor = Actor()
            actor.exe = name
            actor.cmdline = [name, name]
            actor.parents = [name]
            (actor.unit, actor.container) = (text, text)
            finding.actor = actor
        }
    }

    static func gap(_ name: [UInt8]) -> Gap {
        let path = RawPath(bytes: Array("/srv/".utf8) + name)
        return Gap(
            id: 7,
            reason: .mount,
            scope: Array(repeating: path, count: 30),
            opened: Samples.start,
            detail: String(decoding: name, as: UTF8.self)
        )
    }

    static func error(_ name: [UInt8]) -> ExaminationError {
        ExaminationError(
            path: RawPath(bytes: Array("/srv/".utf8) + name),
            failure: Failure(.read, 5),
            name: "EIO",
            message: "input/output error"
        )
    }

    static func events(_ name: [UInt8]) -> [Event] {
        let text = String(decoding: name, as: UTF8.self)
        let path = RawPath(bytes: Array("/srv/".utf8) + name)
        var closed = gap(name)
        (closed.closed, closed.found) = (Samples.start, 3)
        let resolution = Resolution(path: path, resolves: 1, rule: text, change: .content, severity: .high)
        let approval = BaselineEvent(
            action: .accepted,
            baseline: Samples.baseline,
            reason: text,
            uid: 0,
            loginuid: nil,
            paths: 1
        )
        return ChangeKind.allCases.map { .change(finding(name, $0)) } + [
            .change(finding(name, .content, .authorized)), .resolved(resolution), .gapOpened(gap(name)),
            .gapClosed(closed), .stop(StopEvent(reason: text, pid: 1)), .baseline(approval),
            .selfProtection(SelfEvent(message: text, paths: [path, path])),
        ]
    }

    static let entries: [Entry] = names.flatMap(events).enumerated().map {
        Samples.entry(Int64($0.offset + 1), $0.element)
    }
}
