import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

struct BaselineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baseline",
        abstract:
            "The recorded good state: make it, look at it, check it, approve changes, move it between hosts.",
        subcommands: [
            BaselineCreate.self, BaselineShow.self, BaselineVerify.self, BaselineAccept.self,
            BaselineExport.self, BaselineImport.self, BaselineDiff.self,
        ]
    )
}

struct BaselineShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows what the baseline says of a path, or of all."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "The path; without it, every record.")
    var path: ByteArgument?

    func run() throws {
        let session = try Session(global)
        try session.requireBaseline()
        let reader = try session.openBaseline(try session.openHistoryForReading()).reader
        if let path {
            try global.require(.text, .json, .jsonl)
            let canonical = RuleLoader().canonical(path.path)
            guard let record = try reader.record(for: canonical)?.record else {
                throw CommandFailure(
                    ExitStatus.noInput,
                    "\(canonical) is not in the baseline; `millwarden rules explain` says whether a rule selects it"
                )
            }
            switch global.format {
            case .text: say(record.text(TextStyle.terminal))
            case .json: say(record.json.pretty)
            default: say(record.json.compact)
            }
            return
        }
        switch global.format {
        case .text: try list(reader) { "\($0.path)" }
        case .json:
            var object = JSONObject()
            object.append("schema", .string("millwarden.baseline/1"))
            object.append("baseline", .object(reader.summary.members))
            say(JSON.object(object).compact.dropLast() + ",\"records\":[")
            try list(reader, separator: ",") { $0.json.compact }
            say("]}")
        default: try list(reader) { $0.json.compact }
        }
    }

    /// One line a record, read as it goes: a baseline need not fit into memory.
    private func list(_ reader: BaselineReader, separator: String = "", _ line: (Record) -> String) throws {
        var cursor = reader.makeCursor()
        while let view = try cursor.next() {
            say(line(try view.decode()) + (cursor.ordinal < reader.count ? separator : ""))
        }
    }
}

struct BaselineVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks the baseline's signature, every block of it, and that it is the one approved last.",
        discussion: "Exit status: 0, or 1 with what is wrong."
    )
    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        do {
            let history = try session.openHistoryForReading()
            let reader = try session.openBaseline(history).reader
            try reader.verifyRecords()
            show(reader.summary, problem: nil)
        } catch let error as CommandFailure where error.status != ExitStatus.noTrustAnchor {
            throw error
        } catch {
            let failure = CommandFailure(classifying: error)
            if global.format == .json { show(nil, problem: failure.description) }
            throw CommandFailure(ExitStatus.notVerified, global.format == .json ? "" : failure.description)
        }
    }

    private func show(_ summary: BaselineSummary?, problem: String?) {
        if global.format == .json {
            var object = JSONObject()
            object.append("schema", .string("millwarden.baseline-verify/1"))
            object.append("ok", .bool(problem == nil))
            object.append("problem", .optional(problem))
            object.append("baseline", summary.map { .object($0.members) } ?? .null)
            say(JSON.object(object).pretty)
        } else if let summary {
            say("baseline \(summary.generation) of \(summary.created) is intact: \(summary.entries) records")
            say("  root       \(summary.root)")
            say("  signed by  \(summary.signedBy)")
        }
    }
}

struct BaselineAccept: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Makes reviewed changes part of the baseline.",
        discussion: """
            What is accepted is what was last observed; a path that differs from that by now is refused. Changes that \
            left nothing on disk are acknowledged. With --scope it is the scope that is approved: what came into it is \
            recorded as it stands, what fell out is dropped, and every other record stays as it is.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Flag(help: "Everything that differs.")
    var all = false
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Changes on these paths.", valueName: "glob"))
    var path: [ByteArgument] = []
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Changes under these rules.", valueName: "id"))
    var rule: [String] = []
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Changes by their row in the history.", valueName: "n")
    )
    var seq: [Int64] = []
    @Flag(help: "What the rules select now, where that is not what was approved.")
    var scope = false
    @Option(help: ArgumentHelp("Why; it goes on record.", valueName: "text"))
    var reason: String
    @Flag(help: "Show what would be accepted, and change nothing.")
    var dryRun = false

    func validate() throws {
        let isChosen = !(path.isEmpty && rule.isEmpty && seq.isEmpty)
        if [all, isChosen, scope].count(where: { $0 }) != 1 {
            throw ValidationError(
                "say what to accept: --all, or some of --path, --rule and --seq, or --scope"
            )
        }
        if reason.allSatisfy(\.isWhitespace) {
            throw ValidationError("--reason must say something; it goes on record")
        }
    }

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let history = try session.openHistory()
        let opened = try session.openBaseline(history)
        let rules = try session.loadRules(baselinePacks: opened.reader.scope.packs)
        let acceptance = Acceptance(
            tree: KernelTree(),
            rules: rules.set,
            history: history,
            baseline: opened.reader,
            clock: Session.clock
        )
        guard !scope else { return try acceptScope(acceptance, rules, opened.reader, history, session) }
        var selection = AcceptSelection()
        selection.all = all
        selection.paths = try path.map { try pathGlob($0, option: "--path") }
        selection.rules = try ruleIDs(rule, rules.set, opened.reader)
        selection.seqs = Set(seq)
        let missing = try selection.seqs.filter { try history.finding($0) == nil }.sorted()
        if let first = missing.first {
            throw CommandFailure(
                ExitStatus.noInput,
                "row \(first) of the history is not a change; `millwarden history list --event change` names them"
            )
        }
        let plan = try acceptance.plan(selection)
        var baseline: BaselineSummary?
        let refused = plan.items.filter { $0.refusal != nil }
        if !dryRun && refused.isEmpty && !plan.items.isEmpty {
            baseline = try carryOut(plan, acceptance, opened.reader, history, session)
            publishOnce(history, session.stateDirectory)
        }
        let report = AcceptReport(items: plan.items, baseline: baseline, isDryRun: dryRun, reason: reason)
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal))
        if !refused.isEmpty { throw CommandFailure(ExitStatus.damagedData) }
    }

    /// Approves what the rules select now.
    private func acceptScope(
        _ acceptance: Acceptance<KernelTree>,
        _ rules: LoadedRules,
        _ reader: BaselineReader,
        _ history: History,
        _ session: Session
    ) throws {
        let meter = ProgressMeter(total: nil)
        let planned: Acceptance<KernelTree>.ScopePlan
        do {
            planned = try acceptance.planScope(
                packs: rules.packsOn,
                jobs: processorCount(),
                progress: meter.progress
            )
        } catch {
            meter.finish()
            throw error
        }
        meter.finish()
        var baseline: BaselineSummary?
        if !dryRun && planned.isNeeded {
            baseline = try carryOut(
                planned.plan,
                acceptance,
                reader,
                history,
                session,
                (planned.report, rules.scope)
            )
            publishOnce(history, session.stateDirectory)
        }
        let report = AcceptReport(
            items: [],
            scope: planned.report,
            baseline: baseline,
            isDryRun: dryRun,
            reason: reason
        )
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal))
        if !planned.report.unexamined.isEmpty { throw CommandFailure(ExitStatus.incomplete) }
    }

    private func carryOut(
        _ plan: Acceptance<KernelTree>.Plan,
        _ acceptance: Acceptance<KernelTree>,
        _ reader: BaselineReader,
        _ history: History,
        _ session: Session,
        _ approved: (report: ScopeApproval, scope: Scope)? = nil
    ) throws -> BaselineSummary? {
        let accepted = plan.items.map(\.seq) + (approved?.report.dropped ?? [])
        var summary = reader.summary
        var (proposal, contents): (BaselineWriter?, Digest?)
        if !plan.changes.isEmpty || approved != nil {
            let key = try session.approvalKey()
            let writer = try acceptance.write(plan, to: session.store.temporaryPath())
            var manifest = reader.manifest
            manifest.generation = try session.store.nextGeneration(after: reader.summary, history: history)
            manifest.created = Session.clock()
            if let approved { manifest.scope = approved.scope }
            manifest.contents = try keepContents(of: plan, acceptance, reader, session)
            summary = try writer.finish(manifest, key: key)
            (proposal, contents) = (writer, manifest.contents)
        }
        let event = BaselineEvent(
            action: .accepted,
            baseline: summary,
            reason: reason,
            uid: Int64(getuid()),
            loginuid: SystemClock.loginUID(),
            accepted: accepted,
            paths: plan.changes.count,
            scope: approved.map {
                .init(incoming: $0.report.incomingCount, outgoing: $0.report.outgoingCount)
            }
        )
        let time = Session.clock()
        guard let proposal else {
            // Nothing on disk differs: the approval is a row, and the baseline stays as it is.
            try history.write { (transaction) throws(HistoryError) in
                _ = try transaction.append(.baseline(event), at: time)
                try transaction.clearStanding(seqs: accepted)
            }
            return nil
        }
        try withExtendedLifetime(proposal) {
            _ = try session.store.replace(
                with: proposal.path,
                event: event,
                basedOn: reader.summary.root,
                history: history,
                at: time
            )
        }
        KeptWriter.prune(stateDirectory: session.stateDirectory, keeping: contents)
        return summary
    }

    /// - Returns: The digest for the manifest; nil where nothing is kept.
    private func keepContents(
        of plan: Acceptance<KernelTree>.Plan,
        _ acceptance: Acceptance<KernelTree>,
        _ reader: BaselineReader,
        _ session: Session
    ) throws -> Digest? {
        let kept = try KeptWriter(stateDirectory: session.stateDirectory)
        var old: KeptReader?
        if let contents = reader.manifest.contents {
            do {
                old = try KeptReader(stateDirectory: session.stateDirectory, index: contents)
            } catch {
                complain("changes to what was approved before will have no diff: \(error)")
            }
        }
        try acceptance.keepContents(of: plan, from: old, in: kept)
        return try kept.place()
    }
}
