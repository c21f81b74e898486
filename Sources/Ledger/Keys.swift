internal import Host
package import Integrity

/// An Ed25519 public key (RFC 8032).
package struct PublicKey: Hashable, Sendable {
    /// The 32 bytes of the key.
    package let raw: [UInt8]

    /// Nil where it is not 32 bytes long.
    package init?(raw: [UInt8]) {
        guard raw.count == 32 else { return nil }
        self.raw = raw
    }

    /// SHA-256 of the raw key.
    package var fingerprint: Digest { SHA256Hasher.digest(of: raw) }

    /// `ed25519:` and the fingerprint in hexadecimal, the form of every report.
    package var id: String { PublicKey.id(fingerprint) }

    static func id(_ fingerprint: Digest) -> String { "ed25519:" + hex(fingerprint.bytes) }

    /// True where `signature` is one of `message` under this key; false for anything malformed.
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == SigningKey.signatureSize, let key = LibcryptoKey(rawPublic: raw) else {
            return false
        }
        return key.verify(signature, of: message)
    }

    /// Reads a PEM file's SubjectPublicKeyInfo (RFC 8410).
    package init(pem: [UInt8], path: RawPath) throws(KeyError) {
        guard let key = LibcryptoKey(publicPEM: pem) else {
            throw .damaged(path, reason: "it holds no public key in PEM")
        }
        guard let raw = try key.ed25519(path).rawPublic else { throw .crypto(operation: "read a public key") }
        self.raw = raw
    }

    /// SubjectPublicKeyInfo in PEM.
    package var pem: [UInt8] {
        get throws(KeyError) {
            guard let text = LibcryptoKey(rawPublic: raw)?.publicPEM else {
                throw .crypto(operation: "write a public key")
            }
            return text
        }
    }
}

/// An Ed25519 private key; its bytes stay inside libcrypto, which wipes them when it is done.
package final class SigningKey: Sendable {
    /// The number of bytes of a signature.
    package static let signatureSize = 64

    private let key: LibcryptoKey
    package let publicKey: PublicKey

    private init(_ key: LibcryptoKey) throws(KeyError) {
        guard let raw = key.rawPublic, let publicKey = PublicKey(raw: raw) else {
            throw .crypto(operation: "derive a public key")
        }
        self.key = key
        self.publicKey = publicKey
    }

    /// A new key from the kernel's randomness.
    package static func generate() throws(KeyError) -> SigningKey {
        guard let key = LibcryptoKey.generate() else { throw .crypto(operation: "make a key") }
        return try SigningKey(key)
    }

    /// Reads unencrypted PKCS#8 in PEM (RFC 5958, RFC 8410).
    package convenience init(pem: [UInt8], path: RawPath) throws(KeyError) {
        guard let key = LibcryptoKey(privatePEM: pem) else {
            throw .damaged(path, reason: "it holds no unencrypted private key in PEM")
        }
        try self.init(key.ed25519(path))
    }

    /// Unencrypted PKCS#8 in PEM.
    package var pem: [UInt8] {
        get throws(KeyError) {
            guard let text = key.privatePEM else { throw .crypto(operation: "write a private key") }
            return text
        }
    }

    /// As that of the public key.
    package var id: String { publicKey.id }

    package func sign(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
        guard let signature = key.sign(message) else { throw .crypto(operation: "sign") }
        return signature
    }
}
