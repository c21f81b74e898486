import Integrity
import Testing

@testable import Warden

private let gcc: RawPath = "/usr/bin/gcc"
private let other: RawPath = "/usr/bin/gcc.bak"
private let fresh: RawPath = "/usr/bin/fresh"

/// Milliseconds in the nanoseconds of the boot clock.
private func ms(_ count: Int64) -> Int64 { count * 1_000_000 }

/// A settle automaton with a clock that is moved by hand.
private final class Bench {
    var settle = Settle()
    var now: Int64 = ms(1_000_000)

    func note(_ path: RawPath, _ events: PathEvent..., isKnown: Bool = true) {
        for event in events { settle.note(path, event, isKnown: isKnown, at: now) }
    }

    /// Goes to the next moment at which something is due, and takes it; with how long that was.
    func next() -> (after: Int64, paths: [Settled], directories: [RawPath])? {
        guard let due = settle.nextDue else { return nil }
        let before = now
        now = max(now, due)
        let taken = settle.take(at: now)
        return (now - before, taken.paths, taken.directories)
    }

    func wait(_ milliseconds: Int64) { now += ms(milliseconds) }
}

struct SettleTests {
    @Test func nothingPendingIsNeverDue() {
        let bench = Bench()
        #expect(bench.next() == nil)
        #expect(bench.settle.take(at: .max).paths == [])
    }

    @Test(arguments: [
        [PathEvent.modified, .closed], [.closed], [.attributes], [.movedHere(from: nil)],
    ])
    func aKnownPathIsDueAtOnce(events: [PathEvent]) throws {
        let bench = Bench()
        for event in events { bench.note(gcc, event) }
        let taken = try #require(bench.next())
        #expect(taken.after == 0)
        #expect(taken.paths.map(\.path) == [gcc])
        #expect(bench.settle.pendingCount == 0)
        #expect(taken.paths[0].touches.writes == (events.contains(.closed) ? 1 : 0))
        #expect(taken.paths[0].touches.attributes == events.contains(.attributes))
    }

    @Test func anUnclosedWriteIsDueAfter300Milliseconds() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        bench.wait(299)
        #expect(bench.settle.take(at: bench.now).paths == [])
        let taken = try #require(bench.next())
        #expect(taken.after == ms(1))
        #expect(taken.paths[0].isOpen)
        #expect(taken.paths[0].touches.writes == 1)
    }

    @Test func aDescriptorThatIsNeverClosedIsLookedAtEveryTwoSeconds() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        #expect(try #require(bench.next()).after == ms(300))
        for _ in 0..<5 {
            bench.wait(10)
            bench.note(gcc, .modified)
            #expect(try #require(bench.next()).after == ms(1_990))
        }
    }

    @Test func closingEndsTheWaitForAnOpenFile() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        _ = bench.next()
        bench.wait(5)
        bench.note(gcc, .modified, .closed)
        let taken = try #require(bench.next())
        #expect(taken.after == 0)
        #expect(!taken.paths[0].isOpen)
        bench.wait(5)
        bench.note(gcc, .modified)
        #expect(try #require(bench.next()).after == ms(300), "the two seconds end with the close")
    }

    /// truncate(2) by path opens nothing, so that nothing is ever closed.
    @Test func truncationByPathIsDueWithoutAClose() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        #expect(try #require(bench.next()).paths[0].touches.writes == 1)
    }

    @Test func aMissingNameIsDueAfter30Milliseconds() throws {
        for event in [PathEvent.deleted, .movedAway(onto: nil)] {
            let bench = Bench()
            bench.note(gcc, event)
            let taken = try #require(bench.next())
            #expect(taken.after == ms(30))
            #expect(taken.paths[0].touches == .none)
        }
    }

    @Test func bothNamesOfARenameAreDueTogether() throws {
        let bench = Bench()
        bench.note(gcc, .movedAway(onto: nil))
        bench.wait(3)
        bench.note(fresh, .movedHere(from: gcc), isKnown: false)
        let taken = try #require(bench.next())
        #expect(taken.paths.map(\.path) == [fresh, gcc].sorted())
        #expect(taken.paths.first { $0.path == fresh }?.from == gcc)
        #expect(bench.settle.nextDue == nil)
    }

    @Test func renameDanceIsOneStory() throws {
        let bench = Bench()
        bench.note(gcc, .movedAway(onto: other))
        bench.wait(10)
        bench.note(gcc, .movedHere(from: nil))
        bench.wait(10)
        bench.note(gcc, .deleted)
        bench.wait(10)
        bench.note(gcc, .movedHere(from: other))
        let taken = try #require(bench.next())
        #expect(taken.paths.map(\.path) == [gcc])
        #expect(taken.paths[0].touches.leftAndCame)
        #expect(bench.settle.pendingCount == 0)
    }

    /// The kernel tells of an exchange as of two renames: onto the name, then away from it.
    @Test func exchangeThereAndBackIsOneStory() throws {
        let bench = Bench()
        for _ in 0..<2 {
            bench.note(fresh, .movedAway(onto: nil))
            bench.note(gcc, .movedHere(from: fresh), .movedAway(onto: nil))
            bench.note(fresh, .movedHere(from: gcc))
        }
        var stories = 0
        while let taken = bench.next() {
            for settled in taken.paths where settled.path == gcc {
                stories += 1
                #expect(settled.touches.leftAndCame)
            }
        }
        #expect(stories == 1)
    }

    /// `ln gcc kept; mv evil gcc; mv kept gcc`: the name never went away, yet it stood for something else.
    @Test func renamingOverANameTwiceIsLeavingAndComingBack() throws {
        let bench = Bench()
        bench.note(gcc, .movedHere(from: nil))
        bench.note(gcc, .movedHere(from: nil))
        #expect(try #require(bench.next()).paths[0].touches.leftAndCame)
    }

    /// The kernel merges equal events in a row: one arrival may have been two.
    @Test func oneRenameOverANameMayHaveBeenTwo() throws {
        let bench = Bench()
        bench.note(gcc, .movedHere(from: nil))
        #expect(try #require(bench.next()).paths[0].touches == Touches(leftAndCame: true))
    }

    @Test func aDanceWithoutEndIsExaminedInTheEnd() throws {
        let bench = Bench()
        let start = bench.now
        var taken: [Settled] = []
        while taken.isEmpty, bench.now - start < ms(2_000) {
            bench.note(gcc, .deleted, .created, .closed)
            bench.wait(5)
            taken = bench.settle.take(at: bench.now).paths
        }
        #expect(bench.now - start <= ms(305))
        #expect(taken.first?.touches.leftAndCame == true)
    }

    // MARK: New names

    @Test func aNewNameIsDueWhenItIsQuiet() throws {
        let bench = Bench()
        bench.note(fresh, .created, isKnown: false)
        bench.wait(200)
        bench.note(fresh, .modified, .closed, isKnown: false)
        let taken = try #require(bench.next())
        #expect(taken.after == ms(250))
        #expect(taken.paths[0].touches.writes == 1)
    }

    @Test func aNewNameIsNotPutOffForEver() throws {
        let bench = Bench()
        let start = bench.now
        bench.note(fresh, .created, .closed, isKnown: false)
        while bench.settle.take(at: bench.now).paths.isEmpty, bench.now - start < ms(5_000) {
            bench.wait(50)
            bench.note(fresh, .modified, .closed, isKnown: false)
        }
        #expect(bench.now - start == ms(700))
    }

    @Test func aNewNameThatIsWrittenWithoutEndIsExaminedAfterTwoSeconds() throws {
        let bench = Bench()
        let start = bench.now
        bench.note(fresh, .created, isKnown: false)
        while bench.settle.take(at: bench.now).paths.isEmpty, bench.now - start < ms(5_000) {
            bench.wait(50)
            bench.note(fresh, .modified, isKnown: false)
        }
        #expect(bench.now - start == ms(2_000))
    }

    @Test func aNewNameThatIsGoneAgainIsTold() throws {
        let bench = Bench()
        bench.note(fresh, .created, .closed, .deleted, isKnown: false)
        let taken = try #require(bench.next())
        #expect(taken.paths[0].touches.cameAndLeft)
    }

    @Test func aFoldedTemporaryFileLeavesNothing() throws {
        let bench = Bench()
        bench.note(fresh, .created, .modified, .closed, .movedAway(onto: nil), isKnown: false)
        bench.settle.fold(fresh)
        bench.note(gcc, .movedHere(from: nil))
        let taken = try #require(bench.next())
        #expect(taken.paths.map(\.path) == [gcc])
        #expect(bench.next() == nil)
    }

    @Test func aNewNameThatBecameKnownStaysOneStory() throws {
        let bench = Bench()
        bench.note(fresh, .created, .closed, isKnown: false)
        bench.note(fresh, .modified, .closed, isKnown: true)
        let taken = try #require(bench.next())
        #expect(taken.paths.map(\.touches.writes) == [2])
        #expect(bench.next() == nil)
    }

    @Test func aKnownNameThatIsForgottenStaysOneStory() throws {
        let bench = Bench()
        bench.note(gcc, .deleted, isKnown: true)
        bench.note(gcc, .created, .closed, isKnown: false)
        let taken = try #require(bench.next())
        #expect(taken.paths.count == 1)
        #expect(taken.paths[0].touches.leftAndCame)
        #expect(bench.next() == nil)
    }

    // MARK: Holding back

    @Test func whatIsHeldBackMergesWithWhatFollows() throws {
        let bench = Bench()
        bench.note(gcc, .modified, .closed)
        let first = try #require(bench.next()).paths[0]
        bench.settle.hold(first, at: bench.now)
        bench.wait(5)
        bench.note(gcc, .attributes)
        let taken = try #require(bench.next())
        #expect(taken.after == ms(25))
        #expect(taken.paths[0].touches == Touches(writes: 1, attributes: true))
        #expect(taken.paths[0].wasHeld)
    }

    @Test func heldBackWithEventsAlreadyPendingForgetsNeither() throws {
        let bench = Bench()
        bench.note(gcc, .modified, .closed)
        let first = try #require(bench.next()).paths[0]
        bench.note(gcc, .deleted, .created, .closed)
        bench.settle.hold(first, at: bench.now)
        let taken = try #require(bench.next())
        #expect(taken.paths[0].touches == Touches(writes: 2, leftAndCame: true))
    }

    @Test func anUnclosedWriteThatIsHeldBackCountsOnce() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        let first = try #require(bench.next()).paths[0]
        bench.settle.hold(first, at: bench.now)
        let again = try #require(bench.next()).paths[0]
        #expect(again.touches.writes == 1)
        #expect(again.isOpen)
    }

    @Test func theCloseOfAHeldBackWriteCountsOnce() throws {
        for isNotedBefore in [true, false] {
            let bench = Bench()
            bench.note(gcc, .modified)
            let first = try #require(bench.next()).paths[0]
            if isNotedBefore { bench.note(gcc, .modified, .closed) }
            bench.settle.hold(first, at: bench.now)
            if !isNotedBefore { bench.note(gcc, .modified, .closed) }
            let again = try #require(bench.next()).paths[0]
            #expect(again.touches.writes == 1)
            #expect(!again.isOpen)
        }
    }

    @Test func whatIsHeldBackIsNotPutOffForEver() throws {
        let bench = Bench()
        bench.note(gcc, .modified, .closed)
        let first = try #require(bench.next()).paths[0]
        bench.settle.hold(first, at: bench.now)
        let start = bench.now
        var taken: [Settled] = []
        while taken.isEmpty, bench.now - start < ms(5_000) {
            bench.wait(10)
            bench.note(gcc, .attributes)
            taken = bench.settle.take(at: bench.now).paths
        }
        #expect(bench.now - start <= ms(310))
    }

    @Test func takingAllLeavesNothing() {
        let bench = Bench()
        bench.note(gcc, .deleted)
        bench.note(fresh, .created, isKnown: false)
        bench.settle.markDirty("/usr/lib", at: bench.now)
        let taken = bench.settle.take(at: bench.now, all: true)
        #expect(taken.paths.map(\.path) == [fresh, gcc].sorted())
        #expect(taken.directories == ["/usr/lib"])
        #expect(bench.settle.pendingCount == 0)
        #expect(bench.settle.nextDue == nil)
    }
}

struct SettleBoundsTests {
    @Test func aFloodOfNewNamesCollapsesToTheDirectory() throws {
        let bench = Bench()
        bench.note(gcc, .modified)
        for number in 0...Settle.newNamesLimit {
            bench.note(RawPath("/usr/bin/n\(number)"), .created, isKnown: false)
        }
        #expect(bench.settle.pendingCount == 2, "one recorded path and one directory")
        bench.note("/usr/bin/one-more", .created, isKnown: false)
        #expect(bench.settle.pendingCount == 2)
        bench.note("/usr/lib/elsewhere", .created, isKnown: false)
        #expect(bench.settle.pendingCount == 3)
        var paths: [RawPath] = []
        var directories: [RawPath] = []
        while let taken = bench.next() {
            paths += taken.paths.map(\.path)
            directories += taken.directories
        }
        #expect(Set(paths) == [gcc, "/usr/lib/elsewhere"])
        #expect(directories == ["/usr/bin"])
    }

    @Test func recordedPathsNeverCollapse() {
        let bench = Bench()
        let count = Settle.newNamesLimit * 2
        for number in 0..<count { bench.note(RawPath("/usr/bin/r\(number)"), .modified, .closed) }
        let taken = bench.settle.take(at: bench.now)
        #expect(taken.paths.count == count)
        #expect(taken.directories == [])
    }

    @Test func takenNamesDoNotCountTowardsTheLimit() {
        let bench = Bench()
        for number in 0..<3 * Settle.newNamesLimit {
            bench.note(RawPath("/usr/bin/n\(number)"), .appeared, isKnown: false)
            if number % 1_000 == 999 { _ = bench.settle.take(at: bench.now + ms(1_000)) }
        }
        #expect(bench.settle.take(at: .max / 2).directories == [])
    }

    @Test func foldedNamesDoNotCountTowardsTheLimit() {
        let bench = Bench()
        for number in 0..<3 * Settle.newNamesLimit {
            let path = RawPath("/usr/bin/n\(number)")
            bench.note(path, .created, isKnown: false)
            bench.settle.fold(path)
        }
        #expect(bench.settle.pendingCount == 0)
        #expect(bench.settle.take(at: .max / 2).directories == [])
    }

    @Test func manyDirtyDirectoriesCollapseToTheRoot() {
        let bench = Bench()
        for number in 0...Settle.dirtyLimit { bench.settle.markDirty(RawPath("/d/\(number)"), at: bench.now) }
        #expect(bench.settle.pendingCount == 1)
        bench.settle.markDirty("/another", at: bench.now)
        #expect(bench.settle.pendingCount == 1, "the root covers it")
        #expect(bench.next()?.directories == [.root])
    }

    /// Whoever keeps making names must not keep the directory from being listed.
    @Test func aFloodWithoutEndDoesNotPutOffTheListing() {
        let bench = Bench()
        bench.settle.markDirty("/usr/bin", at: bench.now)
        let start = bench.now
        var directories: [RawPath] = []
        while directories.isEmpty, bench.now - start < ms(5_000) {
            bench.note(RawPath("/usr/bin/n\(bench.now)"), .created, isKnown: false)
            bench.settle.markDirty("/usr/bin", at: bench.now)
            bench.wait(20)
            directories = bench.settle.take(at: bench.now).directories
        }
        #expect(bench.now - start == ms(700))
    }

    @Test func openFilesAreRememberedWithinBounds() {
        let bench = Bench()
        for number in 0..<3 * Settle.newNamesLimit { bench.note(RawPath("/usr/bin/r\(number)"), .modified) }
        _ = bench.settle.take(at: bench.now + ms(300))
        for number in 0..<3 * Settle.newNamesLimit { bench.note(RawPath("/usr/bin/r\(number)"), .modified) }
        #expect(bench.settle.take(at: bench.now + ms(3_000)).paths.count == 3 * Settle.newNamesLimit)
    }
}
