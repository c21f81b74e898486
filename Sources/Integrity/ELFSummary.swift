/// What is kept of an ELF file (elf(5)) to say later what in it changed, without keeping the file.
///
/// Its parts cover the file: the headers, every section, and whatever lies outside all of them. So no byte can change
/// without a part that differs, also where the section table is a decoy and the loader's segments point elsewhere.
package struct ELFSummary: Hashable, Sendable {
    /// A range of the file's bytes, or several.
    package struct Part: Hashable, Sendable {
        package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
            case header = 1
            /// The table of segments: what is loaded, where, and whether it may be written or run.
            case programHeaders = 2
            case sectionHeaders = 3
            case section = 4
            /// All bytes that belong to no other part, taken together.
            case rest = 5
        }

        package var kind: Kind
        /// The name of a section, as the file has it; empty for the others.
        package var name: [UInt8]
        /// Bytes; of a section that takes none in the file, what it takes in memory.
        package var size: UInt64
        /// The first eight bytes of the SHA-256 of its bytes; 0 for a section that has none in the file.
        package var fingerprint: UInt64

        package init(_ kind: Kind, name: [UInt8] = [], size: UInt64, fingerprint: UInt64) {
            self.kind = kind
            self.name = name
            self.size = size
            self.fingerprint = fingerprint
        }
    }

    /// The class (`EI_CLASS`) and the byte order (`EI_DATA`).
    package var is64Bit: Bool
    package var isBigEndian: Bool
    /// `e_type`: 1 relocatable, 2 executable, 3 shared object or position-independent program, 4 core.
    package var type: UInt16
    /// `e_machine`, as the registry of processors has it.
    package var machine: UInt16
    package var entry: UInt64
    /// The dynamic loader that the kernel starts for it.
    package var interpreter: [UInt8]?
    /// The libraries that the loader brings in, in its order.
    package var needed: [[UInt8]] = []
    /// Where it looks for them first: `DT_RUNPATH`, and its elder `DT_RPATH`.
    package var runPath: [UInt8]?
    package var rpath: [UInt8]?
    package var soname: [UInt8]?
    /// Libraries that the loader brings in to watch or to stand in for others: `DT_AUDIT`, `DT_DEPAUDIT`, `DT_FILTER`,
    /// `DT_AUXILIARY`.
    package var auditors: [[UInt8]] = []
    package var filters: [[UInt8]] = []
    package var buildID: [UInt8]?
    package var parts: [Part] = []
    /// Something in it was damaged, contradicted itself or lay beyond a limit, and is left out.
    package var isPartial = false

    package init(is64Bit: Bool, isBigEndian: Bool, type: UInt16, machine: UInt16, entry: UInt64) {
        self.is64Bit = is64Bit
        self.isBigEndian = isBigEndian
        self.type = type
        self.machine = machine
        self.entry = entry
    }

    /// `64-bit little-endian x86-64 shared object`.
    package var kind: String {
        let machines: [UInt16: String] = [
            3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S390", 40: "ARM", 62: "x86-64",
            183: "AArch64",
            243: "RISC-V", 247: "BPF", 258: "LoongArch",
        ]
        let types: [UInt16: String] = [
            1: "relocatable file", 2: "executable", 3: "shared object", 4: "core file",
        ]
        let words = [
            is64Bit ? "64-bit" : "32-bit", isBigEndian ? "big-endian" : "little-endian",
            machines[machine] ?? "machine \(machine)", types[type] ?? "file of type \(type)",
        ]
        return words.joined(separator: " ")
    }
}

extension ELFSummary {
    /// The summary in bytes, as it is kept.
    package var encoded: [UInt8] {
        var output: [UInt8] = [1]
        output.append((is64Bit ? 1 : 0) | (isBigEndian ? 2 : 0) | (isPartial ? 4 : 0))
        output.append(little: type)
        output.append(little: machine)
        output.append(little: entry)
        for text in [interpreter, runPath, rpath, soname, buildID] {
            output.append(text == nil ? 0 : 1)
            if let text { output.append(lengthAnd: text[...]) }
        }
        for list in [needed, auditors, filters] {
            output.append(little: UInt16(clamping: list.count))
            for name in list.prefix(Int(UInt16.max)) { output.append(lengthAnd: name[...]) }
        }
        output.append(little: UInt16(clamping: parts.count))
        for part in parts.prefix(Int(UInt16.max)) {
            output.append(part.kind.rawValue)
            output.append(lengthAnd: part.name[...])
            output.append(little: part.size)
            output.append(little: part.fingerprint)
        }
        return output
    }

    /// Nil where the bytes are not exactly what `encoded` gives.
    package init?(encoded bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        guard reader.byte() == 1, let flags = reader.byte(), flags < 8, let type: UInt16 = reader.little(),
            let machine: UInt16 = reader.little(), let entry: UInt64 = reader.little()
        else { return nil }
        self.init(
            is64Bit: flags & 1 != 0,
            isBigEndian: flags & 2 != 0,
            type: type,
            machine: machine,
            entry: entry
        )
        isPartial = flags & 4 != 0
        let texts: [WritableKeyPath<ELFSummary, [UInt8]?>] = [
            \.interpreter, \.runPath, \.rpath, \.soname, \.buildID,
        ]
        for text in texts {
            guard let value = reader.optional({ $0.lengthAndBytes() }) else { return nil }
            self[keyPath: text] = value
        }
        let lists: [WritableKeyPath<ELFSummary, [[UInt8]]>] = [\.needed, \.auditors, \.filters]
        for list in lists {
            guard let names = reader.short({ $0.lengthAndBytes() }) else { return nil }
            self[keyPath: list] = names
        }
        guard let parts = reader.short(Part.init), reader.isAtEnd else { return nil }
        self.parts = parts
    }
}

extension ELFSummary.Part {
    fileprivate init?(_ reader: inout ByteReader) {
        guard let kind = reader.byte().flatMap(Kind.init), let name = reader.lengthAndBytes(),
            let size: UInt64 = reader.little(), let fingerprint: UInt64 = reader.little()
        else { return nil }
        self.init(kind, name: name, size: size, fingerprint: fingerprint)
    }
}

extension ByteReader {
    /// The number in two bytes, then as many values.
    fileprivate mutating func short<Value>(_ read: (inout ByteReader) -> Value?) -> [Value]? {
        guard let count: UInt16 = little() else { return nil }
        var values: [Value] = []
        for _ in 0..<count {
            guard let value = read(&self) else { return nil }
            values.append(value)
        }
        return values
    }
}
