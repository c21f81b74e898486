internal import Host
package import Integrity

/// Writes a baseline file as its records come in, in ascending order, and signs it.
///
/// The file is a temporary one beside the baseline; `BaselineStore.replace` puts it into its place. Until then the
/// writer must be kept: it holds the lock that shows that the file is not a leftover, and removes the file where
/// nothing came of it.
package final class BaselineWriter {
    package let path: RawPath
    private let file: LedgerFile
    private let ruleCount: Int
    private let rules: [RuleID]
    private let hasher = SHA256Hasher()
    private var blocks: [BlockInfo] = []
    private var offset = BaselineFormat.headerSize
    private var ordinal = 0
    /// The block that is being filled, and where the numbers of its open run stand.
    private var block: [UInt8] = []
    private var run: (header: Int, count: Int)?
    private var blockCount = 0
    private var blockKey: (directory: RawPath, name: [UInt8])?
    private var lastDirectory: RawPath?
    private var lastName: [UInt8] = []
    private var isFinished = false

    /// Creates the file, with mode 0600.
    /// - Throws: `BaselineError.io` with `EEXIST` where the name is taken.
    package init(to path: RawPath, rules: [RuleID]) throws(BaselineError) {
        guard rules.count <= Int(UInt16.max) else { throw .malformed("\(rules.count) rules are too many") }
        self.path = path
        self.rules = rules
        ruleCount = rules.count
        do {
            file = try LedgerFile(creating: path, mode: 0o600)
            _ = try file.lock(isWaiting: false)
            try file.write(BaselineFormat.header)
        } catch {
            throw .io(path, operation: error.operation, errno: error.errno)
        }
        block.reserveCapacity(BaselineFormat.blockSize)
    }

    deinit {
        // After a rename the name is gone and this removes nothing.
        try? LedgerFile.remove(path)
    }

    /// The number of records so far.
    package var count: Int { ordinal + blockCount }

    /// Adds one directory's records, or some more of the directory that came last.
    package func append(_ run: EncodedRun) throws(BaselineError) {
        guard run.count > 0 else { return }
        let isSame = try follow(run.directory)
        let bytes = run.bytes
        var previous: Range<Int>?
        // The records from here on fit into the block, and go there in one piece.
        var (begin, position, records, pending) = (0, 0, 0, 0)
        while position < bytes.count {
            guard let layout = RecordLayout(bytes, at: position, end: bytes.count),
                layout.ruleIndex < ruleCount
            else {
                throw .malformed("record \(records) of \(run.directory) is not well formed")
            }
            let order =
                previous.map { compareNames(bytes[$0], bytes[layout.name]) }
                ?? (isSame ? compareNames(lastName[...], bytes[layout.name]) : -1)
            guard order < 0 else { throw .outOfOrder(run.directory.appending(bytes[layout.name])) }
            let end = layout.state.upperBound
            if !hasRoom(end - begin, in: run.directory, isFirst: pending == 0) {
                append(bytes[begin..<position], count: pending, of: run.directory)
                (begin, pending) = (position, 0)
                try flush()
            }
            if block.isEmpty, pending == 0 { blockKey = (run.directory, Array(bytes[layout.name])) }
            previous = layout.name
            position = end
            records += 1
            pending += 1
        }
        append(bytes[begin..<position], count: pending, of: run.directory)
        guard records == run.count else {
            throw .malformed("\(run.directory) has \(records) records where \(run.count) were announced")
        }
        if let previous { lastName = Array(bytes[previous]) }
    }

    /// Whether so many bytes of records fit into the block that is being filled; an empty one takes any first record.
    private func hasRoom(_ length: Int, in directory: RawPath, isFirst: Bool) -> Bool {
        if block.isEmpty, isFirst { return true }
        let header = run == nil ? directory.bytes.count + 12 : 0
        return block.count + header + length <= BaselineFormat.blockSize
    }

    /// True where the directory is the one before; a greater one begins a new run.
    private func follow(_ directory: RawPath) throws(BaselineError) -> Bool {
        if let lastDirectory {
            let order = compareDirectories(lastDirectory.bytes[...], directory.bytes[...])
            if order == 0 { return true }
            guard order < 0 else { throw .outOfOrder(directory) }
        }
        closeRun()
        lastDirectory = directory
        return false
    }

    private func append(_ records: ArraySlice<UInt8>, count: Int, of directory: RawPath) {
        guard count > 0 else { return }
        var open = run ?? openRun(directory)
        block.append(contentsOf: records)
        open.count += count
        run = open
        blockCount += count
    }

    private func openRun(_ directory: RawPath) -> (header: Int, count: Int) {
        block.append(long: directory.bytes)
        let header = block.count
        block.append(little: 0 as UInt64)
        return (header, 0)
    }

    private func closeRun() {
        guard let open = run else { return }
        block.set(little: UInt32(open.count), at: open.header)
        block.set(little: UInt32(block.count - open.header - 8), at: open.header + 4)
        run = nil
    }

    private func flush() throws(BaselineError) {
        closeRun()
        guard !block.isEmpty, let key = blockKey else { return }
        guard block.count <= BaselineFormat.largestBlock else { throw .malformed("a record is too large") }
        blocks.append(
            BlockInfo(
                offset: offset,
                length: block.count,
                firstOrdinal: ordinal,
                count: blockCount,
                digest: Merkle.leaf(block[...], with: hasher),
                directory: key.directory,
                name: key.name
            )
        )
        try write(block)
        offset += block.count
        ordinal += blockCount
        blockCount = 0
        block.removeAll(keepingCapacity: true)
    }

    /// Writes the manifest and the signature, without forcing the bytes to the disk yet.
    package func finish(_ manifest: BaselineManifest, key: SigningKey) throws(BaselineError)
        -> BaselineSummary
    {
        guard !isFinished else { throw .malformed("it was finished already") }
        isFinished = true
        try flush()
        let encoded = EncodedManifest(manifest: manifest, rules: rules, blocks: blocks).encoded
        guard encoded.count <= BaselineFormat.largestManifest else {
            throw .malformed("the manifest is too large")
        }
        let blocksRoot = Merkle.root(blocks.map(\.digest)[...], with: hasher)
        let leaf = Merkle.leaf((BaselineFormat.header + encoded)[...], .manifest, with: hasher)
        let root = Merkle.node(leaf, blocksRoot, with: hasher)
        let signature: [UInt8]
        do { signature = try key.sign(BaselineFormat.message(root: root)) } catch { throw .signing(error) }
        let footer = BaselineFooter(
            manifestLength: encoded.count,
            blocksRoot: blocksRoot,
            root: root,
            key: key.publicKey.fingerprint,
            signature: signature
        )
        try write(encoded + footer.encoded)
        return BaselineSummary(
            generation: manifest.generation,
            created: manifest.created,
            entries: ordinal,
            root: root,
            signedBy: key.id
        )
    }

    private func write(_ bytes: [UInt8]) throws(BaselineError) {
        do { try file.write(bytes) } catch { throw .io(path, operation: error.operation, errno: error.errno) }
    }
}
