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

    package static func append(_ attributes: borrowing Attributes, to output: inout [UInt8]) {
        output.append(1)
        output.append(attributes.type.rawValue)
        output.append(little: attributes.mode)
        output.append(little: attributes.uid)
        output.append(little: attributes.gid)
        output.append(little: attributes.links)
        output.append(little: attributes.size)
        output.append(little: attributes.inode)
        append(attributes.mtime, to: &output)
        append(attributes.ctime, to: &output)
        if let btime = attributes.btime {
            output.append(1)
            append(btime, to: &output)
        } else {
            output.append(0)
        }
        output.append(little: attributes.device.major)
        output.append(little: attributes.device.minor)
        output.append(little: attributes.flags.rawValue)
        if let node = attributes.node {
            output.append(1)
            output.append(little: node.major)
            output.append(little: node.minor)
        } else {
            output.append(0)
        }
        switch attributes.content {
        case nil: output.append(0)
        case .digest(let digest):
            output.append(1)
            digest.append(to: &output)
        case .unhashed(let reason):
            output.append(2)
            output.append(reason.rawValue)
        }
        if let target = attributes.target {
            output.append(1)
            output.append(lengthAnd: target)
        } else {
            output.append(0)
        }
        output.append(little: UInt16(clamping: attributes.xattrs.count))
        for xattr in attributes.xattrs.prefix(Int(UInt16.max)) {
            output.append(lengthAnd: xattr.name)
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

    /// The digest of a regular file's content, read without decoding the rest; nil where there is none.
    package static func digest(of state: ArraySlice<UInt8>) -> Digest? {
        guard let status = statusLength(of: state) else { return nil }
        // Behind the status: device, flags, the device's own number if any.
        let node = state.startIndex + status + 2 * 4 + 4
        guard node < state.endIndex else { return nil }
        let content = node + (state[node] == 1 ? 9 : 1)
        guard content < state.endIndex, state[content] == 1 else { return nil }
        return Digest(bytes: state[(content + 1)...].prefix(Digest.size))
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

    private static func append(_ time: Timestamp, to output: inout [UInt8]) {
        output.append(little: UInt64(bitPattern: time.seconds))
        output.append(little: time.nanoseconds)
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

extension [UInt8] {
    package mutating func append(little value: some FixedWidthInteger & UnsignedInteger) {
        var rest = value
        for _ in 0..<value.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// The length in two bytes, then the bytes; Linux names, targets and xattr names are all shorter than 65,536.
    package mutating func append(lengthAnd bytes: some Collection<UInt8>) {
        append(little: UInt16(clamping: bytes.count))
        append(contentsOf: bytes.prefix(Int(UInt16.max)))
    }
}

extension Digest {
    package func append(to output: inout [UInt8]) {
        output.append(contentsOf: bytes)
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
