package import Host
package import Integrity
package import Ledger
package import RulePacks
import Synchronization

/// What a survey is to look at, and what it may spend.
package struct SurveyOptions: Sendable {
    /// Files whose identity, size and change time stand as recorded are not read, unless the record is racy.
    package var isQuick = false
    /// Threads that read and hash.
    package var jobs = 2
    /// Bounds what they read in a second; nil for as fast as it goes.
    package var rate: ReadRate?
    /// `--path`: only these and what is below them.
    package var paths: [Glob]?
    /// `--rule`: only paths that these rules decide.
    package var rules: Set<RuleID>?
    /// Only this directory and what is below it; nil for everything.
    package var subtree: RawPath?
    /// What changed inside this gap raised no event.
    package var gap: Int64?
    /// Logs that grew since the baseline: `History.grownLogs`.
    package var grownLogs: [RawPath: Standing] = [:]
    /// What came into scope and fell out of it is listed, not only counted.
    package var listsScope = false
    /// Ends it early; what it returns then says nothing.
    package var cancellation = WalkCancellation()

    package init() {}

    package var isRestricted: Bool { paths != nil || rules != nil || subtree != nil }
}

/// A path that is not as recorded, before it is judged.
package struct Deviation: Sendable {
    package var subject: Subject
    package var finding: Finding
    /// What stands there now; nil where nothing does.
    package var state: RecordedState?
}

/// What a survey of the scope found.
package struct SurveyResult: Sendable {
    package var deviations: [Deviation] = []
    package var errors: [ExaminationError] = []
    package var examined = 0
    package var unchanged = 0
    package var skipped = 0
    package var bytes: UInt64 = 0
    /// Recorded as unexamined when the baseline was made.
    package var unexamined: [RawPath] = []
    /// In scope now, but not when the baseline was approved: nobody approved anything about them yet.
    package var unbaselined = 0
    /// In scope when the baseline was approved, but no more: on record, or hidden.
    package var fallenOut = 0
    /// Of these, what has no record.
    package var hidden: [ScopeApproval.Group] = []
    /// The records of what came into scope, and what fell out of it, where the options ask for them.
    package var incoming: [Record] = []
    package var outgoing: [Record] = []
    package var notEntered: [RawPath: String] = [:]

    package init() {}

    package var hiddenCount: Int { hidden.reduce(0) { $0 + $1.count } }

    /// Whether a path that stands in no deviation was looked at and is as recorded.
    ///
    /// Not so below what could not be examined or entered, and not where it left for a name that it was found
    /// under.
    func hasSettled(_ path: RawPath) -> Bool {
        !errors.contains { path.isWithin($0.path) } && !unexamined.contains { path.isWithin($0) }
            && !notEntered.keys.contains { path.isWithin($0) }
            && !deviations.contains { $0.finding.from == path }
    }
}

/// Counts what a survey has done so far; shown as progress by whoever asks.
package final class SurveyProgress: Sendable {
    private let counts = Mutex((files: 0, bytes: UInt64(0)))

    package init() {}

    package var current: (files: Int, bytes: UInt64) { counts.withLock { $0 } }

    func add(files: Int, bytes: UInt64) {
        counts.withLock {
            $0.files += files
            $0.bytes += bytes
        }
    }
}

/// Re-examines the scope against the baseline: the walk under `check`, catch-up, the sweep and every re-examination
/// after a gap.
///
/// Workers walk in the order of the baseline and compare each directory's entries with its run of records. Every record
/// has an ordinal; each unit reports the range it consumed, and whatever lies between two ranges was not met on the
/// walk and is examined on its own. So no record can be lost, whatever happens to the directories.
package struct Survey<Tree: FileTree>: Sendable {
    let tree: Tree
    let rules: RuleSet
    let baseline: BaselineReader
    let room: EvidenceRoom
    let witnesses: Witnesses
    let clock: @Sendable () -> Timestamp

    package init(
        tree: Tree,
        rules: RuleSet,
        baseline: BaselineReader,
        room: EvidenceRoom = .none,
        witnesses: Witnesses = .none,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.witnesses = witnesses
        self.tree = tree
        self.rules = rules
        self.baseline = baseline
        self.room = room
        self.clock = clock
    }

    /// Examines what the options ask for.
    ///
    /// - Parameters:
    ///   - options: What to look at.
    ///   - progress: Counts along.
    ///   - willList: Called on a worker's thread with each directory before it is listed, to arm a watch.
    /// - Returns: What does not stand as recorded, and what could not be examined.
    /// - Throws: `BaselineError` where a block of the baseline is damaged.
    package func run(
        _ options: SurveyOptions = SurveyOptions(),
        progress: SurveyProgress? = nil,
        willList: (@Sendable (RawPath, borrowing OwnedDescriptor) -> Void)? = nil
    ) throws(BaselineError) -> SurveyResult {
        let shared = SurveyShared(
            rules: rules,
            baseline: baseline,
            room: room,
            isQuick: options.isQuick,
            filter: RecordFilter(options),
            grownLogs: options.grownLogs,
            willList: willList,
            progress: progress,
            cancellation: options.cancellation
        )
        let bounds = try bounds(of: options)
        var collected = Collector(next: bounds.lowerBound)
        let walk = OrderedWalk(
            tree: tree,
            matcher: rules.matcher(paths: options.paths, rules: options.rules),
            workers: options.jobs
        )
        _ = walk.run(
            from: options.subtree ?? .root,
            cancellation: shared.cancellation,
            visitor: { _ in
                SurveyVisitor(
                    shared: shared,
                    examiner: Examiner(tree: tree, clock: clock, rate: options.rate, copier: room.store),
                    cursor: baseline.makeCursor(),
                    selection: Selection(rules)
                )
            },
            emit: { collected.take($0) }
        )
        if let failure = shared.failure.withLock({ $0 }) { throw failure }
        if options.cancellation.isCancelled { return SurveyResult() }

        collected.skip(to: bounds.upperBound)
        try examineUnvisited(collected.unvisited, options, shared, &collected)
        collected.differences += try lostLogs(options, collected)
        let difference = ScopeDifference(baseline: baseline, rules: rules)
        var result = judge(collected, difference, options)
        if !options.isRestricted {
            result.hidden = try HiddenPaths(tree: tree, rules: rules, baseline: baseline, jobs: options.jobs)
                .find(difference)
            result.fallenOut += result.hiddenCount
        }
        return result
    }

    /// The ordinals of the records that the options are about.
    private func bounds(of options: SurveyOptions) throws(BaselineError) -> Range<Int> {
        guard let subtree = options.subtree, !subtree.isRoot else { return 0..<baseline.count }
        return try baseline.ordinals(below: subtree)
    }

    /// Examines the records that no unit met: below a directory that is gone or cannot be listed, the targets of links,
    /// and what has fallen out of scope.
    private func examineUnvisited(
        _ ranges: [Range<Int>],
        _ options: SurveyOptions,
        _ shared: SurveyShared,
        _ collected: inout Collector
    ) throws(BaselineError) {
        guard !ranges.isEmpty else { return }
        var examiner = Examiner(tree: tree, clock: clock, rate: options.rate, copier: room.store)
        var selection = Selection(rules)
        let filter = RecordFilter(options)
        for range in try filter.narrowed(ranges, baseline) {
            var cursor = baseline.makeCursor()
            try cursor.seek(ordinal: range.lowerBound)
            while cursor.ordinal < range.upperBound, let view = try cursor.next() {
                let record = try view.decode()
                guard filter.allows(record) else { continue }
                guard let ruleIndex = selection.rule(for: record) else {
                    collected.fallenOut.append(record)
                    continue
                }
                let rule = rules.rules[ruleIndex]
                let examination = Examination(
                    of: record.path,
                    recorded: record,
                    rule: rule,
                    content: room.wish(under: rule, known: record.state.attributes?.digest),
                    with: &examiner
                )
                collected.take(examination, record: record, ruleIndex: ruleIndex, shared)
            }
        }
    }

    private func judge(_ collected: Collector, _ scope: ScopeDifference, _ options: SurveyOptions)
        -> SurveyResult
    {
        var result = SurveyResult()
        result.errors = collected.errors
        result.examined = collected.examined
        result.skipped = collected.skipped
        result.bytes = collected.bytes
        result.unexamined = collected.unexamined
        result.fallenOut = collected.fallenOut.count
        if options.listsScope { result.outgoing = collected.fallenOut }
        result.notEntered = collected.notEntered
        var question = scope.makeQuestion()
        for difference in collected.differences {
            let rule = rules.rules[difference.ruleIndex]
            if difference.recorded == nil, !question.wasInScope(difference.path, rule: rule.id) {
                result.unbaselined += 1
                if options.listsScope, let record = difference.record(under: rule) {
                    result.incoming.append(record)
                }
                continue
            }
            var observation = difference.observation
            observation.isCopy = baseline.isCopy
            var subject = Subject(
                path: difference.path,
                rule: rule,
                recorded: difference.recorded?.state.attributes,
                observation: observation,
                touches: Touches(gap: options.gap),
                via: difference.recorded?.via
            )
            subject.isContinuation = difference.isContinuation
            guard var finding = assess(subject, asking: witnesses, .walk).finding else { continue }
            rules.noteAbsence(&finding)
            finding.evidence = difference.evidence
            let state = difference.observation.attributes.map {
                RecordedState.examined($0, isRacy: difference.isRacy)
            }
            result.deviations.append(Deviation(subject: subject, finding: finding, state: state))
        }
        Rotations(tree: tree, clock: clock, lasts: options.grownLogs).settle(&result.deviations)
        let states = Dictionary(
            result.deviations.map { ($0.finding.path, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        result.deviations = pairMoves(result.deviations.map(\.finding)).compactMap { finding in
            guard var deviation = states[finding.path] else { return nil }
            deviation.finding = finding
            return deviation
        }
        result.deviations.sort { $0.finding.path < $1.finding.path }
        result.unchanged = max(0, result.examined - result.deviations.count { $0.state != nil })
        return result
    }
}

/// What the workers of one survey share.
final class SurveyShared: Sendable {
    let rules: RuleSet
    let baseline: BaselineReader
    let room: EvidenceRoom
    let isQuick: Bool
    let filter: RecordFilter
    let grownLogs: [RawPath: Standing]
    let willList: (@Sendable (RawPath, borrowing OwnedDescriptor) -> Void)?
    let progress: SurveyProgress?
    private let budget = EvidenceBudget()
    /// The first damage of the baseline that a worker met; it ends the survey.
    let failure = Mutex<BaselineError?>(nil)
    let cancellation: WalkCancellation

    init(
        rules: RuleSet,
        baseline: BaselineReader,
        room: EvidenceRoom,
        isQuick: Bool,
        filter: RecordFilter,
        grownLogs: [RawPath: Standing],
        willList: (@Sendable (RawPath, borrowing OwnedDescriptor) -> Void)?,
        progress: SurveyProgress?,
        cancellation: WalkCancellation
    ) {
        self.cancellation = cancellation
        self.rules = rules
        self.baseline = baseline
        self.room = room
        self.isQuick = isQuick
        self.filter = filter
        self.grownLogs = grownLogs
        self.willList = willList
        self.progress = progress
    }

    /// One path that does not stand as recorded, with its evidence.
    func difference(
        _ path: RawPath,
        _ ruleIndex: Int,
        recorded: Record?,
        _ observation: Observation,
        _ examined: Examined?,
        isContinuation: Bool = false
    ) -> Difference {
        let evidence = room.evidence(
            under: rules.rules[ruleIndex],
            recorded: recorded?.state.attributes,
            observed: observation.attributes,
            content: examined?.content
        )
        return Difference(
            path: path,
            ruleIndex: ruleIndex,
            recorded: recorded,
            observation: observation,
            isRacy: examined?.isRacy ?? false,
            isContinuation: isContinuation,
            evidence: budget.admit(evidence)
        )
    }

    func fail(_ error: BaselineError) {
        failure.withLock { $0 = $0 ?? error }
        cancellation.cancel()
    }
}

/// One path that does not stand as recorded, as a worker found it.
struct Difference: Sendable {
    var path: RawPath
    var ruleIndex: Int
    var recorded: Record?
    var observation: Observation
    var isRacy: Bool
    var isContinuation = false
    var evidence: FileEvidence?

    /// The record that a path would get as it stands; nil where nothing does.
    func record(under rule: Rule) -> Record? {
        observation.attributes.map {
            Record(path: path, state: .examined($0, isRacy: isRacy), rule: rule.id)
        }
    }
}

/// Which rule is in charge of a record: the one that selects its path, or the link whose hop or target it is.
struct Selection: Sendable {
    private var matcher: Matcher
    private let indices: [RuleID: Int]

    init(_ rules: RuleSet) {
        matcher = rules.matcher()
        indices = Dictionary(
            rules.rules.enumerated().map { ($1.id, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// Nil where the path is in scope no more.
    ///
    /// The hop or target of a link keeps its rule whatever became of the link: who turns a linked root into a directory
    /// must not take the link's own record out of sight.
    mutating func rule(for record: Record) -> Int? {
        matcher.rule(for: record.path) ?? record.via.flatMap { _ in indices[record.rule] }
    }

    /// What a path is selected by, whether it is recorded or not.
    mutating func rule(for path: RawPath) -> Int? { matcher.rule(for: path) }
}

/// Puts the outcomes of units together, in their order.
struct Collector: Sendable {
    /// The ordinal of the first record that no unit has reported yet.
    var next: Int
    var unvisited: [Range<Int>] = []
    var differences: [Difference] = []
    var errors: [ExaminationError] = []
    var unexamined: [RawPath] = []
    var examined = 0
    var skipped = 0
    var bytes: UInt64 = 0
    var fallenOut: [Record] = []
    var notEntered: [RawPath: String] = [:]

    init(next: Int) { self.next = next }

    mutating func take(_ outcome: UnitOutcome) {
        if let range = outcome.records {
            skip(to: range.lowerBound)
            next = max(next, range.upperBound)
        }
        differences.append(contentsOf: outcome.differences)
        errors.append(contentsOf: outcome.errors)
        unexamined.append(contentsOf: outcome.unexamined)
        fallenOut.append(contentsOf: outcome.fallenOut)
        examined += outcome.examined
        skipped += outcome.skipped
        bytes += outcome.bytes
        if let (path, name) = outcome.notEntered { notEntered[path] = name }
    }

    mutating func skip(to ordinal: Int) {
        guard ordinal > next else { return }
        unvisited.append(next..<ordinal)
        next = ordinal
    }

    mutating func take(_ examination: Examination, record: Record, ruleIndex: Int, _ shared: SurveyShared) {
        switch examination {
        case .found(let examined):
            self.examined += 1
            bytes += examined.bytesRead
            guard let recorded = record.state.attributes else {
                unexamined.append(record.path)
                return
            }
            guard !examined.attributes.equals(recorded) else { return }
            differences.append(
                shared.difference(record.path, ruleIndex, recorded: record, examined.observation, examined)
            )
        case .absent:
            differences.append(shared.difference(record.path, ruleIndex, recorded: record, .absent, nil))
        case .failed(let failure):
            if case .unexamined = record.state {
                unexamined.append(record.path)
            } else {
                errors.append(ExaminationError(record.path, failure))
            }
        }
    }
}

/// Which of the records that no unit met a restricted survey is about.
struct RecordFilter: Sendable {
    private let paths: [Glob]?
    private let rules: Set<RuleID>?

    init(_ options: SurveyOptions) {
        paths = options.paths
        rules = options.rules
    }

    /// The parts of the ranges that can hold an allowed path.
    ///
    /// Where every glob is a plain path, one look into the index a path replaces reading the whole baseline.
    func narrowed(_ ranges: [Range<Int>], _ baseline: BaselineReader) throws(BaselineError) -> [Range<Int>] {
        guard let paths, paths.allSatisfy({ $0.literal != nil }) else { return ranges }
        var wanted: [Range<Int>] = []
        for path in paths.compactMap(\.literal) {
            if let ordinal = try baseline.record(for: path)?.ordinal { wanted.append(ordinal..<ordinal + 1) }
            wanted.append(try baseline.ordinals(below: path))
        }
        let disjoint = joined(wanted)
        return ranges.flatMap { range in disjoint.map { $0.clamped(to: range) } }.filter { !$0.isEmpty }
    }

    /// The same ordinals, each once: two globs may name the same path, or one what is below the other.
    private func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var joined: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined
    }

    func allows(_ record: Record) -> Bool { allows(path: record.path, rule: record.rule) }

    func allows(path: RawPath, rule: RuleID) -> Bool {
        if let rules, !rules.contains(rule) { return false }
        return paths?.contains { $0.covers(path) } ?? true
    }

    /// Whether something at or below a path can be allowed; where a glob leaves it open, yes.
    func touches(_ path: RawPath) -> Bool {
        guard let paths else { return true }
        return paths.contains { glob in
            if glob.covers(path) { return true }
            let prefix = RawPath(bytes: glob.literalPrefix)
            return prefix.isWithin(path) || prefix.bytes.starts(with: path.bytes)
        }
    }
}

extension BaselineReader {
    /// The ordinals of everything below a directory, without the directory itself: one range, as the order has it.
    package func ordinals(below directory: RawPath) throws(BaselineError) -> Range<Int> {
        guard !directory.isRoot else { return 0..<count }
        var cursor = makeCursor()
        try cursor.seek(directory: directory)
        let first = cursor.ordinal
        // No name sorts between a name and the same name followed by the smallest byte a name can hold.
        try cursor.seek(directory: RawPath(bytes: directory.bytes + [1]))
        return first..<max(first, cursor.ordinal)
    }

    /// The record of a path, read with a cursor that is kept for it.
    package func record(for path: RawPath, with cursor: inout BaselineCursor) throws(BaselineError) -> Record?
    {
        let directory = path.parent
        try cursor.seek(directory: directory, to: path.name)
        guard let view = try cursor.next(), view.directory == directory, view.compareName(path.name) == 0
        else {
            return nil
        }
        return try view.decode()
    }
}
