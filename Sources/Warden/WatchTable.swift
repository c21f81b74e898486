package import Integrity

/// Which directory each inotify watch stands for.
///
/// A watch follows its inode, not the path: a directory that is renamed keeps its watch, and the table has to be told
/// where it went. Pure bookkeeping; whoever calls adds and removes the watches themselves.
package struct WatchTable: Sendable {
    private var paths: [Int32: RawPath] = [:]
    private var watches: [RawPath: Int32] = [:]
    private var children: [RawPath: Set<RawPath>] = [:]
    /// Watches that were given up while events of theirs may still be queued: what they say is about these paths.
    private var retired: [Int32: RawPath] = [:]

    package init() {}

    package var count: Int { paths.count }

    package var directories: some Collection<RawPath> { watches.keys }

    package func path(of watch: Int32) -> RawPath? { paths[watch] ?? retired[watch] }

    package func watch(for path: RawPath) -> Int32? { watches[path] }

    /// Notes that `watch` stands for the directory.
    ///
    /// The kernel gives one inode one watch, so a second path for the same number means that the directory
    /// was renamed meanwhile, or is mounted twice; the newest path counts.
    package mutating func insert(_ watch: Int32, for path: RawPath) {
        if let old = paths[watch], old != path { unlink(old) }
        if let old = watches[path], old != watch {
            paths[old] = nil
            retired[old] = path
        }
        paths[watch] = path
        watches[path] = watch
        retired[watch] = nil
        link(path)
    }

    /// Links a directory to its parent, and that one to its own, so that a subtree holds together even where a directory
    /// on the way could not be watched.
    private mutating func link(_ path: RawPath) {
        var path = path
        while !path.isRoot, children[path.parent, default: []].insert(path).inserted { path = path.parent }
    }

    /// Takes out a directory and everything below it; returns the watches to be removed.
    package mutating func remove(subtree path: RawPath) -> [Int32] {
        var removed: [Int32] = []
        var stack = [path]
        while let directory = stack.popLast() {
            stack.append(contentsOf: children.removeValue(forKey: directory) ?? [])
            guard let watch = watches[directory] else { continue }
            removed.append(watch)
            retired[watch] = directory
            paths[watch] = nil
            unlink(directory)
        }
        return removed
    }

    /// The kernel dropped the watch (`IN_IGNORED`): no event of it follows.
    ///
    /// Returns the directory where this was not our own doing.
    package mutating func ignored(_ watch: Int32) -> RawPath? {
        if retired.removeValue(forKey: watch) != nil { return nil }
        guard let path = paths.removeValue(forKey: watch) else { return nil }
        unlink(path)
        return path
    }

    private mutating func unlink(_ path: RawPath) {
        watches[path] = nil
        guard children[path] == nil else { return }
        children[path.parent]?.remove(path)
        if children[path.parent]?.isEmpty == true { children[path.parent] = nil }
    }
}
