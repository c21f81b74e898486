import CLinux
package import Host
package import Integrity

/// A directory of one test's own below `$TMPDIR`, removed with everything in it when the test is done, whatever modes,
/// flags and names it left behind.
package final class TemporaryDirectory: Sendable {
    /// Canonical: no component is a link.
    package let path: RawPath

    /// - Throws: What mkdtemp(3) says.
    package init() throws(Errno) {
        let base = RawPath(environmentVariable("TMPDIR") ?? "/tmp")
        let canonical = PathResolver(tree: KernelTree()).resolve(base).final ?? base
        var template = canonical.appending("millwarden.XXXXXX").bytes + [0]
        let made = unsafe template.withUnsafeMutableBytes { buffer in
            guard let start = buffer.baseAddress else { return false }
            return unsafe mkdtemp(start.assumingMemoryBound(to: CChar.self)) != nil
        }
        guard made else { throw .current }
        path = RawPath(bytes: template.dropLast())
    }

    deinit {
        guard let parent = try? KernelTree().openDirectory(path.parent) else { return }
        Remover().remove(path.name, in: parent)
    }

    /// A path below the directory, of one or more components.
    package func appending(_ names: String) -> RawPath {
        RawPath(bytes: path.bytes + [slash] + names.utf8)
    }

    /// Makes a file, with its parents, or writes anew into the one that stands there.
    @discardableResult
    package func write(_ name: String, _ bytes: [UInt8], mode: UInt16 = 0o644) throws(Errno) -> RawPath {
        let file = appending(name)
        try makeParents(of: file)
        try file.write(bytes, mode: mode)
        return file
    }

    @discardableResult
    package func write(_ name: String, _ text: String, mode: UInt16 = 0o644) throws(Errno) -> RawPath {
        try write(name, Array(text.utf8), mode: mode)
    }

    @discardableResult
    package func makeDirectory(_ name: String) throws(Errno) -> RawPath {
        let directory = appending(name)
        try makeParents(of: directory)
        try unsafe directory.call { unsafe mkdir($0, 0o755) }
        return directory
    }

    @discardableResult
    package func symlink(_ name: String, to target: RawPath) throws(Errno) -> RawPath {
        let link = appending(name)
        try makeParents(of: link)
        try unsafe target.call { from in
            (try? unsafe link.call { to in unsafe CLinux.symlink(from, to) }) == nil ? -1 : 0
        }
        return link
    }

    private func makeParents(of path: RawPath) throws(Errno) {
        var parent = self.path
        for component in path.components.dropFirst(self.path.components.count).dropLast() {
            parent = parent.appending(component)
            do throws(Errno) {
                try unsafe parent.call { unsafe mkdir($0, 0o755) }
            } catch {
                guard error == .exists else { throw error }
            }
        }
    }
}

extension RawPath {
    /// Makes one system call with the path.
    /// - Throws: Its errno, where it answers -1.
    @discardableResult
    package func call(_ body: (UnsafePointer<CChar>) -> CInt) throws(Errno) -> CInt {
        let terminated = bytes + [0]
        let result: Result<CInt, Errno> = unsafe terminated.withUnsafeBytes { buffer in
            guard let start = buffer.baseAddress else { return .failure(.invalid) }
            let value = unsafe body(start.assumingMemoryBound(to: CChar.self))
            return value < 0 ? .failure(.current) : .success(value)
        }
        return try result.get()
    }

    /// Makes a file, or writes anew into the one that stands there: the inode stays.
    package func write(_ bytes: [UInt8], mode: UInt16 = 0o644) throws(Errno) {
        try append(bytes, flags: O_TRUNC, mode: mode)
    }

    package func append(_ bytes: [UInt8]) throws(Errno) {
        try append(bytes, flags: O_APPEND, mode: 0o644)
    }

    private func append(_ bytes: [UInt8], flags: CInt, mode: UInt16) throws(Errno) {
        let number = try unsafe call {
            unsafe mw_openat(AT_FDCWD, $0, O_WRONLY | O_CREAT | flags, mode_t(mode))
        }
        let file = OwnedDescriptor(owning: number)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { buffer in
                file.lend { unsafe CLinux.write($0, buffer.baseAddress, buffer.count) }
            }
            guard count >= 0 else { throw .current }
            rest = rest.dropFirst(count)
        }
    }

    /// The bytes of a file.
    package func contents() throws(Errno) -> [UInt8] {
        let file = OwnedDescriptor(owning: try unsafe call { unsafe mw_openat(AT_FDCWD, $0, O_RDONLY, 0) })
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                file.lend { unsafe CLinux.read($0, buffer.baseAddress, buffer.count) }
            }
            guard count >= 0 else { throw .current }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}

/// Removes a tree from open directories, so that no path can be too long and no name too odd.
private struct Remover {
    private let tree = KernelTree()

    func remove(_ name: ArraySlice<UInt8>, in parent: borrowing OwnedDescriptor) {
        if unlink(name, in: parent, 0) { return }
        if let directory = open(name, in: parent) {
            makeWritable(directory)
            var listing = DirectoryListing()
            try? tree.list(directory, into: &listing)
            for entry in listing.entries { remove(listing.name(of: entry), in: directory) }
        } else if let file = try? tree.openFile(name, in: parent) {
            makeWritable(file)
            _ = unlink(name, in: parent, 0)
        }
        _ = unlink(name, in: parent, AT_REMOVEDIR)
    }

    private func open(_ name: ArraySlice<UInt8>, in parent: borrowing OwnedDescriptor) -> OwnedDescriptor? {
        if let directory = try? tree.openDirectory(name, in: parent) { return directory }
        let terminated = name + [0]
        parent.lend { number in
            unsafe terminated.withUnsafeBytes { buffer in
                guard let start = buffer.baseAddress else { return }
                _ = unsafe fchmodat(number, start.assumingMemoryBound(to: CChar.self), 0o700, 0)
            }
        }
        return try? tree.openDirectory(name, in: parent)
    }

    private func unlink(_ name: ArraySlice<UInt8>, in parent: borrowing OwnedDescriptor, _ flags: CInt)
        -> Bool
    {
        let terminated = name + [0]
        return parent.lend { number in
            unsafe terminated.withUnsafeBytes { buffer in
                guard let start = buffer.baseAddress else { return false }
                return unsafe unlinkat(number, start.assumingMemoryBound(to: CChar.self), flags) == 0
            }
        }
    }

    /// Immutable and append-only files stay where they are until somebody says otherwise.
    private func makeWritable(_ file: borrowing OwnedDescriptor) {
        file.lend { number in
            var flags: CUnsignedInt = 0
            let kept = FileFlags([.immutable, .appendOnly]).rawValue
            if unsafe mw_getflags(number, &flags) == 0, flags & kept != 0 {
                _ = mw_setflags(number, flags & ~kept)
            }
            _ = fchmod(number, 0o700)
        }
    }
}
