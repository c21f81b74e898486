package import Host
package import Integrity

/// What a `MemoryTree` holds: inodes, names, and a clock.
///
/// Paths are absolute; parents are made where they are missing.
/// Every change happens at `now` and sets the times that Linux would set; then the clock ticks.
package struct MemoryWorld: Sendable {
    package struct Node: Sendable {
        package var status: Attributes
        /// What a file holds, or where a link leads.
        package var bytes: [UInt8] = []
        package var entries: [[UInt8]: UInt64] = [:]
        package var xattrs: [[UInt8]: [UInt8]] = [:]
        /// What opening it for reading fails with.
        package var refusal: Errno?
    }

    package var now: Timestamp
    private let tick: Int64
    private var nodes: [UInt64: Node] = [:]
    private var fileSystems: [DeviceNumber: FileSystem] = [:]
    private var nextInode: UInt64 = 2
    package private(set) var openedForReading: Set<FileType> = []

    private static let rootInode: UInt64 = 2

    init(start: Timestamp, tick: Int64) {
        now = start
        self.tick = tick
        let device = DeviceNumber(major: 8, minor: 1)
        fileSystems[device] = FileSystem(magic: 0xEF53)
        _ = insert(.directory, mode: 0o755, device: device)
    }

    // MARK: Changing

    package mutating func advance(nanoseconds: Int64) {
        now = now.adding(nanoseconds: nanoseconds)
    }

    package mutating func makeDirectory(_ path: RawPath, mode: UInt16 = 0o755) {
        _ = make(path, .directory, mode: mode)
    }

    /// Makes a file, or writes anew into the one that stands there: the inode stays.
    package mutating func write(_ path: RawPath, _ bytes: [UInt8], mode: UInt16 = 0o644) {
        let inode = (try? lookUp(path)) ?? make(path, .file, mode: mode)
        change(inode) { node, now in
            node.bytes = bytes
            node.status.size = UInt64(bytes.count)
            node.status.mtime = now
        }
    }

    package mutating func write(_ path: RawPath, _ text: String, mode: UInt16 = 0o644) {
        write(path, Array(text.utf8), mode: mode)
    }

    package mutating func append(_ path: RawPath, _ bytes: [UInt8]) {
        let before = (try? node(at: path))?.bytes ?? []
        write(path, before + bytes)
    }

    package mutating func symlink(_ path: RawPath, to target: String) {
        symlink(path, to: Array(target.utf8))
    }

    package mutating func symlink(_ path: RawPath, to target: [UInt8]) {
        remove(path)
        change(make(path, .link, mode: 0o777)) { node, _ in
            node.bytes = target
            node.status.size = UInt64(target.count)
        }
    }

    /// A FIFO, a socket or a device.
    package mutating func makeNode(_ path: RawPath, _ type: FileType, node number: DeviceNumber? = nil) {
        remove(path)
        change(make(path, type, mode: 0o600)) { node, _ in node.status.node = number }
    }

    /// One more name of the same inode.
    package mutating func link(_ path: RawPath, to old: RawPath) {
        guard let inode = try? lookUp(old) else { preconditionFailure("\(old) is not there to be linked") }
        enter(path, inode)
        change(inode) { node, _ in node.status.links += 1 }
    }

    /// Onto an existing name too, whose inode then loses it.
    package mutating func rename(_ old: RawPath, to new: RawPath) {
        guard let inode = try? lookUp(old) else { preconditionFailure("\(old) is not there to be renamed") }
        leave(old)
        remove(new)
        enter(new, inode)
        change(inode) { _, _ in }
    }

    /// Removes a name with all below it; one that is not there is left alone.
    package mutating func remove(_ path: RawPath) {
        guard let inode = try? lookUp(path) else { return }
        leave(path)
        change(inode) { node, _ in node.status.links -= min(1, node.status.links) }
    }

    /// Changes any attribute, as chmod(2), chown(2), utimensat(2) or chattr(1) do; ctime moves by itself.
    package mutating func update(_ path: RawPath, _ body: (inout Attributes) -> Void) {
        guard let inode = try? lookUp(path) else { preconditionFailure("\(path) is not there to be changed") }
        change(inode) { node, _ in body(&node.status) }
    }

    /// Sets an extended attribute, or removes it where there is no value.
    package mutating func setXattr(_ path: RawPath, _ name: String, _ value: [UInt8]?) {
        guard let inode = try? lookUp(path) else { preconditionFailure("\(path) is not there to be changed") }
        change(inode) { node, _ in node.xattrs[Array(name.utf8)] = value }
    }

    /// From now on opening it for reading fails.
    package mutating func refuse(_ path: RawPath, with error: Errno?) {
        guard let inode = try? lookUp(path) else { preconditionFailure("\(path) is not there to be refused") }
        nodes[inode]?.refusal = error
    }

    /// Covers a directory by the empty root of another file system.
    package mutating func mount(_ path: RawPath, _ fileSystem: FileSystem, device: DeviceNumber) {
        remove(path)
        fileSystems[device] = fileSystem
        let inode = insert(.directory, mode: 0o755, device: device)
        enter(path, inode)
    }

    // MARK: Asking

    /// The inode at a path, where no component but the last may be a link.
    /// - Throws: `ENOENT`, `ENOTDIR`, `ELOOP` as openat2(2) with `RESOLVE_NO_SYMLINKS`.
    package func lookUp(_ path: RawPath) throws(Errno) -> UInt64 {
        guard !path.isRoot else { return Self.rootInode }
        return try entry(path.name, in: try lookUpDirectory(path.parent))
    }

    package func node(at path: RawPath) throws(Errno) -> Node {
        try node(try lookUp(path))
    }

    func node(_ inode: UInt64) throws(Errno) -> Node {
        guard let node = nodes[inode] else { throw .stale }
        return node
    }

    func fileSystem(on device: DeviceNumber) -> FileSystem {
        fileSystems[device] ?? FileSystem(magic: 0)
    }

    private func lookUpDirectory(_ path: RawPath) throws(Errno) -> UInt64 {
        var inode = Self.rootInode
        for component in path.components {
            inode = try entry(component, in: inode)
            switch try node(inode).status.type {
            case .directory: continue
            case .link: throw .tooManyLinks
            default: throw .notDirectory
            }
        }
        return inode
    }

    mutating func directory(at path: RawPath) throws(Errno) -> UInt64 {
        let inode = try lookUpDirectory(path)
        try admit(inode, as: .directory)
        return inode
    }

    func entry(_ name: ArraySlice<UInt8>, in directory: UInt64) throws(Errno) -> UInt64 {
        let node = try node(directory)
        guard node.status.type == .directory else { throw .notDirectory }
        if name.elementsEqual([UInt8(ascii: ".")]) { return directory }
        guard name.count <= 255 else { throw .nameTooLong }
        guard let inode = node.entries[Array(name)] else { throw .noEntry }
        return inode
    }

    /// What open(2) checks before it opens something for reading without following a link.
    mutating func admit(_ inode: UInt64, as wanted: FileType?) throws(Errno) {
        let node = try node(inode)
        let type = node.status.type
        if wanted == .directory, type != .directory { throw .notDirectory }
        if type == .link { throw .tooManyLinks }
        if type == .socket { throw .noDevice }
        if let refusal = node.refusal { throw refusal }
        openedForReading.insert(type)
    }

    // MARK: Inodes and names

    private mutating func insert(_ type: FileType, mode: UInt16, device: DeviceNumber) -> UInt64 {
        var status = Attributes(type: type)
        status.mode = mode
        status.inode = nextInode
        status.device = device
        (status.mtime, status.ctime, status.btime) = (now, now, now)
        if type == .directory { status.links = 2 }
        nodes[nextInode] = Node(status: status)
        nextInode += 1
        return nextInode - 1
    }

    private mutating func make(_ path: RawPath, _ type: FileType, mode: UInt16) -> UInt64 {
        if let inode = try? lookUp(path) { return inode }
        let parent = make(path.parent, .directory, mode: 0o755)
        let device = nodes[parent]?.status.device ?? DeviceNumber(major: 0, minor: 0)
        let inode = insert(type, mode: mode, device: device)
        enter(path, inode)
        return inode
    }

    private mutating func enter(_ path: RawPath, _ inode: UInt64) {
        let parent = make(path.parent, .directory, mode: 0o755)
        change(parent) { node, now in
            node.entries[Array(path.name)] = inode
            node.status.mtime = now
        }
    }

    private mutating func leave(_ path: RawPath) {
        guard let parent = try? lookUp(path.parent) else { return }
        change(parent) { node, now in
            node.entries[Array(path.name)] = nil
            node.status.mtime = now
        }
    }

    private mutating func change(_ inode: UInt64, _ body: (inout Node, Timestamp) -> Void) {
        guard var node = nodes[inode] else { return }
        node.status.ctime = now
        body(&node, now)
        nodes[inode] = node
        advance(nanoseconds: tick)
    }
}
