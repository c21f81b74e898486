package import Integrity

/// Looks at one name after the other: opens it without following a link and without blocking, reads and hashes it, and
/// asks the same descriptor again whether it stood still meanwhile.
///
/// One examiner belongs to one thread: it holds that thread's buffer and digest context.
package struct Examiner<Tree: FileTree> {
    package let tree: Tree
    private let clock: @Sendable () -> Timestamp
    /// What all examiners of a walk share; nil for as fast as it goes.
    private let rate: ReadRate?
    private let hasher = SHA256Hasher()
    private let buffer = ReadBuffer()
    private var listing = DirectoryListing()
    private var kinds: [FileSystemKind] = []
    /// What the examination under way found, and after it what it came to: handing so large a structure from one
    /// function to the next would cost more than all they do.
    package private(set) var found = Examined(attributes: Attributes(type: .file))
    private var before = Attributes(type: .file)

    /// How often something that keeps changing is looked at before it is reported as it is.
    package static var tries: Int { 4 }

    /// `clock` tells the real time, by which ctimes are judged to be racy.
    package init(tree: Tree, clock: @escaping @Sendable () -> Timestamp, rate: ReadRate? = nil) {
        self.tree = tree
        self.clock = clock
        self.rate = rate
    }

    /// Forgets what kinds of file system were met, because mounts have changed: a device number is used again.
    package mutating func forgetFileSystems() {
        kinds.removeAll()
    }

    /// Examines an absolute path; `/` too.
    ///
    /// - Returns: Nil where the name does not exist: it, or a directory on the way, is missing, no directory, or a link.
    /// - Throws: The operation that failed and its errno.
    package mutating func examine(_ path: RawPath, options: ExamineOptions = ExamineOptions())
        throws(Failure) -> Examined?
    {
        guard let parent = try parent(of: path) else { return nil }
        return try examine(path.nameInParent, in: parent, hint: nil, options: options)
    }

    /// Examines a name in an opened directory.
    ///
    /// - Parameters:
    ///   - name: One component, without NUL.
    ///   - directory: The directory, opened for reading or as a place.
    ///   - hint: What the directory's listing says it is; it may be wrong or outdated.
    ///   - options: What else to look at.
    /// - Returns: Nil where the name does not exist.
    /// - Throws: The operation that failed and its errno.
    package mutating func examine(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        hint: FileType?,
        options: ExamineOptions = ExamineOptions()
    ) throws(Failure) -> Examined? {
        try find(name, in: directory, hint: hint, options: options) ? found : nil
    }

    /// Examines a name in an opened directory, and leaves the result in `found`.
    ///
    /// - Parameters: As `examine`.
    /// - Returns: False where the name does not exist.
    /// - Throws: The operation that failed and its errno.
    @specialized(where Tree == KernelTree)
    package mutating func find(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        hint: FileType?,
        options: ExamineOptions
    ) throws(Failure) -> Bool {
        var look: Look
        if case .file = hint {
            look = try lookAtFile(name, in: directory, options)
        } else {
            look = try lookAtPlace(name, in: directory, options)
        }
        var left = Self.tries - 1
        while true {
            switch look {
            case .settled: return true
            case .nothing: return false
            case .moved, .vanished:
                guard left > 0 else {
                    (found.isRacy, found.isUnstable) = (true, true)
                    return look == .moved
                }
                left -= 1
                look = try lookAtPlace(name, in: directory, options)
            }
        }
    }

    /// The attributes that statx(2) tells; nil where the name does not exist.
    package mutating func status(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Failure) -> Attributes?
    {
        do throws(Errno) {
            return try tree.status(of: name, in: directory)
        } catch {
            if error.namesNothing { return nil }
            throw Failure(.stat, error.code)
        }
    }

    /// Takes what statx(2) tells into `found.attributes`, without opening anything.
    ///
    /// False where that fails, for whatever reason.
    @specialized(where Tree == KernelTree)
    package mutating func findStatus(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        -> Bool
    {
        do throws(Errno) {
            try tree.tellStatus(of: name, in: directory, into: &found.attributes)
            return true
        } catch {
            return false
        }
    }

    /// The attributes that statx(2) tells of an absolute path; nil where it does not exist.
    package mutating func status(_ path: RawPath) throws(Failure) -> Attributes? {
        guard let parent = try parent(of: path) else { return nil }
        return try status(path.nameInParent, in: parent)
    }

    private func parent(of path: RawPath) throws(Failure) -> OwnedDescriptor? {
        do throws(Errno) {
            return try tree.openToLook(path.parent)
        } catch {
            if error.namesNothing || error == .tooManyLinks { return nil }
            throw Failure(.open, error.code)
        }
    }

    // MARK: One look

    private enum Look {
        /// It stood still; `found` tells.
        case settled
        case nothing
        /// It changed meanwhile; `found` tells what was seen of it, should it have been the last look.
        case moved
        /// It changed meanwhile, and nothing was seen of it.
        case vanished
    }

    /// Opens what is thought to be a regular file at once, without asking first.
    @specialized(where Tree == KernelTree)
    private mutating func lookAtFile(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        _ options: ExamineOptions
    ) throws(Failure) -> Look {
        let now = clock()
        do throws(Failure) {
            let file = try asking(.open) { () throws(Errno) in try tree.openFile(name, in: directory) }
            try asking(.stat) { () throws(Errno) in try tree.tellStatus(of: file, into: &before) }
            guard case .file = before.type else { return .vanished }
            return try examine(file, now, options)
        } catch {
            guard case .open = error.operation else { throw error }
            // Whatever else it is, a link, a socket, or nothing that may be read: the place tells.
            return Errno(error.errno).namesNothing ? .nothing : .vanished
        }
    }

    /// Opens the place first, and what stands there only where opening it has no effect.
    private mutating func lookAtPlace(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        _ options: ExamineOptions
    ) throws(Failure) -> Look {
        let now = clock()
        guard let place = try placeIfAny(name, in: directory) else { return .nothing }
        let found = try asking(.stat) { () throws(Errno) in try tree.status(of: place) }
        switch found.type {
        case .file, .directory: return try lookInside(name, in: directory, place, found, now, options)
        default: return try examine(place: place, found, now)
        }
    }

    private func placeIfAny(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Failure) -> OwnedDescriptor?
    {
        do throws(Errno) {
            return try tree.openPlace(name, in: directory)
        } catch {
            if error.namesNothing { return nil }
            throw Failure(.open, error.code)
        }
    }

    /// Opens the file or directory that a place showed.
    private mutating func lookInside(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing OwnedDescriptor,
        _ place: borrowing OwnedDescriptor,
        _ found: Attributes,
        _ now: Timestamp,
        _ options: ExamineOptions
    ) throws(Failure) -> Look {
        let isFile = found.type == .file
        do throws(Failure) {
            let inside = try asking(.open) { () throws(Errno) in
                if isFile { return try tree.openFile(name, in: directory) }
                return try tree.openDirectory(name, in: directory)
            }
            try asking(.stat) { () throws(Errno) in try tree.tellStatus(of: inside, into: &before) }
            guard before.isSameFile(as: found) else { return try unread(found, now, place) }
            if isFile { return try examine(inside, now, options) }
            return try examine(directory: inside, now, options)
        } catch {
            guard error.operation == .open else { throw error }
            if Errno(error.errno).tellsOfAnotherType { return try unread(found, now, place) }
            // What may not be listed still has attributes.
            if !isFile, !options.names, Errno(error.errno) == .access {
                return try examine(place: place, found, now)
            }
            throw error
        }
    }

    // MARK: What stands there

    /// A regular file whose first status stands in `before`.
    private mutating func examine(
        _ file: borrowing OwnedDescriptor,
        _ now: Timestamp,
        _ options: ExamineOptions
    ) throws(Failure) -> Look {
        let flags = try asking(.stat) { () throws(Errno) in try tree.flags(of: file) }
        let xattrs = try asking(.xattr) { () throws(Errno) in try tree.xattrs(of: file) }
        let bytes: Hashed
        do throws(Errno) {
            bytes = try hash(file, size: before.size, prefix: options.prefix)
        } catch {
            throw Failure(.read, error.code)
        }
        let stoodStill = try lookAgain(file, now)
        if let flags { found.attributes.flags = flags }
        if !xattrs.isEmpty { found.attributes.xattrs = xattrs }
        found.attributes.content = .digest(bytes.digest)
        found.prefix = bytes.prefix
        return stoodStill && bytes.isWhole ? .settled : .moved
    }

    private mutating func examine(
        directory: borrowing OwnedDescriptor,
        _ now: Timestamp,
        _ options: ExamineOptions
    ) throws(Failure) -> Look {
        let flags = try asking(.stat) { () throws(Errno) in try tree.flags(of: directory) }
        let xattrs = try asking(.xattr) { () throws(Errno) in try tree.xattrs(of: directory) }
        let names = options.names ? try hashNames(of: directory) : nil
        let stoodStill = try lookAgain(directory, now)
        if let flags { found.attributes.flags = flags }
        found.attributes.xattrs = xattrs
        found.attributes.names = names
        return stoodStill ? .settled : .moved
    }

    /// Links, devices, FIFOs and sockets, which are never opened for reading, and directories that may not be.
    private mutating func examine(place: borrowing OwnedDescriptor, _ first: Attributes, _ now: Timestamp)
        throws(Failure) -> Look
    {
        let xattrs = try asking(.xattr) { () throws(Errno) in try tree.xattrs(of: place) }
        var target: [UInt8]?
        if first.type == .link {
            target = try asking(.readlink) { () throws(Errno) in try tree.target(of: place) }
        }
        before = first
        let stoodStill = try lookAgain(place, now)
        found.attributes.xattrs = xattrs
        found.attributes.target = target
        return stoodStill ? .settled : .moved
    }

    /// What is known of a file whose name led elsewhere when it was to be opened.
    private mutating func unread(_ seen: Attributes, _ now: Timestamp, _ place: borrowing OwnedDescriptor)
        throws(Failure) -> Look
    {
        found.attributes = seen
        if seen.type == .file { found.attributes.content = .unhashed(.unstable) }
        try judge(now, place)
        return .moved
    }

    /// Takes the last status into `found`, which holds nothing else afterwards.
    ///
    /// True where it is the same as `before`.
    private mutating func lookAgain(_ file: borrowing OwnedDescriptor, _ now: Timestamp) throws(Failure)
        -> Bool
    {
        try asking(.stat) { () throws(Errno) in try tree.tellStatus(of: file, into: &found.attributes) }
        try judge(now, file)
        return found.attributes.stoodStill(since: before)
    }

    // MARK: Reading

    private struct Hashed {
        var digest: Digest
        var prefix: Digest?
        /// As many bytes as the size promised were read.
        var isWhole: Bool
    }

    /// Reads up to the size that was told; what was added meanwhile shows in the next status.
    ///
    /// A size of 0 is not believed at once: files that a kernel makes up have none and may still hold bytes.
    @specialized(where Tree == KernelTree)
    private mutating func hash(_ file: borrowing OwnedDescriptor, size: UInt64, prefix: UInt64?)
        throws(Errno) -> Hashed
    {
        hasher.reset()
        var first = prefix == 0 ? hasher.digestSoFar() : nil
        let end = size == 0 ? UInt64.max : size
        var total: UInt64 = 0
        while total < end {
            let room = unsafe buffer.bytes(upTo: end - total)
            let count = try unsafe tree.read(file, into: room)
            if count == 0 { break }
            if let rate { rate.spend(count) }
            // It grew from nothing under the reading, perhaps faster than it can be read.
            if size == 0, total == 0, try tree.status(of: file).size != 0 { break }
            var chunk = unsafe UnsafeRawBufferPointer(rebasing: room[..<count])
            if let prefix, total < prefix, prefix - total <= UInt64(count) {
                let cut = Int(prefix - total)
                unsafe hasher.update(UnsafeRawBufferPointer(rebasing: chunk[..<cut]))
                first = hasher.digestSoFar()
                unsafe chunk = UnsafeRawBufferPointer(rebasing: chunk[cut...])
            }
            unsafe hasher.update(chunk)
            total += UInt64(count)
        }
        return Hashed(digest: hasher.finish(), prefix: first, isWhole: size == 0 || total == size)
    }

    private mutating func hashNames(of directory: borrowing OwnedDescriptor) throws(Failure) -> Digest {
        listing.removeAll()
        defer { if listing.entries.count > 4_096 { listing = DirectoryListing() } }
        do throws(Errno) {
            try tree.list(directory, into: &listing)
        } catch {
            throw Failure(.list, error.code)
        }
        listing.sort()
        hasher.reset()
        for entry in listing.entries {
            // The NUL behind the name belongs to it.
            hasher.update(listing.names[entry.offset...entry.offset + entry.length])
        }
        return hasher.finish()
    }

    // MARK: Judging times and file systems

    private static var fineWindow: Int64 { 20_000_000 }
    private static var coarseWindow: Int64 { 2_000_000_000 }

    private struct FileSystemKind {
        var device: DeviceNumber
        var hasStableIdentity: Bool
        /// How close to the examination a ctime may lie before a later write could leave it unchanged, nanoseconds.
        var racyWindow: Int64
    }

    /// Completes `found` beside its attributes.
    private mutating func judge(_ now: Timestamp, _ file: borrowing OwnedDescriptor) throws(Failure) {
        let kind = try kind(found.attributes.device, file)
        let ctime = found.attributes.ctime
        // A file system of any kind may have been made with whole seconds (ext4 with small inodes).
        let window = ctime.nanoseconds == 0 ? Self.coarseWindow : kind.racyWindow
        // A ctime in the future, after the clock was set back, gives a negative age.
        found.isRacy = now.nanoseconds(since: ctime) < window
        found.isUnstable = false
        found.hasStableIdentity = kind.hasStableIdentity
        found.prefix = nil
    }

    private mutating func kind(_ device: DeviceNumber, _ file: borrowing OwnedDescriptor)
        throws(Failure) -> FileSystemKind
    {
        for kind in kinds where kind.device == device { return kind }
        let fileSystem = try asking(.stat) { () throws(Errno) in try tree.fileSystem(of: file) }
        let kind = FileSystemKind(
            device: device,
            hasStableIdentity: fileSystem.hasStableIdentity,
            racyWindow: fileSystem.hasCoarseTimes ? Self.coarseWindow : Self.fineWindow
        )
        if kinds.count >= 64 { kinds.removeAll(keepingCapacity: true) }
        kinds.append(kind)
        return kind
    }
}

@inline(__always)
private func asking<Answer: ~Copyable>(
    _ operation: Failure.Operation,
    _ question: () throws(Errno) -> Answer
)
    throws(Failure) -> Answer
{
    do throws(Errno) {
        return try question()
    } catch {
        throw Failure(operation, error.code)
    }
}

extension Attributes {
    /// Nothing that the kernel keeps moved: every change of a file moves its ctime or its size.
    fileprivate func stoodStill(since before: Attributes) -> Bool {
        ctime == before.ctime && mtime == before.mtime && size == before.size && inode == before.inode
            && links == before.links && mode == before.mode && uid == before.uid && gid == before.gid
    }

    fileprivate func isSameFile(as other: Attributes) -> Bool {
        inode == other.inode && device == other.device && type == other.type
    }
}

extension Errno {
    /// No file can have this name: it or its directory is missing, or it is longer than names can be.
    var namesNothing: Bool { isAbsence || self == .nameTooLong }

    /// What opening answers where something else stands in the place by now, or nothing at all.
    fileprivate var tellsOfAnotherType: Bool {
        isAbsence || self == .tooManyLinks || self == .noDevice || self == .isDirectory
    }
}

/// One thread's read buffer: 64 KiB are enough for read(2), and it stays in the cache.
@safe private final class ReadBuffer {
    private static let size = 64 << 10
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4_096)

    deinit { unsafe memory.deallocate() }

    /// The beginning of the buffer, as long as the buffer at the most.
    ///
    /// It dies with this object.
    @unsafe func bytes(upTo count: UInt64) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<Int(min(count, UInt64(Self.size)))])
    }
}
