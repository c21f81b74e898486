import CLinux
import Integrity
import RulePacks
import Synchronization
import TestSupport
import Testing

@testable import Host

/// Takes names only, over any tree.
private struct NameVisitor: WalkVisitor {
    enum Sight: Sendable {
        case names([RawPath])
        case unlisted(RawPath, Failure)
        case skipped(RawPath)
    }

    func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}

    func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> Sight {
        var names: [RawPath] = []
        while let entry = unit.next() { names.append(unit.directory.appending(entry.name)) }
        return .names(names)
    }

    func unlisted(_ directory: RawPath, _ failure: Failure) -> Sight { .unlisted(directory, failure) }
    func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> Sight { .skipped(directory) }
}

private struct Walked {
    var names: [RawPath] = []
    var unlisted: [RawPath: Failure] = [:]

    init(_ tree: some FileTree, _ matcher: some PathMatcher, from start: RawPath = .root, workers: Int) {
        var walk = OrderedWalk(tree: tree, matcher: matcher, workers: workers)
        walk.unitSize = 3
        _ = walk.run(from: start, visitor: { _ in NameVisitor() }) { sight in
            switch sight {
            case .names(let names): self.names += names
            case .unlisted(let directory, let failure): unlisted[directory] = failure
            case .skipped: break
            }
        }
    }
}

struct WalkFaultTests {
    /// Whatever fails: what is not walked lies in a directory that is said not to have been listed.
    @Test(arguments: [Errno.access, .io, .noDevice, Errno(EMFILE)])
    func noFailureIsSilent(error: Errno) {
        var failures = 0
        var seed: UInt64 = 40
        while failures < 300 {
            seed += 1
            var random = SeededGenerator(seed: seed)
            let world = WalkWorld.random(&random)
            // The work grows with the square of the size.
            guard world.nodes.count < 100 else { continue }
            let rules = WalkRules.random(world, &random)
            let whole = Walked(WorldTree(world: world), TableMatcher(rules), workers: 0)
            for number in 1... {
                let tree = FaultyTree(WorldTree(world: world), failing: number, with: error)
                let walked = Walked(tree, TableMatcher(rules), workers: 0)
                guard tree.hasFailed else { break }
                failures += 1
                let comment: Comment = "seed \(seed), call \(number)"
                let missing = Set(whole.names).subtracting(walked.names)
                let isSaid = missing.allSatisfy { path in
                    walked.unlisted.contains {
                        path.isWithin($0.key) && !whole.unlisted.keys.contains($0.key)
                    }
                }
                #expect(isSaid, comment)
                #expect(zip(walked.names, walked.names.dropFirst()).allSatisfy { $0 < $1 }, comment)
                // A name that could not be looked up is walked all the same; nothing else is new.
                #expect(
                    walked.names.allSatisfy { world.places[$0] != nil || rules.literals[$0.parent] != nil },
                    comment
                )
            }
        }
    }

    /// One with a few dozen names.
    private func smallWorld() -> WalkWorld {
        for seed: UInt64 in 0... {
            var random = SeededGenerator(seed: seed)
            let world = WalkWorld.random(&random)
            if (40..<130).contains(world.nodes.count) { return world }
        }
        return WalkWorld([])
    }

    @Test func whatVanishesUnderTheWalkIsNothing() {
        for error in [Errno.noEntry, .notDirectory, .tooManyLinks] {
            let world = smallWorld()
            let rules = WalkRules(seed: 1, selectsAll: true)
            let whole = Walked(WorldTree(world: world), TableMatcher(rules), workers: 0)
            for number in 1... {
                let tree = FaultyTree(WorldTree(world: world), failing: number, with: error)
                let walked = Walked(tree, TableMatcher(rules), workers: 0)
                guard tree.hasFailed else { break }
                #expect(walked.unlisted.allSatisfy { whole.unlisted[$0.key] == $0.value }, "call \(number)")
                #expect(Set(whole.names).isSuperset(of: walked.names), "call \(number)")
            }
        }
    }

    @Test(arguments: [0, 2])
    func theKernelsTreeIsWalkedWithoutFollowingALink(workers: Int) throws {
        let scratch = try TemporaryDirectory()
        let hostile: [[UInt8]] = [[0xFF, 10], [27, 0x5B], [UInt8](repeating: 0xFE, count: 255)]
        var expected: [RawPath] = []
        for directory in ["gcc", "gcc-12", "lib/x/y"] {
            try scratch.write(directory + "/file", "")
            expected.append(scratch.appending(directory + "/file"))
            for name in hostile {
                let file = scratch.appending(directory).appending(name)
                try file.write([])
                expected.append(file)
            }
        }
        expected += ["gcc", "gcc-12", "lib", "lib/x", "lib/x/y"].map { scratch.appending($0) }
        expected.append(try scratch.symlink("gcc/loop", to: scratch.path))
        expected.append(try scratch.symlink("link", to: scratch.appending("gcc")))

        let glob = try Glob(scratch.path.description + "/**")
        let walked = Walked(KernelTree(), RuleSet.matcher(for: [glob]), from: scratch.path, workers: workers)
        #expect(walked.names == expected.sorted())
        #expect(walked.unlisted.isEmpty)
        // From the root it takes the same way, by looking up the one name that matters in each directory.
        #expect(
            Walked(KernelTree(), RuleSet.matcher(for: [glob]), workers: workers).names == [scratch.path]
                + expected.sorted()
        )
    }

    @Test(.disabled(if: isRoot, "root may read every directory"))
    func whatMayNotBeReadIsSaidAndWhatMayBeSearchedIsSearched() throws {
        let scratch = try TemporaryDirectory()
        try scratch.write("closed/file", "")
        try scratch.write("searchable/known/file", "")
        try unsafe scratch.appending("closed").call { unsafe chmod($0, 0) }
        try unsafe scratch.appending("searchable").call { unsafe chmod($0, 0o311) }
        let base = scratch.path.description
        let globs = [try Glob(base + "/closed/**"), try Glob(base + "/searchable/known/**")]
        let walked = Walked(KernelTree(), RuleSet.matcher(for: globs), from: scratch.path, workers: 1)
        #expect(
            walked.names == [
                scratch.appending("closed"), scratch.appending("searchable/known"),
                scratch.appending("searchable/known/file"),
            ]
        )
        #expect(walked.unlisted == [scratch.appending("closed"): Failure(.open, EACCES)])
    }

    @Test func procIsNotEntered() {
        struct Everything: PathMatcher {
            var root: Int { 0 }
            func step(_ directory: Int, _ name: ArraySlice<UInt8>) -> MatchStep<Int> {
                MatchStep(rule: 0, below: 0)
            }
            func literalNames(_ directory: Int) -> [[UInt8]]? { directory == 0 ? nil : [] }
        }
        var skipped: [RawPath] = []
        _ = OrderedWalk(tree: KernelTree(), matcher: Everything(), workers: 1).run(
            from: "/proc",
            visitor: { _ in NameVisitor() },
            emit: { sight in
                guard case .skipped(let directory) = sight else {
                    Issue.record("entered")
                    return
                }
                skipped.append(directory)
            }
        )
        #expect(skipped == ["/proc"])
    }
}
