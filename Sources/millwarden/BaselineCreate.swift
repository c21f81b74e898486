import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

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
    @OptionGroup var reading: ReadingOptions

    @Option(
        help: ArgumentHelp(
            "With --output: record this directory as the root of another system, such as a golden image.",
            valueName: "dir"
        )
    )
    var root: ByteArgument?
    @Option(
        help: ArgumentHelp("With --root: the file to make, for `baseline import` there.", valueName: "file")
    )
    var output: ByteArgument?

    func validate() throws {
        if (root == nil) != (output == nil) {
            throw ValidationError(
                "--root and --output go together: another system's baseline is never this host's"
            )
        }
        if output != nil, force { throw ValidationError("--output never replaces a file; name a new one") }
    }

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global, root: root?.path)
        if let output { return try record(session, to: output.path) }
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
        let kept = try KeptWriter(stateDirectory: session.stateDirectory)
        let walked = try walk(session, rules, keeping: kept)
        let manifest = BaselineManifest(
            generation: try store.nextGeneration(after: previous, history: history),
            created: Session.clock(),
            scope: rules.scope,
            hostName: session.host.name,
            machineID: session.host.machineID,
            historyID: history.id,
            contents: try kept.place()
        )
        let finished = try finish(walked, manifest, key, store)
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
        KeptWriter.prune(stateDirectory: session.stateDirectory, keeping: manifest.contents)
        publishOnce(history, session.stateDirectory)
        try show(walked, manifest, finished.summary, store.path)
    }

    /// Another system's baseline, signed with this host's key; nothing of it becomes this host's.
    private func record(_ session: Session, to file: RawPath) throws {
        let rules = try session.loadRules()
        if PathStatus.isThere(file) {
            throw CommandFailure(ExitStatus.cannotCreate, "\(file) exists already; name a new file")
        }
        try session.prepareStateDirectory()
        let key = try session.keys.ensureBaselineKey()
        let walked = try walk(session, rules)
        let manifest = BaselineManifest(
            generation: 1,
            created: Session.clock(),
            scope: rules.scope,
            hostName: session.host.name,
            machineID: session.host.machineID,
            historyID: nil
        )
        let finished = try finish(walked, manifest, key, session.store)
        do {
            try withExtendedLifetime(finished.writer) {
                try BaselineStore.copy(
                    finished.writer.path,
                    finished.summary,
                    to: file,
                    trusting: [key.publicKey]
                )
            }
        } catch let error as BaselineError {
            throw CommandFailure(exporting: error, to: file)
        }
        try show(walked, manifest, finished.summary, file, keyFile: session.keys.publicKeyPath(.baseline))
    }

    private struct Walked {
        var writer: BaselineWriter
        var result: CreationResult
        var linked: [Record]
        var started: Timestamp
    }

    private func walk(_ session: Session, _ rules: LoadedRules, keeping kept: KeptWriter? = nil) throws
        -> Walked
    {
        let started = Session.clock()
        let writer = try BaselineWriter(to: session.store.temporaryPath(), rules: rules.set.rules.map(\.id))
        let creation = Creation(tree: session.tree, rules: rules.set, clock: Session.clock)
        let meter = ProgressMeter(total: nil)
        let walked: (result: CreationResult, linked: [Record])
        do {
            walked = try creation.run(
                into: writer,
                jobs: reading.threads,
                keeping: kept,
                rate: reading.limit,
                progress: meter.progress
            )
        } catch {
            meter.finish()
            throw error
        }
        meter.finish()
        try refuse(walked.result, strict: strict)
        return Walked(writer: writer, result: walked.result, linked: walked.linked, started: started)
    }

    private func show(
        _ walked: Walked,
        _ manifest: BaselineManifest,
        _ summary: BaselineSummary,
        _ file: RawPath,
        keyFile: RawPath? = nil
    ) throws {
        var report = CreateReport(
            baseline: summary,
            file: file,
            scope: manifest.scope,
            bytes: walked.result.bytes,
            started: walked.started,
            finished: Session.clock(),
            unexamined: walked.result.unexamined,
            presentAbsent: walked.result.presentAbsent,
            notEntered: walked.result.notEntered
        )
        report.root = root?.path
        report.keyFile = keyFile
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
        _ walked: Walked,
        _ manifest: BaselineManifest,
        _ key: SigningKey,
        _ store: BaselineStore
    ) throws -> (summary: BaselineSummary, writer: BaselineWriter) {
        let summary = try walked.writer.finish(manifest, key: key)
        guard !walked.linked.isEmpty else { return (summary, walked.writer) }
        let first = try BaselineReader.open(walked.writer.path, trusting: [key.publicKey])
        let changes = Dictionary(uniqueKeysWithValues: walked.linked.map { ($0.path, Record?.some($0)) })
        let second = try merge(first, with: changes, to: store.temporaryPath())
        let merged = try second.finish(manifest, key: key)
        return (merged, second)
    }
}
