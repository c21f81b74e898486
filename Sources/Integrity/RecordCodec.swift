/// The canonical byte form of what a record holds beside its path, used in the baseline file and in the history's
/// table of observed states.
///
/// Two states are equal if and only if their bytes are equal. All numbers are little-endian. Layout, in order:
///
/// | bytes | field |
/// |---|---|
/// | 1 | 1 examined, 2 unexamined; for 2 follow operation (1) and errno (4) and nothing else |
/// | 1 | type, as `FileType` |
/// | 2 | mode |
/// | 4 × 3 | uid, gid, links |
/// | 8 × 2 | size, inode |
/// | 12 × 2 | mtime and ctime: seconds (8, signed), nanoseconds (4) |
/// | 1 [+ 12] | 1 and btime, or 0 |
/// | 8 | device: major (4), minor (4) |
/// | 4 | flags |
/// | 1 [+ 8] | 1 and the node's number, or 0 |
/// | 1 [+ 32 or 1] | 0 no content, 1 and a SHA-256, 2 and an `UnhashedReason` |
/// | 1 [+ 2 + n] | 1 and the link target with its length, or 0 |
/// | 2 + each (2 + n + 32) | xattrs: their number; name with its length, SHA-256 of the value |
/// | 1 [+ 32] | 1 and the SHA-256 of the names, or 0 |
package enum StateCodec {
    package static func append(_ state: RecordedState, to output: inout [UInt8]) {
        switch state {
        case .examined(let attributes, _): append(attributes, to: &output)
        case .unexamined(let failure):
            output.append(2)
            output.append(failure.operation.rawValue)
            output.append(little: UInt32(bitPattern: failure.errno))
        }
    }

    /// This runs for every file: whatever has a fixed length goes into the array in one piece, and most files have
    /// nothing else.
    package static func append(_ attributes: borrowing Attributes, to output: inout [UInt8]) {
        let isPlain = attributes.target == nil && attributes.xattrs.isEmpty && attributes.names == nil
        unsafe withUnsafeTemporaryAllocation(byteCount: FixedFields.capacity, alignment: 8) { memory in
            var fields = unsafe FixedFields(memory)
            fields.put(1 as UInt8)
            fields.put(attributes.type.rawValue)
            fields.put(attributes.mode)
            fields.put(attributes.uid)
            fields.put(attributes.gid)
            fields.put(attributes.links)
            fields.put(attributes.size)
            fields.put(attributes.inode)
            fields.put(attributes.mtime)
            fields.put(attributes.ctime)
            if let btime = attributes.btime {
                fields.put(1 as UInt8)
                fields.put(btime)
            } else {
                fields.put(0 as UInt8)
            }
            fields.put(attributes.device)
            fields.put(attributes.flags.rawValue)
            if let node = attributes.node {
                fields.put(1 as UInt8)
                fields.put(node)
            } else {
                fields.put(0 as UInt8)
            }
            switch attributes.content {
            case nil: fields.put(0 as UInt8)
            case .digest(let digest):
                fields.put(1 as UInt8)
                fields.put(digest)
            case .unhashed(let reason):
                fields.put(2 as UInt8)
                fields.put(reason.rawValue)
            }
            if isPlain {
                fields.put(0 as UInt8)
                fields.put(0 as UInt16)
                fields.put(0 as UInt8)
            }
            fields.append(to: &output)
        }
        if !isPlain { appendRest(attributes, to: &output) }
    }

    /// The link's target, the extended attributes and the names.
    private static func appendRest(_ attributes: borrowing Attributes, to output: inout [UInt8]) {
        if let target = attributes.target {
            output.append(1)
            output.append(lengthAnd: target[...])
        } else {
            output.append(0)
        }
        output.append(little: UInt16(clamping: attributes.xattrs.count))
        for xattr in attributes.xattrs.prefix(Int(UInt16.max)) {
            output.append(lengthAnd: xattr.name[...])
            xattr.value.append(to: &output)
        }
        if let names = attributes.names {
            output.append(1)
            names.append(to: &output)
        } else {
            output.append(0)
        }
    }

    /// Where btime's presence is told: after kind, type, mode, three numbers, size, inode, mtime and ctime.
    private static let btimeOffset = 2 + 2 + 3 * 4 + 2 * 8 + 2 * 12

    /// The length of the part that one statx(2) tells without opening the file and that stays the same over a
    /// reboot: everything up to btime.
    ///
    /// Nil where the state is not that of an examined path.
    package static func statusLength(of state: ArraySlice<UInt8>) -> Int? {
        guard state.count > btimeOffset, state.first == 1 else { return nil }
        return btimeOffset + (state[state.startIndex + btimeOffset] == 1 ? 13 : 1)
    }

    /// Reads one state; nil where the bytes are not exactly what `append` writes.
    package static func decode(_ reader: inout ByteReader, isRacy: Bool) -> RecordedState? {
        switch reader.byte() {
        case 1:
            guard let attributes = attributes(&reader) else { return nil }
            return .examined(attributes, isRacy: isRacy)
        case 2:
            guard let operation = reader.byte().flatMap(Failure.Operation.init),
                let errno: UInt32 = reader.little()
            else { return nil }
            return .unexamined(Failure(operation, Int32(bitPattern: errno)))
        default: return nil
        }
    }

    private static func attributes(_ reader: inout ByteReader) -> Attributes? {
        guard let type = reader.byte().flatMap(FileType.init), let mode: UInt16 = reader.little(),
            let uid: UInt32 = reader.little(), let gid: UInt32 = reader.little(),
            let links: UInt32 = reader.little(),
            let size: UInt64 = reader.little(), let inode: UInt64 = reader.little(),
            let mtime = timestamp(&reader), let ctime = timestamp(&reader)
        else { return nil }
        var attributes = Attributes(type: type)
        attributes.mode = mode
        (attributes.uid, attributes.gid, attributes.links) = (uid, gid, links)
        (attributes.size, attributes.inode) = (size, inode)
        (attributes.mtime, attributes.ctime) = (mtime, ctime)
        guard let btime = reader.optional(timestamp) else { return nil }
        attributes.btime = btime
        guard let device = number(&reader), let flags: UInt32 = reader.little(),
            let node = reader.optional(number)
        else { return nil }
        (attributes.device, attributes.node) = (device, node)
        attributes.flags = FileFlags(rawValue: flags)
        switch reader.byte() {
        case 0: break
        case 1:
            guard let digest = reader.digest() else { return nil }
            attributes.content = .digest(digest)
        case 2:
            guard let reason = reader.byte().flatMap(UnhashedReason.init) else { return nil }
            attributes.content = .unhashed(reason)
        default: return nil
        }
        guard let target = reader.optional({ $0.lengthAndBytes() }), let count: UInt16 = reader.little()
        else { return nil }
        attributes.target = target
        for _ in 0..<count {
            guard let name = reader.lengthAndBytes(), let value = reader.digest() else { return nil }
            attributes.xattrs.append(ExtendedAttribute(name: name, value: value))
        }
        guard let names = reader.optional({ $0.digest() }) else { return nil }
        attributes.names = names
        return attributes
    }

    private static func timestamp(_ reader: inout ByteReader) -> Timestamp? {
        guard let seconds: UInt64 = reader.little(), let nanoseconds: UInt32 = reader.little(),
            nanoseconds < 1_000_000_000
        else { return nil }
        return Timestamp(seconds: Int64(bitPattern: seconds), nanoseconds: nanoseconds)
    }

    private static func number(_ reader: inout ByteReader) -> DeviceNumber? {
        guard let major: UInt32 = reader.little(), let minor: UInt32 = reader.little() else { return nil }
        return DeviceNumber(major: major, minor: minor)
    }
}

/// The fields of fixed length of one state, put behind each other in a small piece of memory.
@safe
private struct FixedFields {
    /// More than all fields together: 127.
    static let capacity = 128

    // It lives no longer than the closure that was given the memory, and `put` stays within it.
    private let memory: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) {
        unsafe self.memory = memory
    }

    mutating func put<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(_ value: Value) {
        precondition(count + MemoryLayout<Value>.size <= FixedFields.capacity)
        unsafe memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: Value.self)
        count += MemoryLayout<Value>.size
    }

    mutating func put(_ time: Timestamp) {
        put(UInt64(bitPattern: time.seconds))
        put(time.nanoseconds)
    }

    mutating func put(_ number: DeviceNumber) {
        put(number.major)
        put(number.minor)
    }

    mutating func put(_ digest: Digest) {
        let words = digest.bigEndianWords
        // Turned twice is not turned: these are bytes in their order already.
        put(words.0.littleEndian)
        put(words.1.littleEndian)
        put(words.2.littleEndian)
        put(words.3.littleEndian)
    }

    func append(to output: inout [UInt8]) {
        unsafe output.append(contentsOf: UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }
}

// One function for each width: generic ones run unspecialised in other modules, at forty times the cost.
extension [UInt8] {
    package mutating func append(little value: UInt16) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    package mutating func append(little value: UInt32) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    package mutating func append(little value: UInt64) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// The length in two bytes, then the bytes; Linux names, targets and xattr names are all shorter than 65,536.
    package mutating func append(lengthAnd bytes: ArraySlice<UInt8>) {
        append(little: UInt16(clamping: bytes.count))
        append(contentsOf: bytes.prefix(Int(UInt16.max)))
    }
}

extension Digest {
    package func append(to output: inout [UInt8]) {
        unsafe withUnsafeBytes(of: bigEndianWords) { unsafe output.append(contentsOf: $0) }
    }
}

/// Reads little-endian numbers and byte strings, never beyond the end.
package struct ByteReader: Sendable {
    package let bytes: [UInt8]
    package private(set) var position: Int
    package let end: Int

    package init(_ bytes: [UInt8], from position: Int = 0, to end: Int? = nil) {
        self.bytes = bytes
        self.position = position
        self.end = min(end ?? bytes.count, bytes.count)
    }

    package var isAtEnd: Bool { position >= end }

    package mutating func byte() -> UInt8? {
        guard position < end else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func little<Value: FixedWidthInteger & UnsignedInteger>() -> Value? {
        let size = Value.bitWidth / 8
        guard end - position >= size else { return nil }
        var value: Value = 0
        for offset in 0..<size {
            value |=
                Value(truncatingIfNeeded: bytes[position + offset]) << Value(truncatingIfNeeded: 8 * offset)
        }
        position += size
        return value
    }

    package mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, end - position >= count else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }

    package mutating func digest() -> Digest? {
        take(Digest.size).flatMap { Digest(bytes: $0) }
    }

    package mutating func lengthAndBytes() -> [UInt8]? {
        guard let count: UInt16 = little() else { return nil }
        return take(Int(count)).map(Array.init)
    }

    /// 0 for nothing, 1 and a value.
    ///
    /// The outer nil says that the bytes are neither.
    package mutating func optional<Value>(_ read: (inout ByteReader) -> Value?) -> Value?? {
        switch byte() {
        case 0: return .some(nil)
        case 1:
            guard let value = read(&self) else { return nil }
            return .some(value)
        default: return nil
        }
    }
}
