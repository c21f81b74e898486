import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Examines everything in scope against the baseline.",
        discussion: """
            Exit status: a sum of 1 (added), 2 (removed), 4 (changed) and 8 (coverage is incomplete), counting what \
            nobody authorized; 0 where all is intact; 16 without a baseline that can be trusted.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Flag(help: "Do not read files whose identity, size and change time stand as recorded.")
    var quick = false
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Only these paths and what is below them.", valueName: "glob")
    )
    var path: [ByteArgument] = []
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Only what these rules decide.", valueName: "id"))
    var rule: [String] = []
    @Option(
        help: ArgumentHelp("The severity from which on a finding sets an exit bit.", valueName: "severity")
    )
    var failOn: SeverityArgument = SeverityArgument(severity: .low)
    @OptionGroup var reading: ReadingOptions
    @Flag(
        help:
            "Also fail for what was only touched, and for what could not be read when the baseline was made."
    )
    var strict = false

    @Option(
        help: ArgumentHelp(
            "Examine this directory as the root of another system: a mounted image, a container's tree.",
            valueName: "dir"
        )
    )
    var root: ByteArgument?
    @Option(help: ArgumentHelp("Compare with what `baseline export` wrote.", valueName: "file"))
    var baseline: ByteArgument?
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "With --baseline: the public key that has to have signed it; may be given several times.",
            valueName: "file"
        )
    )
    var trustKey: [ByteArgument] = []

    func validate() throws {
        if !trustKey.isEmpty, baseline == nil {
            throw ValidationError("--trust-key is about the file that --baseline names")
        }
    }

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global, root: root?.path)
        let target = try CheckTarget(session, baseline: baseline?.path, trusting: trustKey.map(\.path))
        let reader = target.baseline
        let rules = try session.loadRules(baselinePacks: reader.scope.packs)
        var options = CheckOptions()
        options.failOn = failOn.severity
        options.isStrict = strict
        options.survey.isQuick = quick
        options.survey.jobs = reading.threads
        options.survey.rate = reading.limit
        options.survey.paths =
            path.isEmpty ? nil : try path.map { try pathGlob($0, option: "--path", in: session.tree) }
        options.survey.rules = rule.isEmpty ? nil : try ruleIDs(rule, rules.set, reader)

        let check = Check(
            tree: session.tree,
            rules: rules.set,
            baseline: reader,
            isAnchorMissing: target.isAnchorMissing,
            room: EvidenceRoom(
                stateDirectory: session.stateDirectory,
                contents: reader.manifest.contents,
                limits: session.configuration.evidence,
                savesCopies: target.canRecord
            ),
            history: target.history,
            host: session.host,
            clock: Session.clock
        )
        let meter = ProgressMeter(total: options.survey.isRestricted ? nil : reader.count)
        var report: CheckReport
        do {
            report = try check.run(options, canRecord: target.canRecord, progress: meter.progress)
        } catch {
            meter.finish()
            throw error
        }
        meter.finish()
        report.root = root?.path
        report.baselineFile = baseline?.path
        if target.canRecord, let history = target.history { publishOnce(history, session.stateDirectory) }
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal), terminator: "\n")
        if report.exit != 0 { throw CommandFailure(Int32(report.exit)) }
    }
}

struct SeverityArgument: ExpressibleByArgument {
    var severity: Severity

    init(severity: Severity) { self.severity = severity }

    init?(argument: String) {
        guard let severity = Severity(name: argument) else { return nil }
        self.severity = severity
    }

    var defaultValueDescription: String { severity.name }

    static var allValueStrings: [String] { Severity.allCases.reversed().map(\.name) }
}

/// A glob given as an option, its links resolved as those of rules are.
func pathGlob(_ argument: ByteArgument, option: String, in tree: KernelTree = KernelTree()) throws -> Glob {
    // A path that exists under exactly these bytes is meant literally, whatever characters its name holds.
    let loader = RuleLoader(tree: tree)
    let literal = loader.canonical(argument.path)
    if PathStatus.isThere(literal, in: tree) { return Glob(literally: literal) }
    guard let text = argument.text else { return Glob(literally: literal) }
    do {
        let glob = try Glob(text)
        guard let only = glob.resolved(homes: [], canonicalize: loader.canonicalDirectory).first else {
            return glob
        }
        return only
    } catch {
        throw CommandFailure(ExitStatus.usage, "\(option) \(escaped(argument.bytes)): \(error)")
    }
}

func ruleIDs(_ ids: [String], _ set: RuleSet, _ baseline: BaselineReader?) throws -> Set<RuleID> {
    let known = Set(set.rules.map(\.id)).union(baseline?.rules ?? [])
    for id in ids where !known.contains(id) {
        throw CommandFailure(
            ExitStatus.usage,
            "--rule \(escaped(Array(id.utf8))): no such rule in force; `millwarden rules list` names them"
        )
    }
    return Set(ids)
}
