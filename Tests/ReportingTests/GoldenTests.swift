import Integrity
import Reporting
import TestSupport
import Testing

/// Compares with the file of that name under Golden; `UPDATE_GOLDEN=1` rewrites it for review.
func expectGolden(_ text: String, _ name: String, _ location: SourceLocation = #_sourceLocation) throws {
    let path = RawPath(#filePath).parent.appending("Golden").appending(name)
    if environmentVariable("UPDATE_GOLDEN") != nil { try path.write(Array(text.utf8)) }
    let found = try path.contents()
    #expect(
        found == Array(text.utf8),
        "differs from \(name); UPDATE_GOLDEN=1 rewrites it, git diff shows how",
        sourceLocation: location
    )
}

struct GoldenTests {
    static let pages = [
        ("check-changed.txt", Samples.changedCheck.text()),
        ("check-intact.txt", Samples.check().text()),
        ("check-wanted.txt", Samples.check([Samples.authorized, Samples.touched]).text()),
        ("check-colored.txt", Samples.check([Samples.content], exit: 4).text(TextStyle(isColored: true))),
        ("check-quick.txt", GoldenTests.quick.text()),
        ("check-incomplete.txt", GoldenTests.incomplete.text()),
        ("check-below.txt", GoldenTests.below.text()),
        ("check-elsewhere.txt", Samples.checkedElsewhere.text()),
        ("create.txt", Samples.created.text()), ("export.txt", Samples.exported.text()),
        ("create-elsewhere.txt", Samples.createdElsewhere.text()),
        ("diff.txt", Samples.differenceText), ("diff-equal.txt", Samples.sameFiles.heading()),
        ("import.txt", Samples.imported.text()), ("import-back.txt", Samples.importedBack.text()),
        ("accept.txt", Samples.accepted(isDryRun: false).text()),
        ("accept-dry-run.txt", Samples.accepted(isDryRun: true, refused: false).text()),
        (
            "accept-nothing.txt",
            AcceptReport(items: [], baseline: nil, isDryRun: false, reason: "CHG-7").text()
        ),
        ("accept-scope.txt", Samples.acceptedScope(isDryRun: false).text()),
        ("accept-scope-dry-run.txt", Samples.acceptedScope(isDryRun: true).text()),
        ("record.txt", Samples.record.text()),
        ("record-unexamined.txt", Samples.unexaminedRecord.text()),
        ("doctor.txt", HostSamples.doctor.text()),
        ("doctor-verbose.txt", HostSamples.doctor.text(isVerbose: true)),
        ("doctor-fine.txt", HostSamples.fine.text()),
        ("status-running.txt", HostSamples.running.text()),
        ("status-stopped.txt", HostSamples.stopped.text()),
        ("status-empty.txt", HostSamples.empty.text()),
        ("evidence-check.txt", Samples.check(EvidenceSamples.findings, exit: 4).text()),
        ("evidence-show.txt", EvidenceSamples.pages),
        ("history-list.txt", GoldenTests.list),
        ("history-show.txt", Samples.entries.map { historyText(for: $0) }.joined(separator: "\n")),
        ("messages.txt", Samples.entries.map { message(for: $0) + "\n" }.joined()),
    ]

    static let documents = [
        ("check.json", Samples.changedCheck.json), ("baseline-create.json", Samples.created.json),
        ("baseline-accept.json", Samples.accepted(isDryRun: false).json),
        ("check-elsewhere.json", Samples.checkedElsewhere.json),
        ("baseline-diff.json", Samples.document(Samples.difference, Samples.differences)),
        ("baseline-export.json", Samples.exported.json), ("baseline-import.json", Samples.imported.json),
        ("baseline-accept-scope.json", Samples.acceptedScope(isDryRun: false).json),
        ("baseline-record.json", Samples.record.json),
        ("baseline-record-unexamined.json", Samples.unexaminedRecord.json),
        ("evidence.json", .array(EvidenceSamples.findings.map { .object($0.members) })),
        ("doctor.json", HostSamples.doctor.json), ("status.json", HostSamples.running.json),
    ]

    @Test(arguments: GoldenTests.pages.map(\.0))
    func textForPeople(name: String) throws {
        let page = try #require(GoldenTests.pages.first { $0.0 == name })
        try expectGolden(page.1, name)
    }

    @Test(arguments: GoldenTests.documents.map(\.0))
    func documentsForPrograms(name: String) throws {
        let document = try #require(GoldenTests.documents.first { $0.0 == name })
        try expectGolden(document.1.pretty + "\n", name)
    }

    @Test func historyLinesForPrograms() throws {
        try expectGolden(Samples.entries.map { $0.json.compact + "\n" }.joined(), "history.jsonl")
    }

    @Test func journalEntries() throws {
        let blocks = Samples.entries.map { entry in
            journalFields(for: entry).map { "\($0.name)=\(escaped($0.value))\n" }.joined()
        }
        try expectGolden(blocks.joined(separator: "\n"), "journal.txt")
    }

    static let quick = Samples.check(mode: "quick") { $0.skipped = 41_100 }

    static let incomplete = Samples.check(exit: 8) { report in
        report.gaps = [Samples.openGap]
        report.errors = [Samples.unreadable]
        report.summary.openGaps = 1
        report.summary.errors = 1
        report.summary.unbaselined = 40
    }

    static let below = Samples.check([Samples.retargeted], exit: 0) { $0.failOn = .high }

    static let list = historyHeader + "\n" + Samples.entries.map { historyLine(for: $0) + "\n" }.joined()
}
