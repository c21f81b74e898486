import Integrity
import Reporting
import Testing

/// The forms of other systems.
///
/// `packaging/siem/check` validates them with libraries that are not ours.
struct ExportTests {
    static let source = ExportSource(host: Samples.host, version: "0.1.0")

    /// Every form of an entry, each on its line.
    static let forms: [(name: String, line: @Sendable (Entry) -> String)] = [
        ("ecs", { ecsDocument(for: $0, from: ExportTests.source).compact }),
        ("ocsf", { ocsfEvent(for: $0, from: ExportTests.source).compact }),
        ("cef", { cefLine(for: $0, from: ExportTests.source) }),
    ]

    @Test(arguments: ["ecs", "ocsf", "cef"])
    func everyKindOfEntry(name: String) throws {
        let form = try #require(ExportTests.forms.first { $0.name == name })
        try expectGolden(Samples.entries.map { form.line($0) + "\n" }.joined(), "export.\(name)")
    }

    /// Names that are not ours stay values, on one line, without a byte that drives a terminal.
    @Test(arguments: ["ecs", "ocsf", "cef"])
    func hostileNamesStayOnOneLine(name: String) throws {
        let form = try #require(ExportTests.forms.first { $0.name == name })
        for entry in Hostile.entries {
            let line = form.line(entry)
            let raw = line.unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: true
                default: false
                }
            }
            #expect(raw.isEmpty, "\(entry.seq) \(name)")
        }
    }

    /// What the own fields say of the path is exact, whatever its bytes are.
    @Test func ecsKeepsTheExactBytes() throws {
        for name in Hostile.names {
            let path = RawPath(bytes: Array("/srv/".utf8) + name)
            let entry = Samples.entry(1, .change(Hostile.finding(name, .content)))
            for document in [ecsDocument(for: entry, from: ExportTests.source)] {
                let read = try JSON(parsing: document.compact.utf8)
                let own = try #require(read.object?["millwarden"]?.object)
                #expect(own.bytes("path") == path.bytes)
            }
            let event = try JSON(parsing: ocsfEvent(for: entry, from: ExportTests.source).compact.utf8)
            let own = try #require(event.object?["unmapped"]?.object?["millwarden"]?.object)
            #expect(own.bytes("path") == path.bytes)
        }
    }

    /// No name that somebody else chose becomes the name of a field.
    @Test func xattrsAreNoFields() throws {
        let entry = Samples.entry(1, .change(Hostile.finding(Array("evil.key".utf8), .metadata)))
        for (name, line) in ExportTests.forms where name != "cef" {
            let names = fieldNames(try JSON(parsing: line(entry).utf8))
            #expect(!names.contains("evil.key"), "\(name)")
            #expect(names.contains("xattrs"), "\(name)")
        }
    }

    private func fieldNames(_ json: JSON) -> Set<String> {
        switch json {
        case .object(let object):
            object.members.reduce(into: []) { $0.formUnion(fieldNames($1.value).union([$1.name])) }
        case .array(let elements): elements.reduce(into: []) { $0.formUnion(fieldNames($1)) }
        default: []
        }
    }

    /// The escapes of CEF, one by one: header and extension differ.
    @Test(arguments: [
        ("a|b", "filePath=/srv/a|b "), ("a=b", #"filePath=/srv/a\=b "#), (#"a\b"#, #"filePath=/srv/a\\\\b "#),
        ("a\nb", #"filePath=/srv/a\\x0ab "#), ("end  ", #"filePath=/srv/end\\x20\\x20 fname=end\\x20\\x20 "#),
        ("x act=file-added", #"filePath=/srv/x act\=file-added "#),
    ])
    func cefEscapes(name: String, expected: String) {
        let path = RawPath("/srv/" + name)
        let line = cefLine(
            for: Samples.entry(1, .change(Samples.finding(path, .removed))),
            from: ExportTests.source
        )
        #expect(line.contains(expected), "\(line)")
    }

    @Test func cefHeaderIsEscaped() {
        let source = ExportSource(host: Samples.host, version: #"1|2\3"#)
        let line = cefLine(for: Samples.entry(1, .stop(StopEvent(reason: "SIGTERM", pid: 1))), from: source)
        #expect(
            line.hasPrefix(#"CEF:0|Millwarden|Millwarden|1\|2\\\\3|service-stopped|service stopped|1|rt="#)
        )
    }

    @Test func cefKeepsBytesThatAreNotText() {
        let path = RawPath(bytes: Array("/srv/".utf8) + [0xFF])
        let line = cefLine(
            for: Samples.entry(1, .change(Samples.finding(path, .removed))),
            from: ExportTests.source
        )
        #expect(line.contains(#"filePath=/srv/\\xff millwardenFilePathBase64=L3Nydi//"#))
    }

    /// A change is closed by the row that says it was undone, under one identifier.
    @Test func ocsfClosesWhatItOpened() throws {
        func uid(_ entry: Entry) throws -> String? {
            try JSON(parsing: ocsfEvent(for: entry, from: ExportTests.source).compact.utf8)
                .object?["finding_info"]?.object?["uid"]?.text
        }
        let opened = try uid(Samples.entry(2, .change(Samples.content)))
        let resolution = Resolution(
            path: Samples.content.path,
            resolves: 2,
            rule: "gcc.driver",
            change: .content,
            severity: .critical
        )
        #expect(opened != nil)
        #expect(try uid(Samples.entry(9, .resolved(resolution))) == opened)
        var closed = Samples.openGap
        closed.closed = Samples.time(1)
        #expect(
            try uid(Samples.entry(3, .gapOpened(Samples.openGap)))
                == uid(Samples.entry(4, .gapClosed(closed)))
        )
    }

    @Test func tagsThatAreNoTechniquesAreNone() throws {
        var finding = Samples.content
        finding.tags = [
            "attack.t1195.002", "attack.t1195", "attack.t15", "attack.t1554.1", "attack.tabcd", "slsa.build",
            "attack.t1195.002.1",
        ]
        let document = ecsDocument(for: Samples.entry(1, .change(finding)), from: ExportTests.source)
        let technique = try #require(document.object?["threat"]?.object?["technique"]?.object)
        #expect(technique["id"] == .array([.string("T1195")]))
        #expect(technique["subtechnique"]?.object?["id"] == .array([.string("T1195.002")]))
    }
}
