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
        abstract: "The recorded good state: make it, look at it, check it, approve changes.",
        subcommands: [
            BaselineCreate.self, BaselineShow.self, BaselineVerify.self, BaselineAccept.self,
            BaselineExport.self,
        ]
    )
}

struct BaselineCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Walks every path the rules select, records it, signs the result.",
        discussion: "Exit status 8: something selected could not be read; it is recorded as unexamined."
    )
    @OptionGroup var global: GlobalOptions
    @Flag(help: "Replace the baseline that is there.")
    var force = false
    @Flag(help: "Refuse where something cannot be read, or where a path exists that should not.")
    var strict = false
    @Option(help: ArgumentHelp("Threads that read and hash.", valueName: "n"))
    var jobs: Int?

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let rules = try session.loadRules()
        try session.prepareStateDirectory()
        let store = session.store
        if PathStatus.isThere(store.path) && !force {
            throw CommandFailure(
                ExitStatus.cannotCreate,
                "there is a baseline at \(store.path); accept changes with `millwarden baseline accept`, or replace it "
                    + "with --force"
            )
        }
        let history = try session.openHistory()
        let key = try session.keys.ensureBaselineKey()
        // Opening tidies up what a crash left behind: before there is anything of our own.
        let previous = try? session.openBaseline(history).reader.summary
        let started = Session.clock()
        let writer = try BaselineWriter(to: store.temporaryPath(), rules: rules.set.rules.map(\.id))
        let creation = Creation(tree: KernelTree(), rules: rules.set, clock: Session.clock)
        let meter = ProgressMeter(total: nil)
        let walked: (result: CreationResult, linked: [Record])
        do {
            walked = try creation.run(into: writer, jobs: jobs ?? processorCount(), progress: meter.progress)
        } catch {
            meter.finish()
            throw error
        }
        meter.finish()
        try refuse(walked.result, strict: strict)
        let host = SystemClock.host()
        let manifest = BaselineManifest(
            generation: try store.nextGeneration(after: previous, history: history),
            created: Session.clock(),
            scope: rules.scope,
            hostName: host.name,
            machineID: host.machineID,
            historyID: history.id
        )
        let finished = try finish(writer, walked.linked, manifest, key, store)
        let event = BaselineEvent(
            action: .created,
            baseline: finished.summary,
            reason: nil,
            uid: Int64(getuid()),
            loginuid: SystemClock.loginUID(),
            paths: finished.summary.entries
        )
        try withExtendedLifetime(finished.writer) {
            _ = try store.replace(
                with: finished.writer.path,
                event: event,
                history: history,
                at: Session.clock()
            )
        }
        publishOnce(history, session.stateDirectory)
        let report = CreateReport(
            baseline: finished.summary,
            file: store.path,
            scope: manifest.scope,
            bytes: walked.result.bytes,
            started: started,
            finished: Session.clock(),
            unexamined: walked.result.unexamined,
            presentAbsent: walked.result.presentAbsent,
            notEntered: walked.result.notEntered
        )
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal))
        if !report.unexamined.isEmpty { throw CommandFailure(ExitStatus.incomplete) }
    }

    private func refuse(_ result: CreationResult, strict: Bool) throws {
        if result.entries == 0 {
            throw CommandFailure(
                ExitStatus.configuration,
                "the rules select nothing on this host, so that there is nothing to record; see `millwarden rules list`"
            )
        }
        guard strict else { return }
        if let path = result.presentAbsent.first {
            throw CommandFailure(
                ExitStatus.configuration,
                "\(path) should not exist; remove it, or approve it by leaving out --strict"
            )
        }
        if let error = result.unexamined.first {
            throw CommandFailure(
                ExitStatus.incomplete,
                "\(error.path) cannot be read (\(error.message)); run with more privilege, or leave out --strict"
            )
        }
    }

    /// Signs the file; where links lead out of scope, their hops and targets are merged in first.
    ///
    /// The file lives as long as its writer, or until it takes the baseline's name.
    private func finish(
        _ writer: BaselineWriter,
        _ linked: [Record],
        _ manifest: BaselineManifest,
        _ key: SigningKey,
        _ store: BaselineStore
    ) throws -> (summary: BaselineSummary, writer: BaselineWriter) {
        let summary = try writer.finish(manifest, key: key)
        guard !linked.isEmpty else { return (summary, writer) }
        let first = try BaselineReader.open(writer.path, trusting: [key.publicKey])
        let changes = Dictionary(uniqueKeysWithValues: linked.map { ($0.path, Record?.some($0)) })
        let second = try merge(first, with: changes, to: store.temporaryPath())
        let merged = try second.finish(manifest, key: key)
        return (merged, second)
    }
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
            throw ValidationError("say what to accept: --all, or some of --path, --rule and --seq, or --scope")
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
            baseline = try carryOut(planned.plan, acceptance, reader, history, session, (planned.report, rules.scope))
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
        var proposal: BaselineWriter?
        if !plan.changes.isEmpty || approved != nil {
            let key = try session.keys.signingKey(.baseline)
            let writer = try acceptance.write(plan, to: session.store.temporaryPath())
            var manifest = reader.manifest
            manifest.generation = try session.store.nextGeneration(after: reader.summary, history: history)
            manifest.created = Session.clock()
            if let approved { manifest.scope = approved.scope }
            summary = try writer.finish(manifest, key: key)
            proposal = writer
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
        return summary
    }
}

struct BaselineExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Copies the baseline to a new file, after its signature was checked."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "The file to make; one that exists is left alone.")
    var file: ByteArgument

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let reader = try session.openBaseline(try session.openHistoryForReading()).reader
        let target = file.path
        if PathStatus.isThere(target) {
            throw CommandFailure(ExitStatus.cannotCreate, "\(target) exists already; name a new file")
        }
        do {
            try session.store.export(to: target)
        } catch {
            throw CommandFailure(ExitStatus.cannotCreate, error.description)
        }
        if global.format == .json {
            var object = JSONObject()
            object.append("schema", .string("millwarden.baseline-export/1"))
            object.append(bytes: target.bytes, as: "file")
            object.append("baseline", .object(reader.summary.members))
            say(JSON.object(object).pretty)
        } else {
            say("baseline \(reader.summary.generation) copied to \(target)")
            say("  root       \(reader.summary.root)")
            say("  signed by  \(reader.summary.signedBy)")
        }
    }
}
