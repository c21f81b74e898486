import Host
import Integrity
import Ledger

/// Whose signature is believed, and of what.
extension Session {
    /// The keys that are trusted here; none on a host that has no baseline of its own yet.
    func knownKeys() throws -> [PublicKey] {
        do {
            return try trustedKeys()
        } catch .missing where configuration.baselineKeys.isEmpty {
            return []
        }
    }

    /// Whose signature is believed on a file: the keys that somebody named, and only where nobody did the known ones.
    func believed(_ named: [RawPath]) throws -> [PublicKey] {
        named.isEmpty ? try knownKeys() : try named.map { try namedKey($0) }
    }

    /// A key that somebody named with `--trust-key`.
    ///
    /// - Parameters:
    ///   - file: The public key in PEM.
    ///   - isToStay: Whether later commands have to believe it too.
    /// - Returns: The key.
    /// - Throws: `CommandFailure` where it is none, or would not be believed later.
    func namedKey(_ file: RawPath, isToStay: Bool = false) throws -> PublicKey {
        let key: PublicKey
        do {
            key = try PublicKey.load(file)
        } catch .missing {
            throw CommandFailure(
                ExitStatus.noInput,
                "--trust-key \(file) does not exist; it is `keys/baseline.pub` of where the baseline was made"
            )
        } catch {
            throw CommandFailure(ExitStatus.damagedData, "--trust-key: \(error)")
        }
        guard isToStay, !configuration.baselineKeys.isEmpty, !(try trustedKeys().contains(key)) else {
            return key
        }
        throw CommandFailure(
            ExitStatus.configuration,
            "the configuration says whose baselines are believed here, and \(key.id) is not among them; "
                + "name \(file) in `keys: baseline:`"
        )
    }

    /// The key that signs what is approved on this host; made now where there is none, as after an import.
    ///
    /// - Throws: `CommandFailure` 16 where what it signs would not be believed.
    func approvalKey() throws -> SigningKey {
        let key = try keys.ensureBaselineKey()
        guard try trustedKeys().contains(key.publicKey) else {
            throw CommandFailure(
                ExitStatus.noTrustAnchor,
                "this host's own key \(key.id) is not one whose baselines are believed here; approve where one of "
                    + "`keys: baseline:` is kept, then import the result"
            )
        }
        return key
    }

    /// Opens a baseline that is not this host's.
    ///
    /// - Throws: `CommandFailure` that speaks of that file.
    func openBaselineFile(_ file: RawPath, trusting keys: [PublicKey]) throws -> BaselineReader {
        do {
            return try BaselineReader.open(file, trusting: keys)
        } catch {
            throw CommandFailure(error, file: file)
        }
    }
}

extension CommandFailure {
    /// What is wrong with a baseline file that somebody named.
    init(_ error: BaselineError, file: RawPath) {
        switch error {
        case .missing:
            self.init(ExitStatus.noInput, "\(file) does not exist; name what `baseline export` wrote")
        case .unknownKey(_, let found, let trusted):
            let known = trusted.isEmpty ? "no key is" : "trusted: " + trusted.joined(separator: ", ")
            self.init(
                ExitStatus.noTrustAnchor,
                "\(file) is signed by \(found), which is not trusted here (\(known)); "
                    + "if you know that key, name its file with --trust-key"
            )
        case .forged(_, let key):
            self.init(
                ExitStatus.noTrustAnchor,
                "the signature of \(file) is not one of \(key): it was forged or damaged; get it anew from where it "
                    + "was made"
            )
        case .notABaseline, .cutOff, .damaged:
            self.init(ExitStatus.damagedData, error.description)
        case .newerFormat: self.init(ExitStatus.damagedData, "\(file): \(error)")
        case .io(_, _, .access): self.init(ExitStatus.noPermission, error.description)
        default: self.init(classifying: error)
        }
    }
}
