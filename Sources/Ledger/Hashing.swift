internal import COpenSSL
internal import Integrity

/// SHA-256 in pieces, through one fetched algorithm and one reused context of libcrypto.
///
/// Only this type sees the pointers, it never gives them away, and it cannot be copied: hence `@safe`.
@safe struct LedgerHasher: ~Copyable {
    private let algorithm: OpaquePointer?
    private let context: OpaquePointer?

    init() {
        unsafe algorithm = EVP_MD_fetch(nil, "SHA256", nil)
        unsafe context = EVP_MD_CTX_new()
        begin()
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
        unsafe EVP_MD_free(algorithm)
    }

    private mutating func begin() {
        // Without SHA-256 nothing this program says could be believed: it stops rather than going on without.
        precondition(unsafe EVP_DigestInit_ex2(context, algorithm, nil) == 1, "libcrypto offers no SHA-256")
    }

    mutating func update(_ bytes: borrowing some Collection<UInt8>) {
        let done: Void? = bytes.withContiguousStorageIfAvailable { unsafe add(UnsafeRawBufferPointer($0)) }
        if done == nil { unsafe Array(copy bytes).withUnsafeBytes { unsafe add($0) } }
    }

    private func add(_ buffer: UnsafeRawBufferPointer) {
        precondition(
            unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1,
            "libcrypto cannot hash"
        )
    }

    /// The digest of everything since the last one; the next piece begins a new digest.
    mutating func finish() -> Digest {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { buffer in
            let bytes = unsafe buffer.bindMemory(to: UInt8.self).baseAddress
            precondition(unsafe EVP_DigestFinal_ex(context, bytes, nil) == 1, "libcrypto cannot hash")
        }
        begin()
        return Digest(words: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian))
    }

    /// The digest of the pieces, one behind the other.
    static func digest(_ pieces: [UInt8]...) -> Digest {
        var hasher = LedgerHasher()
        for piece in pieces { hasher.update(piece) }
        return hasher.finish()
    }
}
