import Host
import Integrity
import Ledger
import Warden

/// What a check compares with, and where it records what it finds.
struct CheckTarget {
    let baseline: BaselineReader
    /// Nil where another system is checked, or another baseline than this host's own is compared with.
    let history: History?
    let canRecord: Bool
    let isAnchorMissing: Bool

    /// Opens the baseline; where the check is not recorded, says so once on standard error.
    ///
    /// - Parameters:
    ///   - session: The options of all commands, and the root.
    ///   - file: `--baseline`.
    ///   - keys: The files of `--trust-key`.
    /// - Throws: `CommandFailure` 16 where there is no baseline that can be trusted.
    init(_ session: Session, baseline file: RawPath?, trusting keys: [RawPath]) throws {
        if let file {
            try self.init(session, file, try session.believed(keys))
        } else if let root = session.root {
            try self.init(session, elsewhere: root)
        } else {
            try self.init(session)
        }
    }

    /// This host and its own baseline.
    private init(_ session: Session) throws {
        let opened: (history: History, canRecord: Bool)
        do {
            try session.requireBaseline()
            opened = (try session.openHistory(), true)
        } catch let error as HistoryError where error.isReadOnly {
            complain("this check is not recorded: \(error)")
            opened = (try session.openHistoryForReading(), false)
        }
        let baseline = try session.openBaseline(opened.history)
        self.baseline = baseline.reader
        (history, canRecord) = opened
        isAnchorMissing = baseline.anchor == .missing
    }

    /// Another system against this host's baseline: what this host's history knows is not about those files.
    private init(_ session: Session, elsewhere root: RawPath) throws {
        try session.requireBaseline()
        let reader = try session.openBaseline(try session.openHistoryForReading()).reader
        try self.init(reader.path, try session.trustedKeys(), session)
        complain("this check is not recorded: \(root) is examined as another system's root")
    }

    /// A file that somebody brought.
    private init(_ session: Session, _ file: RawPath, _ keys: [PublicKey]) throws {
        do {
            try self.init(file, keys, session)
        } catch let error as BaselineError {
            var failure = CommandFailure(error, file: file)
            // Whatever is wrong with it: there is nothing to compare with.
            if failure.status != ExitStatus.io { failure.status = ExitStatus.noTrustAnchor }
            throw failure
        }
        complain("this check is not recorded: \(file) is not this host's baseline")
    }

    /// Only whoever looks at both can tell whether these are the files that were recorded.
    private init(_ file: RawPath, _ keys: [PublicKey], _ session: Session) throws {
        let probe = try BaselineReader.open(file, trusting: keys)
        let isSame = try probe.records(filesOf: session.host, in: session.tree)
        baseline = try BaselineReader.open(file, trusting: keys, isCopy: { _ in !isSame })
        (history, canRecord, isAnchorMissing) = (nil, false, false)
    }
}
