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
        progress: SurveyProgress? = nil
    ) throws(BaselineError) -> (result: CreationResult, linked: [Record]) {
        var collected = CreationState()
        let walk = OrderedWalk(tree: tree, matcher: rules.matcher(), workers: jobs)
        _ = try walk.run(
            visitor: { _ in
                CreationVisitor(
                    rules: rules,
                    examiner: Examiner(tree: tree, clock: clock),
                    absent: rules.absentMatcher(),
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
    let rules: RuleSet
    var examiner: Examiner<Tree>
    var absent: Matcher
    let progress: SurveyProgress?

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

    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> CreationOutcome {
        var outcome = CreationOutcome()
        var encoded: [UInt8] = []
        var count = 0
        let place = absent.find(unit.directory).below
        while let entry = unit.next() {
            let rule = rules.rules[entry.rule]
            let options = ExamineOptions(for: rule, recorded: nil)
            let state: RecordedState
            do {
                guard
                    let examined = try examiner.examine(
                        entry.name,
                        in: descriptor,
                        hint: entry.type,
                        options: options
                    )
                else { continue }
                state = .examined(examined.attributes, isRacy: examined.isRacy)
                outcome.bytes += examined.bytesRead
                if examined.attributes.type == .link {
                    outcome.links.append(Link(path: unit.directory.appending(entry.name), rule: entry.rule))
                }
                if examined.bytesRead >= 8 << 20 { unit.splitRest() }
            } catch {
                state = .unexamined(error)
                outcome.unexamined.append(ExaminationError(unit.directory.appending(entry.name), error))
            }
            let isPresentAbsent =
                !rule.absent.isEmpty && place.map { absent.step($0, entry.name).rule != nil } ?? false
            if isPresentAbsent { outcome.presentAbsent.append(unit.directory.appending(entry.name)) }
            RecordEncoder.append(
                name: entry.name,
                state: state,
                ruleIndex: UInt16(entry.rule),
                via: nil,
                presentAbsent: isPresentAbsent,
                to: &encoded
            )
            count += 1
        }
        outcome.run = EncodedRun(directory: unit.directory, bytes: encoded, count: count)
        progress?.add(files: count, bytes: outcome.bytes)
        return outcome
    }
}
