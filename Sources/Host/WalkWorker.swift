internal import CLinux
import Integrity
import RulePacks

/// What one thread of a walk does with the work it claims.
struct WalkWorker<Tree: FileTree, Matcher: PathMatcher, Visitor: WalkVisitor> {
    private let tree: Tree
    private var matcher: Matcher
    private var visitor: Visitor
    private let plan: WalkPlan<Visitor.Output>

    init(tree: Tree, matcher: Matcher, visitor: Visitor, plan: WalkPlan<Visitor.Output>) {
        self.tree = tree
        self.matcher = matcher
        self.visitor = visitor
        self.plan = plan
    }

    mutating func work(on task: WalkPlan<Visitor.Output>.Task) {
        switch task {
        case .directory(let node, let path, let parentDevice):
            enter(path, parentDevice: parentDevice, node)
        case .entries(let node, let listing, let range):
            visit(listing, range, node)
        }
    }

    private mutating func visit(_ listing: WalkListing, _ range: Range<Int>, _ node: WalkNode<Visitor.Output>)
    {
        let plan = plan
        var unit = WalkUnit(listing, range) { plan.put($0, of: listing, behind: node) }
        let output = visitor.visit(&unit, in: listing.descriptor)
        // A visitor that never takes anything would walk for ever.
        precondition(
            unit.remaining == 0 || unit.taken > 0 || plan.isCancelled,
            "a visitor takes at least one entry"
        )
        unit.splitRest()
        plan.finish(node, output, size: Visitor.size(of: output) ?? 192 * unit.taken)
    }

    // MARK: Directories

    private mutating func enter(
        _ path: RawPath,
        parentDevice: DeviceNumber?,
        _ node: WalkNode<Visitor.Output>
    ) {
        do throws(Obstacle) {
            guard let state = state(of: path) else { throw .absent }
            let literals = matcher.literalNames(state)
            let descriptor = try open(path, onlyLookedUp: literals != nil)
            let device = try checkDevice(descriptor, parentDevice)
            visitor.willList(path, descriptor)
            let names: DirectoryListing
            if let literals { names = lookUp(literals, in: descriptor) } else { names = try list(descriptor) }
            guard names.entries.count <= Int(UInt32.max) else { throw .failure(Failure(.list, EFBIG)) }
            let (selected, below) = select(names, state, &matcher, tree, descriptor)
            var subdirectories = WalkSubdirectories(of: path, on: device)
            for index in below { subdirectories.append(names.name(of: names.entries[Int(index)])) }
            let listing = WalkListing(path, descriptor, names, selected)
            let first = plan.publish(listing, subdirectories, behind: node)
            if first.isEmpty { throw .absent }
            visit(listing, first, node)
        } catch {
            switch error {
            case .absent: plan.finish(node, nil, size: 0)
            case .failure(let failure): finish(node, visitor.unlisted(path, failure))
            case .outOfBounds(let fileSystem): finish(node, visitor.skipped(path, fileSystem))
            }
        }
    }

    private func finish(_ node: WalkNode<Visitor.Output>, _ output: Visitor.Output) {
        plan.finish(node, output, size: Visitor.size(of: output) ?? 0)
    }

    /// Why nothing of a directory is visited.
    private enum Obstacle: Error {
        /// There is nothing, or nothing any more.
        case absent
        case failure(Failure)
        case outOfBounds(FileSystem)

        /// What vanished, or became a file or a link, between being seen and being opened is nothing.
        init(_ operation: Failure.Operation, _ error: Errno) {
            self =
                error.isAbsence || error == .tooManyLinks ? .absent : .failure(Failure(operation, error.code))
        }
    }

    /// The matcher's state inside a directory; nil where nothing below it can be selected.
    ///
    /// Followed from the root again for every directory: a state may mean nothing to another worker's matcher, and a few
    /// nanoseconds a byte are little beside opening the directory.
    private mutating func state(of path: RawPath) -> Matcher.State? {
        var state = matcher.root
        for component in path.components {
            guard let below = matcher.step(state, component).below else { return nil }
            state = below
        }
        return state
    }

    /// Opens a directory.
    ///
    /// Where it cannot be read but only a few names in it matter, a place to look them up from is enough:
    /// searching asks for less permission than listing.
    private func open(_ path: RawPath, onlyLookedUp: Bool) throws(Obstacle) -> OwnedDescriptor {
        do {
            return try tree.openDirectory(path)
        } catch {
            guard onlyLookedUp, error == .access, !path.isRoot else { throw Obstacle(.open, error) }
        }
        do throws(Errno) {
            let parent = try tree.openDirectory(path.parent)
            let place = try tree.openPlace(path.name, in: parent)
            guard try tree.status(of: place).type == .directory else { throw Errno.notDirectory }
            return place
        } catch {
            throw error.isAbsence ? .absent : .failure(Failure(.open, Errno.access.code))
        }
    }

    /// A mount point is a directory on another device than its parent.
    private func checkDevice(
        _ descriptor: borrowing OwnedDescriptor,
        _ parentDevice: DeviceNumber?
    ) throws(Obstacle) -> DeviceNumber {
        let device: DeviceNumber
        let fileSystem: FileSystem
        do {
            device = try tree.status(of: descriptor).device
            if device == parentDevice { return device }
            fileSystem = try tree.fileSystem(of: descriptor)
        } catch {
            throw Obstacle(.stat, error)
        }
        if fileSystem.isOutOfBounds { throw .outOfBounds(fileSystem) }
        return device
    }

    private func list(_ descriptor: borrowing OwnedDescriptor) throws(Obstacle) -> DirectoryListing {
        var names = DirectoryListing()
        // Most directories fit without growing.
        names.names.reserveCapacity(4_096)
        names.entries.reserveCapacity(128)
        do {
            try tree.list(descriptor, into: &names)
        } catch {
            throw Obstacle(.list, error)
        }
        return names
    }

    /// Looks names up instead of listing.
    ///
    /// One that cannot be looked up may well be there: it is kept, so that whoever examines or opens it says
    /// what is wrong with it.
    private func lookUp(_ literals: [[UInt8]], in descriptor: borrowing OwnedDescriptor) -> DirectoryListing {
        var candidates = DirectoryListing()
        for name in literals where isComponent(name) { candidates.append(name, type: nil, inode: 0) }
        var names = DirectoryListing()
        for candidate in candidates.entries {
            let name = candidates.name(of: candidate)
            do {
                let status = try tree.status(of: name, in: descriptor)
                names.append(name, type: status.type, inode: status.inode)
            } catch {
                if !error.isAbsence && error != .nameTooLong { names.append(name, type: nil, inode: 0) }
            }
        }
        return names
    }

    private func isComponent(_ name: [UInt8]) -> Bool {
        !name.isEmpty && name.count < 4_096 && !name.contains(slash) && !name.contains(0)
            && name != [UInt8(ascii: ".")]
            && name != [UInt8(ascii: "."), UInt8(ascii: ".")]
    }
}
