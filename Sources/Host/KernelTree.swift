internal import CLinux
package import Integrity

/// The files that the kernel shows, below `/` or below another root.
package struct KernelTree: FileTree {
    /// Where absolute paths begin; nil for `/`.
    private let root: Root?
    private let usesOpenat2: Bool

    /// An opened directory that many copies of a tree share.
    private final class Root: Sendable {
        let descriptor: OwnedDescriptor

        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    }

    package init() {
        root = nil
        usesOpenat2 = true
    }

    /// A tree as a kernel without openat2(2) (before 5.6, or behind a system call filter) makes one walk it.
    init(withoutOpenat2: Void) {
        root = nil
        usesOpenat2 = false
    }

    /// The tree below a directory, in which `/usr` means its own `usr`.
    ///
    /// Nothing outside is ever opened. Links in the path of the root itself are followed.
    ///
    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES`.
    package init(root path: RawPath) throws(Errno) {
        let number = unsafe withCString(path.bytes[...]) { pointer in
            unsafe mw_openat(AT_FDCWD, pointer, O_PATH | O_DIRECTORY, 0)
        }
        root = Root(OwnedDescriptor(owning: CInt(try checked(number))))
        usesOpenat2 = true
    }

    // MARK: Opening

    package func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        guard path.isAbsolute else { throw .invalid }
        if let root { return try openDirectory(path, below: root.descriptor) }
        guard usesOpenat2, path.bytes.count < Int(PATH_MAX) else { return try walk(path, from: openRoot()) }
        return try whole(path.bytes[...], in: AT_FDCWD, 0) { () throws(Errno) in
            try walk(path, from: openRoot())
        }
    }

    private func openDirectory(_ path: RawPath, below root: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        let start = path.bytes.firstIndex { $0 != slash }
        guard let start else { return try openDirectory(dot, in: root) }
        guard path.bytes.count - start < Int(PATH_MAX) else {
            return try walk(path, from: place(dot, in: root))
        }
        let number = root.lend { $0 }
        return try whole(path.bytes[start...], in: number, UInt64(RESOLVE_IN_ROOT)) { () throws(Errno) in
            try walk(path, from: place(dot, in: root))
        }
    }

    /// Opens a path in one call.
    ///
    /// Where the kernel has no openat2(2), or a filter hides it, `otherwise` does it.
    private func whole(
        _ path: ArraySlice<UInt8>,
        in directory: CInt,
        _ resolve: UInt64,
        otherwise: () throws(Errno) -> OwnedDescriptor
    )
        throws(Errno) -> OwnedDescriptor
    {
        let result = unsafe withCString(path) { pointer in
            unsafe mw_openat2(
                directory,
                pointer,
                UInt64(O_RDONLY | O_DIRECTORY),
                UInt64(RESOLVE_NO_SYMLINKS) | resolve
            )
        }
        if result == -Int(ENOSYS) || result == -Int(EPERM) { return try otherwise() }
        return OwnedDescriptor(owning: CInt(try checked(result)))
    }

    private func openRoot() throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(
            owning: CInt(try retrying { unsafe mw_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0) })
        )
    }

    /// Opens a path component by component: every one must be a directory, and none a link.
    ///
    /// Where no component is a link, `..` is simply one component less, and never leads above the start.
    private func walk(_ path: RawPath, from start: consuming OwnedDescriptor) throws(Errno) -> OwnedDescriptor
    {
        let components = path.normalized.components
        guard let last = components.last else { return try openDirectory(dot, in: start) }
        var current = start
        for component in components.dropLast() {
            current = try stepping(component, current) { (name, directory) throws(Errno) in
                try open(name, in: directory, O_PATH | O_DIRECTORY | O_NOFOLLOW)
            }
        }
        return try stepping(last, current) { (name, directory) throws(Errno) in
            try openDirectory(name, in: directory)
        }
    }

    /// A link in the place of a directory is told as `ELOOP`, as openat2(2) does.
    private func stepping(
        _ name: ArraySlice<UInt8>,
        _ directory: borrowing OwnedDescriptor,
        _ open: (ArraySlice<UInt8>, borrowing OwnedDescriptor) throws(Errno) -> OwnedDescriptor
    ) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try open(name, directory)
        } catch {
            if error == .notDirectory, try status(of: name, in: directory).type == .link {
                throw .tooManyLinks
            }
            throw error
        }
    }

    package func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try open(name, in: directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    package func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        // An audit leaves no trace in the files. Only their owner, or CAP_FOWNER, may ask for that.
        guard leavesAccessTimes else { return try open(name, in: directory, flags) }
        do throws(Errno) {
            return try open(name, in: directory, flags | O_NOATIME)
        } catch {
            guard error == .permission else { throw error }
            return try open(name, in: directory, flags)
        }
    }

    package func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try place(name, in: directory)
    }

    private func place(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try open(name, in: directory, O_PATH | O_NOFOLLOW)
    }

    @inline(__always)
    private func open(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor, _ flags: CInt)
        throws(Errno) -> OwnedDescriptor
    {
        let result = directory.lend { number in
            unsafe withCString(name) { pointer in unsafe mw_openat(number, pointer, flags, 0) }
        }
        return OwnedDescriptor(owning: CInt(try checked(result)))
    }

    // MARK: Asking

    package func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes {
        var attributes = Attributes(type: .file)
        try tellStatus(of: file, into: &attributes)
        return attributes
    }

    package func tellStatus(of file: borrowing OwnedDescriptor, into attributes: inout Attributes)
        throws(Errno)
    {
        var answer = statx()
        let result = file.lend { number in
            kernelResult { unsafe mw_statx(number, "", AT_EMPTY_PATH, &answer) }
        }
        try checked(result)
        // A type of file that nobody knows.
        guard attributes.take(answer) else { throw .invalid }
    }

    package func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> Attributes
    {
        var attributes = Attributes(type: .file)
        try tellStatus(of: name, in: directory, into: &attributes)
        return attributes
    }

    package func tellStatus(
        of name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        into attributes: inout Attributes
    ) throws(Errno) {
        var answer = statx()
        let result = directory.lend { number in
            unsafe withCString(name) { pointer in
                unsafe mw_statx(number, pointer, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, &answer)
            }
        }
        try checked(result)
        guard attributes.take(answer) else { throw .invalid }
    }

    package func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer)
        throws(Errno) -> Int
    {
        let result = file.lend { number in
            kernelResult { unsafe CLinux.read(number, buffer.baseAddress, buffer.count) }
        }
        return try checked(result)
    }

    package func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] {
        // The kernel's own bound is PATH_MAX; an answer that fills the buffer may have been cut off.
        var size = Int(PATH_MAX) + 1
        while true {
            var target: [UInt8] = []
            let result = link.lend { number in
                unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { buffer in
                    guard let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else {
                        return 0
                    }
                    let count = kernelResult { unsafe readlinkat(number, "", start, buffer.count) }
                    if count > 0, count < size { unsafe target.append(contentsOf: buffer[..<count]) }
                    return count
                }
            }
            if try checked(result) < size { return target }
            guard size < 1 << 20 else { throw .nameTooLong }
            size *= 2
        }
    }

    package func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags? {
        var bits: CUnsignedInt = 0
        let result = file.lend { number in kernelResult { unsafe mw_getflags(number, &bits) } }
        switch result {
        case 0...: return FileFlags(rawValue: bits & settableFlags)
        // What file systems without such flags answer; ENOSYS is FUSE's way.
        case -Int(ENOTTY), -Int(EOPNOTSUPP), -Int(EINVAL), -Int(ENOSYS): return nil
        default: throw Errno(Int32(truncatingIfNeeded: -result))
        }
    }

    package func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute] {
        try file.lend { (number) throws(Errno) in try ExtendedAttributes.read(number) }
    }

    package func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem {
        var answer = statfs()
        let result = file.lend { number in kernelResult { unsafe fstatfs(number, &answer) } }
        try checked(result)
        // Magic numbers have 32 bits; the field is a signed long.
        return FileSystem(magic: UInt64(UInt32(truncatingIfNeeded: answer.f_type)))
    }
}

/// Others own hardly any of the files they examine, and would ask twice for each.
private let leavesAccessTimes = geteuid() == 0

// Sets are put together once: with the masks made anew, a status cost twice as much.
private let settableFlags = FileFlags.settable.rawValue

/// The bits of `stx_attributes` that are the same as those of `FS_IOC_GETFLAGS`.
///
/// The one that is not, `STATX_ATTR_DAX`, tells a state of the file rather than what chattr(1) set.
private let statxFlags = FileFlags([
    .compressed, .immutable, .appendOnly, .noDump, .encrypted, .verity,
]).rawValue

private let dot = ArraySlice(".".utf8)

extension FileType {
    /// The type in the upper bits of `st_mode` (inode(7)).
    init?(mode: UInt32) {
        switch mode & UInt32(S_IFMT) {
        case UInt32(S_IFREG): self = .file
        case UInt32(S_IFDIR): self = .directory
        case UInt32(S_IFLNK): self = .link
        case UInt32(S_IFIFO): self = .fifo
        case UInt32(S_IFSOCK): self = .socket
        case UInt32(S_IFCHR): self = .characterDevice
        case UInt32(S_IFBLK): self = .blockDevice
        default: return nil
        }
    }

    /// `d_type` of readdir(3); nil for `DT_UNKNOWN` and what Linux has no name for.
    init?(entryType: UInt8) {
        self.init(mode: UInt32(entryType) << 12)
    }
}

extension Attributes {
    /// Takes what statx(2) answered, and drops everything else.
    /// - Returns: false where the kernel names a type of file that nobody knows.
    fileprivate mutating func take(_ answer: borrowing statx) -> Bool {
        let mode = UInt32(answer.stx_mode)
        guard let type = FileType(mode: mode) else { return false }
        self.type = type
        size = answer.stx_size
        self.mode = UInt16(mode & 0o7777)
        uid = answer.stx_uid
        gid = answer.stx_gid
        mtime = timestamp(answer.stx_mtime)
        ctime = timestamp(answer.stx_ctime)
        btime = answer.stx_mask & UInt32(STATX_BTIME) != 0 ? timestamp(answer.stx_btime) : nil
        inode = answer.stx_ino
        device = DeviceNumber(major: answer.stx_dev_major, minor: answer.stx_dev_minor)
        node =
            type.isDevice
            ? DeviceNumber(major: answer.stx_rdev_major, minor: answer.stx_rdev_minor) : nil
        links = answer.stx_nlink
        flags = FileFlags(rawValue: UInt32(truncatingIfNeeded: answer.stx_attributes) & statxFlags)
        content = nil
        if target != nil { target = nil }
        if !xattrs.isEmpty { xattrs = [] }
        names = nil
        return true
    }
}

private func timestamp(_ time: statx_timestamp) -> Timestamp {
    Timestamp(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
}
