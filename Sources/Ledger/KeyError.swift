package import Host
package import Integrity

/// Why a key cannot be used.
package enum KeyError: Error, Equatable, CustomStringConvertible {
    case missing(RawPath)
    /// The public half is here, the private one is not: it was taken off the host.
    case offline(RawPath)
    case damaged(RawPath, reason: String)
    /// It is a key, but none of Ed25519.
    case wrongType(RawPath, found: String)
    /// Others than the owner could read the private key, or write the public one.
    case unsafeMode(RawPath, mode: UInt16)
    case exists(RawPath)
    /// The two files do not belong together.
    case mismatch(privateKey: RawPath, publicKey: RawPath)
    case io(RawPath, operation: String, errno: Errno)
    case crypto(operation: String)

    package var description: String {
        switch self {
        case .missing(let path):
            "no key at \(path); make one with `millwarden baseline create`, or name another"
        case .offline(let path):
            "the private key \(path) is not on this host, only its public half is; sign where the private key is kept"
        case .damaged(let path, let reason):
            "the key \(path) cannot be read: \(reason); restore it from a copy"
        case .wrongType(let path, let found): "the key \(path) is of type \(found); only Ed25519 is used"
        case .unsafeMode(let path, let mode):
            "the key \(path) has mode 0\(String(mode, radix: 8)), so that others than its owner can get at it; "
                + "find out who did, then set 0600 for a private key, 0644 for a public one"
        case .exists(let path):
            "there is a key at \(path) already; a key is never overwritten, move it away first"
        case .mismatch(let privateKey, let publicKey):
            "\(publicKey) is not the public half of \(privateKey); restore the pair from a copy"
        case .io(let path, let operation, let errno): "cannot \(operation) the key \(path): \(errno)"
        case .crypto(let operation): "libcrypto failed to \(operation); check its installation"
        }
    }
}

extension KeyError {
    init(_ path: RawPath, _ failure: FileFailure) {
        self =
            failure.errno == .noEntry
            ? .missing(path)
            : .io(path, operation: failure.operation, errno: failure.errno)
    }
}
