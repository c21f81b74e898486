/// The seven types of file that Linux knows (inode(7)).
package enum FileType: UInt8, Hashable, Sendable, CaseIterable {
    case file = 1
    case directory = 2
    case link = 3
    case fifo = 4
    case socket = 5
    case characterDevice = 6
    case blockDevice = 7

    /// The name in every report.
    package var name: String {
        switch self {
        case .file: "file"
        case .directory: "directory"
        case .link: "link"
        case .fifo: "fifo"
        case .socket: "socket"
        case .characterDevice: "character-device"
        case .blockDevice: "block-device"
        }
    }

    package init?(name: String) {
        guard let match = FileType.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    package var isDevice: Bool { self == .characterDevice || self == .blockDevice }
}

/// A device number as stat(2) and makedev(3) split it.
package struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
    package var major: UInt32
    package var minor: UInt32

    package init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// `254:0`, as in /proc/self/mountinfo.
    package var description: String { "\(major):\(minor)" }

    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }
}

/// The flags a person sets with chattr(1), in the bits of ioctl_iflags(2) (`FS_IOC_GETFLAGS`).
///
/// Bits that the kernel sets by itself (extents, indexed directory, inline data, …) are left out.
package struct FileFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let secureDeletion = FileFlags(rawValue: 0x0000_0001)
    package static let undelete = FileFlags(rawValue: 0x0000_0002)
    package static let compressed = FileFlags(rawValue: 0x0000_0004)
    package static let synchronous = FileFlags(rawValue: 0x0000_0008)
    package static let immutable = FileFlags(rawValue: 0x0000_0010)
    package static let appendOnly = FileFlags(rawValue: 0x0000_0020)
    package static let noDump = FileFlags(rawValue: 0x0000_0040)
    package static let noAccessTime = FileFlags(rawValue: 0x0000_0080)
    package static let encrypted = FileFlags(rawValue: 0x0000_0800)
    package static let journalData = FileFlags(rawValue: 0x0000_4000)
    package static let noTailMerging = FileFlags(rawValue: 0x0000_8000)
    package static let directorySynchronous = FileFlags(rawValue: 0x0001_0000)
    package static let topDirectory = FileFlags(rawValue: 0x0002_0000)
    package static let verity = FileFlags(rawValue: 0x0010_0000)
    package static let noCopyOnWrite = FileFlags(rawValue: 0x0080_0000)
    package static let directAccess = FileFlags(rawValue: 0x0200_0000)
    package static let projectInherit = FileFlags(rawValue: 0x2000_0000)
    package static let caseFolded = FileFlags(rawValue: 0x4000_0000)

    package static let named: [(flag: FileFlags, name: String)] = [
        (.secureDeletion, "secure-deletion"), (.undelete, "undelete"), (.compressed, "compressed"),
        (.synchronous, "synchronous"), (.immutable, "immutable"), (.appendOnly, "append-only"),
        (.noDump, "no-dump"), (.noAccessTime, "no-atime"), (.encrypted, "encrypted"),
        (.journalData, "journal-data"), (.noTailMerging, "no-tail-merging"),
        (.directorySynchronous, "directory-synchronous"), (.topDirectory, "top-directory"),
        (.verity, "verity"),
        (.noCopyOnWrite, "no-cow"), (.directAccess, "dax"), (.projectInherit, "project-inherit"),
        (.caseFolded, "case-folded"),
    ]

    /// Every flag above.
    package static let settable = FileFlags(named.map(\.flag))

    package var names: [String] { FileFlags.named.filter { contains($0.flag) }.map(\.name) }
}

/// One extended attribute: its name and the digest of its value.
package struct ExtendedAttribute: Hashable, Sendable {
    /// `security.capability`, `system.posix_acl_access`, `user.…`; bytes that an attacker may have chosen.
    package var name: [UInt8]
    package var value: Digest

    package init(name: [UInt8], value: Digest) {
        self.name = name
        self.value = value
    }
}

/// Everything that is recorded of one path, as one look at it found it.
package struct Attributes: Hashable, Sendable {
    package var type: FileType
    /// Only regular files have one.
    package var content: ContentDigest?
    /// Bytes.
    package var size: UInt64 = 0
    /// The permission bits, set-user-ID, set-group-ID and sticky: `st_mode & 07777`.
    package var mode: UInt16 = 0
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    package var mtime = Timestamp(seconds: 0)
    package var ctime = Timestamp(seconds: 0)
    /// Nil where the file system keeps none (`STATX_BTIME` not in the mask).
    package var btime: Timestamp?
    package var inode: UInt64 = 0
    /// The file system the inode lies on.
    ///
    /// It may change from boot to boot and is never compared.
    package var device = DeviceNumber(major: 0, minor: 0)
    /// The number of a device node.
    package var node: DeviceNumber?
    package var links: UInt32 = 1
    package var flags: FileFlags = []
    /// Only links have one: the exact bytes of readlink(2).
    package var target: [UInt8]?
    /// Sorted by name.
    package var xattrs: [ExtendedAttribute] = []
    /// Only directories under the profile `directory` have one: SHA-256 over the sorted names, each followed by NUL.
    package var names: Digest?

    package init(type: FileType) {
        self.type = type
    }
}
