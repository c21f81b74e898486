import CLinux
import Integrity
import RulePacks
import Synchronization
import TestSupport
import Testing

@testable import Host

/// What came of one directory or unit.
struct WalkSight: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        case unit(isFirst: Bool, isLast: Bool, preceding: [UInt8]?)
        case unlisted(Failure)
        case skipped(FileSystem)
    }

    var directory: RawPath
    var kind: Kind
    var names: [[UInt8]] = []
    var rules: [Int] = []
}

/// Takes units apart as unkindly as it may.
struct RecordingVisitor: WalkVisitor {
    let tree: WorldTree
    var random: SeededGenerator
    var isUnkind = true
    var armed: @Sendable (RawPath) -> Void = { _ in }

    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {
        #expect(tree.node(descriptor).path == directory)
        armed(directory)
    }

    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> WalkSight {
        #expect(tree.node(descriptor).path == unit.directory)
        var sight = WalkSight(directory: unit.directory, kind: .skipped(FileSystem(magic: 0)))
        while let entry = unit.next() {
            sight.names.append(Array(entry.name))
            sight.rules.append(entry.rule)
            if isUnkind && Int.random(in: 0..<6, using: &random) == 0 { unit.splitRest() }
            if isUnkind && Int.random(in: 0..<9, using: &random) == 0 { break }
        }
        // What is left becomes a unit of its own.
        let isLast = unit.isLast && unit.remaining == 0
        sight.kind = .unit(
            isFirst: unit.isFirst,
            isLast: isLast,
            preceding: unit.precedingName.map(Array.init)
        )
        return sight
    }

    func unlisted(_ directory: RawPath, _ failure: Failure) -> WalkSight {
        WalkSight(directory: directory, kind: .unlisted(failure))
    }

    func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> WalkSight {
        WalkSight(directory: directory, kind: .skipped(fileSystem))
    }
}

/// What a walk has to come to, found by plain recursion.
private struct Expected {
    var entries: [RawPath: Int] = [:]
    var unlisted: [RawPath: Failure] = [:]
    var skipped: Set<RawPath> = []
    var armed: Set<RawPath> = []
    let world: WalkWorld
    let rules: WalkRules

    init(_ world: WalkWorld, _ rules: WalkRules, from start: RawPath = .root) {
        (self.world, self.rules) = (world, rules)
        let isReached = start.isRoot || lineage(start).allSatisfy { rules.enters($0) }
        if isReached, let place = world.places[start] { enter(place, parentDevice: nil) }
    }

    private func lineage(_ path: RawPath) -> [RawPath] {
        path.isRoot ? [] : lineage(path.parent) + [path]
    }

    private mutating func enter(_ place: Int, parentDevice: UInt32?) {
        let node = world.nodes[place]
        let literals = rules.literals[node.path]
        if let error = node.openError {
            if error == .noEntry || error == .tooManyLinks { return }
            // A directory that may only be searched is enough to look names up.
            let parent = world.places[node.path.parent].map { world.nodes[$0] }
            let isSearchable = error == .access && literals != nil && parent?.openError == nil
            if !isSearchable {
                unlisted[node.path] = Failure(.open, error.code)
                return
            }
        }
        guard node.type == .directory else { return }
        if node.device != parentDevice && node.magic == 0x9FA0 {
            skipped.insert(node.path)
            return
        }
        armed.insert(node.path)
        if literals == nil, let error = node.listError {
            unlisted[node.path] = Failure(.list, error.code)
            return
        }
        for child in node.children {
            let found = world.nodes[child]
            if let literals, !literals.contains(Array(found.path.name)) { continue }
            if let rule = rules.rule(found.path) { entries[found.path] = rule }
            if rules.enters(found.path) { enter(child, parentDevice: node.device) }
        }
    }
}

struct WalkTests {
    @Test(arguments: 0..<150)
    func anyTreeIsWalkedWholeAndInOrder(number: UInt64) throws {
        let seed = 77_000 + number
        var random = SeededGenerator(seed: seed)
        let world = WalkWorld.random(&random)
        let rules = WalkRules.random(world, &random)
        let expected = Expected(world, rules)
        let steps = Atomic<UInt64>(random.next())
        let tree = WorldTree(world: world) {
            var dice = SeededGenerator(seed: steps.add(1, ordering: .relaxed).newValue)
            if dice.next() % 3 == 0 { sched_yield() }
        }
        var walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(rules),
            workers: Int.random(in: 0...8, using: &random)
        )
        walk.unitSize = 2
        walk.window = [1, 20_000, 1 << 20].randomElement(using: &random) ?? 1
        let armed = Mutex<[RawPath]>([])
        var sights: [WalkSight] = []

        let visitorSeed = random.next()
        let outcome = walk.run(
            visitor: { number in
                RecordingVisitor(tree: tree, random: SeededGenerator(seed: visitorSeed &+ UInt64(number))) {
                    directory in
                    armed.withLock { $0.append(directory) }
                }
            },
            emit: { sights.append($0) }
        )

        #expect(outcome == .complete, "seed \(seed)")
        expectWhole(sights, expected, "seed \(seed)")
        let seen = armed.withLock { $0 }
        #expect(Set(seen) == expected.armed && seen.count == expected.armed.count, "seed \(seed)")
    }

    private func expectWhole(_ sights: [WalkSight], _ expected: Expected, _ comment: Comment) {
        let walked = sights.flatMap { sight in sight.names.map { sight.directory.appending($0) } }
        #expect(walked == expected.entries.keys.sorted(), comment)
        let rules = sights.flatMap(\.rules)
        #expect(rules == walked.map { expected.entries[$0] ?? -1 }, comment)
        var unlisted: [RawPath: Failure] = [:]
        var skipped: Set<RawPath> = []
        var previous: WalkSight?
        for sight in sights {
            if let previous { #expect(inOrder(previous, sight), comment) }
            switch sight.kind {
            case .unlisted(let failure):
                #expect(unlisted.updateValue(failure, forKey: sight.directory) == nil, comment)
            case .skipped: #expect(skipped.insert(sight.directory).inserted, comment)
            case .unit(let isFirst, let isLast, let preceding):
                let isNext = previous?.directory == sight.directory
                #expect(isFirst == !isNext, comment)
                #expect(preceding == (isNext ? previous?.names.last : nil), comment)
                let following = sights.last { $0.directory == sight.directory }
                #expect(isLast == (following == sight), comment)
            }
            previous = sight
        }
        #expect(unlisted == expected.unlisted, comment)
        #expect(skipped == expected.skipped, comment)
    }

    /// A directory stands where its entries stand or would stand.
    private func inOrder(_ left: WalkSight, _ right: WalkSight) -> Bool {
        left.directory == right.directory || left.directory.appending("!") < right.directory.appending("!")
    }

    @Test func aSubtreeIsTheSameAsItsPartOfTheWhole() throws {
        var compared = 0
        for seed in UInt64(300)..<500 {
            var random = SeededGenerator(seed: seed)
            let world = WalkWorld.random(&random)
            let rules = WalkRules.random(world, &random)
            let tree = WorldTree(world: world)
            let start =
                world.nodes.filter { $0.type == .directory }.randomElement(using: &random)?.path ?? .root
            var sights: [WalkSight] = []
            let outcome = OrderedWalk(tree: tree, matcher: TableMatcher(rules), workers: 2).run(
                from: start,
                visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: seed)) },
                emit: { sights.append($0) }
            )
            #expect(outcome == .complete)
            expectWhole(sights, Expected(world, rules, from: start), "seed \(seed)")
            compared += sights.count
        }
        #expect(compared > 40)
    }

    /// A flat directory with so many files, everything selected.
    private func flatTree(_ count: Int) -> WorldTree {
        var nodes = [WalkWorld.Node(path: .root, type: .directory)]
        for number in 0..<count {
            nodes[0].children.append(nodes.count)
            nodes.append(.init(path: RawPath("/f\(100_000 + number)"), type: .file))
        }
        return WorldTree(world: WalkWorld(nodes))
    }

    @Test func unitsHoldAtMostTheirSize() {
        let tree = flatTree(1_000)
        var sizes: [Int] = []
        let walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: 0
        )
        _ = walk.run(
            visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1), isUnkind: false) },
            emit: { sizes.append($0.names.count) }
        )
        #expect(sizes == [256, 256, 256, 232])
    }

    @Test func aNameListedTwiceIsVisitedOnce() {
        var nodes = [WalkWorld.Node(path: .root, type: .directory, children: [1, 2, 1, 2, 2])]
        nodes.append(.init(path: "/a", type: .directory, children: [3, 3]))
        nodes.append(.init(path: "/b", type: .file))
        nodes.append(.init(path: "/a/c", type: .file))
        let tree = WorldTree(world: WalkWorld(nodes))
        var names: [[[UInt8]]] = []
        let walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: 0
        )
        _ = walk.run(
            visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1), isUnkind: false) },
            emit: { names.append($0.names) }
        )
        #expect(names == [[[97], [98]], [[99]]])
    }

    @Test func literalNamesThatAreNoNamesAreLeftOut() {
        let tree = flatTree(3)
        let hostile: [[UInt8]] = [
            [], [46], [46, 46], Array("f100001".utf8), Array("../f".utf8), [0x66, 0], Array("f100001".utf8),
        ]
        var rules = WalkRules(seed: 1, selectsAll: true)
        rules.literals[.root] = hostile
        var names: [[UInt8]] = []
        _ = OrderedWalk(tree: tree, matcher: TableMatcher(rules), workers: 0).run(
            visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1), isUnkind: false) },
            emit: { names += $0.names }
        )
        #expect(names == [Array("f100001".utf8)])
    }

    @Test(arguments: [0, 1, 2, 5])
    func cancellingStopsAfterTheCurrentOutput(workers: Int) {
        let tree = flatTree(5_000)
        var walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: workers
        )
        walk.unitSize = 2
        let cancellation = WalkCancellation()
        var emitted: [WalkSight] = []
        let outcome = walk.run(
            cancellation: cancellation,
            visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1), isUnkind: false) },
            emit: { sight in
                emitted.append(sight)
                if emitted.count == 7 { cancellation.cancel() }
            }
        )
        #expect(outcome == .cancelled)
        #expect(emitted.flatMap(\.names) == (0..<14).map { Array("f\(100_000 + $0)".utf8) })
    }

    @Test func cancellingFromAVisitorEndsEveryThread() {
        let tree = flatTree(5_000)
        let cancellation = WalkCancellation()
        struct Quitter: WalkVisitor {
            let cancellation: WalkCancellation
            let citizen: Citizen
            func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}
            func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> Int {
                let entry = unit.next()
                if entry?.name.elementsEqual("f100100".utf8) == true { cancellation.cancel() }
                return 1
            }
            func unlisted(_ directory: RawPath, _ failure: Failure) -> Int { 0 }
            func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> Int { 0 }
        }
        let census = Census()
        let walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: 4
        )
        var emitted = 0
        let outcome = walk.run(
            cancellation: cancellation,
            visitor: { _ in Quitter(cancellation: cancellation, citizen: Citizen(census)) },
            emit: { emitted += $0 }
        )
        #expect(outcome == .cancelled)
        #expect(emitted < 5_000)
        #expect(census.count.load(ordering: .sequentiallyConsistent) == 0)
    }

    @Test(arguments: [0, 3])
    func anErrorOfTheConsumerEndsTheWalk(workers: Int) {
        let tree = flatTree(3_000)
        var walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: workers
        )
        walk.unitSize = 10
        var emitted = 0
        #expect(throws: Errno.noSpace) {
            _ = try walk.run(
                visitor: { _ in
                    RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1), isUnkind: false)
                },
                emit: { (_: WalkSight) throws(Errno) in
                    emitted += 1
                    if emitted == 5 { throw .noSpace }
                }
            )
        }
        #expect(emitted == 5)
    }

    @Test func nobodyRunsFurtherAheadThanTheWindow() {
        let tree = flatTree(2_000)
        var walk = OrderedWalk(
            tree: tree,
            matcher: TableMatcher(WalkRules(seed: 1, selectsAll: true)),
            workers: 3
        )
        walk.unitSize = 1
        walk.window = 10 * 4_096
        let ahead = Monitor(0)
        struct Straggler: WalkVisitor {
            let ahead: Monitor<Int>
            func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}
            func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> Int {
                _ = unit.next()
                if unit.isFirst {
                    // The first unit waits until the others have filled the window; they may be at one more each.
                    return ahead.await { $0 >= 10 ? $0 : nil }
                }
                ahead.withLock { $0 += 1 }
                ahead.notify()
                return 0
            }
            func unlisted(_ directory: RawPath, _ failure: Failure) -> Int { 0 }
            func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> Int { 0 }
        }
        var outputs: [Int] = []
        let outcome = walk.run(visitor: { _ in Straggler(ahead: ahead) }, emit: { outputs.append($0) })
        #expect(outcome == .complete)
        #expect(outputs.count == 2_000)
        #expect((10...11).contains(outputs[0]))
    }

    @Test func aStartThatIsNotSelectedOrNotThereIsNothing() {
        let tree = flatTree(3)
        var rules = WalkRules(seed: 1, selectsAll: true)
        rules.literals["/"] = []
        for start in ["/f100000", "/missing", "/f100001/x"] as [RawPath] {
            var emitted = 0
            let outcome = OrderedWalk(tree: tree, matcher: TableMatcher(rules), workers: 1).run(
                from: start,
                visitor: { _ in RecordingVisitor(tree: tree, random: SeededGenerator(seed: 1)) },
                emit: { _ in emitted += 1 }
            )
            #expect(outcome == .complete)
            #expect(emitted == 0)
        }
    }
}

/// How many objects are alive.
final class Census: Sendable {
    let count = Atomic<Int>(0)
}

final class Citizen: Sendable {
    private let census: Census

    init(_ census: Census) {
        self.census = census
        census.count.add(1, ordering: .sequentiallyConsistent)
    }

    deinit { census.count.subtract(1, ordering: .sequentiallyConsistent) }
}
