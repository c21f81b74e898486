import Host
import Integrity
import Ledger
import RulePacks
import Synchronization
import TestSupport
import Testing

@testable import Warden

/// The rules change under a running service: what is approved is still what was approved.
struct ReloadTests {
    private func openDetails(_ bench: WatchBench) throws -> [String] {
        try bench.history.openGaps().map { "\($0.reason.rawValue): \($0.detail ?? "")" }
    }

    @Test func whatCameIntoScopeIsCountedAndWatchedAndNoFindingUntilApproved() throws {
        let bench = try WatchBench()
        try bench.scope.write("outside/one", "1")
        try bench.scope.write("outside/two", "2")
        try bench.write([
            bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.more", watch: ["outside/**"]),
        ])
        try bench.reload()
        try bench.expect(["gap scope"])
        #expect(bench.manager.said.suffix(2) == ["reloading", "ready"])
        let detail = try #require(try openDetails(bench).first)
        #expect(detail.contains("1 new rule") && detail.contains("came into scope: 3"), "\(detail)")
        #expect(detail.contains("millwarden baseline accept --scope"), "\(detail)")
        let reload = try #require(try bench.history.lastEntry(["reload"]))
        guard case .reload(let event) = reload.event else { return }
        #expect(event.rules == (try bench.rulesOnDisk.read().digest))

        try bench.scope.write("outside/one", "changed")
        try bench.scope.write("outside/three", "3")
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        try bench.expect(["content bin/cc"], "what was in scope is told of as ever")

        try bench.accept()
        try bench.settle()
        try bench.expect(["closed scope 0"])
        try bench.scope.write("outside/one", "again")
        try bench.scope.write("outside/four", "4")
        try bench.settle()
        try bench.expect(["content outside/one", "added outside/four"], inAnyOrder: true)
        let told = try bench.watcher.setup.history.allStanding().filter(\.isCurrent).map(\.path)
        #expect(told.contains(bench.path("bin/cc")), "approving the scope approves no change")
    }

    /// A reload took up a rule over `outside`, whose one file nobody has approved yet.
    private func benchBeforeApproval() throws -> WatchBench {
        let bench = try WatchBench()
        try bench.scope.write("outside/one", "1")
        try bench.write([
            bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.more", watch: ["outside/**"]),
        ])
        try bench.reload()
        _ = try bench.told()
        return bench
    }

    @Test func aChangeBetweenTheApprovalAndItsTakeoverIsTold() throws {
        let bench = try benchBeforeApproval()
        try bench.accept()
        // The service has not taken it over yet.
        try bench.scope.write("outside/one", "evil")
        try bench.settle()
        try bench.expect(["closed scope 0", "content outside/one"])
    }

    @Test func whatWasWrittenBeforeTheApprovalIsNoChangeOfWhatWasApproved() throws {
        let bench = try benchBeforeApproval()
        try bench.scope.write("outside/one", "2")
        // Its event was read, and it was not examined yet when the approval comes.
        try bench.step()
        #expect(bench.watcher.settle.pendingCount > 0)
        try bench.accept()
        try bench.settle()
        try bench.expect(["closed scope 0"])
    }

    @Test func anApprovedScopeIsTakenOverWithoutASignal() throws {
        let bench = try WatchBench()
        try bench.write([
            bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.more", watch: ["outside/**"]),
        ])
        try bench.accept()
        try bench.settle()
        try bench.scope.write("outside/new", "x")
        try bench.settle()
        try bench.expect(["added outside/new"])
    }

    @Test func whoeverEditsARuleToHideAFileIsCounted() throws {
        let bench = try WatchBench()
        try bench.write([bench.rule("t.program", watch: ["bin/**"], except: ["bin/lib"])])
        try bench.scope.write("bin/lib/implant.so", "evil")
        try bench.reload()
        let detail = try #require(try openDetails(bench).first)
        #expect(detail.contains("1 changed rule") && detail.contains("fell out: 3"), "\(detail)")
        #expect(detail.contains("(1 of them without a record"), "\(detail)")
        try bench.scope.write("bin/lib/another.so", "evil")
        try bench.reload()
        let grown = try #require(try openDetails(bench).first)
        #expect(grown.contains("(2 of them without a record"), "\(grown)")
        // The rule goes back: what happened meanwhile is told, and the gap closes.
        bench.rulesOnDisk.set(.success(bench.rules))
        try bench.reload()
        try bench.settle()
        #expect(try bench.told().contains("added bin/lib/implant.so"))
        #expect(try bench.history.openGaps() == [])
    }

    /// Approvals and checks write the same history at the same time: whoever comes second finds the gap closed.
    @Test func twoProcessesMaySettleTheGapAtOnce() throws {
        let bench = try WatchBench()
        let other = try ruleSet(
            [bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.more", watch: ["outside/**"])],
            tree: bench.tree
        )
        let baseline = try bench.openBaseline()
        let differing = ScopeDifference(baseline: baseline, rules: other)
        let agreeing = ScopeDifference(baseline: baseline, rules: bench.rules)
        let path = bench.state.path
        let threads = try (0..<2).map { _ in
            try OSThread(name: "settle") {
                for turn in 0..<100 {
                    let difference = turn.isMultiple(of: 2) ? differing : agreeing
                    do {
                        let history = try History.open(at: path, access: .readWrite)
                        for _ in 0..<2 {
                            try difference.settleGap(
                                unbaselined: 1,
                                fallenOut: 0,
                                hidden: 0,
                                in: history,
                                at: SystemClock.now()
                            )
                        }
                    } catch {
                        Issue.record("\(error)")
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(try bench.history.openGaps().count <= 1)
    }

    @Test func aWeakerProfileOnTheSamePathsIsAGapAsWell() throws {
        let bench = try WatchBench()
        try bench.write([bench.rule("t.program", watch: ["bin/**"], profile: "content")])
        try bench.reload()
        let detail = try #require(try openDetails(bench).first)
        #expect(detail.contains("1 changed rule"), "\(detail)")
    }

    @Test func aChangeThatFellOutOfScopeIsNotResolved() throws {
        let bench = try WatchBench()
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        try bench.expect(["content bin/cc"])
        try bench.write([bench.rule("t.program", watch: ["bin/**"], except: ["bin/cc"])])
        try bench.reload()
        try bench.settle()
        try bench.expect(["gap scope"])
        #expect(try bench.history.currentStanding(bench.path("bin/cc")) != nil)
    }

    @Test func rulesWithAnErrorLeaveThoseInForce() throws {
        let bench = try WatchBench()
        let text = Array("pack: test\ntitle: T\nrulse: []\n".utf8)
        let thrown = #expect(throws: RulePackErrors.self) {
            _ = try RulePack(
                text,
                file: "/etc/millwarden/rules.d/x.yaml",
                digest: SHA256Hasher.digest(of: text)
            )
        }
        let errors = try #require(thrown)
        bench.rulesOnDisk.set(.failure(.invalid(errors)))
        try bench.reload()
        let place = "/etc/millwarden/rules.d/x.yaml:3:1"
        let entry = try #require(try bench.history.lastEntry(["self"]))
        guard case .selfProtection(let event) = entry.event else { return }
        #expect(event.message.contains(place), "\(event.message)")
        #expect(bench.watcher.board.json.compact.contains(place))
        #expect(bench.manager.said.suffix(2) == ["reloading", "ready"])
        try bench.scope.write("bin/cc", "evil")
        try bench.settle()
        #expect(try bench.told().contains("content bin/cc"))
        bench.rulesOnDisk.set(.success(bench.rules))
        try bench.reload()
        #expect(!bench.watcher.board.json.compact.contains(place))
    }

    @Test func watchesThatNothingNeedsAnyMoreGo() throws {
        let bench = try WatchBench()
        try bench.scope.makeDirectory("outside/deep")
        try bench.write([
            bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.more", watch: ["outside/**"]),
        ])
        try bench.reload()
        let deep = bench.path("outside/deep")
        #expect(bench.watcher.table.withLock { $0.watch(for: deep) } != nil)
        bench.rulesOnDisk.set(.success(bench.rules))
        try bench.reload()
        #expect(bench.watcher.table.withLock { $0.watch(for: deep) } == nil)
        #expect(bench.watcher.table.withLock { $0.watch(for: bench.path("bin/lib")) } != nil)
    }

    @Test func theTargetOfAnAcceptedLinkIsWatchedAtOnceAndTheOldOneNoMore() throws {
        let bench = try WatchBench()
        try bench.scope.write("outside/old/cc", "old", mode: 0o755)
        try bench.scope.write("outside/new/cc", "new", mode: 0o755)
        try bench.scope.symlink("bin/link", to: bench.path("outside/old/cc"))
        try bench.settle()
        try bench.expect(["added bin/link"])
        try bench.accept(.everything)
        try bench.settle()
        try bench.scope.write("outside/old/cc", "evil")
        try bench.settle()
        try bench.expect(["content outside/old/cc"])

        try bench.scope.write("outside/old/cc", "old")
        try bench.remove("bin/link")
        try bench.scope.symlink("bin/link", to: bench.path("outside/new/cc"))
        try bench.settle()
        _ = try bench.told()
        try bench.accept(.everything)
        try bench.settle()
        _ = try bench.told()
        try bench.scope.write("outside/old/cc", "whatever")
        try bench.scope.write("outside/new/cc", "evil")
        try bench.settle()
        try bench.expect(["content outside/new/cc"])
        #expect(bench.watcher.table.withLock { $0.watch(for: bench.path("outside/old")) } == nil)
    }

    @Test func aTargetBesideWhatIsSelectedIsWatchedToo() throws {
        let bench = try WatchBench()
        try bench.scope.symlink("outside/cc", to: "cc-12")
        try bench.scope.write("outside/cc-12", "compiler", mode: 0o755)
        try bench.write([
            bench.rule("t.program", watch: ["bin/**"]), bench.rule("t.link", watch: ["outside/cc"]),
        ])
        try bench.accept()
        try bench.restart()
        _ = try bench.told()
        try bench.scope.write("outside/cc-12", "evil")
        try bench.settle()
        try bench.expect(["content outside/cc-12"])
    }
}
