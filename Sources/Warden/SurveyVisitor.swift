import Host
package import Integrity
import Synchronization
import Ledger
import RulePacks

/// What one unit of the walk came to.
struct UnitOutcome: Sendable {
    /// The ordinals of the records that belong to this unit, met or missing; nil where it was not about records.
    var records: Range<Int>?
    var differences: [Difference] = []
    var errors: [ExaminationError] = []
    var unexamined: [RawPath] = []
    /// Records whose path is in scope no more.
    var fallenOut: [Record] = []
    var examined = 0
    var skipped = 0
    var bytes: UInt64 = 0
    var notEntered: (RawPath, String)?
}

/// One look at one path.
enum Examination: Sendable {
    case found(Examined)
    case absent
    case failed(Failure)

    init(
        of path: RawPath,
        recorded: Record?,
        rule: Rule?,
        prefix: UInt64? = nil,
        with examiner: inout Examiner<some FileTree>
    ) {
        do {
            var options = ExamineOptions(for: rule, recorded: recorded?.state.attributes)
            options.prefix = prefix ?? options.prefix
            self = try examiner.examine(path, options: options).map(Examination.found) ?? .absent
        } catch {
            self = .failed(error)
        }
    }
}

extension ExamineOptions {
    /// What the profile needs besides the usual: the beginning of a log, the names in a directory.
    init(for rule: Rule?, recorded: Attributes?) {
        self.init()
        names = rule?.profile == .directory
        if rule?.profile == .appendOnly, let recorded, recorded.type == .file { prefix = recorded.size }
    }
}

extension Examined {
    /// An estimate for progress: what a regular file of this size costs to read.
    var bytesRead: UInt64 { attributes.content == nil ? 0 : attributes.size }
}

extension ExaminationError {
    package init(_ path: RawPath, _ failure: Failure) {
        let error = Errno(failure.errno)
        self.init(path: path, failure: failure, name: error.name, message: error.message)
    }
}

/// Compares the entries of each unit with their records, on a worker's thread.
///
/// An entry whose freshly encoded state equals the recorded bytes is unchanged and costs no decoding; only what differs
/// becomes values.
struct SurveyVisitor<Tree: FileTree>: WalkVisitor {
    let shared: SurveyShared
    var examiner: Examiner<Tree>
    var cursor: BaselineCursor
    var selection: Selection
    /// By rule; its own, since threads that count their references to one array hinder each other.
    private let profiles: [Profile]
    private var encoded: [UInt8] = []

    init(shared: SurveyShared, examiner: Examiner<Tree>, cursor: BaselineCursor, selection: Selection) {
        self.shared = shared
        self.examiner = examiner
        self.cursor = cursor
        self.selection = selection
        profiles = shared.rules.rules.map(\.profile)
    }

    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor) {
        shared.willList?(directory, descriptor)
    }

    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> UnitOutcome {
        var outcome = UnitOutcome()
        if Errno(failure.errno) == .access, isUnexamined(directory) {
            outcome.unexamined = [directory]
        } else {
            outcome.errors = [ExaminationError(directory, failure)]
        }
        return outcome
    }

    /// It is on record and nothing below it is: it could not be listed when the baseline was made either.
    ///
    /// A root counts always.
    private func isUnexamined(_ directory: RawPath) -> Bool {
        guard !shared.rules.roots.contains(directory),
            (try? shared.baseline.record(for: directory)) != nil,
            let below = try? shared.baseline.ordinals(below: directory)
        else { return false }
        return below.isEmpty
    }

    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> UnitOutcome {
        var outcome = UnitOutcome()
        outcome.notEntered = (directory, fileSystem.name)
        return outcome
    }

    @specialized(where Tree == KernelTree)
    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> UnitOutcome {
        var outcome = UnitOutcome()
        do {
            try compare(&unit, in: descriptor, &outcome)
        } catch {
            shared.fail(error)
        }
        shared.progress?.add(files: outcome.examined, bytes: outcome.bytes)
        return outcome
    }

    private mutating func compare(
        _ unit: inout WalkUnit,
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) {
        try cursor.seek(directory: unit.directory, after: unit.precedingName)
        let first = cursor.ordinal
        var last = first
        var isAhead = try cursor.advance()
        while let entry = unit.next() {
            var order = isAhead ? cursor.compareName(entry.name) : 1
            while order < 0 {
                try missing(in: descriptor, &outcome)
                last += 1
                isAhead = try cursor.advance()
                order = isAhead ? cursor.compareName(entry.name) : 1
            }
            if order == 0 {
                if try examine(entry, in: descriptor, &outcome) { unit.splitRest() }
                last += 1
                isAhead = try cursor.advance()
            } else if examineNew(entry, unit.directory, in: descriptor, &outcome) {
                unit.splitRest()
            }
        }
        while unit.isLast, isAhead {
            try missing(in: descriptor, &outcome)
            last += 1
            isAhead = try cursor.advance()
        }
        outcome.records = first..<last
    }

    /// Examines an entry that has the name of the current record.
    ///
    /// True after a file so large that the rest of the unit should go to whoever is free.
    private mutating func examine(
        _ entry: WalkEntry,
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) -> Bool {
        outcome.examined += 1
        switch profiles[entry.rule] {
        case .directory:
            // What names a directory holds, its status does not tell for certain; there are few of these.
            return try examineKnowing(entry, in: descriptor, &outcome)
        case .appendOnly where !isUntouched(entry, in: descriptor):
            return try examineKnowing(entry, in: descriptor, &outcome)
        case .appendOnly: break
        default:
            if !isUntouched(entry, in: descriptor) { return try examineAnew(entry, in: descriptor, &outcome) }
        }
        outcome.skipped += 1
        return false
    }

    /// Examines an entry under a profile that looks at nothing but the attributes.
    private mutating func examineAnew(
        _ entry: WalkEntry,
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) -> Bool {
        let options = ExamineOptions()
        let isThere: Bool
        do {
            isThere = try examiner.find(entry.name, in: descriptor, hint: entry.type, options: options)
        } catch {
            try failed(error, &outcome)
            return false
        }
        guard isThere else {
            outcome.examined -= 1
            try missing(in: descriptor, &outcome)
            return false
        }
        let bytesRead = examiner.found.bytesRead
        outcome.bytes += bytesRead
        encoded.removeAll(keepingCapacity: true)
        StateCodec.append(examiner.found.attributes, to: &encoded)
        if !cursor.hasState(encoded) { try differs(examiner.found, entry.rule, &outcome) }
        return bytesRead >= largeFile
    }

    /// Examines an entry whose record says what to look at: the beginning of a log, the names in a directory.
    private mutating func examineKnowing(
        _ entry: WalkEntry,
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) -> Bool {
        guard var recorded = try cursor.current?.decode() else { return false }
        let rule = shared.rules.rules[entry.rule]
        var options = ExamineOptions(for: rule, recorded: recorded.state.attributes)
        let last = LastObserved(shared.grownLogs[recorded.path], rule: rule)
        if let last { options.prefix = last.size }
        let examined: Examined?
        do {
            examined = try examiner.examine(entry.name, in: descriptor, hint: entry.type, options: options)
        } catch {
            try failed(error, &outcome)
            return false
        }
        guard let examined else {
            outcome.examined -= 1
            try missing(in: descriptor, &outcome)
            return false
        }
        outcome.bytes += examined.bytesRead
        armNames(examined, rule, entry.name, recorded.path, in: descriptor)
        guard let last else {
            try differs(examined, entry.rule, &outcome)
            return examined.bytesRead >= largeFile
        }
        let compared = last.comparison(
            baseline: recorded.state.attributes,
            observation: examined.observation
        )
        if let attributes = compared.recorded { recorded.state = .examined(attributes, isRacy: false) }
        outcome.differences.append(
            Difference(
                path: recorded.path,
                ruleIndex: entry.rule,
                recorded: recorded,
                observation: compared.observation,
                isRacy: examined.isRacy,
                isContinuation: compared.isContinuation
            )
        )
        return examined.bytesRead >= largeFile
    }

    /// A directory whose names count is watched although nothing in it is selected by itself.
    private func armNames(
        _ examined: Examined,
        _ rule: Rule,
        _ name: ArraySlice<UInt8>,
        _ path: RawPath,
        in descriptor: borrowing OwnedDescriptor
    ) {
        guard rule.profile == .directory, examined.attributes.type == .directory,
            let willList = shared.willList,
            let directory = try? examiner.tree.openDirectory(name, in: descriptor)
        else { return }
        willList(path, directory)
    }

    private mutating func examineNew(
        _ entry: WalkEntry,
        _ directory: RawPath,
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) -> Bool {
        let path = directory.appending(entry.name)
        let rule = shared.rules.rules[entry.rule]
        var options = ExamineOptions(for: rule, recorded: nil)
        let last = LastObserved(shared.grownLogs[path], rule: rule)
        if let last { options.prefix = last.size }
        do {
            guard
                let examined = try examiner.examine(
                    entry.name,
                    in: descriptor,
                    hint: entry.type,
                    options: options
                )
            else { return false }
            outcome.examined += 1
            outcome.bytes += examined.bytesRead
            let compared = last?.comparison(baseline: nil, observation: examined.observation)
            outcome.differences.append(
                Difference(
                    path: path,
                    ruleIndex: entry.rule,
                    recorded: compared?.recorded.map {
                        Record(path: path, state: .examined($0, isRacy: false), rule: rule.id)
                    },
                    observation: compared?.observation ?? examined.observation,
                    isRacy: examined.isRacy,
                    isContinuation: compared?.isContinuation ?? false
                )
            )
            return examined.bytesRead >= largeFile
        } catch {
            outcome.errors.append(ExaminationError(path, error))
            return false
        }
    }

    /// A record whose name the listing did not have, or had under no rule.
    private mutating func missing(
        in descriptor: borrowing OwnedDescriptor,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) {
        guard let record = try cursor.current?.decode() else { return }
        guard shared.filter.allows(record) else { return }
        guard let ruleIndex = selection.rule(for: record) else {
            outcome.fallenOut.append(record)
            return
        }
        let options = ExamineOptions(
            for: shared.rules.rules[ruleIndex],
            recorded: record.state.attributes
        )
        let examined: Examined?
        do {
            examined = try examiner.examine(record.path.name, in: descriptor, hint: nil, options: options)
        } catch {
            try failed(error, &outcome)
            return
        }
        if let examined {
            outcome.examined += 1
            if case .unexamined = record.state {
                outcome.unexamined.append(record.path)
                return
            }
            if record.state.attributes.map({ examined.attributes.equals($0) }) ?? false { return }
            outcome.differences.append(
                Difference(
                    path: record.path,
                    ruleIndex: ruleIndex,
                    recorded: record,
                    observation: examined.observation,
                    isRacy: examined.isRacy
                )
            )
        } else if case .examined = record.state {
            outcome.differences.append(
                Difference(
                    path: record.path,
                    ruleIndex: ruleIndex,
                    recorded: record,
                    observation: .absent,
                    isRacy: false
                )
            )
        }
    }

    private func differs(
        _ examined: Examined,
        _ rule: Int,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) {
        guard let record = try cursor.current?.decode() else { return }
        guard case .examined(let attributes, _) = record.state else {
            outcome.unexamined.append(record.path)
            return
        }
        guard !examined.attributes.equals(attributes) else { return }
        outcome.differences.append(
            Difference(
                path: record.path,
                ruleIndex: rule,
                recorded: record,
                observation: examined.observation,
                isRacy: examined.isRacy
            )
        )
    }

    private func failed(
        _ failure: Failure,
        _ outcome: inout UnitOutcome
    ) throws(BaselineError) {
        guard let record = try cursor.current?.decode() else { return }
        if case .unexamined = record.state {
            outcome.unexamined.append(record.path)
        } else {
            outcome.errors.append(ExaminationError(record.path, failure))
        }
    }

    /// In a quick survey: identity, size and change time stand as recorded, and the record is not racy.
    private mutating func isUntouched(_ entry: WalkEntry, in descriptor: borrowing OwnedDescriptor) -> Bool {
        guard shared.isQuick, examiner.findStatus(entry.name, in: descriptor) else { return false }
        encoded.removeAll(keepingCapacity: true)
        StateCodec.append(examiner.found.attributes, to: &encoded)
        return cursor.hasStatus(encoded)
    }
}

extension Attributes {
    /// Equal but for the device number, which may change with every boot.
    func equals(_ other: Attributes) -> Bool {
        var comparable = other
        comparable.device = device
        return comparable == self
    }
}

/// Bytes from which on a file keeps a worker busy long enough that others should take the rest of its directory.
let largeFile: UInt64 = 8 << 20
