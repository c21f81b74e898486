import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// The service stops, dies, is killed: what changed meanwhile is said on the next start, and nothing twice.
@Suite struct DownTimeTests {
    @Test func whatChangedWhileItWasDownIsReportedOnTheNextStart() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let first = try world.watch()
        try world.linker.append([1])
        try first.change("content", on: world.linker)
        try first.terminate()
        #expect(first.entries.last?.event == "stop", "\(first.entries.listing)")

        try world.compiler.append([1])
        try world.tools.appending("as").delete()
        try world.tools.appending("new").write([2])
        let second = try world.watch()
        // Ready means compared: everything is in the history by now.
        let rows = try world.history()
        #expect(rows.changes(on: world.compiler).map(\.change) == ["content"], "\(rows.listing)")
        #expect(rows.changes(on: world.tools.appending("as")).map(\.change) == ["removed"], "\(rows.listing)")
        #expect(rows.changes(on: world.tools.appending("new")).map(\.change) == ["added"], "\(rows.listing)")
        #expect(rows.changes(on: world.linker).count == 1, "\(rows.listing)")
        try expectGap("down", in: rows, finding: 3)
        try world.mark(second)
        try second.terminate()
        #expect(second.entries.changes(on: world.linker).isEmpty, "\(second.entries.listing)")
        try world.verifyHistory()
        try world.expect(7, "check")
    }

    @Test func whatChangedAfterAKillIsReportedOnTheNextStart() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let first = try world.watch()
        try world.linker.append([1])
        try first.change("content", on: world.linker)
        try first.killHard()

        try world.compiler.append([1])
        let second = try world.watch()
        let rows = try world.history()
        #expect(rows.changes(on: world.compiler).map(\.change) == ["content"], "\(rows.listing)")
        #expect(rows.changes(on: world.linker).count == 1, "\(rows.listing)")
        try expectGap("unclean-stop", in: rows, finding: 1)
        #expect(!rows.contains { $0.gapReason == "down" }, "\(rows.listing)")
        try second.terminate()
        try world.verifyHistory()
    }

    /// Killed in the middle of reporting, again and again: every row once, none lost.
    @Test func killsInTheMiddleLoseNothingAndRepeatNothing() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let files = (0..<40).map { world.tools.appending("new-\($0)") }
        var reported: [String: Int64] = [:]
        for batch in 0..<4 {
            let daemon = try world.watch()
            for file in files[(batch * 10)..<(batch * 10 + 10)] { try file.write([UInt8(batch)]) }
            if batch > 0 { try daemon.change("added", on: files[batch * 10]) }
            try daemon.killHard()
            for entry in daemon.entries {
                #expect(reported[entry.chain] == nil || reported[entry.chain] == entry.seq)
                reported[entry.chain] = entry.seq
            }
        }
        let last = try world.watch()
        try last.terminate()
        let rows = try world.history("--event", "change")
        for file in files { #expect(rows.changes(on: file).count == 1, "\(file): \(rows.listing)") }
        try world.verifyHistory()
        // What was printed is what is kept.
        let kept = try world.history()
        for (chain, seq) in reported { #expect(kept.contains { $0.chain == chain && $0.seq == seq }) }
    }

    @Test func nothingThatHappenedBeforeTheSignalIsLost() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        for number in 0..<20 { try world.tools.appending("new-\(number)").write([UInt8(number)]) }
        try world.compiler.append([1])
        try world.linker.delete()
        let entries = try daemon.terminate()
        #expect(entries.last?.event == "stop", "\(entries.listing)")
        let rows = try world.history()
        #expect(rows.last?.event == "stop", "\(rows.listing)")
        for kind in [rows, entries] {
            #expect(kind.filter { $0.change == "added" }.count == 20, "\(kind.listing)")
            #expect(kind.changes(on: world.compiler).map(\.change) == ["content"], "\(kind.listing)")
            #expect(kind.changes(on: world.linker).map(\.change) == ["removed"], "\(kind.listing)")
        }
        #expect(daemon.messages.contains { $0.contains("READY=1") })
        try world.verifyHistory()
        let next = try world.watch()
        try next.terminate()
        let later = try world.history()
        #expect(later.filter(\.isChange).count == rows.filter(\.isChange).count, "\(later.listing)")
    }

    @Test func theNextStartSaysItWasUnclean() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.watch().terminate()
        try world.watch().killHard()
        try world.watch().terminate()
        let rows = try world.history()
        #expect(rows.filter { $0.event == "start" }.count == 3, "\(rows.listing)")
        #expect(rows.filter { $0.event == "stop" }.count == 2, "\(rows.listing)")
        // Between the first start and the baseline nobody watched either; a gap for each of the other two.
        #expect(
            rows.filter { $0.gapReason == "unclean-stop" && $0.gapIsClosed }.count == 1,
            "\(rows.listing)"
        )
        try world.expect(0, "check")
        try world.verifyHistory()
    }

    /// A swap and its undoing while nobody looked leaves ctime alone.
    @Test func aCtimeThatMovedInsideAGapIsTransientOneSeverityLower() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.watch().terminate()
        try world.compiler.write(Array("an implant\n".utf8))
        try world.compiler.write(Millwarden.compilerText)
        try world.compiler.setModified(Millwarden.modified)
        let daemon = try world.watch()
        try daemon.terminate()
        let row = try #require(try world.history().changes(on: world.compiler).first)
        #expect(row.change == "transient", "\(row)")
        #expect(row.severity == "high", "\(row)")
        #expect(row.json["gap"]?.integer != nil, "\(row)")
        try world.expect(4, "check")
    }

    @Test func aSecondServiceOnTheSameStateIsRefused() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        let second = try world.run("watch")
        #expect(second.status == .exited(77), "\(second)")
        second.expectOneSentence(naming: "another")
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)
        try daemon.terminate()
    }

    @Test func aReloadTakesUpNewRules() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let daemon = try world.watch()
        daemon.send(SIGHUP)
        try daemon.entry("the reload") { $0.event == "reload" }
        try world.compiler.append([1])
        try daemon.change("content", on: world.compiler)
        try daemon.terminate()
        try world.verifyHistory()
    }

    private func expectGap(
        _ reason: String,
        in rows: [LogEntry],
        finding count: Int64,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let last = try #require(
            rows.last { $0.gapReason == reason && $0.gapIsClosed },
            "\(rows.listing)",
            sourceLocation: location
        )
        #expect(last.json["found"]?.integer == count, "\(last)", sourceLocation: location)
        let opened = rows.first { $0.gapID == last.gapID && !$0.gapIsClosed && $0.event == "gap" }
        #expect(opened != nil && opened?.gapReason == reason, "\(rows.listing)", sourceLocation: location)
    }
}

/// More events than the kernel keeps: a gap that closes, and nothing missed inside it.
@Suite struct OverflowTests {
    @Test func aQueueOverflowIsAGapThatIsClosedWithWhatItHid() throws {
        let world = try Millwarden()
        try world.createBaseline()
        let limit = try queueLimit()
        if limit > 200_000 {
            try Test.cancel("fs.inotify.max_queued_events is \(limit): that many events take too long")
        }
        let daemon = try world.watch()
        try daemon.paused {
            // Equal events in a row are merged by the kernel, so that two files take turns.
            let noise = (0..<2).map { world.path.appending("marks").appending("noise-\($0)") }
            for file in noise { try file.write([0]) }
            try noise[0].opened { first in
                try noise[1].opened { second in
                    for round in 0...(limit / 2) {
                        try overwrite(first, [UInt8(truncatingIfNeeded: round)])
                        try overwrite(second, [UInt8(truncatingIfNeeded: round)])
                    }
                }
            }
            // Nobody hears of this one.
            try world.compiler.append([1])
        }
        let opened = try daemon.entry("the gap") { $0.gapReason == "queue-overflow" }
        try daemon.entry("that the gap is closed") { $0.gapID == opened.gapID && $0.gapIsClosed }
        try daemon.change("content", on: world.compiler)
        // The watches still stand.
        try world.linker.append([1])
        try daemon.change("content", on: world.linker)
        try daemon.terminate()
        #expect(daemon.entries.changes(on: world.compiler).count == 1, "\(daemon.entries.listing)")
        try world.expect(4, "check")
        try world.verifyHistory()
    }

    private func queueLimit() throws -> Int {
        let text = try RawPath("/proc/sys/fs/inotify/max_queued_events").contents()
        let digits = text.prefix { (0x30...0x39).contains($0) }.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return try #require(digits > 0 ? digits : nil)
    }
}
