internal import CLinux
package import Integrity

/// Reads a file of the system or of ours at once, wherever links lead.
///
/// Not for what is examined.
///
/// - Parameters:
///   - path: Absolute, or relative to where the program was started.
///   - limit: The number of bytes it may hold at most.
/// - Returns: All its bytes.
/// - Throws: `ENOENT`, `EACCES`, `EISDIR`; `EFBIG` where it holds more than the limit; `EINVAL` for a FIFO, a socket or a
///   block device, which are never waited for.
package func readFile(_ path: RawPath, limit: Int) throws(Errno) -> [UInt8] {
    let number = unsafe withCString(path.bytes[...]) { pointer in
        unsafe mw_openat(AT_FDCWD, pointer, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
    }
    return try contents(
        of: OwnedDescriptor(owning: CInt(try checked(number))),
        in: KernelTree(),
        limit: limit
    )
}

extension PathResolver {
    /// Reads a file of the tree at once, following links inside the tree only.
    ///
    /// Only regular files: whoever made the tree could have put a device there, and opening one may have an effect.
    ///
    /// - Throws: As the function of that name; `ENOENT` also where links go in a circle; `EINVAL` for any device.
    package func readFile(_ path: RawPath, limit: Int) throws(Errno) -> [UInt8] {
        let resolution = resolve(path)
        guard let file = resolution.final else {
            throw resolution.failure.map { Errno($0.errno) } ?? .noEntry
        }
        let parent = try tree.openToLook(file.parent)
        let type = try tree.status(of: file.nameInParent, in: parent).type
        guard type == .file || type == .directory else { throw .invalid }
        return try contents(of: try tree.openFile(file.nameInParent, in: parent), in: tree, limit: limit)
    }
}

private func contents(of file: consuming OwnedDescriptor, in tree: some FileTree, limit: Int)
    throws(Errno) -> [UInt8]
{
    switch try tree.status(of: file).type {
    case .file, .characterDevice: break
    case .directory: throw .isDirectory
    default: throw .invalid
    }
    var bytes: [UInt8] = []
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { unsafe room.deallocate() }
    while true {
        let count = try unsafe tree.read(file, into: room)
        if count == 0 { return bytes }
        guard bytes.count + count <= limit else { throw .tooLarge }
        unsafe bytes.append(contentsOf: room[..<count])
    }
}
