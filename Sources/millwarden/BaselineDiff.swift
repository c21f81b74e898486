import ArgumentParser
import Host
import Integrity
import Ledger
import Reporting
import Warden

struct BaselineDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares two baselines record by record.",
        discussion: """
            A file is what `baseline export` wrote; `current` is this host's own baseline, and a file of that name is \
            `./current`. Inodes, birth times and change times count only where both were made of the same files. \
            Exit status: 0 where nothing differs, 1 where something does.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Argument(help: "What is compared with: a file, or current.")
    var before: ByteArgument
    @Argument(help: "What is compared: a file, or current.")
    var after: ByteArgument
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A public key that may have signed the files; may be given several times.",
            valueName: "file"
        )
    )
    var trustKey: [ByteArgument] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "An attribute that does not count, such as mtime; may be given several times.",
            valueName: "name"
        )
    )
    var ignore: [ByteArgument] = []

    func run() throws {
        try global.require(.text, .json, .jsonl)
        let session = try Session(global)
        let ignored = try ignore.map(attribute)
        let keys = try session.believed(trustKey.map(\.path))
        let (old, new) = (try open(before, keys, session), try open(after, keys, session))
        do {
            let comparison = try BaselineComparison(old.reader, new.reader, ignoring: Set(ignored))
            // A first pass: the answer and the counts stand at the beginning.
            var report = DifferenceReport(
                before: old.side,
                after: new.side,
                isOfSameFiles: comparison.isOfSameFiles,
                ignored: ignored,
                summary: DifferenceSummary()
            )
            report.summary = try comparison.run()
            try show(report, comparison)
            if report.summary.different > 0 { throw CommandFailure(ExitStatus.notVerified) }
        } catch let error as BaselineError {
            // The reader knows which of the two it is; what is damaged in it is data.
            var failure = CommandFailure(classifying: error)
            if case .damaged = error { failure.status = ExitStatus.damagedData }
            throw failure
        }
    }

    private func show(_ report: DifferenceReport, _ comparison: BaselineComparison) throws {
        switch global.format {
        case .text:
            let style = TextStyle.terminal
            say(report.heading(style), terminator: "")
            for group in report.groups {
                say(group.heading(report.summary, style), terminator: "")
                try comparison.run { if DifferenceGroup($0) == group { say($0.text(style), terminator: "") } }
            }
        case .json:
            say(JSON.object(report.members).compact.dropLast() + ",\"items\":[")
            var separator = ""
            try comparison.run {
                say(separator + $0.json.compact, terminator: "")
                separator = ",\n"
            }
            say("]}")
        default: try comparison.run { say($0.json.compact) }
        }
    }

    private func attribute(_ argument: ByteArgument) throws -> AttributeName {
        guard let name = AttributeName(bytes: argument.bytes) else {
            throw CommandFailure(
                ExitStatus.usage,
                "--ignore \(escaped(argument.bytes)): no such attribute; name one of those that reports have, such as "
                    + "mtime or xattr:user.note"
            )
        }
        return name
    }

    private func open(_ argument: ByteArgument, _ keys: [PublicKey], _ session: Session) throws -> (
        reader: BaselineReader, side: DifferenceReport.Side
    ) {
        let isOwn = argument.bytes.elementsEqual("current".utf8)
        let reader =
            isOwn
            ? try session.openBaseline(try session.openHistoryForReading()).reader
            : try session.openBaselineFile(argument.path, trusting: keys)
        let side = DifferenceReport.Side(
            file: isOwn ? nil : argument.path,
            baseline: reader.summary,
            origin: BaselineOrigin(reader.manifest),
            scope: reader.scope
        )
        return (reader, side)
    }
}
