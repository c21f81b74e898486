import Host
import Integrity
import Ledger
import TestSupport
import Testing

@testable import Warden

/// Random trees and random changes: a survey finds exactly what an independent recursion finds.
struct RandomTreeTests {
    private static let names: [[UInt8]] =
        ["a", "b", "a-b", "a.b", "a b", "lib", "lib64", "\n", "ü", "0"].map { Array($0.utf8) } + [[0xFF], [0x01]]

    /// Every path in scope with what distinguishes it, by walking the world itself.
    private static func snapshot(_ world: MemoryWorld, _ path: RawPath = "/t") -> [RawPath: [UInt8]] {
        guard let node = try? world.node(at: path) else { return [:] }
        var found = [path: Array("\(node.status.type) \(node.status.mode) \(node.status.inode) ".utf8) + node.bytes]
        guard node.status.type == .directory else { return found }
        for name in node.entries.keys { found.merge(snapshot(world, path.appending(name))) { first, _ in first } }
        return found
    }

    private static func grow(_ world: inout MemoryWorld, _ random: inout SeededGenerator) {
        var directories: [RawPath] = ["/t"]
        for _ in 0..<Int.random(in: 1...120, using: &random) {
            let path = (directories.randomElement(using: &random) ?? "/t")
                .appending(names.randomElement(using: &random) ?? [0x61])
            guard (try? world.lookUp(path)) == nil else { continue }
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                world.makeDirectory(path)
                directories.append(path)
            case 2: world.symlink(path, to: "/dangling/\(Int.random(in: 0...9, using: &random))")
            default: world.write(path, random.bytes(Int.random(in: 0...20, using: &random)))
            }
        }
    }

    private static func disturb(_ world: inout MemoryWorld, _ random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let all = snapshot(world).keys.filter { $0 != "/t" }.sorted()
            guard let path = all.randomElement(using: &random) else { return }
            switch Int.random(in: 0..<5, using: &random) {
            case 0: world.remove(path)
            case 1: world.update(path) { $0.mode ^= 0o011 }
            case 2: world.write(path.parent.appending("new"), random.bytes(4))
            case 3 where (try? world.node(at: path))?.status.type == .file:
                world.write(path, random.bytes(21))
            default: break
            }
        }
    }

    @Test(arguments: 0..<60) func aSurveyFindsExactlyWhatDiffers(round: UInt64) throws {
        var random = SeededGenerator(seed: SeededGenerator().seed &+ round)
        let start = random
        let station = try Station([ruleText("t.all", watch: ["/t/**"], profile: "configuration")]) { world in
            var random = start
            world.makeDirectory("/t")
            Self.grow(&world, &random)
        }
        _ = random.next()
        let jobs = [0, 1, 2, 4].randomElement(using: &random) ?? 1
        try station.create(jobs: jobs)
        let before = station.tree.change { Self.snapshot($0) }
        let seed = random
        let after = station.tree.change { world in
            var random = seed
            Self.disturb(&world, &random)
            return Self.snapshot(world)
        }
        var expected: Set<RawPath> = []
        for path in Set(before.keys).union(after.keys) where before[path] != after[path] { expected.insert(path) }

        let baseline = try station.baseline()
        #expect(baseline.count == before.count, "\(random)")
        var reference: [String]?
        for jobs in [1, 2, 4] {
            var options = SurveyOptions()
            options.jobs = jobs
            let result = try station.survey(options, on: station.tree, baseline: baseline)
            let found = Set(result.deviations.map(\.finding).filter { $0.change != .touched }.map(\.path))
            #expect(found == expected, "\(jobs) jobs; \(random)")
            #expect(result.errors == [], "\(random)")
            #expect(result.examined == after.count, "\(jobs) jobs; \(random)")
            #expect(reference ?? result.told == result.told, "\(random)")
            reference = result.told
        }
    }
}
