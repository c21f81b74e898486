import Host
import Integrity
import TestSupport
import Testing

/// The history, asked the ways an investigator asks.
@Suite struct HistoryTests {
    private let world: Millwarden

    init() throws {
        world = try Millwarden()
        try world.createBaseline()
        try world.compiler.append([1])
        try world.configuration.append([1])
        try world.linker.setMode(0o755)
        try world.expect(4, "check")
    }

    @Test func rowsAreChosenByWhatTheySay() throws {
        let all = try world.history()
        let changes = try world.history("--event", "change")
        #expect(changes == all.filter(\.isChange), "\(all.listing)")
        #expect(try world.history("--rule", "demo.settings").map(\.path) == [world.configuration])
        #expect(try world.history("--severity", "high").filter(\.isChange).map(\.path) == [world.compiler])
        #expect(try world.history("--verdict", "unauthorized").count == 2)
        #expect(try world.history("--path", world.text(world.tools) + "/c*").map(\.path) == [world.compiler])
        #expect(try world.history("--lines", "1") == all.suffix(1))
        let newest = try #require(all.last)
        #expect(try world.history("--since", newest.time).contains(newest))
        #expect(try world.history("--until", "2001-01-01").isEmpty)
        #expect(try world.history("--since", "1h") == all)
    }

    @Test func aRowIsShown() throws {
        let row = try #require(try world.history("--rule", "demo.tools", "--verdict", "unauthorized").first)
        let shown = try world.document(0, "history", "show", "\(row.seq)")
        #expect(LogEntry(json: shown) == row)
        let text = try world.expect(0, "history", "show", "\(row.seq)")
        #expect(text.text.contains("demo.tools") && text.text.contains(world.text(world.compiler)), "\(text)")
        try world.expect(66, "history", "show", "9999").expectOneSentence()
    }

    @Test func aReaderThatLeavesEarlyIsNoError() throws {
        let command = world.command(["history", "list"]).map { "'\($0)'" }.joined(separator: " ")
        let result = try TestSupport.run("sh", ["-c", "\(command) | :; echo done"])
        #expect(result.status == .exited(0), "\(result)")
        #expect(result.errors.isEmpty, "\(result)")
    }
}
