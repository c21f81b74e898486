internal import COpenSSL
package import Integrity

/// Hashes with SHA-256 (FIPS 180-4), one value after the other, through one context that is never made anew.
///
/// One hasher belongs to one thread.
@safe package final class SHA256Hasher {
    private let context: OpaquePointer
    private var isFresh = true

    package init() {
        guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("libcrypto is out of memory") }
        unsafe self.context = unsafe context
        begin()
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        isFresh = false
        let done = unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(done == 1, "libcrypto refused to hash")
    }

    package func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    package func update(_ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of everything since the last `finish`; the next `update` begins a new value.
    package func finish() -> Digest {
        let digest = unsafe SHA256Algorithm.digest { output in unsafe EVP_DigestFinal_ex(context, output, nil)
        }
        begin()
        return digest
    }

    /// The digest of everything so far; the next `update` goes on.
    package func digestSoFar() -> Digest {
        guard let copy = unsafe EVP_MD_CTX_new() else { preconditionFailure("libcrypto is out of memory") }
        defer { unsafe EVP_MD_CTX_free(copy) }
        precondition(unsafe EVP_MD_CTX_copy_ex(copy, context) == 1, "libcrypto cannot copy a context")
        return unsafe SHA256Algorithm.digest { output in unsafe EVP_DigestFinal_ex(copy, output, nil) }
    }

    /// Forgets what came since the last `finish`.
    package func reset() {
        if !isFresh { begin() }
    }

    package static func digest(of bytes: [UInt8]) -> Digest {
        unsafe bytes.withUnsafeBytes { unsafe digest(of: $0) }
    }

    package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        unsafe SHA256Algorithm.digest { output in
            unsafe EVP_Digest(bytes.baseAddress, bytes.count, output, nil, SHA256Algorithm.fetched, nil)
        }
    }

    private func begin() {
        precondition(
            unsafe EVP_DigestInit_ex2(context, SHA256Algorithm.fetched, nil) == 1,
            "libcrypto cannot begin a digest"
        )
        isFresh = true
    }
}

/// The algorithm, fetched once for the whole process.
///
/// It comes from a library context of its own with the built-in provider, so that no `openssl.cnf` (a file that an
/// attacker may have changed) has a say in how files are hashed. What can fail here is memory alone.
private enum SHA256Algorithm {
    // A fetched EVP_MD never changes; its reference count is atomic, and it lives as long as the process.
    nonisolated(unsafe) static let fetched: OpaquePointer = {
        guard let library = unsafe OSSL_LIB_CTX_new(), unsafe OSSL_PROVIDER_load(library, "default") != nil,
            let algorithm = unsafe EVP_MD_fetch(library, "SHA256", nil)
        else { preconditionFailure("libcrypto has no SHA-256: is it OpenSSL 3, and is there memory?") }
        return unsafe algorithm
    }()

    /// Makes a digest of the 32 bytes that `fill` writes.
    static func digest(_ fill: (UnsafeMutablePointer<UInt8>) -> CInt) -> Digest {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let done = unsafe withUnsafeMutableBytes(of: &words) { raw in
            guard let start = unsafe raw.bindMemory(to: UInt8.self).baseAddress else { return CInt(0) }
            return unsafe fill(start)
        }
        precondition(done == 1, "libcrypto cannot finish a digest")
        return Digest(words: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian))
    }
}
