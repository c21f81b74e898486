import Host
import Integrity
import Ledger
import RulePacks

/// Logs under `append-only` that were rotated by rename: expected where the moved file goes on from what was last
/// observed, so that nothing of it is lost.
///
/// A name may get something else only where what it held goes on under another name; what it gets is another log that
/// goes on, or a new file with the same owner, mode and attributes.
struct Rotations<Tree: FileTree> {
    let tree: Tree
    let clock: @Sendable () -> Timestamp
    /// Logs that grew since the baseline: `History.grownLogs`.
    let lasts: [RawPath: Standing]

    /// Turns the verdict of each deviation that is part of a rotation.
    func settle(_ deviations: inout [Deviation]) {
        let logs = deviations.indices.filter { deviations[$0].subject.rule.profile == .appendOnly }
        guard logs.contains(where: { deviations[$0].finding.verdict == .unauthorized }) else { return }
        var held: [RawPath: Attributes] = [:]
        var owners: [UInt64: RawPath] = [:]
        for index in logs {
            guard let last = last(of: deviations[index].subject) else { continue }
            held[deviations[index].finding.path] = last
            owners[last.inode] = deviations[index].finding.path
        }
        var successors: [RawPath: RawPath] = [:]
        var examiner = Examiner(tree: tree, clock: clock)
        for index in logs {
            let path = deviations[index].finding.path
            guard let now = deviations[index].state?.attributes, let owner = owners[now.inode], owner != path,
                let last = held[owner], goesOn(last, at: path, with: &examiner)
            else { continue }
            successors[owner] = path
        }
        let continuing = Set(successors.values)
        for index in logs {
            let finding = deviations[index].finding
            guard finding.verdict == .unauthorized, finding.change.canBeRotation else { continue }
            let last = held[finding.path]
            guard last == nil || successors[finding.path] != nil else { continue }
            let now = deviations[index].state?.attributes
            let isFine = now == nil || continuing.contains(finding.path) || isFresh(now, after: last)
            if isFine { deviations[index].finding.verdict = .expected }
        }
    }

    private func last(of subject: Subject) -> Attributes? {
        let last = LastObserved(lasts[subject.path], rule: subject.rule)?.attributes ?? subject.recorded
        return last?.type == .file ? last : nil
    }
}

/// Whether the file at a path is the one that was last observed elsewhere, with nothing but more bytes.
func goesOn(_ last: Attributes, at path: RawPath, with examiner: inout Examiner<some FileTree>) -> Bool {
    var options = ExamineOptions()
    options.prefix = last.size
    guard last.type == .file, let found = try? examiner.examine(path, options: options) else { return false }
    return continues(last, found.attributes, prefix: found.prefix) && last.btime == found.attributes.btime
}

/// A log begun anew in the place of another: the same but for what it holds.
func isFresh(_ now: Attributes?, after last: Attributes?) -> Bool {
    guard let now, let last, now.inode != last.inode else { return false }
    return now.type == .file && now.mode == last.mode && now.uid == last.uid && now.gid == last.gid
        && now.xattrs == last.xattrs && now.flags == last.flags && now.links == last.links
}

extension Standing {
    /// A log that was told of as expected, has no record, and is gone: it may not be forgotten, for nothing comes back
    /// to an approved state by that.
    func isLostLog(under rule: Rule?, recorded: Record?) -> Bool {
        rule?.profile == .appendOnly && recorded == nil && isCurrent && verdict == .unauthorized
            && state == nil
    }
}

extension Survey {
    /// Rotated logs have no record of their own: those that are gone are met by no walk.
    func lostLogs(
        _ options: SurveyOptions,
        _ collected: Collector
    ) throws(BaselineError) -> [Difference] {
        let met = Set(collected.differences.map(\.path))
        let filter = RecordFilter(options)
        var examiner = Examiner(tree: tree, clock: clock)
        var selection = Selection(rules)
        var lost: [Difference] = []
        for (path, standing) in options.grownLogs.sorted(by: { $0.key < $1.key }) where !met.contains(path) {
            guard let index = selection.rule(for: path), filter.allows(path: path, rule: standing.rule),
                options.subtree.map({ path != $0 && path.isWithin($0) }) ?? true,
                let last = LastObserved(standing, rule: rules.rules[index]),
                try baseline.record(for: path) == nil,
                case .absent = Examination(of: path, recorded: nil, rule: rules.rules[index], with: &examiner)
            else { continue }
            let record = Record(
                path: path,
                state: .examined(last.attributes, isRacy: false),
                rule: standing.rule
            )
            lost.append(
                Difference(
                    path: path,
                    ruleIndex: index,
                    recorded: record,
                    observation: .absent,
                    isRacy: false
                )
            )
        }
        return lost
    }
}

extension ChangeKind {
    /// What a log, or the name of one, may go through when it is rotated.
    var canBeRotation: Bool {
        switch self {
        case .added, .removed, .moved, .content, .replaced: true
        default: false
        }
    }
}

/// What the running service remembers of renames between names that it knows.
struct RotatedLogs {
    private var successors: [RawPath: RawPath] = [:]
    private var held: [RawPath: Attributes] = [:]

    /// Older ones are settled by a survey.
    private static let limit = 1_024

    mutating func note(_ path: RawPath, to successor: RawPath) {
        if successors.count >= RotatedLogs.limit { successors = [:] }
        successors[path] = successor
    }

    func successor(of path: RawPath) -> RawPath? { successors[path] }

    /// What a name held before it got something else; its successor may be examined later.
    mutating func keep(_ last: Attributes, of path: RawPath) {
        if held.count >= RotatedLogs.limit { held = [:] }
        held[path] = last
    }

    func last(of path: RawPath) -> Attributes? { held[path] }
}

extension Watcher {
    /// Whether a log's change is part of a rotation by rename.
    func isRotation(
        _ settled: Settled,
        _ rule: Rule,
        _ last: Attributes?,
        _ examined: Examined?
    ) throws -> Bool {
        guard rule.profile == .appendOnly else { return false }
        if let last {
            guard let successor = rotated.successor(of: settled.path), isLog(successor),
                goesOn(last, at: successor, with: &examiner)
            else { return false }
            rotated.keep(last, of: settled.path)
        }
        guard let examined else { return last != nil }
        if isFresh(examined.attributes, after: last) { return true }
        guard let origin = settled.from, let held = try held(origin) else { return false }
        return goesOn(held, at: settled.path, with: &examiner)
    }

    private func isLog(_ path: RawPath) -> Bool {
        step(path).rule.map { rules.rules[$0].profile == .appendOnly } ?? false
    }

    /// What a name held under `append-only` before its file was renamed.
    private func held(_ path: RawPath) throws -> Attributes? {
        if let last = rotated.last(of: path) { return last }
        guard let rule = step(path).rule.map({ rules.rules[$0] }), rule.profile == .appendOnly else {
            return nil
        }
        if let last = LastObserved(try setup.history.currentStanding(path), rule: rule) {
            return last.attributes
        }
        return try baseline.record(for: path, with: &cursor)?.state.attributes
    }
}
