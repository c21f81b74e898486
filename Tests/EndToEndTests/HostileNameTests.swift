import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Names are bytes that an attacker chose: none is lost, none reaches a terminal raw.
@Suite struct HostileNameTests {
    /// Names, each to be a file of its own.
    static let names: [[UInt8]] = [
        Array("a\nb".utf8),
        Array("\nMESSAGE=forged".utf8),
        Array("\u{1B}[31mred\u{1B}]0;title\u{7}".utf8),
        Array("tab\tback\u{8}delete\u{7F}".utf8),
        Array("c1-\u{9B}31m".utf8),
        Array("bidi-\u{202E}gpj.exe\u{2066}".utf8),
        Array("zero\u{200B}width\u{FEFF}".utf8),
        Array("line\u{2028}separator".utf8),
        [0x9B, 0x33, 0x31, 0x6D],
        [0xFF, 0xFE, 0x0A, 0xFF],
        [0x63, 0xC3],
        [0xED, 0xA0, 0x80],
        Array(#"back\slash\x41\n"#.utf8),
        Array(#"quotes"'`$(id)"#.utf8),
        Array("glob*?[]{a,b}".utf8),
        Array("-rf --force".utf8),
        Array(" leading and trailing ".utf8),
        [UInt8](repeating: UInt8(ascii: "x"), count: 255),
        [UInt8](repeating: 0x0A, count: 255),
        [UInt8](repeating: 0xFE, count: 255),
    ]

    private let world: Millwarden
    private var paths: [RawPath] { Self.names.map { world.tools.appending($0) } }

    init() throws {
        world = try Millwarden()
    }

    private func makeFiles() throws {
        for path in paths { try path.write(Array("named\n".utf8)) }
    }

    @Test func theyGoThroughTheBaseline() throws {
        try makeFiles()
        try world.createBaseline()
        let records = try LogEntry.parse(
            lines: try world.expect(0, "baseline", "show", "--format", "jsonl").output
        )
        for path in paths { #expect(records.contains { $0.path == path }, "\(path)") }
        try world.expect(0, "baseline", "verify")
        try world.expect(0, "check")
        expectSafe(try world.expect(0, "baseline", "show"))

        // As an argument, with bytes that no string can hold.
        for path in paths {
            let result = try runWithBytes(["baseline", "show", "--format", "jsonl"], path)
            #expect(result.status == .exited(0), "\(path): \(result)")
            #expect(try LogEntry.parse(lines: result.output).map(\.path) == [path])
            let only = try runWithBytes(["check", "--format", "json"], option: ["--path"], path)
            #expect(only.status == .exited(0), "\(path): \(only)")
            let report = try #require((try? JSON(parsing: only.output))?.object)
            #expect(report.count("examined") == 1, "\(path): \(report.pretty)")
            let explained = try runWithBytes(["rules", "explain", "--format", "json"], path)
            #expect(try JSON(parsing: explained.output).object?.bytes("path") == path.bytes, "\(explained)")
            expectSafe(try runWithBytes(["rules", "explain"], path))
        }
    }

    @Test func theyGoThroughTheServiceTheHistoryAndTheCheck() throws {
        try makeFiles()
        try world.createBaseline()
        let daemon = try world.watch()
        for path in paths { try path.append(Array("more\n".utf8)) }
        for path in paths { try daemon.change("content", on: path) }
        try world.mark(daemon)
        try daemon.terminate()
        expectExact(daemon.entries.filter(\.isFinding))

        expectExact(try world.history("--event", "change").filter(\.isFinding))
        expectExact(try world.document(4, "check").findings)
        expectSafe(try world.run("check"))
        expectSafe(try world.run("history", "list"))
        for row in daemon.entries.filter(\.isFinding) {
            expectSafe(try world.expect(0, "history", "show", "\(row.seq)"))
        }
        expectSafe(try world.run("baseline", "accept", "--all", "--reason", "an exercise", "--dry-run"))
        try world.expect(0, "baseline", "accept", "--all", "--reason", "an exercise \u{1B}[31m")
        try world.expect(0, "check")
        expectSafe(try world.run("history", "list"))
        try world.verifyHistory()
    }

    @Test func theyComeMoveAndGo() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        for path in paths { try path.write(Array("new \(path)\n".utf8)) }
        for path in paths { try daemon.change("added", on: path) }
        for path in paths { try path.delete() }
        for path in paths {
            try daemon.entry("that \(path) is gone") { $0.event == "resolved" && $0.path == path }
        }
        // A recorded file takes each name in turn: `from` is as exact as `path`.
        for path in paths.prefix(10) {
            try world.compiler.rename(to: path)
            let moved = try daemon.entry("the move to \(path)") { $0.change == "moved" && $0.path == path }
            #expect(moved.from == world.compiler, "\(moved)")
            try path.rename(to: world.compiler)
            try daemon.entry("the way back") { $0.event == "resolved" && $0.resolves == moved.seq }
        }
        try daemon.terminate()
        try world.verifyHistory()
    }

    /// A link's target and an xattr's name are bytes as well.
    @Test func targetsAndXattrNamesAreExact() throws {
        let link = world.tools.appending("odd")
        try link.makeLink(to: "cc")
        try world.createBaseline()
        let daemon = try world.watch()
        let target: [UInt8] = [0xFF, 0x1B] + Array("[2J\\".utf8)
        try daemon.paused {
            let other = world.outside.appending("odd")
            try other.makeLink(to: RawPath(bytes: target))
            try other.rename(to: link)
        }
        let entry = try daemon.change("content", on: link)
        #expect(entry.after?.bytes("target") == target, "\(entry)")
        try daemon.terminate()
        let checked = try world.run("check")
        #expect(checked.text.contains(#"\xff\x1b[2J\\"#), "\(checked)")
        expectSafe(checked)
    }

    @Test func aRuleMayNameThem() throws {
        try makeFiles()
        let odd = world.glob(world.tools)
        try world.home.write(
            "rules.yaml",
            """
            pack: odd
            title: "Odd names"
            rules:
              - id: odd.newline
                title: "A title with \\e[31m in it"
                reason: "And a reason\\nof two lines"
                severity: low
                profile: content
                watch: ["\(odd)/a\\nb", "\(odd)/bidi-\\u202E*", '\(odd)/back\\\\slash\\\\x41\\\\n', '\(odd)/glob\\*\\?\\[\\]\\{a\\,b\\}']

            """
        )
        try world.createBaseline()
        let records = try LogEntry.parse(
            lines: try world.expect(0, "baseline", "show", "--format", "jsonl").output
        )
        let chosen = [0, 5, 12, 14].map { paths[$0] }
        #expect(Set(records.compactMap(\.path)) == Set(chosen), "\(records.listing)")
        expectSafe(try world.expect(0, "rules", "list"))
        try chosen[0].append([1])
        expectSafe(try world.expect(4, "check"))
    }

    @Test func theServicesOwnTextIsSafe() throws {
        try world.createBaseline()
        let daemon = try Daemon(world, format: "text")
        try daemon.waitUntilReady()
        for path in paths { try path.write([1]) }
        let result = daemon.finishAfterTermination()
        #expect(result.status == .exited(0), "\(result)")
        expectSafe(result)
        #expect(result.text.contains(#"a\x0ab"#), "\(result)")
        #expect(
            result.text.split(separator: "\n").count { $0.contains("tools/") } >= paths.count,
            "\(result)"
        )
    }

    // MARK: What is expected

    /// Every name once, to the byte.
    private func expectExact(_ entries: [LogEntry], location: SourceLocation = #_sourceLocation) {
        #expect(
            entries.compactMap(\.path?.bytes).map(hex).sorted() == paths.map { hex($0.bytes) }.sorted(),
            sourceLocation: location
        )
        for entry in entries {
            let isText = entry.path.map { isValidUTF8($0.bytes) } ?? false
            #expect((entry.json["path_base64"] == nil) == isText, "\(entry)", sourceLocation: location)
        }
    }

    /// Nothing but printable text and newlines reaches whoever reads it.
    private func expectSafe(_ result: ProcessResult, location: SourceLocation = #_sourceLocation) {
        for output in [result.output, result.errors] {
            let lines = output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(
                Array.init
            )
            let unsafe = lines.filter { escapedWithoutBackslashes($0) != $0 }
            #expect(unsafe.isEmpty, "\(unsafe.map { escaped($0) })", sourceLocation: location)
        }
    }

    /// The line with every byte replaced that may not be shown; backslashes are text here already.
    private func escapedWithoutBackslashes(_ line: [UInt8]) -> [UInt8] {
        Array(
            line.split(separator: UInt8(ascii: "\\"), omittingEmptySubsequences: false)
                .map { escaped($0) }.joined(separator: "\\").utf8
        )
    }

    /// Runs a command whose last argument is a path of any bytes: the shell's printf(1) makes them.
    private func runWithBytes(
        _ arguments: [String],
        option: [String] = ["--"],
        _ path: RawPath
    ) throws -> ProcessResult {
        let octal = path.bytes.map { byte in
            let digits = String(byte, radix: 8)
            return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
        // `$(…)` takes newlines off the end, so that one more character is put there and taken off again.
        let script = "last=$(printf '\(octal.joined())_'); exec \"$@\" \"${last%_}\""
        return try TestSupport.run("sh", ["-c", script, "sh"] + world.command(arguments) + option)
    }
}
