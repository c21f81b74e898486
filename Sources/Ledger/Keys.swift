internal import COpenSSL
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
    package var fingerprint: Digest { LedgerHasher.digest(raw) }

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

/// One `EVP_PKEY`.
///
/// `@unchecked Sendable`, because libcrypto counts references atomically and nothing changes the key after it was
/// made: every operation has a context of its own (OpenSSL's openssl-threads(7)). `@safe`, because the pointer never
/// leaves it.
@safe private final class LibcryptoKey: @unchecked Sendable {
    private let pointer: OpaquePointer

    private init?(_ pointer: OpaquePointer?) {
        // What libcrypto thinks of a bad file is told by our own sentence; its queue must not grow.
        ERR_clear_error()
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    static func generate() -> LibcryptoKey? {
        let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_keygen(context, &key) == 1 else {
            return nil
        }
        return unsafe LibcryptoKey(key)
    }

    convenience init?(rawPublic raw: [UInt8]) {
        unsafe self.init(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, raw, raw.count))
    }

    convenience init?(privatePEM text: [UInt8]) {
        unsafe self.init(LibcryptoKey.read(text) { unsafe mw_read_private_pem($0) })
    }

    convenience init?(publicPEM text: [UInt8]) {
        unsafe self.init(LibcryptoKey.read(text) { unsafe mw_read_public_pem($0) })
    }

    /// The key itself, where it is one of Ed25519.
    func ed25519(_ path: RawPath) throws(KeyError) -> LibcryptoKey {
        guard unsafe EVP_PKEY_get_base_id(pointer) == EVP_PKEY_ED25519 else {
            guard let name = unsafe EVP_PKEY_get0_type_name(pointer) else {
                throw .wrongType(path, found: "unknown")
            }
            throw .wrongType(path, found: unsafe String(cString: name))
        }
        return self
    }

    var rawPublic: [UInt8]? {
        var raw = [UInt8](repeating: 0, count: 32)
        var size = raw.count
        guard unsafe EVP_PKEY_get_raw_public_key(pointer, &raw, &size) == 1, size == 32 else { return nil }
        return raw
    }

    var publicPEM: [UInt8]? { unsafe write { unsafe PEM_write_bio_PUBKEY($0, pointer) } }
    var privatePEM: [UInt8]? { unsafe write { unsafe mw_write_private_pem($0, pointer) } }

    func sign(_ message: [UInt8]) -> [UInt8]? {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: SigningKey.signatureSize)
        var size = signature.count
        guard unsafe EVP_DigestSignInit(context, nil, nil, nil, pointer) == 1,
            unsafe EVP_DigestSign(context, &signature, &size, message, message.count) == 1,
            size == signature.count
        else { return nil }
        return signature
    }

    func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer {
            unsafe EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, pointer) == 1 else { return false }
        return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private static func read(_ text: [UInt8], _ parse: (OpaquePointer?) -> OpaquePointer?) -> OpaquePointer? {
        unsafe text.withUnsafeBytes { buffer in
            let bio = unsafe BIO_new_mem_buf(buffer.baseAddress, CInt(clamping: buffer.count))
            defer { unsafe BIO_free(bio) }
            return unsafe parse(bio)
        }
    }

    private func write(_ print: (OpaquePointer?) -> CInt) -> [UInt8]? {
        let bio = unsafe BIO_new(BIO_s_mem())
        defer { unsafe BIO_free(bio) }
        guard unsafe print(bio) == 1 else { return nil }
        var start: UnsafeMutablePointer<CChar>?
        let size = unsafe mw_bio_contents(bio, &start)
        guard size > 0, let start = unsafe start else { return nil }
        return unsafe UnsafeRawBufferPointer(start: start, count: size).map { $0 }
    }
}
