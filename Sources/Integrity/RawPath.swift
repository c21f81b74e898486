/// A Linux path: any bytes but NUL, compared and stored exactly as the kernel gave them.
///
/// Paths of this type are absolute and hold neither empty, `.` nor `..` components unless said otherwise.
package struct RawPath: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A path written in source code or given as valid UTF-8.
    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    package static let root = RawPath("/")

    package var isAbsolute: Bool { bytes.first == slash }

    package var isRoot: Bool { bytes == [slash] }

    /// The components between slashes; empty ones are left out, so that `/` has none.
    package var components: [ArraySlice<UInt8>] {
        bytes.split(separator: slash, omittingEmptySubsequences: true)
    }

    /// The last component; empty for `/`.
    package var name: ArraySlice<UInt8> {
        guard let cut = bytes.lastIndex(of: slash) else { return bytes[...] }
        return bytes[(cut + 1)...]
    }

    /// The directory the name stands in; `/` is its own parent.
    package var parent: RawPath {
        guard let cut = bytes.lastIndex(of: slash), cut > 0 else { return .root }
        return RawPath(bytes: Array(bytes[..<cut]))
    }

    /// One level down.
    package func appending(_ name: ArraySlice<UInt8>) -> RawPath {
        var joined: [UInt8] = []
        joined.reserveCapacity(bytes.count + name.count + 1)
        joined.append(contentsOf: bytes)
        if joined.last != slash { joined.append(slash) }
        joined.append(contentsOf: name)
        return RawPath(bytes: joined)
    }

    package func appending(_ name: [UInt8]) -> RawPath { appending(name[...]) }

    package func appending(_ name: some Sequence<UInt8>) -> RawPath {
        var joined = bytes
        joined.reserveCapacity(bytes.count + name.underestimatedCount + 1)
        if joined.last != slash { joined.append(slash) }
        joined.append(contentsOf: name)
        return RawPath(bytes: joined)
    }

    package func appending(_ name: String) -> RawPath { appending(name.utf8) }

    /// True for the directory itself and everything below it.
    package func isWithin(_ directory: RawPath) -> Bool {
        if directory.isRoot { return true }
        guard bytes.starts(with: directory.bytes) else { return false }
        return bytes.count == directory.bytes.count || bytes[directory.bytes.count] == slash
    }

    /// The same path with `old` in front replaced by `new`; nil where it does not lie within `old`.
    package func moved(from old: RawPath, to new: RawPath) -> RawPath? {
        guard isWithin(old) else { return nil }
        let rest = bytes[(old.isRoot ? 0 : old.bytes.count)...]
        if new.isRoot { return rest.isEmpty ? .root : RawPath(bytes: Array(rest)) }
        return RawPath(bytes: new.bytes + rest)
    }

    /// Without doubled or trailing slashes, `.` removed, `..` taken lexically.
    ///
    /// Only for what a person typed, before links are resolved: `a/../b` and `b` differ where `a` is a link.
    package var normalized: RawPath {
        var kept: [ArraySlice<UInt8>] = []
        for component in components {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                _ = kept.popLast()
            } else {
                kept.append(component)
            }
        }
        return RawPath(components: kept)
    }

    package init(components: [ArraySlice<UInt8>]) {
        guard !components.isEmpty else {
            self = .root
            return
        }
        var joined: [UInt8] = []
        for component in components {
            joined.append(slash)
            joined.append(contentsOf: component)
        }
        self.init(bytes: joined)
    }
}

/// Directory-major order: the parent's components first, then the name.
///
/// One directory's entries stand together, a subtree is one range. It is the order `memcmp` gives to
/// `orderKey`: every parent component followed by NUL, one more NUL, the name.
extension RawPath: Comparable {
    package static func < (left: RawPath, right: RawPath) -> Bool {
        left.orderKey.lexicographicallyPrecedes(right.orderKey)
    }

    /// `/a/b/c` is `a 00 b 00 00 c`.
    package var orderKey: [UInt8] {
        let parts = components
        var key: [UInt8] = []
        key.reserveCapacity(bytes.count + 2)
        for part in parts.dropLast() {
            key.append(contentsOf: part)
            key.append(0)
        }
        key.append(0)
        if let last = parts.last { key.append(contentsOf: last) }
        return key
    }
}

extension RawPath: CustomStringConvertible {
    /// For people, never for reopening: UTF-8 stays; control, format and broken bytes become `\xNN`.
    package var description: String { escaped(bytes) }
}

extension RawPath: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}

package let slash = UInt8(ascii: "/")
