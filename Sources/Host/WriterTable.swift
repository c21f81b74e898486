package import Integrity

/// What a writer did to a path, as far as it matters for whom to name.
package struct WriterDeed: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Wrote into it, or closed what was open for writing.
    package static let content = WriterDeed(rawValue: 1)
    /// Set its attributes.
    package static let attributes = WriterDeed(rawValue: 2)
    /// Made, removed or renamed the name.
    package static let name = WriterDeed(rawValue: 4)
}

/// Between which two moments something happened: the queue was empty at the first and gave it at the second.
package struct WriterMoment: Hashable, Sendable {
    /// Counts up over all events.
    package var number: UInt64
    package var from: UInt64
    package var to: UInt64

    package init(number: UInt64, from: UInt64, to: UInt64) {
        self.number = number
        self.from = from
        self.to = to
    }
}

/// One process that wrote.
package struct PathWriter: Hashable, Sendable {
    /// `KnownProcess.serial`; 0 for one of which nothing is known.
    package var serial: UInt64
    package var process: KnownProcess?
    /// The number of the first thing it did.
    package var first: UInt64
    package var content: WriterMoment?
    package var attributes: WriterMoment?
    package var name: WriterMoment?

    /// The last time that it did one of these.
    func last(_ deeds: WriterDeed) -> WriterMoment? {
        [
            deeds.contains(.content) ? content : nil, deeds.contains(.attributes) ? attributes : nil,
            deeds.contains(.name) ? name : nil,
        ]
        .compactMap { $0 }.max { $0.number < $1.number }
    }
}

/// Who wrote to each path since it was examined last; bounded, and incomplete rather than wrong.
package struct WriterTable: Sendable {
    package struct Limits: Sendable {
        /// Names that were there before, and names that are new: a flood of the latter drives out none of the former.
        package var paths = 16_384
        package var newPaths = 4_096
        /// Kept of one path, the newest ones.
        package var writers = 8
        /// Counted of one path.
        package var counted = 1_024
        /// How long one is kept that nobody asks for, in nanoseconds.
        package var retention: UInt64 = 300_000_000_000
        /// For how long after a loss no path is complete: by then each was examined that had events at the time.
        package var doubt: UInt64 = 5_000_000_000

        package init() {}
    }

    fileprivate struct Path: Sendable {
        var writers: [PathWriter] = []
        var serials: Set<UInt64> = []
        var isComplete: Bool
        var since: UInt64
    }

    private let limits: Limits
    private var paths: [RawPath: Path] = [:]
    private var newPaths: [RawPath: Path] = [:]
    private var newest: UInt64 = 0
    /// Until when what is heard may not be all.
    private var doubtfulUntil: UInt64 = 0
    /// How often writers were lost.
    package private(set) var losses = 0

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    package var count: Int { paths.count + newPaths.count }

    /// Takes in what a process did to a path.
    package mutating func note(
        _ path: RawPath,
        _ deed: WriterDeed,
        isNew: Bool,
        by process: KnownProcess?,
        from: UInt64,
        to: UInt64
    ) {
        newest += 1
        let moment = WriterMoment(number: newest, from: from, to: to)
        if paths[path] != nil {
            paths[path]?.note(deed, process, moment, limits)
        } else if newPaths[path] != nil {
            newPaths[path]?.note(deed, process, moment, limits)
        } else if isNew {
            if newPaths.count >= limits.newPaths { loseNew(at: to) }
            newPaths[path] = Path(isComplete: to > doubtfulUntil, since: to)
            newPaths[path]?.note(deed, process, moment, limits)
        } else {
            if paths.count >= limits.paths { makeRoom(at: to) }
            paths[path] = Path(isComplete: to > doubtfulUntil, since: to)
            paths[path]?.note(deed, process, moment, limits)
        }
    }

    /// Events were lost: whoever is known may not have been the last.
    package mutating func noteLoss(at now: UInt64) {
        losses += 1
        doubtfulUntil = now + limits.doubt
        for path in paths.keys { paths[path]?.isComplete = false }
        for path in newPaths.keys { newPaths[path]?.isComplete = false }
    }

    private mutating func loseNew(at now: UInt64) {
        newPaths = newPaths.filter { $0.value.since + limits.retention > now }
        // The names themselves are lost: what they tell of later is not all that was heard.
        if newPaths.count >= limits.newPaths { newPaths = [:] }
    }

    private mutating func makeRoom(at now: UInt64) {
        paths = paths.filter { $0.value.since + limits.retention > now }
        guard paths.count >= limits.paths else { return }
        paths = [:]
        noteLoss(at: now)
    }

    // MARK: Asking

    /// The number of the last event that was noted.
    package var position: UInt64 { newest }

    /// Whose deed a change is.
    ///
    /// - Parameters:
    ///   - path: The path, or a directory above it that was renamed.
    ///   - deeds: Those that can have had the change as their effect.
    ///   - position: `position` from right before the path was examined. Where others wrote while it was read, what was
    ///     found may be anybody's.
    /// - Returns: The last one who did it, with the moment and the number of others; nil where that is not certain.
    package func writer(of path: RawPath, _ deeds: WriterDeed, asOf position: UInt64)
        -> (writer: PathWriter, moment: WriterMoment, others: Int)?
    {
        guard let known = paths[path] ?? newPaths[path], known.isComplete else { return nil }
        let able = known.writers.compactMap { writer in writer.last(deeds).map { (writer, $0) } }
        guard let (writer, moment) = able.max(by: { $0.1.number < $1.1.number }), writer.serial != 0 else {
            return nil
        }
        if able.count > 1, moment.number > position { return nil }
        return (writer, moment, known.serials.count - 1)
    }

    /// Somebody did something to it that was not forgotten.
    package func knows(_ path: RawPath) -> Bool { paths[path] != nil || newPaths[path] != nil }

    /// The path was examined: whoever wrote up to then had a part in what was found, and none in what comes.
    package mutating func forget(_ path: RawPath, upTo position: UInt64) {
        paths[path]?.forget(upTo: position)
        if paths[path]?.writers.isEmpty == true { paths[path] = nil }
        newPaths[path]?.forget(upTo: position)
        if newPaths[path]?.writers.isEmpty == true { newPaths[path] = nil }
    }
}

extension WriterTable.Path {
    fileprivate mutating func note(
        _ deed: WriterDeed,
        _ process: KnownProcess?,
        _ moment: WriterMoment,
        _ limits: WriterTable.Limits
    ) {
        let serial = process?.serial ?? 0
        var writer = PathWriter(serial: serial, process: process, first: moment.number)
        if let index = writers.firstIndex(where: { $0.serial == serial }) {
            writer = writers.remove(at: index)
        }
        if deed.contains(.content) { writer.content = moment }
        if deed.contains(.attributes) { writer.attributes = moment }
        if deed.contains(.name) { writer.name = moment }
        writers.append(writer)
        if writers.count > limits.writers { writers.removeFirst() }
        if serials.count < limits.counted { serials.insert(serial) }
    }

    fileprivate mutating func forget(upTo position: UInt64) {
        let isPast = { (moment: WriterMoment?) in moment.map { $0.number <= position } ?? true }
        writers.removeAll { isPast($0.content) && isPast($0.attributes) && isPast($0.name) }
        for index in writers.indices {
            if isPast(writers[index].content) { writers[index].content = nil }
            if isPast(writers[index].attributes) { writers[index].attributes = nil }
            if isPast(writers[index].name) { writers[index].name = nil }
        }
        serials = Set(writers.map(\.serial))
    }
}
