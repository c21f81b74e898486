import Integrity
import TestSupport

/// Values of every shape, from a seed that a failing test prints.
extension SeededGenerator {
    mutating func bytes(upTo count: Int, of alphabet: [UInt8]? = nil) -> [UInt8] {
        let length = Int.random(in: 0...count, using: &self)
        return (0..<length).map { _ in
            alphabet?.randomElement(using: &self) ?? UInt8.random(in: 0...255, using: &self)
        }
    }

    mutating func digest() -> Digest { Digest(words: (next(), next(), next(), next())) }

    /// A name of any bytes but NUL and slash, often of those that make trouble.
    mutating func name() -> [UInt8] {
        let trouble: [UInt8] = [
            0x01, 0x0A, 0x1B, 0x2E, 0x5C, 0x61, 0x62, 0x78, 0x7F, 0x85, 0xC3, 0xA9, 0xE2, 0x80, 0xAE, 0xFF,
        ]
        let count = Int.random(in: 1...5, using: &self)
        return (0..<count).map { _ in trouble.randomElement(using: &self) ?? 0x61 }
    }

    mutating func path() -> RawPath {
        (0..<Int.random(in: 0...5, using: &self)).reduce(.root) { path, _ in path.appending(name()) }
    }

    /// Any moment that 64 bits of seconds can hold.
    mutating func time(wholeMicroseconds: Bool = false) -> Timestamp {
        let part = UInt32.random(in: 0..<1_000_000_000, using: &self)
        let seconds =
            Bool.random(using: &self)
            ? Int64.random(in: 0...2_000_000_000, using: &self) : Int64(bitPattern: next())
        return Timestamp(seconds: seconds, nanoseconds: wholeMicroseconds ? part / 1_000 * 1_000 : part)
    }

    /// Every field with any value; `forJSON` keeps to what JSON gives back.
    mutating func attributes(forJSON: Bool = false) -> Attributes {
        var attributes = Attributes(type: FileType.allCases.randomElement(using: &self) ?? .file)
        switch Int.random(in: 0...2, using: &self) {
        case 0: attributes.content = .digest(digest())
        case 1:
            attributes.content = .unhashed(UnhashedReason.allCases.randomElement(using: &self) ?? .unstable)
        default: break
        }
        attributes.size = forJSON ? next() >> 1 : next()
        attributes.mode = UInt16.random(in: 0...0o7777, using: &self)
        (attributes.uid, attributes.gid) = (
            UInt32(truncatingIfNeeded: next()), UInt32(truncatingIfNeeded: next())
        )
        attributes.mtime = time(wholeMicroseconds: forJSON)
        attributes.ctime = time(wholeMicroseconds: forJSON)
        if Bool.random(using: &self) { attributes.btime = time(wholeMicroseconds: forJSON) }
        attributes.inode = next()
        let number = DeviceNumber(
            major: UInt32(truncatingIfNeeded: next()),
            minor: UInt32(truncatingIfNeeded: next())
        )
        if attributes.type.isDevice { attributes.node = number } else { attributes.device = number }
        attributes.links = UInt32(truncatingIfNeeded: next())
        attributes.flags = FileFlags(rawValue: UInt32(truncatingIfNeeded: next())).intersection(.settable)
        if Bool.random(using: &self) { attributes.target = bytes(upTo: 40) }
        let names = Set((0..<Int.random(in: 0...3, using: &self)).map { _ in name() })
        attributes.xattrs = names.sorted { $0.lexicographicallyPrecedes($1) }
            .map { ExtendedAttribute(name: $0, value: digest()) }
        if Bool.random(using: &self) { attributes.names = digest() }
        return attributes
    }
}
