internal import CLinux
import Integrity

extension KernelTree {
    /// Always from the beginning, wherever an earlier listing of the same descriptor ended.
    /// - Throws: `ENOENT` where the directory has been removed, `EACCES`, `EIO`.
    package func list(_ directory: borrowing OwnedDescriptor, into listing: inout DirectoryListing)
        throws(Errno)
    {
        let result = directory.lend { number in
            let start = kernelResult { lseek(number, 0, SEEK_SET) }
            guard start >= 0 else { return start }
            return unsafe withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 8) { buffer in
                while true {
                    let count = kernelResult {
                        unsafe mw_getdents64(number, buffer.baseAddress, buffer.count)
                    }
                    guard count > 0 else { return count }
                    unsafe listing.append(entries: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        }
        try checked(result)
    }
}

extension DirectoryListing {
    /// Appends what one getdents64(2) wrote, without `.` and `..`.
    ///
    /// Each entry: inode (8 bytes), offset (8), length of the entry (2), type (1), the name and its NUL.
    mutating func append(entries buffer: UnsafeRawBufferPointer) {
        let header = 19
        var position = 0
        while position + header < buffer.count {
            let entry = unsafe buffer[position...]
            let inode = unsafe entry.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
            let length = unsafe Int(entry.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
            guard length > header, position + length <= buffer.count else { return }
            let type = unsafe FileType(entryType: buffer[position + 18])
            let name = unsafe UnsafeRawBufferPointer(rebasing: buffer[position + header..<position + length])
            let end = unsafe name.firstIndex(of: 0) ?? name.count
            position += length
            if unsafe isDot(name, end) { continue }
            unsafe append(UnsafeRawBufferPointer(rebasing: name[..<end]), type: type, inode: inode)
        }
    }
}

/// `.` and `..`; an empty name, which only a broken file system gives, is none either.
private func isDot(_ name: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    let period = UInt8(ascii: ".")
    switch count {
    case 0: return true
    case 1: return unsafe name[0] == period
    case 2: return unsafe name[0] == period && name[1] == period
    default: return false
    }
}
