package import Integrity

/// Reads up to so many bytes at an offset: one at the least, none at the end.
package typealias PositionalRead = (_ offset: UInt64, _ count: Int) throws(Errno) -> [UInt8]

/// Makes the summary of an ELF file (elf(5)) of either class and byte order.
///
/// Every byte of the file may be an attacker's. Nothing is mapped; every offset, count and size is checked against the
/// size of the file and against a limit of its own, and all bytes together are hashed little more than once however
/// often the tables name them. What does not hold is left out, and the summary says that it is partial.
///
/// One reader belongs to one thread.
package final class ELFReader {
    /// Section or program headers, entries of the dynamic section, notes: further ones are left out.
    static let tableLimit = 1_024
    /// Bytes of one name or path.
    static let nameLimit = 4_096
    /// Bytes of the table of section names that are looked at.
    static let stringsLimit: UInt64 = 1 << 20

    private static let pieceSize = 256 << 10
    private let hasher = SHA256Hasher()

    package init() {}

    /// Reads a file of that size.
    ///
    /// - Parameters:
    ///   - size: What the file's status says. One that is shorter by now gives a partial summary.
    ///   - read: Reads the file.
    /// - Returns: Nil for what is no ELF file.
    /// - Throws: What reading the file gave.
    package func summary(size: UInt64, _ read: PositionalRead) throws(Errno) -> ELFSummary? {
        guard let start = try bytes(at: 0, 16, read), start.starts(with: [0x7F, 0x45, 0x4C, 0x46]),
            start[4] == 1 || start[4] == 2, start[5] == 1 || start[5] == 2
        else { return nil }
        let layout = ELFLayout(is64Bit: start[4] == 2, isBigEndian: start[5] == 2)
        guard let raw = try bytes(at: 0, layout.headerSize, read) else { return nil }
        let header = ELFHeader(raw, layout)
        var summary = ELFSummary(
            is64Bit: layout.is64Bit,
            isBigEndian: layout.isBigEndian,
            type: header.type,
            machine: header.machine,
            entry: header.entry
        )
        let first = try table(header.sectionTable, count: 1, size, read, &summary).first
        let segmentTable = header.segmentTable
        let segments = try table(
            segmentTable,
            count: header.segmentCount(firstSection: first.map { ELFSection($0, layout) }),
            size,
            read,
            &summary
        ).map { ELFSegment($0, layout) }
        let sectionCount = header.sectionCount(firstSection: first.map { ELFSection($0, layout) })
        let sections = try table(header.sectionTable, count: sectionCount, size, read, &summary)
            .map { ELFSection($0, layout) }

        try readSegments(segments, layout, size, read, &summary)
        if summary.buildID == nil {
            for section in sections where section.type == ELFSection.note && summary.buildID == nil {
                summary.buildID = try buildID(section.offset, section.size, layout, size, read)
            }
        }
        try readParts(header, segments.count, sections, size, read, &summary)
        return summary
    }

    // MARK: What the loader uses

    private func readSegments(
        _ segments: [ELFSegment],
        _ layout: ELFLayout,
        _ size: UInt64,
        _ read: PositionalRead,
        _ summary: inout ELFSummary
    ) throws(Errno) {
        for segment in segments {
            switch segment.type {
            case ELFSegment.interpreter where summary.interpreter == nil:
                summary.interpreter = try string(at: segment.offset, limit: segment.size, read)
                if summary.interpreter == nil { summary.isPartial = true }
            case ELFSegment.note where summary.buildID == nil:
                summary.buildID = try buildID(segment.offset, segment.size, layout, size, read)
            default: break
            }
        }
        // The kernel and the loader take the last one that they meet; two are a lie to somebody.
        let dynamics = segments.filter { $0.type == ELFSegment.dynamic }
        if dynamics.count > 1 { summary.isPartial = true }
        if let dynamic = dynamics.last { try readDynamic(dynamic, segments, layout, size, read, &summary) }
    }

    private func readDynamic(
        _ dynamic: ELFSegment,
        _ segments: [ELFSegment],
        _ layout: ELFLayout,
        _ size: UInt64,
        _ read: PositionalRead,
        _ summary: inout ELFSummary
    ) throws(Errno) {
        let entrySize = layout.is64Bit ? 16 : 8
        let room = dynamic.offset <= size ? min(dynamic.size, size - dynamic.offset) : 0
        let count = min(Int(clamping: room) / entrySize, Self.tableLimit)
        var entries: [(tag: UInt64, value: UInt64)] = []
        var isEnded = false
        if let raw = try bytes(at: dynamic.offset, count * entrySize, read) {
            for position in 0..<count where !isEnded {
                let entry = ELFFields(raw[(position * entrySize)...], layout)
                let tag = entry.word(0)
                if tag == 0 { isEnded = true } else { entries.append((tag, entry.word(entrySize / 2))) }
            }
        }
        if !isEnded { summary.isPartial = true }
        let named = entries.compactMap { entry in ELFDynamic.use(of: entry.tag).map { ($0, entry.value) } }
        if named.isEmpty { return }
        // Where segments overlap, the one that is mapped last lies on top.
        guard let table = entries.last(where: { $0.tag == ELFDynamic.strings })?.value,
            let offset = segments.last(where: { $0.loads(table) }).map({ $0.offset &+ (table &- $0.address) })
        else {
            summary.isPartial = true
            return
        }
        let told = entries.last { $0.tag == ELFDynamic.stringsSize }?.value ?? 0
        let stringsSize = min(told, offset <= size ? size - offset : 0)
        for (use, value) in named {
            guard value < stringsSize,
                let name = try string(at: offset + value, limit: stringsSize - value, read)
            else {
                summary.isPartial = true
                continue
            }
            switch use {
            case .list(let list): summary[keyPath: list].append(name)
            case .single(let text): summary[keyPath: text] = name
            }
        }
    }

    /// The description of the note `GNU` 3 among the notes in a range.
    private func buildID(
        _ offset: UInt64,
        _ length: UInt64,
        _ layout: ELFLayout,
        _ size: UInt64,
        _ read: PositionalRead
    ) throws(Errno) -> [UInt8]? {
        guard offset < size else { return nil }
        let end = offset + min(length, size - offset)
        var position = offset
        for _ in 0..<Self.tableLimit {
            guard end - position >= 12, let raw = try bytes(at: position, 12, read) else { return nil }
            let fields = ELFFields(raw[...], layout)
            let nameSize = UInt64(fields.number32(0))
            let valueSize = UInt64(fields.number32(4))
            let value = position + 12 + (nameSize + 3) / 4 * 4
            let next = value + (valueSize + 3) / 4 * 4
            guard value <= end, next <= end || value + valueSize <= end else { return nil }
            if fields.number32(8) == 3, nameSize == 4, (1...64).contains(valueSize),
                try bytes(at: position + 12, 4, read) == Array("GNU\0".utf8)
            {
                return try bytes(at: value, Int(valueSize), read)
            }
            guard next < end else { return nil }
            position = next
        }
        return nil
    }

    // MARK: Parts

    private func readParts(
        _ header: ELFHeader,
        _ segmentCount: Int,
        _ sections: [ELFSection],
        _ size: UInt64,
        _ read: PositionalRead,
        _ summary: inout ELFSummary
    ) throws(Errno) {
        var covered: [Range<UInt64>] = []
        // Sections may lie in one another; whole tables of them must not make one file cost as much as thousands.
        var budget = size + size / 4 + (1 << 20)
        func part(
            _ kind: ELFSummary.Part.Kind,
            _ offset: UInt64,
            _ length: UInt64,
            name: [UInt8] = []
        ) throws(Errno) {
            guard length > 0 else { return }
            let isInside = offset < size && length <= size - offset
            guard isInside, length <= budget else {
                summary.isPartial = true
                return
            }
            budget -= length
            hasher.reset()
            let isWhole = try hash(offset..<offset + length, read)
            if !isWhole { summary.isPartial = true }
            summary.parts.append(
                ELFSummary.Part(kind, name: name, size: length, fingerprint: hasher.fingerprint())
            )
            covered.append(offset..<offset + length)
        }
        try part(.header, 0, UInt64(header.layout.headerSize))
        try part(.programHeaders, header.segmentTable.offset, header.segmentTable.length(segmentCount))
        try part(.sectionHeaders, header.sectionTable.offset, header.sectionTable.length(sections.count))
        let names = try sectionNames(header, sections, size, read)
        for section in sections where section.type != 0 {
            let name = names(section.name)
            if section.type == ELFSection.noBits {
                summary.parts.append(
                    ELFSummary.Part(.section, name: name, size: section.size, fingerprint: 0)
                )
            } else {
                try part(.section, section.offset, section.size, name: name)
            }
        }
        try readRest(covered, size, read, &summary)
    }

    private func readRest(
        _ covered: [Range<UInt64>],
        _ size: UInt64,
        _ read: PositionalRead,
        _ summary: inout ELFSummary
    ) throws(Errno) {
        hasher.reset()
        var (position, length): (UInt64, UInt64) = (0, 0)
        let end = size..<size
        for range in covered.sorted(by: { $0.lowerBound < $1.lowerBound }) + [end] {
            if range.lowerBound > position {
                if try !hash(position..<range.lowerBound, read) { summary.isPartial = true }
                length += range.lowerBound - position
            }
            position = max(position, range.upperBound)
        }
        guard length > 0 else { return }
        summary.parts.append(ELFSummary.Part(.rest, size: length, fingerprint: hasher.fingerprint()))
    }

    /// Gives the name at an offset in the table of section names.
    private func sectionNames(
        _ header: ELFHeader,
        _ sections: [ELFSection],
        _ size: UInt64,
        _ read: PositionalRead
    ) throws(Errno) -> (UInt32) -> [UInt8] {
        let index = header.nameTable(firstSection: sections.first)
        guard sections.indices.contains(index), sections[index].type == ELFSection.strings,
            sections[index].offset < size
        else { return { _ in [] } }
        let table = sections[index]
        let length = min(table.size, size - table.offset, Self.stringsLimit)
        let strings = try bytes(at: table.offset, Int(length), read) ?? []
        return { offset in
            guard Int(offset) < strings.count else { return [] }
            return Array(strings[Int(offset)...].prefix(Self.nameLimit).prefix { $0 != 0 })
        }
    }

    // MARK: Reading

    /// Entries of a table, `ELFReader.tableLimit` at the most; none where they do not all lie in the file.
    private func table(
        _ table: ELFTable,
        count: UInt64,
        _ size: UInt64,
        _ read: PositionalRead,
        _ summary: inout ELFSummary
    ) throws(Errno) -> [ArraySlice<UInt8>] {
        guard table.offset != 0, count > 0 else { return [] }
        let taken = Int(min(count, UInt64(Self.tableLimit)))
        let length = table.length(taken)
        guard table.entrySize >= table.leastEntrySize, table.offset < size, length <= size - table.offset,
            let raw = try bytes(at: table.offset, Int(length), read)
        else {
            summary.isPartial = true
            return []
        }
        if UInt64(taken) < count { summary.isPartial = true }
        return (0..<taken).map { raw[($0 * table.entrySize)..<(($0 + 1) * table.entrySize)] }
    }

    /// The bytes up to a NUL, without it; nil where there is none within the limits.
    private func string(at offset: UInt64, limit: UInt64, _ read: PositionalRead) throws(Errno) -> [UInt8]? {
        let count = Int(min(limit, UInt64(Self.nameLimit)))
        let raw = try upTo(count, at: offset, read)
        guard let end = raw.firstIndex(of: 0) else { return nil }
        return Array(raw[..<end])
    }

    /// Exactly so many bytes; nil where the file ends before.
    private func bytes(at offset: UInt64, _ count: Int, _ read: PositionalRead) throws(Errno) -> [UInt8]? {
        let raw = try upTo(count, at: offset, read)
        return raw.count == count ? raw : nil
    }

    private func upTo(_ count: Int, at offset: UInt64, _ read: PositionalRead) throws(Errno) -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            let (position, overflow) = offset.addingReportingOverflow(UInt64(result.count))
            if overflow { break }
            let piece = try read(position, min(count - result.count, Self.pieceSize))
            if piece.isEmpty { break }
            result.append(contentsOf: piece)
        }
        return result
    }

    /// Adds a range of the file to the hasher; false where the file ends before.
    private func hash(_ range: Range<UInt64>, _ read: PositionalRead) throws(Errno) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            let count = Int(min(range.upperBound - position, UInt64(Self.pieceSize)))
            let piece = try read(position, count)
            if piece.isEmpty { return false }
            hasher.update(piece)
            position += UInt64(piece.count)
        }
        return true
    }
}

extension SHA256Hasher {
    /// The first eight bytes of the digest of what came since the last value.
    fileprivate func fingerprint() -> UInt64 {
        finish().bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
