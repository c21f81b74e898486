package import Host
package import Integrity
import Synchronization

/// A small world of files in memory, whose clock moves only when something happens.
///
/// Descriptors are negative numbers, so that closing one closes nothing. A hook sees every call before it is answered
/// and may change the world: races happen exactly where a test wants them.
package final class MemoryTree: FileTree {
    /// The calls of `FileTree`, as a hook sees them.
    package enum Call: Hashable, Sendable, CaseIterable {
        case openDirectory, openFile, openPlace, status, read, target, flags, xattrs, list, fileSystem
    }

    /// Sees the call and its number, counted from 1.
    package typealias Hook = @Sendable (MemoryTree, Call, Int) -> Void

    private let state: Mutex<State>

    private struct State {
        var world: MemoryWorld
        var handles: [CInt: Handle] = [:]
        var calls = 0
        var hook: Hook?
    }

    private struct Handle {
        var inode: UInt64
        var isPlace: Bool
        var offset = 0
    }

    /// A world with an empty root.
    ///
    /// - Parameters:
    ///   - start: When the first thing happens.
    ///   - tick: How far the clock moves after every change, in nanoseconds; 0 is a clock too coarse to tell.
    package init(
        start: Timestamp = Timestamp(seconds: 1_700_000_000, nanoseconds: 123_456_789),
        tick: Int64 = 1_000_000_000
    ) {
        state = Mutex(State(world: MemoryWorld(start: start, tick: tick)))
    }

    /// Changes the world.
    package func change<Result: Sendable>(_ body: (inout MemoryWorld) -> Result) -> Result {
        state.withLock { body(&$0.world) }
    }

    package var now: Timestamp { state.withLock { $0.world.now } }

    /// The clock of this world, for what is handed one.
    package var clock: @Sendable () -> Timestamp { { self.now } }

    /// The number of calls so far.
    package var calls: Int { state.withLock { $0.calls } }

    /// From now on the hook sees every call, counted anew.
    package func beforeEachCall(_ hook: Hook?) {
        state.withLock {
            $0.hook = hook
            $0.calls = 0
        }
    }

    /// The types of everything that was opened for reading.
    package var openedForReading: Set<FileType> { state.withLock { $0.world.openedForReading } }

    private func announce(_ call: Call) {
        let (hook, number) = state.withLock { state in
            state.calls += 1
            return (state.hook, state.calls)
        }
        hook?(self, call, number)
    }

    // MARK: FileTree

    package func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        announce(.openDirectory)
        return try open { (state) throws(Errno) in
            Handle(inode: try state.world.directory(at: path), isPlace: false)
        }
    }

    package func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        announce(.openDirectory)
        let number = directory.lend { $0 }
        return try open { (state) throws(Errno) in
            let inode = try state.world.entry(name, in: try Self.handle(number, state).inode)
            try state.world.admit(inode, as: .directory)
            return Handle(inode: inode, isPlace: false)
        }
    }

    package func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        announce(.openFile)
        let number = directory.lend { $0 }
        return try open { (state) throws(Errno) in
            let inode = try state.world.entry(name, in: try Self.handle(number, state).inode)
            try state.world.admit(inode, as: nil)
            return Handle(inode: inode, isPlace: false)
        }
    }

    package func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        announce(.openPlace)
        let number = directory.lend { $0 }
        return try open { (state) throws(Errno) in
            Handle(
                inode: try state.world.entry(name, in: try Self.handle(number, state).inode),
                isPlace: true
            )
        }
    }

    package func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes {
        announce(.status)
        return try node(file).status
    }

    package func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> Attributes
    {
        announce(.status)
        let number = directory.lend { $0 }
        return try asking { (state) throws(Errno) in
            let inode = try state.world.entry(name, in: try Self.handle(number, state).inode)
            return try state.world.node(inode).status
        }
    }

    package func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer)
        throws(Errno) -> Int
    {
        announce(.read)
        let number = file.lend { $0 }
        let room = buffer.count
        let chunk: [UInt8] = try asking { (state) throws(Errno) in
            let handle = try Self.handle(number, state)
            let node = try state.world.node(handle.inode)
            guard !handle.isPlace else { throw Errno(9) }
            guard node.status.type != .directory else { throw .isDirectory }
            guard handle.offset < node.bytes.count else { return [] }
            let chunk = Array(node.bytes[handle.offset...].prefix(room))
            state.handles[number]?.offset += chunk.count
            return chunk
        }
        unsafe buffer.copyBytes(from: chunk)
        return chunk.count
    }

    package func read(
        _ file: borrowing OwnedDescriptor,
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        announce(.read)
        let number = file.lend { $0 }
        let room = buffer.count
        let chunk: [UInt8] = try asking { (state) throws(Errno) in
            let handle = try Self.handle(number, state)
            let node = try state.world.node(handle.inode)
            guard !handle.isPlace else { throw Errno(9) }
            guard node.status.type != .directory else { throw .isDirectory }
            guard offset < UInt64(node.bytes.count) else { return [] }
            return Array(node.bytes[Int(offset)...].prefix(room))
        }
        unsafe buffer.copyBytes(from: chunk)
        return chunk.count
    }

    package func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] {
        announce(.target)
        let node = try node(link)
        guard node.status.type == .link else { throw .invalid }
        return node.bytes
    }

    package func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags? {
        announce(.flags)
        return try node(file).status.flags
    }

    package func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute] {
        announce(.xattrs)
        return try node(file).xattrs.map { ExtendedAttribute(name: $0, value: SHA256Hasher.digest(of: $1)) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// In no order that anybody could rely on.
    package func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing)
        throws(Errno)
    {
        announce(.list)
        let number = directory.lend { $0 }
        let entries: [(name: [UInt8], type: FileType, inode: UInt64)] = try asking { (state) throws(Errno) in
            let handle = try Self.handle(number, state)
            guard !handle.isPlace else { throw Errno(9) }
            let node = try state.world.node(handle.inode)
            guard node.status.type == .directory else { throw .notDirectory }
            var entries: [(name: [UInt8], type: FileType, inode: UInt64)] = []
            for (name, inode) in node.entries {
                entries.append((name, try state.world.node(inode).status.type, inode))
            }
            return entries
        }
        for entry in entries { listing.append(entry.name, type: entry.type, inode: entry.inode) }
    }

    package func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem {
        announce(.fileSystem)
        let number = file.lend { $0 }
        return try asking { (state) throws(Errno) in
            let device = try state.world.node(try Self.handle(number, state).inode).status.device
            return state.world.fileSystem(on: device)
        }
    }

    // MARK: Handles

    private static func handle(_ number: CInt, _ state: borrowing State) throws(Errno) -> Handle {
        guard let handle = state.handles[number] else { throw Errno(9) }
        return handle
    }

    private func node(_ file: borrowing OwnedDescriptor) throws(Errno) -> MemoryWorld.Node {
        let number = file.lend { $0 }
        return try asking { (state) throws(Errno) in
            try state.world.node(try Self.handle(number, state).inode)
        }
    }

    private func open(_ find: (inout State) throws(Errno) -> Handle) throws(Errno) -> OwnedDescriptor {
        let number: CInt = try asking { (state) throws(Errno) in
            let handle = try find(&state)
            // Far below AT_FDCWD, which is -100.
            let number = -1_000 - CInt(state.handles.count)
            state.handles[number] = handle
            return number
        }
        return OwnedDescriptor(owning: number)
    }

    private func asking<Answer>(_ question: (inout State) throws(Errno) -> Answer) throws(Errno) -> Answer {
        let result: Result<Answer, Errno> = state.withLock { state in
            do throws(Errno) {
                return .success(try question(&state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
