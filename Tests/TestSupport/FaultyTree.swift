package import Host
package import Integrity
import Synchronization

/// Any tree, of whose calls the nth fails.
///
/// Loop n upwards until `hasFailed` stays false: then every call has failed once.
package final class FaultyTree<Base: FileTree>: FileTree {
    private let base: Base
    private let failing: Int?
    private let error: Errno
    private let hook: (@Sendable (Int) -> Void)?
    private let count = Mutex(0)

    /// - Parameters:
    ///   - base: The tree that answers all other calls.
    ///   - failing: The number of the call that fails, counted from 1; nil where none does.
    ///   - error: What it fails with.
    ///   - hook: Is told the number of every call before it is answered, and may change what the base will answer.
    package init(
        _ base: Base,
        failing: Int? = nil,
        with error: Errno = .io,
        beforeEachCall hook: (@Sendable (Int) -> Void)? = nil
    ) {
        self.base = base
        self.failing = failing
        self.error = error
        self.hook = hook
    }

    /// The number of calls so far.
    package var calls: Int { count.withLock { $0 } }

    /// The call that should fail has come.
    package var hasFailed: Bool { failing.map { calls >= $0 } ?? false }

    private func pass() throws(Errno) {
        let number = count.withLock { count in
            count += 1
            return count
        }
        hook?(number)
        if number == failing { throw error }
    }

    package func openDirectory(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        try pass()
        return try base.openDirectory(path)
    }

    package func openDirectory(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try pass()
        return try base.openDirectory(name, in: directory)
    }

    package func openFile(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try pass()
        return try base.openFile(name, in: directory)
    }

    package func openPlace(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> OwnedDescriptor
    {
        try pass()
        return try base.openPlace(name, in: directory)
    }

    package func status(of file: borrowing OwnedDescriptor) throws(Errno) -> Attributes {
        try pass()
        return try base.status(of: file)
    }

    package func status(of name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor)
        throws(Errno) -> Attributes
    {
        try pass()
        return try base.status(of: name, in: directory)
    }

    package func read(_ file: borrowing OwnedDescriptor, into buffer: UnsafeMutableRawBufferPointer)
        throws(Errno) -> Int
    {
        try pass()
        return try unsafe base.read(file, into: buffer)
    }

    package func read(
        _ file: borrowing OwnedDescriptor,
        at offset: UInt64,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try pass()
        return try unsafe base.read(file, at: offset, into: buffer)
    }

    package func target(of link: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] {
        try pass()
        return try base.target(of: link)
    }

    package func flags(of file: borrowing OwnedDescriptor) throws(Errno) -> FileFlags? {
        try pass()
        return try base.flags(of: file)
    }

    package func xattrs(of file: borrowing OwnedDescriptor) throws(Errno) -> [ExtendedAttribute] {
        try pass()
        return try base.xattrs(of: file)
    }

    package func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing)
        throws(Errno)
    {
        try pass()
        try base.list(directory, into: &listing)
    }

    package func fileSystem(of file: borrowing OwnedDescriptor) throws(Errno) -> FileSystem {
        try pass()
        return try base.fileSystem(of: file)
    }
}
