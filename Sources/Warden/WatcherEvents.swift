import Host
import Integrity
import Synchronization
import Ledger
import RulePacks

/// From the kernel's events to settled paths: the pipeline's first two stages.
extension Watcher {
    /// Drains what the reader read and hands every event to the settle automaton.
    func takeEvents() {
        let drained = reader.drain()
        if drained.lost || drained.failure != nil { isBlind = true }
        // Whoever made these events is known before they are judged.
        if !drained.chunks.isEmpty { writers?.noteBatch() }
        for chunk in drained.chunks {
            let decoded = decodeInotify(chunk.bytes)
            if decoded.hasGap { isBlind = true }
            for event in decoded.events { take(event, at: Int64(clamping: chunk.readAt)) }
        }
    }

    private func take(_ event: InotifyEvent, at moment: Int64) {
        if event.watch == stateWatch {
            takeState(event)
            // The kernel gives a directory one watch: this one may be in scope as well.
            guard table.withLock({ $0.path(of: event.watch) }) != nil else { return }
        }
        if event.mask.contains(.ignored) {
            if let lost = table.withLock({ $0.ignored(event.watch) }) {
                settle.markDirty(lost.parent, at: moment)
            }
            return
        }
        guard let directory = table.withLock({ $0.path(of: event.watch) }) else { return }
        if event.mask.contains(.unmount) {
            settle.markDirty(directory.parent, at: moment)
            return
        }
        // What happens to the directory itself, its parent's watch tells as well.
        guard !event.name.isEmpty else { return }
        take(event, on: directory.appending(event.name), at: moment)
    }

    private func take(_ event: InotifyEvent, on path: RawPath, at moment: Int64) {
        let step = step(path)
        let isSelected = step.rule != nil || linked[path] != nil
        let isDirectory = event.mask.contains(.isDirectory)
        let leads =
            isDirectory && (step.below != nil || linkedDirectories.contains(path) || countsNames(step.rule))
        if hasNameRules, event.mask.isOfNames, countsNames(self.step(path.parent).rule) {
            note(path.parent, .attributes, at: moment)
        }

        if event.mask.contains(.movedFrom) {
            rename.depart(event.cookie, .init(path: path, isDirectory: isDirectory))
            if leads { leave(path, at: moment) }
            if isSelected { note(path, .movedAway(onto: nil), at: moment) }
        } else if event.mask.contains(.movedTo) {
            arrive(path, rename.arrive(event.cookie), isSelected: isSelected, leads: leads, at: moment)
        } else if event.mask.contains(.delete) {
            if leads { leave(path, at: moment) }
            if isSelected { note(path, .deleted, at: moment) }
        } else if event.mask.contains(.create) {
            if leads { enter(path, from: nil, at: moment) }
            if isSelected { note(path, isDirectory || isComplete(path) ? .appeared : .created, at: moment) }
        } else if isSelected {
            if event.mask.contains(.modify) { note(path, .modified, at: moment) }
            if event.mask.contains(.closeWrite) { note(path, .closed, at: moment) }
            if event.mask.contains(.attrib) { note(path, .attributes, at: moment) }
        }
    }

    private func arrive(
        _ path: RawPath,
        _ departure: RenamePairs.Departure?,
        isSelected: Bool,
        leads: Bool,
        at moment: Int64
    ) {
        var source: RawPath?
        if let departure {
            if isKnown(departure.path) {
                source = departure.path
                if isSelected { rotated.note(departure.path, to: path) }
            } else if isSelected, !departure.isDirectory {
                // A temporary file on its way onto this name: its story is this path's.
                settle.fold(departure.path)
            }
        }
        if leads { enter(path, from: departure.flatMap { $0.isDirectory ? $0.path : nil }, at: moment) }
        if isSelected { note(path, .movedHere(from: source), at: moment) }
    }

    func note(_ path: RawPath, _ event: PathEvent, at moment: Int64) {
        settle.note(path, event, isKnown: isKnown(path), at: moment)
    }

    /// In the baseline, or reported earlier.
    func isKnown(_ path: RawPath) -> Bool {
        if linked[path] != nil { return true }
        if reported.contains(path) { return true }
        return (try? baseline.record(for: path, with: &cursor)) ?? nil != nil
    }

    /// The rule looks at the names in a directory, and not at what they stand for.
    func countsNames(_ rule: Int?) -> Bool {
        rule.map { rules.rules[$0].profile == .directory } ?? false
    }

    /// What the rules say of a path, from the root down.
    func step(_ path: RawPath) -> MatchStep<Matcher.State> {
        matcher.find(path)
    }

    /// A new name that nobody is writing: a link, a node, or a second name of a file that was there before.
    private func isComplete(_ path: RawPath) -> Bool {
        guard let directory = try? tree.openDirectory(path.parent),
            let status = try? tree.status(of: path.name, in: directory)
        else { return false }
        return status.type != .file || status.links > 1
    }

    // MARK: directories

    /// A directory went away with everything below it.
    private func leave(_ directory: RawPath, at moment: Int64) {
        for watch in table.withLock({ $0.remove(subtree: directory) }) { inotify.remove(watch) }
        writers?.forget(directory: directory)
        for path in knownPaths(below: directory) { note(path, .movedAway(onto: nil), at: moment) }
    }

    /// A directory appeared: watches are added from the top down, each before its directory is listed, and
    /// everything that is found is examined.
    ///
    /// `source` is the name it was renamed from.
    func enter(_ directory: RawPath, from source: RawPath?, at moment: Int64) {
        var stack = [directory]
        while let next = stack.popLast() {
            guard let descriptor = open(next) else { continue }
            watch(next, descriptor)
            var listing = DirectoryListing()
            do {
                try tree.list(descriptor, into: &listing)
            } catch {
                unwatched.withLock { $0[next] = error }
                continue
            }
            for entry in listing.entries {
                let path = next.appending(listing.name(of: entry))
                let step = step(path)
                if step.rule != nil || linked[path] != nil {
                    let origin = source.flatMap { path.moved(from: directory, to: $0) }.flatMap {
                        isKnown($0) ? $0 : nil
                    }
                    note(path, origin == nil ? .appeared : .movedHere(from: origin), at: moment)
                }
                let leads = step.below != nil || linkedDirectories.contains(path) || countsNames(step.rule)
                if leads, entry.type == nil || entry.type == .directory { stack.append(path) }
            }
        }
    }

    private func open(_ directory: RawPath) -> OwnedDescriptor? {
        do {
            return try tree.openDirectory(directory)
        } catch {
            if !error.isAbsence && error != .tooManyLinks { unwatched.withLock { $0[directory] = error } }
            return nil
        }
    }

    /// Adds a watch on exactly the directory that is open.
    func watch(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {
        arm(directory, descriptor, inotify: inotify, mask: .scope)
    }

    /// Also called on the threads of a survey.
    nonisolated func arm(
        _ directory: RawPath,
        _ descriptor: borrowing OwnedDescriptor,
        inotify: Inotify,
        mask: WatchMask
    ) {
        do {
            let watch = try inotify.add(descriptor, mask: mask)
            table.withLock { $0.insert(watch, for: directory) }
            writers?.mark(directory, descriptor)
        } catch {
            unwatched.withLock { $0[directory] = error }
        }
    }

    /// Recorded and reported paths below a directory.
    private func knownPaths(below directory: RawPath) -> [RawPath] {
        var paths: [RawPath] = []
        if let range = try? baseline.ordinals(below: directory),
            (try? cursor.seek(ordinal: range.lowerBound)) != nil
        {
            while cursor.ordinal < range.upperBound, let view = (try? cursor.next()) ?? nil {
                paths.append(view.path)
            }
        }
        paths.append(contentsOf: linked.keys.filter { $0.isWithin(directory) })
        paths.append(contentsOf: reported.filter { $0.isWithin(directory) })
        return Array(Set(paths)).sorted()
    }
}

extension WatchMask {
    /// Everything that can change a directory's entries or what they hold.
    static let scope: WatchMask = [
        .create, .delete, .movedFrom, .movedTo, .modify, .closeWrite, .attrib, .onlyDirectory,
    ]

    /// A name came into a directory or left it.
    var isOfNames: Bool { !isDisjoint(with: [.create, .delete, .movedFrom, .movedTo]) }
}
