internal import CLinux
package import Integrity

/// One inotify instance (inotify(7)): close-on-exec, never blocking.
package final class Inotify: PollSource {
    private let descriptor: OwnedDescriptor

    /// Makes an instance without watches.
    /// - Throws: `EMFILE` where the user has `fs.inotify.max_user_instances` already, `ENFILE`, `ENOMEM`.
    package init() throws(Errno) {
        let number = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// Watches exactly the inode that was opened, whatever its path means by now.
    ///
    /// Where /proc is missing, `fallback` is watched instead, without following a link in its last component; the
    /// caller then opens the path again to see that it still is the same inode.
    /// - Returns: the watch; the same as before where the inode already has one.
    /// - Throws: `ENOSPC` where `fs.inotify.max_user_watches` is reached, `EACCES` without read permission, `ENOMEM`,
    ///   `EEXIST` under `maskCreate`, `EBADF` for what is no descriptor of the kernel's.
    @discardableResult
    package func add(
        _ opened: borrowing OwnedDescriptor,
        fallback: RawPath? = nil,
        mask: WatchMask
    ) throws(Errno) -> Int32 {
        let number = opened.lend { $0 }
        // A handle of a tree in memory; falling back to its path would watch something else.
        guard number >= 0 else { throw Errno(EBADF) }
        // The last component is a link that the kernel itself follows to the inode, so it has to be followed.
        let place = RawPath("/proc/self/fd/\(number)")
        do {
            return try add(path: place, mask: mask.subtracting(.dontFollow))
        } catch {
            guard error.isAbsence, let fallback else { throw error }
            return try add(path: fallback, mask: mask.union(.dontFollow))
        }
    }

    /// Watches what the path leads to now; give `dontFollow` to watch a link itself.
    /// - Throws: as above, and `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`.
    @discardableResult
    package func add(path: RawPath, mask: WatchMask) throws(Errno) -> Int32 {
        try descriptor.lend { (number) throws(Errno) -> Int32 in
            let terminated = path.bytes.map(CChar.init(bitPattern:)) + [0]
            let watch = unsafe inotify_add_watch(number, terminated, mask.rawValue)
            if watch < 0 { throw Errno.current }
            return watch
        }
    }

    /// Ends a watch; nothing where it has ended already (`EINVAL`).
    ///
    /// Its last event is `ignored`.
    package func remove(_ watch: Int32) {
        _ = descriptor.lend { inotify_rm_watch($0, watch) }
    }

    /// Reads as many whole events as fit.
    /// - Parameter buffer: at least 272 bytes, the size of an event with the longest name.
    /// - Returns: the number of bytes; 0 where nothing is queued.
    /// - Throws: `EINVAL` where the next event does not fit.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        do {
            return try descriptor.lend { (number) throws(Errno) -> Int in
                try retrying { unsafe CLinux.read(number, buffer.baseAddress, buffer.count) }
            }
        } catch .again {
            return 0
        }
    }

    /// The same into an array of its own.
    /// - Parameter limit: bytes; at least 272 in any case.
    /// - Returns: whole events; empty where nothing is queued.
    /// - Throws: what read(2) reports; never `EAGAIN`.
    package func read(limit: Int = 65_536) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max(272, limit)) { buffer, count in
            do throws(Errno) {
                count = unsafe try read(into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// How many bytes of events the kernel has queued.
    package var queuedBytes: Int {
        max(0, Int(descriptor.lend { mw_readable($0) }))
    }
}
