import Integrity
import Ledger
import Synchronization
import TestSupport
import Testing

@testable import Warden

/// What others know of a change reaches its judgement, and only then is it told.
struct WitnessTests {
    /// Says what it was given to say.
    private final class Scripted: Witness {
        private let state: Mutex<(testimony: Testimony, asked: [(RawPath, Occasion.Source)])>

        init(_ testimony: Testimony) { state = Mutex((testimony, [])) }

        func say(_ testimony: Testimony) { state.withLock { $0.testimony = testimony } }
        var asked: [(path: RawPath, source: Occasion.Source)] { state.withLock { $0.asked } }

        func testify(to subject: Subject, _ occasion: Occasion) -> Testimony {
            state.withLock {
                $0.asked.append((subject.path, occasion.source))
                return $0.testimony
            }
        }
    }

    private func bench(_ witness: Scripted) throws -> WatchBench {
        let bench = try WatchBench()
        bench.watcher.setup.witnesses = Witnesses(
            [witness],
            clock: bench.watcher.setup.clock,
            bootClock: bench.watcher.setup.bootClock
        )
        return bench
    }

    private func newest(_ bench: WatchBench) throws -> Finding? {
        guard case .change(let finding)? = try bench.history.entries().last?.event else { return nil }
        return finding
    }

    @Test func anEventIsJudgedWithWhatIsKnown() throws {
        let witness = Scripted(Testimony(Evidence(authorizations: [Authorization(id: "window:1")])))
        let bench = try bench(witness)
        try bench.scope.write("bin/cc", "new compiler")
        try bench.settle()
        let finding = try newest(bench)
        #expect(finding?.verdict == .authorized && finding?.authorization == "window:1")
        #expect(witness.asked.allSatisfy { $0.path == bench.path("bin/cc") && $0.source == .event })
        witness.say(Testimony(Evidence(contradiction: "dpkg: other bytes")))
        try bench.scope.write("bin/cc", "newer compiler")
        try bench.settle()
        #expect(try newest(bench)?.contradictedBy == "dpkg: other bytes")
        #expect(try newest(bench)?.verdict == .unauthorized)
    }

    @Test func whatIsPendingIsToldWhenItIsAnswered() throws {
        let witness = Scripted(Testimony(isPending: true))
        let bench = try bench(witness)
        try bench.scope.write("bin/cc", "new compiler")
        try bench.settle()
        #expect(try bench.told() == [])
        bench.pass(awaitInterval)
        try bench.settle()
        #expect(try bench.told() == [] && witness.asked.count > 1)
        witness.say(Testimony(Evidence(explanation: "dpkg: gcc-12")))
        bench.pass(awaitInterval)
        try bench.settle()
        #expect(try bench.told() == ["content bin/cc"])
        #expect(try newest(bench)?.explainedBy == "dpkg: gcc-12")
        #expect(bench.watcher.awaitAt == nil)
    }

    /// Nothing is lost because nobody answers before the service ends.
    @Test func whatIsPendingAtTheEndIsToldWithoutAnAnswer() throws {
        let bench = try bench(Scripted(Testimony(isPending: true)))
        try bench.scope.write("bin/cc", "new compiler")
        try bench.settle()
        try bench.watcher.stop("SIGTERM")
        #expect(try bench.told() == ["content bin/cc"])
    }

    @Test func aWalkAsksToo() throws {
        let witness = Scripted(Testimony(Evidence(authorizations: [Authorization(id: "manifest:1")])))
        let bench = try bench(witness)
        try bench.scope.write("bin/cc", "new compiler")
        let result = try Survey(
            tree: bench.tree,
            rules: bench.rules,
            baseline: bench.openBaseline(),
            witnesses: bench.watcher.setup.witnesses,
            clock: bench.watcher.setup.clock
        ).run()
        #expect(result.deviations.map(\.finding.authorization) == ["manifest:1"])
        #expect(witness.asked.map(\.source) == [.walk])
    }
}
