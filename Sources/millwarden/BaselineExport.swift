import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting

struct BaselineExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Copies the baseline to a new file, verified to the last record.",
        discussion:
            "Another host takes it over with `baseline import`, or checks with it by `check --baseline`."
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "The file to make; one that exists is left alone.")
    var file: ByteArgument

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let reader = try session.openBaseline(try session.openHistoryForReading()).reader
        let trusted = try session.keys.trusted(configured: session.configuration.baselineKeys)
        let target = file.path
        if PathStatus.isThere(target) {
            throw CommandFailure(ExitStatus.cannotCreate, "\(target) exists already; name a new file")
        }
        do {
            try session.store.export(reader.summary, to: target, trusting: trusted.map(\.key))
        } catch {
            throw CommandFailure(exporting: error, to: target)
        }
        let signer = trusted.first { $0.key.id == reader.summary.signedBy }
        let report = ExportReport(
            baseline: reader.summary,
            file: target,
            keyFile: signer?.file ?? session.keys.publicKeyPath(.baseline)
        )
        say(global.format == .json ? report.json.pretty : report.text(TextStyle.terminal))
    }
}

extension CommandFailure {
    /// The copy could not be made, or what was to be copied is not in order.
    init(exporting error: BaselineError, to target: RawPath) {
        guard case .io(let path, let operation, let errno) = error, path == target else {
            self.init(classifying: error)
            return
        }
        self.init(ExitStatus.cannotCreate, "cannot \(operation) \(target): \(errno); name another file")
    }
}
