import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// One way in which a path that should not exist comes to exist.
struct AbsentCase: CustomTestStringConvertible, Sendable {
    typealias Action = @Sendable (Millwarden) throws -> Void

    var name: String
    /// Made before the baseline: none of it is in scope.
    var prepare: Action = { _ in }
    var act: Action
    var undo: Action
    /// What is `added`, below the world's directory, with its type.
    var added: [String: String]

    var testDescription: String { name }

    static let all: [AbsentCase] = [
        AbsentCase(
            name: "made three directories deep at once",
            act: { world in
                try world.makeDirectories("deep/a/b")
                try world.path.appending("deep/a/b/specs").write([1])
            },
            undo: { try $0.path.appending("deep/a/b/specs").delete() },
            added: ["deep/a/b/specs": "file"]
        ),
        AbsentCase(
            name: "an empty directory of that name",
            act: { try $0.makeDirectories("deep/a/b/specs") },
            undo: { try $0.path.appending("deep/a/b/specs").deleteDirectory() },
            added: ["deep/a/b/specs": "directory"]
        ),
        AbsentCase(
            name: "through a glob in the middle of the path",
            act: { world in
                try world.makeDirectories("cross/mips-linux-gnu-12/bin")
                try world.path.appending("cross/mips-linux-gnu-12/bin/ld").write([1])
            },
            undo: { world in
                try world.path.appending("cross/mips-linux-gnu-12/bin/ld").delete()
                try world.path.appending("cross/mips-linux-gnu-12/bin").deleteDirectory()
            },
            added: [
                "cross/mips-linux-gnu-12/bin": "directory", "cross/mips-linux-gnu-12/bin/ld": "file",
            ]
        ),
        AbsentCase(
            name: "a file renamed into place",
            prepare: { try $0.outside.appending("plain").write([1]) },
            act: { world in
                try world.makeDirectories("deep/a/b")
                try world.outside.appending("plain").rename(to: world.path.appending("deep/a/b/specs"))
            },
            undo: { try $0.path.appending("deep/a/b/specs").rename(to: $0.outside.appending("plain")) },
            added: ["deep/a/b/specs": "file"]
        ),
        AbsentCase(
            name: "a directory that contains it renamed into place",
            prepare: { world in
                try world.makeDirectories("outside/staged/b")
                try world.outside.appending("staged/b/specs").write([1])
            },
            act: { world in
                try world.makeDirectories("deep")
                try world.outside.appending("staged").rename(to: world.path.appending("deep/a"))
            },
            undo: { try $0.path.appending("deep/a").rename(to: $0.outside.appending("staged")) },
            added: ["deep/a/b/specs": "file"]
        ),
        AbsentCase(
            name: "the whole tree renamed into place",
            prepare: { world in
                try world.makeDirectories("outside/staged/a/b")
                try world.outside.appending("staged/a/b/specs").write([1])
            },
            act: { try $0.outside.appending("staged").rename(to: $0.path.appending("deep")) },
            undo: { try $0.path.appending("deep").rename(to: $0.outside.appending("staged")) },
            added: ["deep/a/b/specs": "file"]
        ),
        AbsentCase(
            name: "a link to what exists",
            act: { world in
                try world.makeDirectories("deep/a/b")
                try world.path.appending("deep/a/b/specs").makeLink(to: world.compiler)
            },
            undo: { try $0.path.appending("deep/a/b/specs").delete() },
            added: ["deep/a/b/specs": "link"]
        ),
        AbsentCase(
            name: "a dangling link",
            act: { world in
                try world.makeDirectories("deep/a/b")
                try world.path.appending("deep/a/b/specs").makeLink(to: "/nonexistent/specs")
            },
            undo: { try $0.path.appending("deep/a/b/specs").delete() },
            added: ["deep/a/b/specs": "link"]
        ),
        AbsentCase(
            name: "a hard link",
            prepare: { try $0.outside.appending("plain").write([1]) },
            act: { world in
                try world.makeDirectories("deep/a/b")
                try world.outside.appending("plain").link(to: world.path.appending("deep/a/b/specs"))
            },
            undo: { try $0.path.appending("deep/a/b/specs").delete() },
            added: ["deep/a/b/specs": "file"]
        ),
    ]
}

/// Paths that should not exist: no directory on their way is there when the service begins.
@Suite struct AbsentTests {
    private let world: Millwarden

    init() throws {
        world = try Millwarden()
        try world.home.write("rules.yaml", Self.pack(world))
    }

    private static func pack(_ world: Millwarden) -> String {
        """
        pack: demo
        title: What should not be there
        rules:
          - id: demo.absent
            title: Files that steer the tools
            reason: They are read where they exist, and no package ships them.
            severity: critical
            profile: executable
            absent:
              - '\(world.glob(world.path))/deep/a/b/specs'
              - '\(world.glob(world.path))/cross/*-linux-gnu*/bin/**'
        \(world.marksRule)

        """
    }

    private func expect(
        _ findings: [LogEntry],
        _ test: AbsentCase,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let told = Dictionary(findings.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        #expect(findings.count == test.added.count, "\(findings.listing)", sourceLocation: location)
        for (name, type) in test.added {
            let finding = told[world.path.appending(name)]
            #expect(finding?.change == "added", "\(name):\(findings.listing)", sourceLocation: location)
            #expect(finding?.severity == "critical", "\(findings.listing)", sourceLocation: location)
            #expect(finding?.verdict == "unauthorized", "\(findings.listing)", sourceLocation: location)
            #expect(finding?.after?["type"]?.text == type, "\(findings.listing)", sourceLocation: location)
            #expect(finding?.json["absent"]?.text != nil, "\(findings.listing)", sourceLocation: location)
        }
    }

    @Test(arguments: AbsentCase.all)
    func isToldByTheServiceAndItsRemovalResolves(test: AbsentCase) throws {
        try test.prepare(world)
        try world.createBaseline()
        let daemon = try world.watch()
        // All at once: by the time the first directory's event is read, everything stands.
        try daemon.paused { try test.act(world) }
        for name in test.added.keys { try daemon.change("added", on: world.path.appending(name)) }
        try world.mark(daemon)
        let findings = daemon.entries.filter(\.isFinding)
        expect(findings, test)
        try test.undo(world)
        for finding in findings {
            try daemon.entry("that \(finding.path?.description ?? "it") is gone") {
                $0.event == "resolved" && $0.resolves == finding.seq
            }
        }
        // The directories stay: the way down is still watched.
        let last = try #require(findings.last?.seq)
        try test.act(world)
        for name in test.added.keys {
            try daemon.change("added", on: world.path.appending(name), after: last)
        }
        try world.mark(daemon)
        let again = daemon.entries.filter { $0.isFinding && $0.seq > last }
        expect(again, test)
        try daemon.terminate()
        try world.expect(1, "check")
        try world.verifyHistory()
    }

    @Test(arguments: AbsentCase.all)
    func isFoundByCheckAndItsRemovalToo(test: AbsentCase) throws {
        try test.prepare(world)
        try world.createBaseline()
        try test.act(world)
        expect(try world.document(1, "check", "--quick").findings, test)
        expect(try world.document(1, "check").findings, test)
        try test.undo(world)
        // Seen once, not acknowledged: it is listed until somebody says that it was looked at.
        let later = try world.document(4, "check")
        #expect(later.findings.allSatisfy { $0.json["resolved"]?.text != nil }, "\(later.pretty)")
    }

    @Test(arguments: AbsentCase.all)
    func isFoundAfterDownTime(test: AbsentCase) throws {
        try test.prepare(world)
        try world.createBaseline()
        try world.watch().terminate()
        try test.act(world)
        let daemon = try world.watch()
        expect(try world.history().filter(\.isFinding), test)
        // What was found at the start is watched from then on.
        try test.undo(world)
        for _ in test.added { try daemon.entry("the removal") { $0.event == "resolved" } }
        try daemon.terminate()
    }

    @Test func parentsAloneAreNoFinding() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        try world.makeDirectories("deep/a/b")
        try world.makeDirectories("cross/mips-linux-gnu-12/lib")
        try world.path.appending("deep/a/b/other").write([1])
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        try world.expect(0, "check")
    }

    @Test func theWayDownIsFollowedStepByStep() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        for name in ["deep", "deep/a", "deep/a/b"] {
            try world.path.appending(name).makeDirectory()
            try world.mark(daemon)
        }
        try world.path.appending("deep/a/b/specs").write([1])
        try daemon.change("added", on: world.path.appending("deep/a/b/specs"))
        try daemon.terminate()
    }

    @Test func whatCameAndWentSaysThatNothingShouldExistThere() throws {
        try world.makeDirectories("deep/a/b")
        try world.createBaseline()
        let daemon = try world.watch()
        let specs = world.path.appending("deep/a/b/specs")
        try daemon.paused {
            try specs.write([1])
            try specs.delete()
        }
        let entry = try daemon.change("transient", on: specs)
        #expect(entry.verdict == "unauthorized" && entry.before == nil && entry.after == nil, "\(entry)")
        #expect(entry.json["absent"]?.text?.hasSuffix("/deep/a/b/specs") == true, "\(entry)")
        try daemon.terminate()
        let shown = try world.run("history", "show", "\(entry.seq)")
        #expect(shown.text.contains("nothing should exist at"), "\(shown)")
        let checked = try world.document(4, "check")
        #expect(checked.findings.map(\.change) == ["transient"], "\(checked.pretty)")
    }

    /// Rules are about the names that links lead to: who puts a link in the place of the missing directory changes them.
    @Test func aLinkInThePlaceOfADirectoryIsAGap() throws {
        try world.makeDirectories("outside/staged/a/b")
        try world.outside.appending("staged/a/b/specs").write([1])
        try world.createBaseline()
        try world.path.appending("deep").makeLink(to: world.outside.appending("staged"))
        let report = try world.document(8, "check")
        #expect(report.count("unbaselined") == 1 && report.count("open_gaps") == 1, "\(report.pretty)")
    }

    @Test func whatExistsWhenTheBaselineIsMadeIsApprovedAndNamed() throws {
        try world.makeDirectories("deep/a/b")
        let specs = world.path.appending("deep/a/b/specs")
        try specs.write([1])
        let refused = try world.run("baseline", "create", "--strict")
        #expect(refused.code == 78, "\(refused)")
        #expect(refused.errorText.contains("specs") || refused.text.contains("specs"), "\(refused)")
        let created = try world.document(0, "baseline", "create")
        #expect(
            created["present_absent"]?.elements?.compactMap(\.text) == [world.text(specs)],
            "\(created.pretty)"
        )
        try world.expect(0, "check")
        // From then on it is watched as whatever its rule says.
        let daemon = try world.watch()
        try specs.append([2])
        #expect(try daemon.change("content", on: specs).severity == "critical")
        try daemon.terminate()
    }
}

extension Millwarden {
    /// Makes a directory below the world's and all on its way that are missing.
    func makeDirectories(_ name: String) throws {
        var path = path
        for part in name.split(separator: "/") {
            path = path.appending(String(part))
            if !isThere(text(path)) { try path.makeDirectory() }
        }
    }
}
