import Integrity
import TestSupport
import Testing

@testable import Warden

/// Whatever the order of events, takes and holds: nothing that happened is forgotten.
struct SettlePropertyTests {
    private static let paths: [RawPath] = ["/a/known", "/a/too", "/a/new", "/b/new", "/b/newer"]

    private struct Truth {
        var closes = 0
        var attributes = false
        /// Every event, so that a path of which something was noted is taken at least once.
        var events = 0
    }

    @Test(arguments: 0..<40) func touchesAreNeverForgotten(round: UInt64) {
        var random = SeededGenerator(seed: SeededGenerator().seed &+ round)
        var settle = Settle()
        var now: Int64 = 1_000_000_000
        var truth: [RawPath: Truth] = [:]
        var seen: [RawPath: Touches] = [:]
        var takes: [RawPath: Int] = [:]

        func collect(_ settled: [Settled]) {
            for item in settled {
                takes[item.path, default: 0] += 1
                seen[item.path] = (seen[item.path] ?? .none).followed(by: item.touches)
            }
        }

        for _ in 0..<400 {
            let path = Self.paths.randomElement(using: &random) ?? "/a/known"
            let isKnown = path == "/a/known" || path == "/a/too"
            let event = Self.event(&random)
            settle.note(path, event, isKnown: isKnown, at: now)
            truth[path, default: Truth()].events += 1
            if event == .closed { truth[path, default: Truth()].closes += 1 }
            if event == .attributes { truth[path, default: Truth()].attributes = true }
            now += Int64.random(in: 0...40_000_000, using: &random)

            if let due = settle.nextDue, due > now {
                let early = settle.take(at: now)
                #expect(early.paths == [] && early.directories == [], "nothing before its time; \(random)")
            }
            guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
            let taken = settle.take(at: now)
            for item in taken.paths {
                if isHeld(item, &random) { settle.hold(item, at: now) } else { collect([item]) }
            }
            if let due = settle.nextDue { #expect(due > now - 1, "\(random)") }
        }
        collect(settle.take(at: now, all: true).paths)
        #expect(settle.pendingCount == 0, "\(random)")
        #expect(settle.nextDue == nil, "\(random)")
        for (path, happened) in truth {
            #expect(takes[path, default: 0] > 0, "\(path); \(random)")
            #expect(seen[path]?.writes ?? 0 >= happened.closes, "\(path); \(random)")
            #expect(!happened.attributes || seen[path]?.attributes == true, "\(path); \(random)")
        }
    }

    private func isHeld(_ item: Settled, _ random: inout SeededGenerator) -> Bool {
        item.path.name.starts(with: "known".utf8) && !item.wasHeld && Bool.random(using: &random)
    }

    private static func event(_ random: inout SeededGenerator) -> PathEvent {
        let events: [PathEvent] = [
            .created, .appeared, .modified, .closed, .closed, .attributes, .deleted, .movedAway(onto: nil),
            .movedHere(from: nil), .movedHere(from: "/a/known"),
        ]
        return events.randomElement(using: &random) ?? .closed
    }

    /// A name that left and came is told in whatever takes the story is cut into, as long as it is held together.
    @Test(arguments: 0..<20) func leavingAndComingIsToldAcrossHolds(round: UInt64) {
        var random = SeededGenerator(seed: SeededGenerator().seed &+ round)
        var settle = Settle()
        var now: Int64 = 0
        let path: RawPath = "/a/known"
        for event in [PathEvent.deleted, .movedHere(from: nil)] {
            settle.note(path, event, isKnown: true, at: now)
            now += Int64.random(in: 0..<25_000_000, using: &random)
        }
        let first = settle.take(at: now, all: true).paths
        for item in first { settle.hold(item, at: now) }
        settle.note(path, .closed, isKnown: true, at: now)
        let last = settle.take(at: now, all: true).paths
        #expect(last.map(\.touches) == [Touches(writes: 1, leftAndCame: true)], "\(random)")
    }
}
