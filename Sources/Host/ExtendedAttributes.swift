internal import CLinux
import Integrity

/// Reads the extended attributes of an opened file (xattr(7)).
enum ExtendedAttributes {
    /// Linux allows neither a longer list of names nor a longer value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
    private static let largest = 64 << 10

    /// How often a list or a value that grows under the reading is read again.
    private static let tries = 8

    /// The attributes with their values hashed, sorted by name.
    ///
    /// A value that vanished between the two calls is left out.
    /// - Throws: `EACCES` for a value that may not be read, `ENOENT` where a place is asked and /proc is not mounted,
    ///   `ERANGE` where they do not stop growing.
    static func read(_ descriptor: CInt) throws(Errno) -> [ExtendedAttribute] {
        var source = Source.descriptor(descriptor)
        var (count, names) = list(source)
        if count == -Int(EBADF) {
            // A place (`O_PATH`) is asked through the link in /proc, which leads to the very inode, a link's own too.
            source = .place(Array("/proc/self/fd/\(descriptor)".utf8))
            (count, names) = list(source)
        }
        if count == -Int(EOPNOTSUPP) { return [] }
        guard try checked(count) > 0 else { return [] }
        var attributes: [ExtendedAttribute] = []
        for name in names.split(separator: 0, omittingEmptySubsequences: true) {
            guard let value = try value(name, source) else { continue }
            attributes.append(ExtendedAttribute(name: Array(name), value: value))
        }
        attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return attributes
    }

    private enum Source {
        case descriptor(CInt)
        case place([UInt8])

        func list(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            switch self {
            case .descriptor(let number):
                return kernelResult { unsafe flistxattr(number, start, buffer.count) }
            case .place(let path):
                return unsafe withCString(path[...]) { unsafe listxattr($0, start, buffer.count) }
            }
        }

        func value(_ name: UnsafePointer<CChar>, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
            switch self {
            case .descriptor(let number):
                return kernelResult { unsafe fgetxattr(number, name, buffer.baseAddress, buffer.count) }
            case .place(let path):
                return unsafe withCString(path[...]) {
                    unsafe getxattr($0, name, buffer.baseAddress, buffer.count)
                }
            }
        }
    }

    /// The length of the list or the negated error number, and the list.
    ///
    /// No attributes cost no allocation.
    private static func list(_ source: Source) -> (count: Int, names: [UInt8]) {
        var names: [UInt8] = []
        let count = unsafe growing { buffer in
            let count = unsafe source.list(buffer)
            if count > 0 { unsafe names = [UInt8](buffer[..<count]) }
            return count
        }
        return (count, names)
    }

    /// Nil where the attribute is gone, or where its name is listed but the file system keeps no value of that kind.
    private static func value(_ name: ArraySlice<UInt8>, _ source: Source) throws(Errno) -> Digest? {
        var digest: Digest?
        let result = unsafe withCString(name) { pointer in
            unsafe growing { buffer in
                let count = unsafe source.value(pointer, buffer)
                if count >= 0 {
                    digest = unsafe SHA256Hasher.digest(
                        of: UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    )
                }
                return count
            }
        }
        if result == -Int(ENODATA) || result == -Int(EOPNOTSUPP) { return nil }
        try checked(result)
        return digest
    }

    /// Calls with a small buffer on the stack, then, where it answers `ERANGE`, with the largest that can be needed.
    private static func growing(_ call: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        let first = unsafe withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) { unsafe call($0) }
        guard first == -Int(ERANGE) else { return first }
        return unsafe withUnsafeTemporaryAllocation(byteCount: largest, alignment: 1) { buffer in
            for _ in 1..<tries {
                let result = unsafe call(buffer)
                if result != -Int(ERANGE) { return result }
            }
            return -Int(ERANGE)
        }
    }
}
