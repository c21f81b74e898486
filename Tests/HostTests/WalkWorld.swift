import CLinux
import Integrity
import RulePacks
import Synchronization
import TestSupport

@testable import Host

/// A tree of directories that a walk cannot tell from a real one, in memory.
final class WalkWorld: Sendable {
    struct Node: Sendable {
        var path: RawPath
        var type: FileType
        var children: [Int] = []
        var device: UInt32 = 1
        var magic: UInt64 = 0xEF53
        var hidesType = false
        var openError: Errno?
        var listError: Errno?
        var statusError: Errno?
    }

    let nodes: [Node]
    let places: [RawPath: Int]

    init(_ nodes: [Node]) {
        self.nodes = nodes
        places = Dictionary(uniqueKeysWithValues: nodes.indices.map { (nodes[$0].path, $0) })
    }

    /// Names that sort differently from their paths, and hostile ones.
    private static let names: [[UInt8]] =
        [
            "a", "b", "a-b", "a.b", "a b", "gcc", "gcc-12", "lib", "lib64", "A", "z", "0", "\n", "a\u{1}",
            "ü",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0x01], [0x61, 0xFE]]

    static func random(_ random: inout SeededGenerator) -> WalkWorld {
        var nodes = [Node(path: .root, type: .directory)]
        var open = [0]
        while let parent = open.popLast(), nodes.count < 400 {
            let count = Int.random(in: 0...9, using: &random)
            for name in names.shuffled(using: &random).prefix(count) {
                let isDirectory = Int.random(in: 0..<5, using: &random) < 2
                let type: FileType =
                    isDirectory ? .directory : [.file, .link, .fifo].randomElement(using: &random) ?? .file
                var node = Node(path: nodes[parent].path.appending(name), type: type)
                node.device = nodes[parent].device
                damage(&node, &random)
                nodes[parent].children.append(nodes.count)
                if isDirectory {
                    open.insert(nodes.count, at: Int.random(in: 0...open.count, using: &random))
                }
                nodes.append(node)
            }
        }
        return WalkWorld(nodes)
    }

    private static func damage(_ node: inout Node, _ random: inout SeededGenerator) {
        node.hidesType = Int.random(in: 0..<6, using: &random) == 0
        if Int.random(in: 0..<40, using: &random) == 0 { node.statusError = .access }
        guard node.type == .directory else { return }
        switch Int.random(in: 0..<30, using: &random) {
        case 0: node.openError = .access
        case 1: node.openError = .io
        case 2: node.openError = .noEntry
        case 3: node.openError = .tooManyLinks
        case 4: node.listError = .io
        case 5: (node.device, node.magic) = (node.device + 1, 0x9FA0)
        case 6: (node.device, node.magic) = (node.device + 1, 0x9123_683E)
        default: break
        }
    }
}

/// The world as a walk sees it.
///
/// Descriptors are negative: -2 minus the number of the node.
struct WorldTree: FileTree {
    let world: WalkWorld
    /// Called on every call, to shuffle the threads or to change something.
    var hook: @Sendable () -> Void = {}

    func node(_ descriptor: borrowing OwnedDescriptor) -> WalkWorld.Node {
        world.nodes[descriptor.lend { Int(-2 - $0) }]
    }

    private func descriptor(_ place: Int) -> OwnedDescriptor { OwnedDescriptor(owning: CInt(-2 - place)) }

    private func child(_ name: ArraySlice<UInt8>, _ directory: borrowing OwnedDescriptor) throws(Errno) -> Int
    {
        hook()
        guard let place = world.places[node(directory).path.appending(name)] else { throw .noEntry }
        return place
    }

    func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        hook()
        guard let place = world.places[path] else { throw .noEntry }
        if let error = world.nodes[place].openError { throw error }
        guard world.nodes[place].type == .directory else { throw .notDirectory }
        return descriptor(place)
    }

    func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor
    {
        descriptor(try child(name, directory))
    }

    func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes {
        hook()
        return attributes(node(file))
    }

    func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> Attributes
    {
        let found = world.nodes[try child(name, directory)]
        if let error = found.statusError { throw error }
        return attributes(found)
    }

    private func attributes(_ node: WalkWorld.Node) -> Attributes {
        var attributes = Attributes(type: node.type)
        attributes.device = DeviceNumber(major: 8, minor: node.device)
        return attributes
    }

    func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing) throws(Errno) {
        hook()
        let listed = node(directory)
        for place in listed.children.reversed() {
            let child = world.nodes[place]
            listing.append(child.path.name, type: child.hidesType ? nil : child.type, inode: UInt64(place))
            if let error = listed.listError { throw error }
        }
        if let error = listed.listError { throw error }
    }

    func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem {
        FileSystem(magic: node(file).magic)
    }

    // What walks have no use for.
    func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    { throw .noSystemCall }
    func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor
    {
        throw .noSystemCall
    }
    func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)
        -> Int
    {
        throw .noSystemCall
    }
    func read(
        _ file: borrowing OwnedDescriptor,
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        throw .noSystemCall
    }
    func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] { throw .noSystemCall }
    func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags? { throw .noSystemCall }
    func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute] {
        throw .noSystemCall
    }
}

/// What a matcher of the tests decides, from the path alone.
struct WalkRules: Sendable {
    var seed: UInt64
    /// Everything is selected and nothing is looked up.
    var selectsAll = false
    var literals: [RawPath: [[UInt8]]] = [:]

    private func dice(_ path: RawPath, _ salt: UInt64) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed &* 31 ^ salt
        for byte in path.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var random = SeededGenerator(seed: hash)
        return random.next()
    }

    /// Where only looked-up names matter, no other name does.
    private func isOpen(_ path: RawPath) -> Bool {
        guard let names = literals[path.parent] else { return true }
        return names.contains(Array(path.name))
    }

    func rule(_ path: RawPath) -> Int? {
        if selectsAll { return 0 }
        guard isOpen(path), dice(path, 1) % 10 < 7 else { return nil }
        return Int(dice(path, 2) % 1_000)
    }

    func enters(_ path: RawPath) -> Bool {
        selectsAll || isOpen(path) && dice(path, 3) % 10 < 9
    }

    static func random(_ world: WalkWorld, _ random: inout SeededGenerator) -> WalkRules {
        var rules = WalkRules(seed: random.next())
        for node in world.nodes where node.type == .directory && Int.random(in: 0..<8, using: &random) == 0 {
            let known = node.children.map { Array(world.nodes[$0].path.name) }.filter { _ in
                Bool.random(using: &random)
            }
            rules.literals[node.path] = (known + [[120, 120], [113]]).shuffled(using: &random)
        }
        return rules
    }
}

/// A matcher whose states are numbers of its own table: one given to another copy means another path or none.
struct TableMatcher: PathMatcher {
    let rules: WalkRules
    private var paths: [RawPath] = [.root]

    init(_ rules: WalkRules) { self.rules = rules }

    var root: Int { 0 }

    mutating func step(_ directory: Int, _ name: ArraySlice<UInt8>) -> MatchStep<Int> {
        let path = paths[directory].appending(name)
        guard rules.enters(path) else { return MatchStep(rule: rules.rule(path), below: nil) }
        paths.append(path)
        return MatchStep(rule: rules.rule(path), below: paths.count - 1)
    }

    func literalNames(_ directory: Int) -> [[UInt8]]? { rules.literals[paths[directory]] }
}
