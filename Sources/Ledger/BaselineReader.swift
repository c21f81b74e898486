internal import CLinux
internal import Host
package import Integrity
internal import Synchronization

/// An open baseline whose signature was verified; every block is checked against it when it is read.
///
/// The file is read with pread(2) and never mapped: a file that shrinks under a mapping would stop the program.
package final class BaselineReader: Sendable {
    /// What errors call the file.
    package let path: RawPath
    package let summary: BaselineSummary
    package let manifest: BaselineManifest
    /// The rules by the numbers that records carry.
    package let rules: [RuleID]
    /// The files it is compared with are copies of those that were recorded: another machine's, or restored ones.
    ///
    /// Their inodes, birth times and change times are their own and say nothing.
    package let isCopy: Bool
    let blocks: [BlockInfo]
    private let file: LedgerFile
    /// Both threads of a walk move through the same few blocks.
    private let cache = Mutex<[LoadedBlock]>([])
    private static let cachedBlocks = 8

    package var scope: Scope { manifest.scope }
    package var historyID: HistoryID? { manifest.historyID }
    /// The number of records.
    package var count: Int { summary.entries }

    /// Opens a baseline and verifies it down to the digests of its blocks.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - name: What errors call it; nil for its path.
    ///   - keys: Those whose signature is believed.
    ///   - isCopy: Whether what it is compared with are copies of the recorded files, given what it says of itself.
    /// - Returns: A reader that checks every block when it reads it.
    /// - Throws: What `BaselineError` says of files that are missing, damaged, too new or not signed by one of `keys`.
    package static func open(
        _ path: RawPath,
        named name: RawPath? = nil,
        trusting keys: [PublicKey],
        isCopy: (BaselineManifest) -> Bool = { _ in false }
    ) throws(BaselineError) -> BaselineReader {
        try BaselineReader(path, named: name ?? path, trusting: keys, isCopy: isCopy)
    }

    /// What a file says of itself, complete and undamaged but whoever signed it.
    ///
    /// Never enough to believe a record.
    package static func claimedSummary(of path: RawPath) throws(BaselineError) -> BaselineSummary {
        try BaselineReader(path, named: path, trusting: nil, isCopy: { _ in false }).summary
    }

    private init(
        _ file: RawPath,
        named path: RawPath,
        trusting keys: [PublicKey]?,
        isCopy: (BaselineManifest) -> Bool
    ) throws(BaselineError) {
        let parts: SignedParts
        do {
            self.file = try LedgerFile(reading: file)
            parts = try SignedParts(self.file, path)
        } catch let error as BaselineError {
            throw error
        } catch let error as FileFailure {
            throw BaselineError(path, error)
        } catch {
            throw .damaged(path, part: "\(error)")
        }
        let keyID = PublicKey.id(parts.footer.key)
        if let keys {
            guard let key = keys.first(where: { $0.fingerprint == parts.footer.key }) else {
                throw .unknownKey(path, found: keyID, trusted: keys.map(\.id))
            }
            guard key.verify(parts.footer.signature, of: BaselineFormat.message(root: parts.footer.root))
            else {
                throw .forged(path, key: keyID)
            }
        }
        guard let encoded = EncodedManifest(parts.manifest, format: parts.format) else {
            throw .damaged(path, part: "the manifest")
        }
        let end = encoded.blocks.last.map { $0.offset + $0.length } ?? BaselineFormat.headerSize
        guard end == parts.manifestOffset else { throw .damaged(path, part: "the block table") }
        let hasher = SHA256Hasher()
        guard Merkle.root(encoded.blocks.map(\.digest)[...], with: hasher) == parts.footer.blocksRoot else {
            throw .damaged(path, part: "the block table")
        }
        self.path = path
        manifest = encoded.manifest
        self.isCopy = isCopy(encoded.manifest)
        rules = encoded.rules
        blocks = encoded.blocks
        summary = BaselineSummary(
            generation: encoded.manifest.generation,
            created: encoded.manifest.created,
            entries: encoded.entries,
            root: parts.footer.root,
            signedBy: keyID
        )
    }

    /// A place in the records, at the first one; every thread takes its own.
    package func makeCursor() -> BaselineCursor { BaselineCursor(self) }

    /// The record of one path and its ordinal; nil where the path is not recorded.
    package func record(for path: RawPath) throws(BaselineError) -> (record: Record, ordinal: Int)? {
        var cursor = makeCursor()
        let directory = path.parent
        try cursor.seek(directory: directory, to: path.name)
        guard let view = try cursor.next(), view.directory == directory, view.compareName(path.name) == 0
        else { return nil }
        return (try view.decode(), view.ordinal)
    }

    /// Visits the records with these ordinals, in order.
    package func forEachRecord(
        in ordinals: Range<Int>? = nil,
        _ body: (RecordView) throws(BaselineError) -> Void
    ) throws(BaselineError) {
        let range = (ordinals ?? 0..<count).clamped(to: 0..<count)
        var cursor = makeCursor()
        try cursor.seek(ordinal: range.lowerBound)
        while cursor.ordinal < range.upperBound, let view = try cursor.next() { try body(view) }
    }

    /// Reads every block, and checks that every record can be read, ascends, and names a rule.
    package func verifyRecords() throws(BaselineError) {
        var cursor = makeCursor()
        var last: RecordView?
        while let view = try cursor.next() {
            if let last, !last.precedes(view) {
                throw .damaged(path, part: "the order of record \(view.ordinal)")
            }
            _ = try view.decode()
            last = view
        }
        guard cursor.ordinal == count else { throw .damaged(path, part: "the number of records") }
    }

    func block(_ index: Int) throws(BaselineError) -> LoadedBlock {
        if let cached = cache.withLock({ $0.first { $0.index == index } }) { return cached }
        let info = blocks[index]
        let place = "block \(index) (bytes \(info.offset) to \(info.offset + info.length - 1))"
        guard info.length <= BaselineFormat.largestBlock else { throw .damaged(path, part: place) }
        let bytes: [UInt8]
        do { bytes = try file.read(info.length, at: info.offset) } catch { throw BaselineError(path, error) }
        let hasher = SHA256Hasher()
        guard bytes.count == info.length, Merkle.leaf(bytes[...], with: hasher) == info.digest else {
            throw .damaged(path, part: place)
        }
        let loaded = LoadedBlock(index: index, bytes: bytes, rules: rules, path: path)
        cache.withLock { slots in
            if slots.count >= BaselineReader.cachedBlocks { slots.removeFirst() }
            slots.append(loaded)
        }
        return loaded
    }
}

/// One verified block in memory.
final class LoadedBlock: Sendable {
    let index: Int
    let bytes: [UInt8]
    let rules: [RuleID]
    let path: RawPath

    init(index: Int, bytes: [UInt8], rules: [RuleID], path: RawPath) {
        (self.index, self.bytes, self.rules, self.path) = (index, bytes, rules, path)
    }

    init(copying other: LoadedBlock) {
        (index, rules, path) = (other.index, other.rules, other.path)
        bytes = unsafe other.bytes.withUnsafeBytes { unsafe Array($0) }
    }
}

/// The parts of the file that the root covers directly, with the root computed anew.
///
/// Nothing in them is parsed before the signature was checked but the footer's five fixed fields.
private struct SignedParts {
    let footer: BaselineFooter
    let format: Int
    let manifest: [UInt8]
    let manifestOffset: Int

    init(_ file: borrowing LedgerFile, _ path: RawPath) throws {
        let status = try file.status()
        guard status.isRegular else { throw BaselineError.notABaseline(path) }
        let size = Int(status.st_size)
        let header = try file.read(BaselineFormat.headerSize, at: 0)
        let magic = header.prefix(BaselineFormat.magic.count)
        guard !header.isEmpty, BaselineFormat.magic.starts(with: magic) else {
            throw BaselineError.notABaseline(path)
        }
        guard header.count == BaselineFormat.headerSize else { throw BaselineError.cutOff(path) }
        let version = header.little32(at: BaselineFormat.magic.count)
        guard version <= BaselineFormat.version else {
            throw BaselineError.newerFormat(path, found: version, known: BaselineFormat.version)
        }
        guard version > 0 else { throw BaselineError.damaged(path, part: "the header") }
        format = version
        let footerOffset = size - BaselineFormat.footerSize
        guard footerOffset >= BaselineFormat.headerSize,
            let footer = BaselineFooter(try file.read(BaselineFormat.footerSize, at: footerOffset))
        else { throw BaselineError.cutOff(path) }
        guard
            footer.manifestLength
                <= min(BaselineFormat.largestManifest, footerOffset - BaselineFormat.headerSize)
        else { throw BaselineError.damaged(path, part: "the footer") }
        manifestOffset = footerOffset - footer.manifestLength
        manifest = try file.read(footer.manifestLength, at: manifestOffset)
        guard manifest.count == footer.manifestLength else { throw BaselineError.cutOff(path) }
        let hasher = SHA256Hasher()
        let leaf = Merkle.leaf((header + manifest)[...], .manifest, with: hasher)
        guard Merkle.node(leaf, footer.blocksRoot, with: hasher) == footer.root else {
            throw BaselineError.damaged(path, part: "the manifest or the footer")
        }
        self.footer = footer
    }
}
