import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import Warden

struct BaselineImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Takes a baseline that was made elsewhere as this host's.",
        discussion: """
            Every record is verified first. The signature has to be of a key that is trusted here, or of the one that \
            --trust-key names, which is trusted from then on. Exit status 16: it is not; 65: the file is damaged.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "What `baseline export` wrote.")
    var file: ByteArgument
    @Option(
        help: ArgumentHelp(
            "The public key that has to have signed it, and is trusted from now on.",
            valueName: "file"
        )
    )
    var trustKey: ByteArgument?
    @Flag(help: "Replace the baseline that is there.")
    var force = false

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let known = try session.knownKeys()
        let named = try trustKey.map { try session.namedKey($0.path, isToStay: true) }
        let keys = named.map { [$0] } ?? known
        // Before anything is made: a file that cannot be taken leaves no state directory behind.
        _ = try session.openBaselineFile(file.path, trusting: keys)
        if PathStatus.isThere(session.store.path) && !force {
            throw CommandFailure(
                ExitStatus.cannotCreate,
                "there is a baseline at \(session.store.path); replace it with --force"
            )
        }
        try session.prepareStateDirectory()
        let history = try session.openHistory()
        // Opening tidies up what a crash left behind: before there is anything of our own.
        let replaced = try? session.openBaseline(history).reader.summary
        let staged: (copy: StagedBaseline, reader: BaselineReader)
        do {
            staged = try session.store.stage(copyOf: file.path, trusting: keys)
        } catch {
            throw CommandFailure(error, file: file.path)
        }
        let origin = try takeOver(staged, known.contains, named, history, session)
        publishOnce(history, session.stateDirectory)
        let report = ImportReport(
            baseline: staged.reader.summary,
            file: file.path,
            origin: origin,
            scope: staged.reader.scope,
            host: SystemClock.host(),
            isCopy: staged.reader.historyID != history.id,
            replaced: replaced
        )
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal))
    }

    /// Believes the key, and puts the copy into the place of the baseline; where the second fails, the first is undone.
    private func takeOver(
        _ staged: (copy: StagedBaseline, reader: BaselineReader),
        _ isKnown: (PublicKey) -> Bool,
        _ named: PublicKey?,
        _ history: History,
        _ session: Session
    ) throws -> BaselineOrigin {
        let new = named.flatMap { isKnown($0) ? nil : $0 }
        let manifest = staged.reader.manifest
        let origin = BaselineOrigin(
            host: manifest.hostName,
            machineID: manifest.machineID,
            trustedKey: new?.id
        )
        var event = BaselineEvent(
            action: .imported,
            baseline: staged.reader.summary,
            reason: nil,
            uid: Int64(getuid()),
            loginuid: SystemClock.loginUID(),
            paths: staged.reader.summary.entries
        )
        event.origin = origin
        let keyFile = try new.flatMap { (key) throws(KeyError) in try session.keys.trust(key) }
        do {
            try withExtendedLifetime(staged.copy) {
                _ = try session.store.replace(
                    with: staged.copy.path,
                    event: event,
                    history: history,
                    at: Session.clock()
                )
            }
        } catch {
            // Once it is in its place, its key stays.
            if case BaselineError.unconfirmed = error { throw error }
            if let keyFile { session.keys.distrust(keyFile) }
            throw error
        }
        return origin
    }
}
