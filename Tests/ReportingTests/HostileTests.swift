import Integrity
import Reporting
import Testing

/// Nothing that an attacker names may drive a terminal, forge a line or get lost.
struct HostileTests {
    /// What a terminal would act on: every control, format and separator character but our own line breaks.
    private func dangerous(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { scalar in
            if scalar == "\n" { return false }
            return switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                true
            default: false
            }
        }
    }

    private func pages(_ name: [UInt8], _ style: TextStyle) -> [String] {
        let path = RawPath(bytes: Array("/srv/".utf8) + name)
        let text = String(decoding: name, as: UTF8.self)
        let findings =
            ChangeKind.allCases.map { Hostile.finding(name, $0) } + [
                Hostile.finding(name, .content, .authorized)
            ]
        var check = Samples.check(findings, exit: 15)
        check.gaps = [Hostile.gap(name)]
        check.errors = [Hostile.error(name)]
        check.host.name = text
        var created = Samples.created
        created.file = path
        created.unexamined = [Hostile.error(name)]
        created.presentAbsent = [path]
        created.notEntered = [path: text]
        created.scope.homes = [path]
        created.scope.packs = [text]
        var accepted = Samples.accepted(isDryRun: false)
        accepted.reason = text
        accepted.items = findings.prefix(2).map { AcceptReport.Item(seq: 1, finding: $0, refusal: text) }
        let attributes = findings.first?.before ?? Samples.file()
        let record = Record(path: path, state: .examined(attributes, isRacy: false), rule: text, via: path)
        // The check above has each kind of change already.
        let events =
            [.change(Hostile.finding(name, .moved))]
            + Hostile.events(name).dropFirst(ChangeKind.allCases.count)
        let shown = events.map { historyText(for: Samples.entry(1, $0), style: style) }
        return [check.text(style), created.text(style), accepted.text(style), record.text(style)] + shown
    }

    @Test(arguments: Hostile.names.indices, [80, 41])
    func pagesStayHarmlessAndNarrow(name: Int, width: Int) {
        for page in pages(Hostile.names[name], TextStyle(width: width)) {
            #expect(dangerous(page) == [])
            for line in page.split(separator: "\n") where columns(line) > width {
                Issue.record("\(columns(line)) columns: \(line)")
            }
            #expect(page.hasSuffix("\n") && !page.hasSuffix("\n\n"))
        }
    }

    @Test(arguments: Hostile.names.indices)
    func linesStayLines(name: Int) {
        for event in Hostile.events(Hostile.names[name]) {
            let entry = Samples.entry(1, event)
            for line in [message(for: entry), historyLine(for: entry)] {
                #expect(dangerous(line) == [])
                #expect(!line.contains("\n"))
            }
            // In JSON a character without a meaning may stand as it is; one that a terminal acts on may not.
            let json = dangerous(entry.json.compact).filter { scalar in
                let category = scalar.properties.generalCategory
                return category != .privateUse && category != .unassigned
            }
            #expect(json == [])
            #expect(!entry.json.compact.contains("\n"))
        }
    }

    /// A page shows the whole name: without the breaks it holds the escaped path.
    @Test(arguments: Hostile.names.indices)
    func pagesShowTheWholeName(name: Int) {
        let path = RawPath(bytes: Array("/srv/".utf8) + Hostile.names[name])
        let record = Record(path: path, state: .unexamined(Failure(.open, 13)), rule: "a.b")
        let shown = record.text().split(separator: "\n").prefix { !$0.hasPrefix("  rule") }
        #expect(shown.dropLast().allSatisfy { $0.hasSuffix("\\") })
        #expect(shown.dropLast().map { $0.dropLast() }.joined() + (shown.last ?? "") == path.description)
    }

    @Test(arguments: Hostile.names.indices)
    func documentsGiveTheExactBytesBack(name: Int) throws {
        for event in Hostile.events(Hostile.names[name]) {
            let entry = Samples.entry(1, event)
            let read = try JSON(parsing: Array(entry.json.pretty.utf8))
            #expect(read == entry.json)
            let members = try #require(read.object)
            #expect(Event(name: event.name, members: members) == event)
        }
        let record = Record(
            path: RawPath(bytes: [slash] + Hostile.names[name]),
            state: .unexamined(Failure(.open, 1)),
            rule: "a"
        )
        #expect(record.json.object?.bytes("path") == record.path.bytes)
    }

    @Test(arguments: Hostile.names.indices)
    func journalFieldsHoldTheExactBytes(name: Int) throws {
        let bytes = Hostile.names[name]
        let fields = journalFields(for: Samples.entry(1, .change(Hostile.finding(bytes, .moved))))
        func value(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
        let path = Array("/srv/".utf8) + bytes
        #expect(value("MILLWARDEN_PATH") == path)
        #expect(value("MILLWARDEN_PATH_FROM") == path)
        #expect(value("MILLWARDEN_SHADOWED_BY") == path)
        #expect(value("MILLWARDEN_ACTOR_EXE") == bytes)
        #expect(value("MILLWARDEN_ACTOR_PARENT_EXE") == bytes)
        let message = try #require(value("MESSAGE").flatMap { String(validating: $0, as: UTF8.self) })
        #expect(dangerous(message) == [] && !message.contains("\n"))
        #expect(message.contains(escaped(path)))
        let attributes = try #require(
            value("MILLWARDEN_ATTRIBUTES").flatMap { String(validating: $0, as: UTF8.self) }
        )
        #expect(attributes.split(separator: ",").count == 2)
    }

    /// A path that a shell would not read back exactly is never offered for pasting.
    @Test(arguments: Hostile.names.indices)
    func commandsHoldNoHostileName(name: Int) {
        let finding = Samples.finding(
            RawPath(bytes: Array("/x/".utf8) + Hostile.names[name]),
            .added,
            rule: "gcc.driver"
        )
        let commands = Samples.check([finding], exit: 1).text().split(separator: "\n").filter {
            $0.hasPrefix("    millwarden")
        }
        #expect(!commands.isEmpty)
        for command in commands {
            #expect(
                command.utf8.allSatisfy { byte in
                    Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@%,- \\".utf8)
                        .contains(byte)
                }
            )
            #expect(!command.dropLast().contains("\\"))
        }
    }
}
