internal import CLinux

/// Reads /proc/PID: little of each file, into one buffer.
///
/// All of a process is read through one descriptor of its directory, which stands for that process and no later one of
/// the same number.
///
/// It belongs to one thread at a time.
package final class ProcessFiles {
    private let root: [UInt8]
    private var buffer = [UInt8](repeating: 0, count: ProcessFiles.limit)

    /// How much of a file is read: more of a command line is cut.
    package static let limit = 4_096

    /// - Parameter root: Where proc(5) is mounted.
    package init(root: String = "/proc") {
        self.root = Array(root.utf8) + [0x2F]
    }

    /// What can be read of a process now.
    ///
    /// - Parameters:
    ///   - pid: The process.
    ///   - pidfd: A descriptor of it, lent. Where it says that the process lives once the directory is open, that is the
    ///     process's directory.
    /// - Returns: Nil where there is no such process, or where the descriptor says that it is gone.
    package func facts(_ pid: Int32, pidfd: CInt) -> ProcessFacts? {
        guard let directory = open(pid), isAlive(pidfd) else { return nil }
        return facts(directory)
    }

    /// What can be read of the process that has the number now.
    package func facts(_ pid: Int32) -> ProcessFacts? {
        guard let directory = open(pid) else { return nil }
        return facts(directory)
    }

    private func facts(_ directory: borrowing OwnedDescriptor) -> ProcessFacts? {
        var facts = ProcessFacts()
        // The files in the order in which they become unreadable when the process ends.
        facts.exe = target("exe", in: directory)
        if let text = read("cmdline", in: directory) { facts.cmdline = ProcessFacts.arguments(text) }
        if let text = read("status", in: directory) {
            let owner = ProcessOwner(text)
            (facts.parent, facts.uid) = (owner.parent, owner.effectiveUID)
        }
        if let text = read("loginuid", in: directory) { facts.loginuid = ProcessFacts.loginuid(text) }
        if let text = read("cgroup", in: directory) { facts.group = ControlGroup(text) }
        return facts.uid == nil && facts.exe == nil ? nil : facts
    }

    /// When and by whom it was started.
    package func stat(_ pid: Int32) -> ProcessStat? {
        guard let directory = open(pid), let text = read("stat", in: directory) else { return nil }
        return ProcessStat(text)
    }

    /// The parent now, nothing else.
    package func parent(_ pid: Int32) -> Int32? {
        guard let directory = open(pid), let text = read("status", in: directory) else { return nil }
        return ProcessOwner(text).parent
    }

    /// A process that is no more leaves a descriptor that can be read; one that waits for its parent does too.
    private func isAlive(_ pidfd: CInt) -> Bool {
        var entry = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        return kernelResult { unsafe poll(&entry, 1, 0) } == 0
    }

    private func open(_ pid: Int32) -> OwnedDescriptor? {
        guard pid > 0 else { return nil }
        let path = root + "\(pid)".utf8
        let number = unsafe withCString(path[...]) { unsafe mw_openat(AT_FDCWD, $0, O_PATH | O_DIRECTORY, 0) }
        return number < 0 ? nil : OwnedDescriptor(owning: CInt(number))
    }

    /// The beginning of a file; nil where it cannot be read.
    private func read(_ name: StaticString, in directory: borrowing OwnedDescriptor) -> ArraySlice<UInt8>? {
        let number = directory.lend { place in
            kernelResult { unsafe mw_openat(place, pointer(name), O_RDONLY, 0) }
        }
        guard number >= 0 else { return nil }
        let file = OwnedDescriptor(owning: CInt(number))
        let count = file.lend { open in
            unsafe buffer.withUnsafeMutableBytes { room in
                kernelResult { unsafe CLinux.read(open, room.baseAddress, room.count) }
            }
        }
        return count < 0 ? nil : buffer[..<count]
    }

    /// Where a link leads; nil where it cannot be read, or is longer than the buffer.
    private func target(_ name: StaticString, in directory: borrowing OwnedDescriptor) -> [UInt8]? {
        let count = directory.lend { place in
            unsafe buffer.withUnsafeMutableBytes { room in
                guard let start = room.baseAddress else { return -1 }
                return kernelResult {
                    unsafe readlinkat(
                        place,
                        pointer(name),
                        start.assumingMemoryBound(to: CChar.self),
                        room.count
                    )
                }
            }
        }
        return count > 0 && count < buffer.count ? Array(buffer[..<count]) : nil
    }

    /// A literal in ASCII lies in the program, ended by a NUL.
    private func pointer(_ name: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
