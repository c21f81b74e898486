package import Integrity

/// Resolves the links in many paths, as the rules of a host name them, and looks at no name twice.
///
/// What it saw it believes to the end: make one for one task. It answers as `PathResolver` does, which looks anew every
/// time.
package struct DirectoryResolver<Tree: FileTree>: ~Copyable {
    private let tree: Tree
    /// By canonical path.
    private var seen: [RawPath: Sight] = [:]
    /// The directory that was looked into last, opened.
    private var lastDirectory: RawPath?
    private var last: OwnedDescriptor?

    private enum Sight {
        case directory
        case other
        case link(RawPath)
        /// Or it cannot be looked at.
        case nothing
    }

    package init(tree: Tree) {
        self.tree = tree
    }

    /// Every link of a path resolved, its last component too.
    ///
    /// Where that leads to nothing: its last component as it is written, if the directory before it is there; else
    /// what is missing, or goes in a circle, as it is written.
    package mutating func canonical(_ path: RawPath) -> RawPath {
        var done: [ArraySlice<UInt8>] = []
        var ahead: [ArraySlice<UInt8>] = path.components.reversed()
        var named: RawPath?
        var links = 0
        while let component = ahead.popLast() {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                // What is behind is no link.
                _ = done.popLast()
                continue
            }
            let directory = RawPath(components: done)
            let here = directory.appending(component)
            if ahead.isEmpty, named == nil { named = here }
            switch look(at: component, in: directory, here) {
            case .directory: done.append(component)
            case .other where ahead.isEmpty: done.append(component)
            case .link(let target) where !target.bytes.isEmpty:
                links += 1
                guard links <= PathResolver<Tree>.linkLimit else { return named ?? path.normalized }
                ahead.append(contentsOf: target.components.reversed())
                if target.isAbsolute { done.removeAll() }
            case .other, .link, .nothing:
                return named ?? RawPath(components: done + [component] + ahead.reversed()).normalized
            }
        }
        return RawPath(components: done)
    }

    /// Whether a name stands in a directory, a link that leads nowhere included.
    package mutating func isThere(_ name: ArraySlice<UInt8>, in directory: RawPath) -> Bool {
        if case .nothing = look(at: name, in: directory, directory.appending(name)) { return false }
        return true
    }

    /// What stands at a name of a directory that is canonical; `path` is the two put together.
    private mutating func look(at name: ArraySlice<UInt8>, in directory: RawPath, _ path: RawPath) -> Sight {
        if let sight = seen[path] { return sight }
        let sight = (try? lookAnew(at: name, in: directory)) ?? .nothing
        seen[path] = sight
        return sight
    }

    private mutating func lookAnew(at name: ArraySlice<UInt8>, in directory: RawPath) throws(Errno) -> Sight {
        if lastDirectory != directory {
            lastDirectory = nil
            last = try tree.openToLook(directory)
            lastDirectory = directory
        }
        switch last {
        case .some(let descriptor): return try sight(of: name, in: descriptor)
        case nil: return .nothing
        }
    }

    private func sight(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> Sight
    {
        switch try tree.status(of: name, in: directory).type {
        case .directory: return .directory
        case .link:
            let link = try tree.openPlace(name, in: directory)
            return .link(RawPath(bytes: try tree.target(of: link)))
        default: return .other
        }
    }
}
