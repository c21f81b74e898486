internal import CLinux
import Integrity

/// One fanotify group (fanotify(7)) that tells which process did what to which name: close-on-exec, never blocking.
package final class Fanotify: PollSource {
    private let descriptor: OwnedDescriptor

    /// Makes a group without marks.
    ///
    /// Its queue has the kernel's bound (`fs.fanotify.max_queued_events`): what overflows costs names of writers and no
    /// finding, while a queue without a bound would let anybody who writes in scope fill the kernel's memory.
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` before Linux 5.15, `ENOSYS`, `EMFILE`, `ENOMEM`.
    package init() throws(Errno) {
        let reports = FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_PIDFD
        let number = mw_fanotify_init(CUnsignedInt(FAN_CLASS_NOTIF | FAN_UNLIMITED_MARKS | reports))
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// Marks exactly the inode that is open.
    ///
    /// Marking it twice is marking it once.
    /// - Throws: `ENODEV`, `EOPNOTSUPP`, `EXDEV` where the file system cannot name its inodes; `ENOMEM`; `ENOENT` where it
    ///   is gone.
    package func mark(_ opened: borrowing OwnedDescriptor, mask: FanotifyMask) throws(Errno) {
        let target = opened.lend { $0 }
        // A handle of a tree in memory.
        guard target >= 0 else { throw Errno(EBADF) }
        try descriptor.lend { (number) throws(Errno) in
            _ = try retrying {
                mw_fanotify_mark(number, CUnsignedInt(FAN_MARK_ADD), mask.rawValue, target)
            }
        }
    }

    /// Reads as many whole events as fit.
    ///
    /// Every descriptor in them has to be closed.
    /// - Parameter buffer: at least 4,096 bytes.
    /// - Returns: the number of bytes; 0 where nothing is queued.
    /// - Throws: `EINVAL` where the next event does not fit.
    package func read(into buffer: inout [UInt8]) throws(Errno) -> Int {
        do {
            return try descriptor.lend { (number) throws(Errno) -> Int in
                try retrying {
                    unsafe buffer.withUnsafeMutableBytes {
                        unsafe CLinux.read(number, $0.baseAddress, $0.count)
                    }
                }
            }
        } catch .again {
            return 0
        }
    }
}

extension FileHandle {
    /// The handle of what is open, as fanotify reports it.
    ///
    /// - Throws: `EOPNOTSUPP` where the file system has none.
    package init(of opened: borrowing OwnedDescriptor) throws(Errno) {
        var system: UInt64 = 0
        var type: CInt = 0
        var bytes = [UInt8](repeating: 0, count: Int(MAX_HANDLE_SZ))
        let count = try opened.lend { (number) throws(Errno) -> CInt in
            try retrying { unsafe mw_file_system_id(number, &system) }
            return try retrying { unsafe mw_file_handle(number, &type, &bytes) }
        }
        self.init(fileSystem: system, type: type, bytes: Array(bytes.prefix(Int(count))))
    }
}
