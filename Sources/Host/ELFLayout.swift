import Integrity

/// The class and byte order of one ELF file, on which the place of every field depends.
struct ELFLayout {
    var is64Bit: Bool
    var isBigEndian: Bool

    var headerSize: Int { is64Bit ? 64 : 52 }
}

/// Numbers in the bytes of one header or entry; the caller has made sure that they are there.
struct ELFFields {
    private let bytes: ArraySlice<UInt8>
    let layout: ELFLayout

    init(_ bytes: ArraySlice<UInt8>, _ layout: ELFLayout) {
        self.bytes = bytes
        self.layout = layout
    }

    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        let field = bytes.dropFirst(offset).prefix(count)
        let ordered = layout.isBigEndian ? Array(field) : field.reversed()
        return ordered.reduce(0) { $0 << 8 | UInt64($1) }
    }

    func number16(_ offset: Int) -> UInt16 { UInt16(number(offset, 2)) }
    func number32(_ offset: Int) -> UInt32 { UInt32(number(offset, 4)) }
    func number64(_ offset: Int) -> UInt64 { number(offset, 8) }
    /// An address, offset or size: four or eight bytes.
    func word(_ offset: Int) -> UInt64 { number(offset, layout.is64Bit ? 8 : 4) }
    /// The same at a place that depends on the class.
    func word(_ offset32: Int, _ offset64: Int) -> UInt64 { word(layout.is64Bit ? offset64 : offset32) }
}

/// Where a table of headers lies.
struct ELFTable {
    var offset: UInt64
    var entrySize: Int
    /// What an entry takes at the least to hold its fields.
    var leastEntrySize: Int

    func length(_ count: Int) -> UInt64 { UInt64(count) * UInt64(entrySize) }
}

/// The header at the beginning of the file.
struct ELFHeader {
    let layout: ELFLayout
    let type: UInt16
    let machine: UInt16
    let entry: UInt64
    let segmentTable: ELFTable
    let sectionTable: ELFTable
    private let segments: UInt16
    private let sections: UInt16
    private let names: UInt16

    init(_ bytes: [UInt8], _ layout: ELFLayout) {
        let fields = ELFFields(bytes[...], layout)
        self.layout = layout
        type = fields.number16(16)
        machine = fields.number16(18)
        entry = fields.word(24)
        let counts = layout.is64Bit ? 54 : 42
        segmentTable = ELFTable(
            offset: fields.word(28, 32),
            entrySize: Int(fields.number16(counts)),
            leastEntrySize: layout.is64Bit ? 56 : 32
        )
        segments = fields.number16(counts + 2)
        sectionTable = ELFTable(
            offset: fields.word(32, 40),
            entrySize: Int(fields.number16(counts + 4)),
            leastEntrySize: layout.is64Bit ? 64 : 40
        )
        sections = fields.number16(counts + 6)
        names = fields.number16(counts + 8)
    }

    // Numbers that do not fit into the header stand in the first section's.

    func segmentCount(firstSection: ELFSection?) -> UInt64 {
        segments == 0xFFFF ? UInt64(firstSection?.info ?? 0) : UInt64(segments)
    }

    func sectionCount(firstSection: ELFSection?) -> UInt64 {
        sections == 0 ? firstSection?.size ?? 0 : UInt64(sections)
    }

    func nameTable(firstSection: ELFSection?) -> Int {
        names == 0xFFFF ? Int(firstSection?.link ?? 0) : Int(names)
    }
}

struct ELFSection {
    static let strings: UInt32 = 3
    static let note: UInt32 = 7
    static let noBits: UInt32 = 8

    let name: UInt32
    let type: UInt32
    let offset: UInt64
    let size: UInt64
    let link: UInt32
    let info: UInt32

    init(_ bytes: ArraySlice<UInt8>, _ layout: ELFLayout) {
        let fields = ELFFields(bytes, layout)
        name = fields.number32(0)
        type = fields.number32(4)
        offset = fields.word(16, 24)
        size = fields.word(20, 32)
        link = fields.number32(layout.is64Bit ? 40 : 24)
        info = fields.number32(layout.is64Bit ? 44 : 28)
    }
}

struct ELFSegment {
    static let load: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let interpreter: UInt32 = 3
    static let note: UInt32 = 4

    let type: UInt32
    let offset: UInt64
    let address: UInt64
    /// Bytes in the file.
    let size: UInt64

    init(_ bytes: ArraySlice<UInt8>, _ layout: ELFLayout) {
        let fields = ELFFields(bytes, layout)
        type = fields.number32(0)
        offset = fields.word(4, 8)
        address = fields.word(8, 16)
        size = fields.word(16, 32)
    }

    /// The bytes at that address come from this segment of the file.
    func loads(_ wanted: UInt64) -> Bool {
        type == ELFSegment.load && wanted >= address && wanted - address < size
    }
}

/// The tags of the dynamic section that matter here.
enum ELFDynamic {
    static let strings: UInt64 = 5
    static let stringsSize: UInt64 = 10

    /// What a string of the dynamic section is for.
    enum Use {
        case list(WritableKeyPath<ELFSummary, [[UInt8]]>)
        case single(WritableKeyPath<ELFSummary, [UInt8]?>)
    }

    static func use(of tag: UInt64) -> Use? {
        switch tag {
        case 1: .list(\.needed)
        case 14: .single(\.soname)
        case 15: .single(\.rpath)
        case 29: .single(\.runPath)
        case 0x6FFF_FEFB, 0x6FFF_FEFC: .list(\.auditors)
        case 0x7FFF_FFFD, 0x7FFF_FFFF: .list(\.filters)
        default: nil
        }
    }
}
