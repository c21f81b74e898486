internal import CLinux
package import Integrity

/// What a path means to the program: whoever may change it decides what the program believes or does.
package enum PlaceRole: String, Hashable, Sendable {
    case state, keys, privateKey, publicKey, rules, program, configuration
}

/// Whose a path is and who may write there.
package struct PlaceFacts: Hashable, Sendable {
    package var role: PlaceRole
    package var path: RawPath
    package var type: FileType
    package var mode: UInt16
    package var uid: UInt32
    /// It is not the place itself but a directory above it.
    package var isAncestor: Bool

    package init(
        role: PlaceRole,
        path: RawPath,
        type: FileType,
        mode: UInt16,
        uid: UInt32,
        isAncestor: Bool = false
    ) {
        self.role = role
        self.path = path
        self.type = type
        self.mode = mode
        self.uid = uid
        self.isAncestor = isAncestor
    }

    /// The place, and every directory above it, links resolved; only what is there.
    ///
    /// - Parameters:
    ///   - role: What it is for.
    ///   - path: A file or a directory.
    ///   - withEntries: The files in it too, 4,096 at most.
    ///   - tree: Where it lies.
    /// - Returns: The place first, then the directories above it up to the root, then the files in it.
    package static func gather(
        _ role: PlaceRole,
        _ path: RawPath,
        withEntries: Bool = false,
        in tree: some FileTree
    ) -> [PlaceFacts] {
        guard let final = PathResolver(tree: tree).resolve(path).final else { return [] }
        var facts: [PlaceFacts] = []
        var current = final
        while true {
            if let fact = PlaceFacts(role, current, isAncestor: current != final, tree) { facts.append(fact) }
            if current.isRoot { break }
            current = current.parent
        }
        guard withEntries, facts.first?.type == .directory else { return facts }
        var listing = DirectoryListing()
        if let directory = try? tree.openDirectory(final) { try? tree.list(directory, into: &listing) }
        listing.sort()
        for entry in listing.entries.prefix(4_096) where entry.type == .file {
            let file = final.appending(listing.name(of: entry))
            if let fact = PlaceFacts(role, file, isAncestor: false, tree) { facts.append(fact) }
        }
        return facts
    }

    private init?(_ role: PlaceRole, _ path: RawPath, isAncestor: Bool, _ tree: some FileTree) {
        guard let parent = try? tree.openToLook(path.parent),
            let status = try? tree.status(of: path.nameInParent, in: parent)
        else { return nil }
        self.init(
            role: role,
            path: path,
            type: status.type,
            mode: status.mode,
            uid: status.uid,
            isAncestor: isAncestor
        )
    }
}

/// The disk under a directory.
package struct DiskFacts: Hashable, Sendable {
    /// The directory that was asked: the nearest one that is there.
    package var path: RawPath
    package var fileSystem: FileSystem
    /// What an ordinary user, or root, may still write.
    package var freeBytes: UInt64
    /// Nil where the file system makes inodes as it needs them.
    package var freeInodes: UInt64?
    package var isReadOnly: Bool

    package init(
        path: RawPath,
        fileSystem: FileSystem,
        freeBytes: UInt64,
        freeInodes: UInt64?,
        isReadOnly: Bool = false
    ) {
        self.path = path
        self.fileSystem = fileSystem
        self.freeBytes = freeBytes
        self.freeInodes = freeInodes
        self.isReadOnly = isReadOnly
    }

    /// Asks statvfs(3) about a directory, or the nearest one above it that is there.
    package static func gather(_ path: RawPath) -> Fact<DiskFacts> {
        Fact { () throws(Errno) in
            let tree = KernelTree()
            var place = PathResolver(tree: tree).canonical(path)
            while true {
                do throws(Errno) {
                    let final = PathResolver(tree: tree).resolve(place).final ?? place
                    return try DiskFacts(final, try tree.openToLook(final), tree)
                } catch {
                    guard error.isAbsence, !place.isRoot else { throw error }
                    place = place.parent
                }
            }
        }
    }

    private init(_ path: RawPath, _ directory: borrowing OwnedDescriptor, _ tree: KernelTree) throws(Errno) {
        self.path = path
        fileSystem = try tree.fileSystem(of: directory)
        var status = statvfs()
        try checked(directory.lend { number in kernelResult { unsafe fstatvfs(number, &status) } })
        freeBytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        freeInodes = status.f_files == 0 ? nil : UInt64(status.f_favail)
        isReadOnly = status.f_flag & UInt(ST_RDONLY) != 0
    }
}

extension HostFiles {
    /// The file that this program was started from.
    package func program() -> Fact<RawPath> {
        Fact { () throws(Errno) in RawPath(bytes: try target(of: "/proc/self/exe")) }
    }
}

/// Whether a name in a directory could be read by this process, as its effective user (faccessat(2)).
package func readRefusal(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor) -> Errno? {
    let result = directory.lend { number in
        unsafe withCString(name) { pointer in
            unsafe faccessat(number, pointer, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW)
        }
    }
    return result < 0 ? Errno(Int32(truncatingIfNeeded: -result)) : nil
}
