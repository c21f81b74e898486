package import Integrity

/// The layout of a baseline file; docs/formats/baseline.md describes it byte by byte.
///
/// Header, blocks, manifest, footer. Numbers are little-endian.
enum BaselineFormat {
    /// As PNG's: a transfer as text, or through seven bits, breaks it visibly.
    static let magic: [UInt8] = [0x89, 0x4D, 0x57, 0x42, 0x0D, 0x0A, 0x1A, 0x0A]
    /// What is written; 1 knew no definition of the scope, and is read as well.
    static let version = 2
    static let endMagic: [UInt8] = Array("MWBSIGN\n".utf8)
    static let context: [UInt8] = Array("millwarden baseline 1\0".utf8)

    static var header: [UInt8] {
        var bytes = magic
        bytes.append(little: UInt32(version))
        return bytes
    }

    static let headerSize = 12
    /// Manifest length, root of the blocks, root, key, signature, end.
    static let footerSize = 8 + 32 + 32 + 32 + 64 + 8
    /// Whole records up to here; a longer record has a block of its own.
    static let blockSize = 65_536
    /// Far beyond what a hundred million records need, and safe to hold in memory.
    static let largestManifest = 268_435_456
    static let largestBlock = 67_108_864

    /// What the signature is over.
    static func message(root: Digest) -> [UInt8] { context + root.bytes }
}

/// The last bytes of the file.
struct BaselineFooter {
    var manifestLength: Int
    var blocksRoot: Digest
    var root: Digest
    /// SHA-256 of the raw public key.
    var key: Digest
    var signature: [UInt8]

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: UInt64(manifestLength))
        blocksRoot.append(to: &bytes)
        root.append(to: &bytes)
        key.append(to: &bytes)
        return bytes + signature + BaselineFormat.endMagic
    }

    init(manifestLength: Int, blocksRoot: Digest, root: Digest, key: Digest, signature: [UInt8]) {
        self.manifestLength = manifestLength
        (self.blocksRoot, self.root, self.key, self.signature) = (blocksRoot, root, key, signature)
    }

    /// Nil where the bytes do not end as a baseline does.
    init?(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        guard bytes.count == BaselineFormat.footerSize, let length: UInt64 = reader.little(),
            let blocksRoot = reader.digest(), let root = reader.digest(), let key = reader.digest(),
            let signature = reader.take(SigningKey.signatureSize),
            let end = reader.take(BaselineFormat.endMagic.count), end.elementsEqual(BaselineFormat.endMagic)
        else { return nil }
        self.init(
            manifestLength: Int(clamping: length),
            blocksRoot: blocksRoot,
            root: root,
            key: key,
            signature: Array(signature)
        )
    }
}

/// What a baseline says of itself, besides its records: given to the writer, read back from the file.
package struct BaselineManifest: Hashable, Sendable {
    /// Counts up from 1 with every approval.
    package var generation: Int64
    package var created: Timestamp
    package var scope: Scope
    /// The node name of the host it was made on.
    package var hostName: String
    /// machine-id(5) of that host; empty where there is none.
    package var machineID: String
    /// The history that knows of it; nil where there was none.
    package var historyID: HistoryID?

    package init(
        generation: Int64,
        created: Timestamp,
        scope: Scope,
        hostName: String,
        machineID: String,
        historyID: HistoryID?
    ) {
        self.generation = generation
        self.created = created
        self.scope = scope
        self.hostName = hostName
        self.machineID = machineID
        self.historyID = historyID
    }
}

/// The identity of one history: random, made with it.
package struct HistoryID: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes.
    package let bytes: [UInt8]

    package static let size = 16

    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == HistoryID.size else { return nil }
        self.bytes = Array(bytes)
    }

    package var description: String { hex(bytes) }
}

/// One row of the block table.
struct BlockInfo {
    var offset: Int
    var length: Int
    /// The number of records in all blocks before.
    var firstOrdinal: Int
    var count: Int
    var digest: Digest
    /// The first record's directory and name.
    var directory: RawPath
    var name: [UInt8]
}

/// The manifest with the tables that only the file has.
struct EncodedManifest {
    var manifest: BaselineManifest
    var rules: [RuleID]
    var blocks: [BlockInfo]

    var entries: Int { blocks.last.map { $0.firstOrdinal + $0.count } ?? 0 }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: UInt64(bitPattern: manifest.generation))
        bytes.append(little: UInt64(bitPattern: manifest.created.seconds))
        bytes.append(little: manifest.created.nanoseconds)
        bytes.append(contentsOf: manifest.historyID.map { [1] + $0.bytes } ?? [0])
        bytes.append(long: Array(manifest.hostName.utf8))
        bytes.append(long: Array(manifest.machineID.utf8))
        manifest.scope.rules.append(to: &bytes)
        bytes.append(list: manifest.scope.packs.map { Array($0.utf8) })
        bytes.append(list: manifest.scope.homes.map(\.bytes))
        bytes.append(manifest.scope.definition)
        bytes.append(list: rules.map { Array($0.utf8) })
        bytes.append(little: UInt64(entries))
        bytes.append(little: UInt32(blocks.count))
        for block in blocks {
            bytes.append(little: UInt32(block.length))
            bytes.append(little: UInt32(block.count))
            block.digest.append(to: &bytes)
            bytes.append(long: block.directory.bytes)
            bytes.append(long: block.name)
        }
        return bytes
    }

    init(manifest: BaselineManifest, rules: [RuleID], blocks: [BlockInfo]) {
        (self.manifest, self.rules, self.blocks) = (manifest, rules, blocks)
    }

    /// Nil where the bytes are not exactly what `encoded` gives, or the table does not ascend.
    ///
    /// - Parameters:
    ///   - bytes: The manifest.
    ///   - format: The number in the header.
    init?(_ bytes: [UInt8], format: Int) {
        var reader = ByteReader(bytes)
        guard let generation: UInt64 = reader.little(), let seconds: UInt64 = reader.little(),
            let nanoseconds: UInt32 = reader.little(), nanoseconds < 1_000_000_000,
            let historyID = reader.optional({ $0.take(HistoryID.size).flatMap { HistoryID(bytes: $0) } }),
            let hostName = reader.text(), let machineID = reader.text(), let rulesDigest = reader.digest(),
            let packs = reader.list({ $0.text() }),
            let homes = reader.list({ $0.long().map(RawPath.init(bytes:)) }),
            let definition = format < 2 ? .some(nil) : reader.definition(),
            let rules = reader.list({ $0.text() }), let entries: UInt64 = reader.little(),
            let blocks = EncodedManifest.blocks(&reader), reader.isAtEnd
        else { return nil }
        manifest = BaselineManifest(
            generation: Int64(bitPattern: generation),
            created: Timestamp(seconds: Int64(bitPattern: seconds), nanoseconds: nanoseconds),
            scope: Scope(rules: rulesDigest, packs: packs, homes: homes, definition: definition),
            hostName: hostName,
            machineID: machineID,
            historyID: historyID
        )
        (self.rules, self.blocks) = (rules, blocks)
        guard Int(clamping: entries) == self.entries else { return nil }
    }

    private static func blocks(_ reader: inout ByteReader) -> [BlockInfo]? {
        guard let count: UInt32 = reader.little() else { return nil }
        var blocks: [BlockInfo] = []
        var (offset, ordinal) = (BaselineFormat.headerSize, 0)
        for _ in 0..<count {
            guard let length: UInt32 = reader.little(), let records: UInt32 = reader.little(), records > 0,
                let digest = reader.digest(), let directory = reader.long(), let name = reader.long()
            else { return nil }
            if let last = blocks.last {
                let order = compareKeys(last.directory.bytes[...], last.name[...], directory[...], name[...])
                guard order < 0 else { return nil }
            }
            let block = BlockInfo(
                offset: offset,
                length: Int(length),
                firstOrdinal: ordinal,
                count: Int(records),
                digest: digest,
                directory: RawPath(bytes: directory),
                name: name
            )
            blocks.append(block)
            offset += block.length
            ordinal += block.count
        }
        return blocks
    }
}

extension [UInt8] {
    /// The length in four bytes, then the bytes.
    mutating func append(long bytes: [UInt8]) {
        append(little: UInt32(clamping: bytes.count))
        append(contentsOf: bytes)
    }

    /// 1 and the rules that made the scope, or 0.
    mutating func append(_ definition: [ScopeRule]?) {
        append(definition == nil ? 0 : 1)
        guard let definition else { return }
        append(little: UInt32(clamping: definition.count))
        for rule in definition {
            append(long: Array(rule.id.utf8))
            append(long: Array(rule.pack.utf8))
            append(little: rule.precedence)
            append(rule.severity.rawValue)
            append(rule.profile.rawValue)
            for globs in [rule.watch, rule.absent, rule.except] { append(list: globs) }
        }
    }

    /// The number in four bytes, then each with its length.
    mutating func append(list: [[UInt8]]) {
        append(little: UInt32(clamping: list.count))
        for bytes in list { append(long: bytes) }
    }
}

extension ByteReader {
    mutating func long() -> [UInt8]? {
        guard let count: UInt32 = little() else { return nil }
        return take(Int(count)).map { Array($0) }
    }

    mutating func text() -> String? {
        long().flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Nil where it is malformed; `.some(nil)` where there is none.
    mutating func definition() -> [ScopeRule]?? {
        switch byte() {
        case 0: .some(nil)
        case 1: list { $0.scopeRule() }.map { .some($0) }
        default: nil
        }
    }

    private mutating func scopeRule() -> ScopeRule? {
        guard let id = text(), let pack = text(), let precedence: UInt16 = little(),
            let severity = byte().flatMap(Severity.init(rawValue:)),
            let profile = byte().flatMap(Profile.init(rawValue:)),
            let watch = list({ $0.long() }), let absent = list({ $0.long() }),
            let except = list({ $0.long() })
        else { return nil }
        return ScopeRule(
            id: id,
            pack: pack,
            precedence: precedence,
            severity: severity,
            profile: profile,
            watch: watch,
            absent: absent,
            except: except
        )
    }

    mutating func list<Value>(_ read: (inout ByteReader) -> Value?) -> [Value]? {
        guard let count: UInt32 = little() else { return nil }
        var values: [Value] = []
        for _ in 0..<count {
            guard let value = read(&self) else { return nil }
            values.append(value)
        }
        return values
    }
}
