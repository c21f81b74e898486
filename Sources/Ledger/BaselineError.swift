package import Host
package import Integrity

/// Why a baseline cannot be used, or could not be written: no trust anchor.
package enum BaselineError: Error, Equatable, CustomStringConvertible {
    case missing(RawPath)
    case notABaseline(RawPath)
    /// It does not end with its signature.
    case cutOff(RawPath)
    /// `part` says what and where: "block 7 (bytes 458764 to 524299)".
    case damaged(RawPath, part: String)
    case newerFormat(RawPath, found: Int, known: Int)
    /// Signed, but by nobody who is trusted here. Keys by their identifiers.
    case unknownKey(RawPath, found: String, trusted: [String])
    /// It names a trusted key, which never signed it.
    case forged(RawPath, key: String)
    /// A correctly signed one, but not the one that was approved last.
    case rolledBack(RawPath, found: BaselineSummary, known: BaselineSummary)
    /// Another approval came first; what was about to be approved rests on a baseline that is no more.
    case superseded(known: BaselineSummary)
    /// The new baseline is in force, but its approval could not be recorded, or not be made durable.
    case unconfirmed(RawPath, reason: String)
    /// What was to be written does not ascend: a mistake in this program.
    case outOfOrder(RawPath)
    /// What was to be written is not what the encoder makes: a mistake in this program.
    case malformed(String)
    case io(RawPath, operation: String, errno: Errno)
    /// The approval could not be recorded or read.
    case history(HistoryError)
    case signing(KeyError)
    /// A test stopped the commit as a crash would have.
    case stopped

    package var description: String {
        switch self {
        case .missing(let path): "no baseline at \(path); make one with `millwarden baseline create`"
        case .notABaseline(let path): "\(path) is not a baseline; restore it from a copy or name another file"
        case .cutOff(let path):
            "the baseline \(path) does not end with its signature: it was cut off or something was added; "
                + "restore it from a copy"
        case .damaged(let path, let part):
            "the baseline \(path) is damaged in \(part); find out why, then restore it from a copy"
        case .newerFormat(_, let found, let known):
            "baseline is format \(found), this program reads up to \(known); upgrade it first"
        case .unknownKey(let path, let found, let trusted):
            "the baseline \(path) is signed by \(found), which is not trusted here ("
                + (trusted.isEmpty ? "no key is" : "trusted: " + trusted.joined(separator: ", "))
                + "); if you know that key, name its file in `keys: baseline:`"
        case .forged(let path, let key):
            "the signature of the baseline \(path) is not one of \(key): it was forged or damaged; "
                + "restore it from a copy and treat the host as suspect"
        case .rolledBack(let path, let found, let known):
            "the baseline \(path) is generation \(found.generation) with root \(found.root), but generation "
                + "\(known.generation) with root \(known.root) was approved last; restore that one from a copy, or "
                + "approve anew with `millwarden baseline create --force`"
        case .superseded(let known):
            "somebody else approved generation \(known.generation) in the meantime, nothing was changed; "
                + "look at the changes again and repeat"
        case .unconfirmed(let path, let reason):
            "the baseline \(path) was replaced, but the approval is not complete: \(reason); "
                + "the next command that can write the history completes it"
        case .outOfOrder(let path):
            "records do not ascend at \(path); this is a mistake in millwarden, report it"
        case .malformed(let what):
            "cannot write a baseline: \(what); this is a mistake in millwarden, report it"
        case .io(let path, let operation, let errno):
            "cannot \(operation) the baseline \(path): \(errno); nothing was changed"
        case .history(let error): "\(error)"
        case .signing(let error): "\(error)"
        case .stopped: "the commit was stopped by a test"
        }
    }
}

extension BaselineError {
    init(_ path: RawPath, _ failure: FileFailure) {
        self =
            failure.errno == .noEntry
            ? .missing(path)
            : .io(path, operation: failure.operation, errno: failure.errno)
    }
}
