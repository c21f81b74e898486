package import Integrity

/// The files of a world: the kernel's, or a small one in memory for tests.
///
/// Stages see files through this only, so that a faulty tree can fail every call in turn.
///
/// Directories and files are handed over as descriptors, and everything is asked of a descriptor: a path is never
/// trusted twice. Names are single components without NUL.
package protocol FileTree: Sendable {
    /// Opens a directory by its absolute path; no component may be a link (openat2(2), `RESOLVE_NO_SYMLINKS`).
    ///
    /// Paths longer than `PATH_MAX` are walked.
    /// - Throws: `ENOENT`, `ENOTDIR`, `ELOOP` where a component is a link, `EACCES`.
    func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor

    /// Opens a subdirectory, without following a link.
    func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor

    /// Opens a file for reading without following a link and without blocking on a FIFO (`O_NOFOLLOW`, `O_NONBLOCK`,
    /// `O_NOCTTY`). Only for what is known to be no device: opening one may have an effect.
    func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor

    /// Opens a place rather than a file (`O_PATH`, `O_NOFOLLOW`): works for links, sockets, devices, and without read
    /// permission.
    func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> OwnedDescriptor

    /// Everything that statx(2) tells: all of `Attributes` but content, target, xattrs and names. `flags` holds what
    /// `stx_attributes` shows.
    func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes

    /// The same, told into attributes at hand; what statx(2) does not tell is taken out of them.
    ///
    /// This spares the copies that a large structure costs on its way.
    func tellStatus(of file: borrowing OwnedDescriptor, into attributes: inout Attributes) throws(Errno)

    /// The same for a name, without opening it and without following a link.
    func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) throws(Errno)
        -> Attributes

    /// The same, told into attributes at hand.
    func tellStatus(
        of name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        into attributes: inout Attributes
    ) throws(Errno)

    /// Reads on from where the last read ended; 0 at the end.
    func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer) throws(Errno)
        -> Int

    /// The target of a link opened with `openPlace`.
    func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8]

    /// The chattr(1) flags of an opened regular file or directory, masked to `FileFlags.settable`; nil where the file
    /// system keeps none.
    func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags?

    /// The extended attributes with their values hashed, sorted by name; empty where the file system has none. Works
    /// on what `openPlace` opened as well.
    func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute]

    /// Appends the entries of a directory, without `.` and `..`, in the order in which the kernel gives them.
    func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing) throws(Errno)

    /// What kind of file system it lies on (statfs(2)).
    func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem
}

extension FileTree {
    package func tellStatus(of file: borrowing OwnedDescriptor, into attributes: inout Attributes)
        throws(Errno)
    {
        attributes = try status(of: file)
    }

    package func tellStatus(
        of name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        into attributes: inout Attributes
    ) throws(Errno) {
        attributes = try status(of: name, in: directory)
    }
}

/// The names of one directory, packed into one array so that a million of them cost no million allocations.
package struct DirectoryListing: Sendable {
    /// Sixteen bytes: a million of them are what a walk holds at once.
    package struct Entry: Sendable {
        /// The offset in 44 bits, the length in 16, the type in 4.
        private let packed: UInt64
        package let inode: UInt64

        init(offset: Int, length: Int, type: FileType?, inode: UInt64) {
            precondition(length <= 0xFFFF, "no name of Linux is as long")
            packed = UInt64(offset) << 20 | UInt64(length) << 4 | UInt64(type?.rawValue ?? 0)
            self.inode = inode
        }

        /// Where the name begins in `names`; it ends with a NUL.
        package var offset: Int { Int(packed >> 20) }
        /// Without the NUL.
        package var length: Int { Int(packed >> 4 & 0xFFFF) }
        /// `d_type`; nil for `DT_UNKNOWN`.
        package var type: FileType? { FileType(rawValue: UInt8(packed & 0xF)) }
    }

    /// The names, each followed by NUL.
    package var names: [UInt8] = []
    package var entries: [Entry] = []

    package init() {}

    package func name(of entry: Entry) -> ArraySlice<UInt8> {
        names[entry.offset..<entry.offset + entry.length]
    }

    /// Appends one entry; its name is at most 65,535 bytes long.
    package mutating func append(_ name: some Collection<UInt8>, type: FileType?, inode: UInt64) {
        entries.append(Entry(offset: names.count, length: name.count, type: type, inode: inode))
        names.append(contentsOf: name)
        names.append(0)
    }

    /// Sorts the entries by the bytes of their names.
    package mutating func sort() {
        let names = names
        entries.sort { left, right in
            names[left.offset..<left.offset + left.length]
                .lexicographicallyPrecedes(names[right.offset..<right.offset + right.length])
        }
    }

    package mutating func removeAll() {
        names.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }
}

/// What matters of a file system's kind.
package struct FileSystem: Hashable, Sendable {
    /// `f_type` of statfs(2).
    package var magic: UInt64

    package init(magic: UInt64) {
        self.magic = magic
    }

    private static let names: [UInt64: String] = [
        0x9FA0: "proc", 0x6265_6572: "sysfs", 0x27E0EB: "cgroup", 0x6367_7270: "cgroup2",
        0x6462_6720: "debugfs",
        0x7472_6163: "tracefs", 0x7363_6673: "securityfs", 0x9660: "isofs", 0x1980_0202: "mqueue",
        0x6165_676C: "pstore", 0xCAFE_4A11: "bpf", 0x6266_6373: "binfmt_misc", 0x1CD1: "devpts",
        0x6E73_6673: "nsfs", 0x6265_6570: "configfs", 0x6969: "nfs", 0xFE53_4D42: "smb2", 0xFF53_4D42: "cifs",
        0x517B: "smb", 0x00C3_6400: "ceph", 0x0102_1997: "9p", 0x6573_5546: "fuse", 0x5346_414F: "afs",
        0x7375_7245: "coda", 0x0187: "autofs", 0x794C_7630: "overlay", 0x0102_1994: "tmpfs", 0xEF53: "ext4",
        0x5846_5342: "xfs", 0x9123_683E: "btrfs", 0x4D44: "vfat", 0x7371_7368: "squashfs",
        0xE0F5_E1E2: "erofs",
        0x2FC1_2FC1: "zfs", 0xF2F5_2010: "f2fs", 0xDE5E_81E4: "efivarfs", 0x5843_4653: "selinuxfs",
        0xF97C_FF8C: "selinuxfs", 0x0BD0_0BD0: "lustre", 0x0116_1970: "gfs2", 0x7461_636F: "ocfs2",
        0x6573_5543: "fusectl", 0x6759_6969: "rpc_pipefs", 0x6E66_7364: "nfsd", 0x0765_5821: "resctrl",
        0x786F_4256: "vboxsf",
    ]

    private static let pseudo: Set<String> = [
        "proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "mqueue", "pstore", "bpf",
        "binfmt_misc", "devpts", "nsfs", "configfs", "autofs", "efivarfs", "selinuxfs",
        "fusectl", "rpc_pipefs", "nfsd", "resctrl",
    ]

    private static let network: Set<String> = [
        "nfs", "smb2", "cifs", "smb", "ceph", "9p", "fuse", "afs", "coda", "lustre", "vboxsf",
    ]

    /// `ext4`; the number in hexadecimal where it is not known.
    package var name: String { FileSystem.names[magic] ?? "0x" + String(magic, radix: 16) }

    /// Walks do not go there: what such a file system shows is not stored on this host, or reading it has effects.
    package var isOutOfBounds: Bool { FileSystem.pseudo.contains(name) || FileSystem.network.contains(name) }

    /// A file system of that name shows what the kernel makes up, and holds no stored file.
    package static func isPseudo(name: String) -> Bool { pseudo.contains(name) }

    /// Its files lie on another machine, or come from a program.
    package var isRemote: Bool { FileSystem.network.contains(name) }

    /// A file may change its inode number by itself there, so that `replaced` is not judged.
    package var hasStableIdentity: Bool { name != "overlay" && !FileSystem.network.contains(name) }

    /// Times are kept in steps coarser than 20 ms.
    package var hasCoarseTimes: Bool { name == "vfat" || FileSystem.network.contains(name) }
}
