internal import CLinux
internal import Host
package import Integrity

/// The keys of a state directory: `keys/baseline.key` and `.pub` sign baselines, `keys/host.key` and `.pub` sign what
/// the host itself says, `keys/trusted/*.pub` are of others whose baselines are believed here.
package struct KeyStore: Sendable {
    /// The two keys a host has.
    ///
    /// The baseline key may be kept elsewhere; the host key never leaves.
    package enum Role: String, Sendable {
        case baseline, host
    }

    package let directory: RawPath

    package init(stateDirectory: RawPath) {
        directory = stateDirectory.appending("keys")
    }

    package func privateKeyPath(_ role: Role) -> RawPath { directory.appending(role.rawValue + ".key") }
    package func publicKeyPath(_ role: Role) -> RawPath { directory.appending(role.rawValue + ".pub") }
    package var trustedDirectory: RawPath { directory.appending("trusted") }

    /// The baseline's key, made now where there is none.
    package func ensureBaselineKey() throws(KeyError) -> SigningKey { try ensure(.baseline) }

    /// The host's key, made now where there is none.
    package func ensureHostKey() throws(KeyError) -> SigningKey { try ensure(.host) }

    /// The private key of a role.
    /// - Throws: `KeyError.offline` where only its public half is here.
    package func signingKey(_ role: Role) throws(KeyError) -> SigningKey {
        let path = privateKeyPath(role)
        guard try exists(path) else {
            throw try exists(publicKeyPath(role)) ? KeyError.offline(path) : KeyError.missing(path)
        }
        let key = try SigningKey.load(path)
        guard try exists(publicKeyPath(role)) else {
            // Stopped between the two files, or cleaned up too eagerly: the public half follows from the private one.
            try key.publicKey.save(publicKeyPath(role))
            return key
        }
        guard try PublicKey.load(publicKeyPath(role)) == key.publicKey else {
            throw .mismatch(privateKey: path, publicKey: publicKeyPath(role))
        }
        return key
    }

    /// A key whose signature makes a baseline believed, and the file that says so.
    package struct TrustedKey: Hashable, Sendable {
        package var file: RawPath
        package var key: PublicKey
    }

    /// The keys whose signature makes a baseline believed: the configured ones, else that of this state directory and
    /// those that were trusted with an import.
    package func trustedKeys(configured: [RawPath]) throws(KeyError) -> [PublicKey] {
        try trusted(configured: configured).map(\.key)
    }

    /// The same with their files.
    package func trusted(configured: [RawPath]) throws(KeyError) -> [TrustedKey] {
        var files = configured
        if files.isEmpty {
            files = try importedKeyFiles()
            let hasOwn = try exists(publicKeyPath(.baseline))
            if hasOwn || files.isEmpty {
                files.insert(publicKeyPath(.baseline), at: 0)
            }
        }
        var keys: [TrustedKey] = []
        for file in files { keys.append(TrustedKey(file: file, key: try PublicKey.load(file))) }
        return keys
    }

    private func importedKeyFiles() throws(KeyError) -> [RawPath] {
        guard try exists(trustedDirectory) else { return [] }
        do {
            return try LedgerFile.names(in: trustedDirectory).filter {
                $0.suffix(4).elementsEqual(".pub".utf8)
            }
            .map { trustedDirectory.appending($0) }.sorted()
        } catch {
            throw KeyError(trustedDirectory, error)
        }
    }

    /// Believes a key from now on.
    ///
    /// - Returns: The file that was made for it; nil where it was trusted that way already.
    package func trust(_ key: PublicKey) throws(KeyError) -> RawPath? {
        let file = trustedDirectory.appending(hex(key.fingerprint.bytes) + ".pub")
        if try exists(file) {
            guard try PublicKey.load(file) == key else {
                throw .damaged(file, reason: "it holds another key than its name says")
            }
            return nil
        }
        try makeDirectory(directory)
        try makeDirectory(trustedDirectory)
        try key.save(file)
        return file
    }

    /// Takes back what `trust` made.
    package func distrust(_ file: RawPath) { try? LedgerFile.remove(file) }

    private func ensure(_ role: Role) throws(KeyError) -> SigningKey {
        guard try !exists(privateKeyPath(role)), try !exists(publicKeyPath(role)) else {
            return try signingKey(role)
        }
        try makeDirectory(directory)
        let key = try SigningKey.generate()
        do {
            try key.save(privateKeyPath(role))
            try key.publicKey.save(publicKeyPath(role))
        } catch {
            // Another process was faster: its key is the one.
            guard case .exists = error else { throw error }
            return try signingKey(role)
        }
        return key
    }

    private func makeDirectory(_ path: RawPath) throws(KeyError) {
        do {
            try LedgerFile.makeDirectory(path, mode: 0o700)
            try LedgerFile.syncDirectory(path.parent)
        } catch {
            if error.errno != .exists { throw KeyError(path, error) }
        }
    }

    private func exists(_ path: RawPath) throws(KeyError) -> Bool {
        do { return try LedgerFile.status(path) != nil } catch { throw KeyError(path, error) }
    }
}

extension SigningKey {
    /// Reads a private key that nobody but its owner can read.
    package static func load(_ path: RawPath) throws(KeyError) -> SigningKey {
        try SigningKey(pem: readKeyFile(path, forbidden: 0o077), path: path)
    }

    /// Writes PKCS#8 in PEM with mode 0600; never over a file that is there.
    package func save(_ path: RawPath) throws(KeyError) {
        try writeKeyFile(pem, to: path, mode: 0o600)
    }
}

extension PublicKey {
    /// Reads a public key that not everybody can write.
    package static func load(_ path: RawPath) throws(KeyError) -> PublicKey {
        try PublicKey(pem: readKeyFile(path, forbidden: 0o002), path: path)
    }

    /// Writes SubjectPublicKeyInfo in PEM with mode 0644; never over a file that is there.
    package func save(_ path: RawPath) throws(KeyError) {
        try writeKeyFile(pem, to: path, mode: 0o644)
    }
}

/// No key in PEM comes near this many bytes.
private let largestKeyFile = 65_536

private func readKeyFile(_ path: RawPath, forbidden: mode_t) throws(KeyError) -> [UInt8] {
    let (status, text): (stat, [UInt8])
    do {
        let file = try LedgerFile(reading: path)
        status = try file.status()
        text = status.isRegular ? try file.read(largestKeyFile, at: 0) : []
    } catch {
        throw KeyError(path, error)
    }
    guard status.isRegular else { throw .damaged(path, reason: "it is not a regular file") }
    guard status.st_mode & forbidden == 0 else {
        throw .unsafeMode(path, mode: UInt16(truncatingIfNeeded: status.st_mode & 0o7777))
    }
    guard status.st_size <= largestKeyFile else { throw .damaged(path, reason: "it is too large") }
    return text
}

private func writeKeyFile(_ text: [UInt8], to path: RawPath, mode: mode_t) throws(KeyError) {
    let temporary = path.parent.appending(Array(path.name) + Array(".new.\(getpid())".utf8))
    do {
        // What an earlier process of the same number left half written.
        try? LedgerFile.remove(temporary)
        let file = try LedgerFile(creating: temporary, mode: mode)
        try file.write(text)
        try file.sync()
        try LedgerFile.rename(temporary, to: path, isReplacing: false)
        try LedgerFile.syncDirectory(path.parent)
    } catch {
        try? LedgerFile.remove(temporary)
        throw error.errno == .exists
            ? .exists(path) : .io(path, operation: error.operation, errno: error.errno)
    }
}
