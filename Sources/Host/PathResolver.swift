package import Integrity

/// Where a path leads, link by link.
package struct Resolution: Hashable, Sendable {
    /// Every link that was passed, in the order of passing, each once and in canonical form.
    ///
    /// Links among the directories of the path and of the links' targets are in it too.
    package var hops: [RawPath]
    /// The canonical path of what stands at the end; nil where there is nothing, a circle, or a `failure`.
    package var final: RawPath?
    /// Why it could not be followed, where that is not simply that nothing is there.
    package var failure: Failure?

    package init(hops: [RawPath] = [], final: RawPath? = nil, failure: Failure? = nil) {
        self.hops = hops
        self.final = final
        self.failure = failure
    }
}

/// Follows links itself, one look at a time, so that every link on the way is seen.
///
/// `/` is the root of the tree: in a tree below another root nothing leads out of it. Only the right to pass through
/// directories is needed, not the right to list them.
package struct PathResolver<Tree: FileTree>: Sendable {
    let tree: Tree

    /// As many links as Linux follows in one path (path_resolution(7)).
    package static var linkLimit: Int { 40 }

    package init(tree: Tree) {
        self.tree = tree
    }

    /// The name under which records know a path: links in its directories are resolved, its last component is not.
    ///
    /// What does not exist, cannot be looked at, or goes in a circle is kept as it is written.
    package func canonical(_ path: RawPath) -> RawPath {
        var walk = Walk(path)
        while let component = walk.next() {
            if walk.isAtEnd { return walk.path.appending(component) }
            switch try? follow(component, &walk) {
            case .followed: continue
            case .circle: return path.normalized
            case .nothing, nil: return walk.unfollowed(from: component)
            }
        }
        return walk.path
    }

    /// Follows a path to its end.
    package func resolve(_ path: RawPath) -> Resolution {
        var walk = Walk(path)
        while let component = walk.next() {
            do throws(Failure) {
                guard try follow(component, &walk) == .followed else { return Resolution(hops: walk.hops) }
            } catch {
                return Resolution(hops: walk.hops, failure: error)
            }
        }
        return Resolution(hops: walk.hops, final: walk.path)
    }

    private enum Step {
        case followed, nothing, circle
    }

    /// Goes into the directory, or onto the end, or on to where a link leads.
    private func follow(_ component: ArraySlice<UInt8>, _ walk: inout Walk) throws(Failure) -> Step {
        var operation = Failure.Operation.open
        do throws(Errno) {
            if walk.directory == nil { walk.directory = try tree.openPlace(walk.path) }
            guard let place = try walk.place(component, tree) else { return .nothing }
            operation = .stat
            let type = try tree.status(of: place).type
            if type == .link {
                operation = .readlink
                let target = try tree.target(of: place)
                walk.pass(component, to: target)
                return target.isEmpty ? .nothing : walk.links > Self.linkLimit ? .circle : .followed
            }
            guard type == .directory || walk.isAtEnd else { return .nothing }
            walk.enter(component, place)
            return .followed
        } catch {
            if operation == .open, error.namesNothing { return .nothing }
            throw Failure(operation, error.code)
        }
    }
}

/// How far along a path a resolver is.
private struct Walk: ~Copyable {
    /// The canonical components behind.
    private var done: [ArraySlice<UInt8>] = []
    /// The components ahead, the next one last.
    private var ahead: [ArraySlice<UInt8>]
    private(set) var hops: [RawPath] = []
    private(set) var links = 0
    /// What `path` names, opened as a place; nil where that has to be done anew.
    var directory: OwnedDescriptor?

    init(_ path: RawPath) {
        ahead = path.components.reversed()
    }

    var path: RawPath { RawPath(components: done) }

    var isAtEnd: Bool { ahead.isEmpty }

    /// The next component that is a name; `.` and `..` are gone through.
    ///
    /// What is behind is no link, so that `..` is simply one component less.
    mutating func next() -> ArraySlice<UInt8>? {
        while let component = ahead.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            guard component.elementsEqual("..".utf8) else { return component }
            _ = done.popLast()
            directory = nil
        }
        return nil
    }

    func place(_ name: ArraySlice<UInt8>, _ tree: some FileTree) throws(Errno) -> OwnedDescriptor? {
        switch directory {
        case .some(let directory): return try tree.openPlace(name, in: directory)
        case nil: return nil
        }
    }

    mutating func enter(_ component: ArraySlice<UInt8>, _ place: consuming OwnedDescriptor) {
        done.append(component)
        directory = consume place
    }

    mutating func pass(_ component: ArraySlice<UInt8>, to target: [UInt8]) {
        let link = path.appending(component)
        if !hops.contains(link) { hops.append(link) }
        links += 1
        let target = RawPath(bytes: target)
        ahead.append(contentsOf: target.components.reversed())
        guard target.isAbsolute else { return }
        done.removeAll()
        directory = nil
    }

    /// What is behind, and what is ahead as it is written.
    func unfollowed(from component: ArraySlice<UInt8>) -> RawPath {
        RawPath(components: done + [component] + ahead.reversed()).normalized
    }
}
