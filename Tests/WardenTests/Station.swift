import Host
import Integrity
import Ledger
import RulePacks
import TestSupport

@testable import Warden

let noon = Timestamp(seconds: 1_772_366_400, nanoseconds: 123_456_000)

/// One rule in YAML, with what tests seldom care about filled in.
func ruleText(
    _ id: String,
    watch: [String],
    except: [String] = [],
    absent: [String] = [],
    severity: String = "high",
    profile: String = "executable"
) -> String {
    func list(_ globs: [String]) -> String { "[" + globs.map { "'\($0)'" }.joined(separator: ", ") + "]" }
    var text =
        "  - {id: \(id), title: T, reason: R, severity: \(severity), profile: \(profile), watch: \(list(watch))"
    if !except.isEmpty { text += ", except: " + list(except) }
    if !absent.isEmpty { text += ", absent: " + list(absent) }
    return text + "}\n"
}

func ruleSet(_ rules: [String], tree: some FileTree) throws -> RuleSet {
    let yaml = Array(("pack: test\ntitle: T\nrules:\n" + rules.joined()).utf8)
    let pack = try RulePack(yaml, file: "test.yaml", digest: SHA256Hasher.digest(of: yaml))
    let resolver = PathResolver(tree: tree)
    return try RuleSet(
        packs: [LoadedPack(pack: pack, precedence: 0)],
        homes: [],
        hash: { SHA256Hasher.digest(of: $0) },
        canonicalize: { resolver.resolve($0).final ?? resolver.canonical($0) }
    )
}

/// A small world with rules, and a state directory with a history and a baseline of its own.
struct Station {
    let state: TemporaryDirectory
    let tree: MemoryTree
    var rules: RuleSet
    let history: History
    let key: SigningKey
    let store: BaselineStore

    /// `/t` holds what is watched; every rule below says where.
    init(_ rules: [String], _ build: @Sendable (inout MemoryWorld) -> Void) throws {
        state = try TemporaryDirectory()
        tree = MemoryTree()
        tree.change { build(&$0) }
        // Nothing is racy but what a test makes so.
        tree.change { $0.advance(nanoseconds: 60_000_000_000) }
        self.rules = try ruleSet(rules, tree: tree)
        history = try History.open(at: state.path, access: .readWrite)
        key = try SigningKey.generate()
        store = BaselineStore(stateDirectory: state.path)
    }

    static let program = ruleText("t.program", watch: ["/t/bin/**"])

    /// Some programs under `executable`.
    static func programs() throws -> Station {
        let station = try Station([program]) { world in
            world.write("/t/bin/cc", "compiler", mode: 0o755)
            world.write("/t/bin/ld", "linker", mode: 0o755)
            world.write("/t/bin/lib/one.so", "one")
            world.write("/t/bin/lib/two.so", "two")
        }
        try station.create()
        return station
    }

    @discardableResult
    func create(jobs: Int = 0) throws -> CreationResult { try create(on: tree, jobs: jobs) }

    /// Makes the baseline of the world and puts it into its place.
    @discardableResult
    func create(on tree: some FileTree, jobs: Int = 0) throws -> CreationResult {
        let (writer, summary, result) = try record(on: tree, jobs: jobs)
        let event = BaselineEvent(
            action: .created,
            baseline: summary,
            reason: nil,
            uid: 0,
            loginuid: nil,
            paths: summary.entries
        )
        try withExtendedLifetime(writer) {
            _ = try store.replace(with: writer.path, event: event, history: history, at: self.tree.now)
        }
        return result
    }

    /// Records the world into a file that is removed with its writer.
    func record(on tree: some FileTree, jobs: Int) throws -> (BaselineWriter, BaselineSummary, CreationResult)
    {
        let writer = try BaselineWriter(to: store.temporaryPath(), rules: rules.rules.map(\.id))
        let creation = Creation(tree: tree, rules: rules, clock: self.tree.clock)
        let (result, linked) = try creation.run(into: writer, jobs: jobs)
        let summary = try writer.finish(manifest(generation: 1), key: key)
        guard !linked.isEmpty else { return (writer, summary, result) }
        let first = try BaselineReader.open(writer.path, trusting: [key.publicKey])
        let changes = Dictionary(uniqueKeysWithValues: linked.map { ($0.path, Record?.some($0)) })
        let merged = try merge(first, with: changes, to: store.temporaryPath())
        return (merged, try merged.finish(manifest(generation: 1), key: key), result)
    }

    private func manifest(generation: Int64) -> BaselineManifest {
        BaselineManifest(
            generation: generation,
            created: tree.now,
            scope: Scope(rules: rules.digest, packs: ["test"], homes: [], definition: rules.definition),
            hostName: "build-07",
            machineID: "0123456789abcdef0123456789abcdef",
            historyID: history.id
        )
    }

    func baseline() throws -> BaselineReader {
        try store.open(history: history, trusting: [key.publicKey]).reader
    }

    func survey(_ options: SurveyOptions = Station.plain) throws -> SurveyResult {
        try survey(options, on: tree, baseline: baseline())
    }

    func survey(_ options: SurveyOptions, on tree: some FileTree, baseline: BaselineReader) throws
        -> SurveyResult
    {
        try Survey(tree: tree, rules: rules, baseline: baseline, clock: self.tree.clock).run(options)
    }

    func check(_ options: CheckOptions = CheckOptions(), canRecord: Bool = true) throws -> CheckReport {
        try check(options, on: tree, canRecord: canRecord)
    }

    func check(_ options: CheckOptions = CheckOptions(), on tree: some FileTree, canRecord: Bool = true)
        throws
        -> CheckReport
    {
        var options = options
        options.survey.jobs = 0
        let check = Check(
            tree: tree,
            rules: rules,
            baseline: try baseline(),
            isAnchorMissing: false,
            history: history,
            host: HostIdentity(name: "build-07", machineID: "", bootID: ""),
            clock: self.tree.clock
        )
        return try check.run(options, canRecord: canRecord)
    }

    /// Approves what a selection names, as `baseline accept` does.
    @discardableResult
    func accept(_ selection: AcceptSelection) throws -> Acceptance<MemoryTree>.Plan {
        let reader = try baseline()
        let acceptance = Acceptance(
            tree: tree,
            rules: rules,
            history: history,
            baseline: reader,
            clock: tree.clock
        )
        let plan = try acceptance.plan(selection)
        let accepted = plan.items.filter { $0.refusal == nil }.map(\.seq)
        let writer = try acceptance.write(plan, to: store.temporaryPath())
        let generation = try store.nextGeneration(after: reader.summary, history: history)
        let summary = try writer.finish(manifest(generation: generation), key: key)
        let event = BaselineEvent(
            action: .accepted,
            baseline: summary,
            reason: "reviewed",
            uid: 0,
            loginuid: nil,
            accepted: accepted,
            paths: plan.changes.count
        )
        try withExtendedLifetime(writer) {
            _ = try store.replace(with: writer.path, event: event, history: history, at: tree.now)
        }
        return plan
    }

    static var plain: SurveyOptions {
        var options = SurveyOptions()
        options.jobs = 0
        return options
    }

    /// The rows that tell of changes and of their end, in order: `content /t/bin/cc`.
    func told() throws -> [String] {
        var filter = HistoryFilter()
        filter.events = ["change", "resolved"]
        return try history.entries(filter).map { entry in
            switch entry.event {
            case .change(let finding): "\(finding.change) \(finding.path)"
            case .resolved(let resolution): "resolved \(resolution.path)"
            default: entry.event.name
            }
        }
    }
}

extension SurveyResult {
    /// `content /t/bin/cc`, by path.
    var told: [String] { deviations.map { "\($0.finding.change) \($0.finding.path)" } }
}

extension CheckReport {
    var told: [String] { findings.map { "\($0.change) \($0.path)" } }
}

extension AcceptSelection {
    static var everything: AcceptSelection {
        var selection = AcceptSelection()
        selection.all = true
        return selection
    }
}
