internal import COpenSSL
internal import Integrity

/// One `EVP_PKEY`.
///
/// `@unchecked Sendable`, because libcrypto counts references atomically and nothing changes the key after it was
/// made: every operation has a context of its own (OpenSSL's openssl-threads(7)). `@safe`, because the pointer never
/// leaves it.
@safe final class LibcryptoKey: @unchecked Sendable {
    private static let algorithm = "ED25519"

    // A library context of its own with the built-in provider, so that no `openssl.cnf` (a file that an attacker may
    // have changed) has a say in what a signature is. It is never changed and lives as long as the process.
    private nonisolated(unsafe) static let library: OpaquePointer = {
        guard let library = unsafe OSSL_LIB_CTX_new(), unsafe OSSL_PROVIDER_load(library, "default") != nil
        else { preconditionFailure("libcrypto cannot be used: is it OpenSSL 3, and is there memory?") }
        return unsafe library
    }()

    private let pointer: OpaquePointer

    private init?(_ pointer: OpaquePointer?) {
        // What libcrypto thinks of a bad file is told by our own sentence; its queue must not grow.
        ERR_clear_error()
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    static func generate() -> LibcryptoKey? {
        let context = unsafe EVP_PKEY_CTX_new_from_name(library, algorithm, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1, unsafe EVP_PKEY_keygen(context, &key) == 1 else {
            return nil
        }
        return unsafe LibcryptoKey(key)
    }

    convenience init?(rawPublic raw: [UInt8]) {
        unsafe self.init(
            EVP_PKEY_new_raw_public_key_ex(LibcryptoKey.library, LibcryptoKey.algorithm, nil, raw, raw.count)
        )
    }

    convenience init?(privatePEM text: [UInt8]) {
        unsafe self.init(LibcryptoKey.read(text) { unsafe mw_read_private_pem($0, LibcryptoKey.library) })
    }

    convenience init?(publicPEM text: [UInt8]) {
        unsafe self.init(LibcryptoKey.read(text) { unsafe mw_read_public_pem($0, LibcryptoKey.library) })
    }

    /// The key itself, where it is one of Ed25519.
    func ed25519(_ path: RawPath) throws(KeyError) -> LibcryptoKey {
        guard unsafe EVP_PKEY_is_a(pointer, LibcryptoKey.algorithm) == 1 else {
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
        guard unsafe EVP_DigestSignInit_ex(context, nil, nil, LibcryptoKey.library, nil, pointer, nil) == 1,
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
        guard unsafe EVP_DigestVerifyInit_ex(context, nil, nil, LibcryptoKey.library, nil, pointer, nil) == 1
        else { return false }
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
