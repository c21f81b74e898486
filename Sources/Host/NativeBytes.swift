/// Reads numbers in the byte order of this machine out of what the kernel gave; nil where they would reach beyond its
/// end.
struct NativeBytes {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// The first of `count` bytes at an offset from the start.
    private func start(_ offset: Int, _ count: Int) -> Int? {
        guard offset >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return bytes.startIndex + offset
    }

    func u8(_ offset: Int) -> UInt8? { start(offset, 1).map { bytes[$0] } }

    func u16(_ offset: Int) -> UInt16? { number(offset) }
    func u32(_ offset: Int) -> UInt32? { number(offset) }
    func u64(_ offset: Int) -> UInt64? { number(offset) }
    func i32(_ offset: Int) -> Int32? { u32(offset).map(Int32.init(bitPattern:)) }

    /// A part of it, as long as it lies within.
    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0 else { return nil }
        return start(offset, count).map { bytes[$0..<$0 + count] }
    }

    private func number<Number: FixedWidthInteger & UnsignedInteger>(_ offset: Int) -> Number? {
        let size = Number.bitWidth / 8
        guard let start = start(offset, size) else { return nil }
        var little: Number = 0
        for position in (0..<size).reversed() { little = little << 8 | Number(bytes[start + position]) }
        // Turns the bytes round on a big-endian machine and does nothing on the others.
        return Number(littleEndian: little)
    }
}
