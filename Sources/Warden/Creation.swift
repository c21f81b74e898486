package import Host
package import Integrity
package import Ledger
package import RulePacks
import Synchronization

/// What a walk that records the scope found, besides the records it wrote.
package struct CreationResult: Sendable {
    package var bytes: UInt64 = 0
    package var unexamined: [ExaminationError] = []
    package var presentAbsent: [RawPath] = []
    package var notEntered: [RawPath: String] = [:]
    package var entries = 0

    package init() {}
}

/// Walks every path that the rules select and writes its record: the work of `baseline create`.
///
/// The records come in the order of the file, so that nothing is held in memory but the links under `executable`, whose
/// hops and targets are added afterwards.
package struct Creation<Tree: FileTree>: Sendable {
    let tree: Tree
    let rules: RuleSet
    let clock: @Sendable () -> Timestamp

    package init(tree: Tree, rules: RuleSet, clock: @escaping @Sendable () -> Timestamp) {
        self.tree = tree
        self.rules = rules
        self.clock = clock
    }

    /// Writes the records of the walk, and returns those of the links' hops and targets, sorted, which the caller merges.
    package func run(
        into writer: BaselineWriter,
        jobs: Int,
        rate: ReadRate? = nil,
        progress: SurveyProgress? = nil
    ) throws(BaselineError) -> (result: CreationResult, linked: [Record]) {
        var collected = CreationState()
        let walk = OrderedWalk(tree: tree, matcher: rules.matcher(), workers: jobs)
        _ = try walk.run(
            visitor: { _ in
                CreationVisitor(
                    rules: rules,
                    examiner: Examiner(tree: tree, clock: clock, rate: rate),
                    progress: progress
                )
            },
            emit: { (outcome) throws(BaselineError) in try collected.take(outcome, writer) }
        )
        let linked = linkedRecords(collected.links, &collected.result)
        return (collected.result, linked)
    }

    /// The records of every hop and final target of the given links that no rule selects by itself.
    ///
    /// - Parameters:
    ///   - links: Where they begin.
    ///   - includingRoots: Whether the literal directories of rules that are reached through links count as such.
    ///   - result: Takes the counts, and what could not be examined.
    /// - Returns: The records, sorted by path.
    package func linkedRecords(
        _ links: [Link],
        includingRoots: Bool = true,
        _ result: inout CreationResult
    ) -> [Record] {
        var examiner = Examiner(tree: tree, clock: clock)
        let resolver = PathResolver(tree: tree)
        var matcher = rules.matcher()
        var records: [RawPath: Record] = [:]
        let roots = includingRoots ? rules.linkedRoots.map { Link(path: $0.path, rule: $0.rule) } : []
        for link in links + roots {
            let rule = rules.rules[link.rule]
            let resolution = resolver.resolve(link.path)
            var paths = resolution.hops
            if rule.profile == .executable, let final = resolution.final { paths.append(final) }
            for path in paths where records[path] == nil && matcher.rule(for: path) == nil {
                switch Examination(of: path, recorded: nil, rule: rule, with: &examiner) {
                case .found(let examined):
                    result.bytes += examined.bytesRead
                    let state = RecordedState.examined(examined.attributes, isRacy: examined.isRacy)
                    records[path] = Record(path: path, state: state, rule: rule.id, via: link.path)
                case .failed(let failure):
                    result.unexamined.append(ExaminationError(path, failure))
                    records[path] = Record(
                        path: path,
                        state: .unexamined(failure),
                        rule: rule.id,
                        via: link.path
                    )
                case .absent: break
                }
            }
        }
        result.entries += records.count
        return records.values.sorted { $0.path < $1.path }
    }
}

/// A link that a rule selects.
package struct Link: Hashable, Sendable {
    package var path: RawPath
    /// The index of the rule.
    package var rule: Int

    package init(path: RawPath, rule: Int) {
        self.path = path
        self.rule = rule
    }
}

private struct CreationState: Sendable {
    var result = CreationResult()
    var links: [Link] = []

    mutating func take(_ outcome: CreationOutcome, _ writer: BaselineWriter) throws(BaselineError) {
        result.bytes += outcome.bytes
        result.entries += outcome.run?.count ?? 0
        result.unexamined.append(contentsOf: outcome.unexamined)
        result.presentAbsent.append(contentsOf: outcome.presentAbsent)
        if let (path, name) = outcome.notEntered { result.notEntered[path] = name }
        links.append(contentsOf: outcome.links)
        guard let run = outcome.run, run.count > 0 else { return }
        try writer.append(run)
    }
}

struct CreationOutcome: Sendable {
    var run: EncodedRun?
    var bytes: UInt64 = 0
    var unexamined: [ExaminationError] = []
    var presentAbsent: [RawPath] = []
    var links: [Link] = []
    var notEntered: (RawPath, String)?
}

/// Records the entries of each unit, on a worker's thread.
struct CreationVisitor<Tree: FileTree>: WalkVisitor {
    private var examiner: Examiner<Tree>
    private var absent: Matcher
    private let progress: SurveyProgress?
    /// What matters here of each rule; its own, since threads that count their references to one array hinder each
    /// other.
    private let traits: [Traits]

    private struct Traits {
        var hasNames: Bool
        var hasAbsent: Bool
    }

    init(rules: RuleSet, examiner: Examiner<Tree>, progress: SurveyProgress?) {
        self.examiner = examiner
        absent = rules.absentMatcher()
        self.progress = progress
        traits = rules.rules.map { rule in
            Traits(hasNames: ExamineOptions(for: rule, recorded: nil).names, hasAbsent: !rule.absent.isEmpty)
        }
    }

    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {}

    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> CreationOutcome {
        var outcome = CreationOutcome()
        outcome.unexamined = [ExaminationError(directory, failure)]
        return outcome
    }

    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> CreationOutcome {
        var outcome = CreationOutcome()
        outcome.notEntered = (directory, fileSystem.name)
        return outcome
    }

    @specialized(where Tree == KernelTree)
    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> CreationOutcome {
        var outcome = CreationOutcome()
        var run = EncodedRun(directory: unit.directory)
        // Most records need less, so that the array is made once.
        run.bytes.reserveCapacity(unit.remaining * 192)
        let place = absent.find(unit.directory).below
        while let entry = unit.next() {
            if record(entry, in: descriptor, place, &run, &outcome) { unit.splitRest() }
        }
        progress?.add(files: run.count, bytes: outcome.bytes)
        outcome.run = run
        return outcome
    }

    /// True after a file so large that the rest of the unit should go to whoever is free.
    private mutating func record(
        _ entry: WalkEntry,
        in descriptor: borrowing OwnedDescriptor,
        _ place: Matcher.State?,
        _ run: inout EncodedRun,
        _ outcome: inout CreationOutcome
    ) -> Bool {
        let traits = traits[entry.rule]
        let options = ExamineOptions(names: traits.hasNames)
        var failure: Failure?
        do {
            guard try examiner.find(entry.name, in: descriptor, hint: entry.type, options: options) else {
                return false
            }
        } catch {
            failure = error
            outcome.unexamined.append(ExaminationError(run.directory.appending(entry.name), error))
        }
        let isPresentAbsent =
            traits.hasAbsent && place.map { absent.step($0, entry.name).rule != nil } ?? false
        if isPresentAbsent { outcome.presentAbsent.append(run.directory.appending(entry.name)) }
        run.count += 1
        if let failure {
            RecordEncoder.append(
                name: entry.name,
                state: .unexamined(failure),
                ruleIndex: UInt16(entry.rule),
                presentAbsent: isPresentAbsent,
                to: &run.bytes
            )
            return false
        }
        RecordEncoder.append(
            name: entry.name,
            attributes: examiner.found.attributes,
            isRacy: examiner.found.isRacy,
            ruleIndex: UInt16(entry.rule),
            presentAbsent: isPresentAbsent,
            to: &run.bytes
        )
        if case .link = examiner.found.attributes.type {
            outcome.links.append(Link(path: run.directory.appending(entry.name), rule: entry.rule))
        }
        let bytesRead = examiner.found.bytesRead
        outcome.bytes += bytesRead
        return bytesRead >= largeFile
    }
}
