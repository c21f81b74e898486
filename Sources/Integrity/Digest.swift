/// A SHA-256 value (FIPS 180-4), kept as four big-endian words so that it needs no allocation.
package struct Digest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The number of bytes of a digest.
    package static let size = 32

    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Digest.size else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (position, byte) in bytes.enumerated() {
            words[position / 8] = words[position / 8] << 8 | UInt64(byte)
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    package init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    package var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: bigEndianWords) { unsafe Array($0) }
    }

    /// In memory, the bytes of the digest in their order.
    var bigEndianWords: (UInt64, UInt64, UInt64, UInt64) {
        (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    }

    package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension Digest: CustomStringConvertible {
    /// `algorithm:hex`, the form of every report.
    package var description: String { "sha256:" + hex(bytes) }

    /// Reads `sha256:` and 64 hexadecimal digits.
    package init?(_ text: some StringProtocol) {
        guard text.hasPrefix("sha256:"), let raw = Integrity.bytes(hex: text.dropFirst(7)) else { return nil }
        self.init(bytes: raw)
    }
}

/// What is known of a regular file's bytes.
///
/// Nothing is silently unhashed.
package enum ContentDigest: Hashable, Sendable {
    case digest(Digest)
    case unhashed(UnhashedReason)
}

/// Why the bytes of a regular file have no digest.
package enum UnhashedReason: UInt8, Hashable, Sendable, CaseIterable {
    /// The file kept changing while it was read, however often it was tried.
    case unstable = 1
    /// The file could not be opened or read; the record carries the errno.
    case unreadable = 2

    package var name: String {
        switch self {
        case .unstable: "unstable"
        case .unreadable: "unreadable"
        }
    }
}
