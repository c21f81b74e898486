package import Integrity

/// What an examination brings along of a regular file besides its digest, read from the descriptor that was hashed.
package struct ContentWish: Hashable, Sendable {
    /// The whole content, where it is small enough.
    package var text: Bool
    /// The summary of an ELF file.
    package var elf: Bool
    /// A copy, made by the examiner's copier.
    package var copy: Bool
    /// Of a file with this digest nothing is brought along.
    package var known: Digest?

    /// The largest text, bytes: far more than configuration needs, and little enough to be compared in a moment.
    package static let textLimit = 256 << 10

    package init(text: Bool = false, elf: Bool = false, copy: Bool = false, known: Digest? = nil) {
        self.text = text
        self.elf = elf
        self.copy = copy
        self.known = known
    }
}

/// The content of a file that was to be brought along.
package enum TakenText: Hashable, Sendable {
    case text([UInt8])
    /// It is larger than `ContentWish.textLimit`.
    case tooLarge
    /// When it was read again it held something else.
    case other
}

/// What became of a copy.
package enum CopyOutcome: Hashable, Sendable {
    /// It lies in the store, durable and under its digest.
    case kept
    /// When it was read again it held something else.
    case other
    /// Why there is none, as the second half of a sentence.
    case failed(String)
}

/// What an examination brought along.
package struct TakenContent: Hashable, Sendable {
    package var text: TakenText?
    /// Nil also for what is no ELF file.
    package var elf: ELFSummary?
    package var copy: CopyOutcome?

    package init(text: TakenText? = nil, elf: ELFSummary? = nil, copy: CopyOutcome? = nil) {
        self.text = text
        self.elf = elf
        self.copy = copy
    }

    /// The content changed after it was hashed, whatever the times say: a mapping leaves none.
    var isOther: Bool { text == .other || copy == .other }
}

/// Saves a file while it is open.
package protocol ContentCopier: Sendable {
    /// - Parameters:
    ///   - digest: What the content was hashed to.
    ///   - size: How many bytes were hashed.
    ///   - now: The real time.
    ///   - read: Reads the file.
    /// - Returns: What became of it.
    func copy(_ digest: Digest, size: UInt64, now: Timestamp, _ read: PositionalRead) -> CopyOutcome
}
