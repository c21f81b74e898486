import Host
import Integrity

/// Makes small ELF files of either class and byte order, with a section table, a dynamic section and a note.
struct ELFImage {
    var is64Bit = true
    var isBigEndian = false
    var entry: UInt64 = 0x1000
    var interpreter = "/lib64/ld-linux-x86-64.so.2"
    var needed = ["libc.so.6", "libm.so.6"]
    var runPath: String?
    var rpath: String?
    var soname: String?
    var audit: String?
    var buildID: [UInt8] = Array(1...20)
    /// Further sections with their bytes, in the order of the file.
    var sections: [(name: String, bytes: [UInt8])] = [
        (".text", [UInt8](repeating: 0x90, count: 40)), (".rodata", Array("constant".utf8)),
    ]
    /// Bytes between the last section and the section table that belong to nothing.
    var padding: [UInt8] = [0, 0, 0, 0, 0]

    static let variants: [ELFImage] = [(true, false), (true, true), (false, false), (false, true)].map {
        var image = ELFImage()
        (image.is64Bit, image.isBigEndian) = $0
        return image
    }

    private func number(_ value: UInt64, _ count: Int) -> [UInt8] {
        let little = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        return isBigEndian ? little.reversed() : little
    }

    private func half(_ value: Int) -> [UInt8] { number(UInt64(value), 2) }
    private func long(_ value: Int) -> [UInt8] { number(UInt64(value), 4) }
    private func word(_ value: Int) -> [UInt8] { number(UInt64(value), is64Bit ? 8 : 4) }

    /// The file is loaded at the address 0x10000, byte for byte.
    private static let base = 0x10000

    var bytes: [UInt8] {
        var strings: [UInt8] = [0]
        func string(_ text: String) -> Int {
            defer { strings += Array(text.utf8) + [0] }
            return strings.count
        }
        var tags: [(Int, Int)] = needed.map { (1, string($0)) }
        if let soname { tags.append((14, string(soname))) }
        if let rpath { tags.append((15, string(rpath))) }
        if let runPath { tags.append((29, string(runPath))) }
        if let audit { tags.append((0x6FFF_FEFC, string(audit))) }

        let headerSize = is64Bit ? 64 : 52
        let segmentSize = is64Bit ? 56 : 32
        let note = long(4) + long(buildID.count) + long(3) + Array("GNU\0".utf8) + buildID
        let dynamicSize = (tags.count + 3) * (is64Bit ? 16 : 8)
        var place = headerSize + 4 * segmentSize
        func next(_ count: Int) -> Int {
            defer { place += count }
            return place
        }
        let interpreterBytes = Array(interpreter.utf8) + [0]
        let interpreterAt = next(interpreterBytes.count)
        let noteAt = next(note.count)
        let stringsAt = next(strings.count)
        let dynamicAt = next(dynamicSize)
        tags += [(5, Self.base + stringsAt), (10, strings.count), (0, 0)]
        let dynamic = tags.flatMap { word($0.0) + word($0.1) }
        let placed = sections.map { (name: $0.name, bytes: $0.bytes, at: next($0.bytes.count)) }
        _ = next(padding.count)

        var table: [(name: String, type: Int, at: Int, size: Int)] = [
            ("", 0, 0, 0), (".interp", 1, interpreterAt, interpreterBytes.count),
            (".note.gnu.build-id", 7, noteAt, note.count), (".dynstr", 3, stringsAt, strings.count),
            (".dynamic", 6, dynamicAt, dynamicSize),
        ]
        table += placed.map { ($0.name, 1, $0.at, $0.bytes.count) }
        table.append((".bss", 8, place, 4_096))
        let names = table.map { Array($0.name.utf8) + [0] } + [Array(".shstrtab".utf8) + [0]]
        let nameTable = names.flatMap { $0 }
        let namesAt = next(nameTable.count)
        table.append((".shstrtab", 3, namesAt, nameTable.count))
        let tableAt = place

        var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, isBigEndian ? 2 : 1, 1]
        file += [UInt8](repeating: 0, count: 9)
        file +=
            half(3) + half(62) + long(1) + number(entry, is64Bit ? 8 : 4) + word(headerSize) + word(tableAt)
        file += long(0) + half(headerSize) + half(segmentSize) + half(4)
        file += half(is64Bit ? 64 : 40) + half(table.count) + half(table.count - 1)
        let segments = [
            (1, 0, tableAt), (2, dynamicAt, dynamicSize), (3, interpreterAt, interpreterBytes.count),
            (4, noteAt, note.count),
        ]
        for (type, at, size) in segments {
            let address = word(Self.base + at)
            file +=
                long(type) + (is64Bit ? long(5) : []) + word(at) + address + address + word(size) + word(size)
            file += is64Bit ? word(1) : long(5) + word(1)
        }
        file += interpreterBytes + note + strings + dynamic + placed.flatMap(\.bytes) + padding + nameTable
        var nameOffset = 0
        for (row, name) in zip(table, names) {
            file += long(nameOffset) + long(row.type) + word(0) + word(0) + word(row.at) + word(row.size)
            file += long(0) + long(0) + word(1) + word(0)
            nameOffset += name.count
        }
        return file
    }
}

/// Reads the summary of a file in memory, a few bytes at a time.
func summary(of bytes: [UInt8], size: UInt64? = nil, step: Int = 1_000) throws -> ELFSummary? {
    try ELFReader().summary(size: size ?? UInt64(bytes.count)) { (offset, count) throws(Errno) in
        piece(of: bytes, at: offset, min(count, step))
    }
}

func piece(of bytes: [UInt8], at offset: UInt64, _ count: Int) -> [UInt8] {
    offset < UInt64(bytes.count) ? Array(bytes[Int(offset)...].prefix(count)) : []
}
