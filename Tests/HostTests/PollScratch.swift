import CLinux
import Integrity
import TestSupport

@testable import Host

/// A directory of one test's own, and the calls that raise events in it.
final class Scratch: Sendable {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    var path: RawPath { directory.path }

    func make(directory name: [UInt8]) throws -> RawPath {
        let made = path.appending(name)
        if unsafe mkdir(text(made), 0o755) != 0 { throw Errno.current }
        return made
    }

    /// Opens, writes one byte, closes.
    func write(_ file: RawPath) throws {
        let number = unsafe mw_openat(AT_FDCWD, text(file), O_WRONLY | O_CREAT, 0o644)
        if number < 0 { throw Errno.current }
        let descriptor = OwnedDescriptor(owning: number)
        let count = descriptor.lend { unsafe CLinux.write($0, "x", 1) }
        if count != 1 { throw Errno.current }
    }

    func rename(_ from: RawPath, _ to: RawPath) throws {
        if unsafe mw_renameat2(AT_FDCWD, text(from), AT_FDCWD, text(to), 0) != 0 { throw Errno.current }
    }

    func change(mode: mode_t, of file: RawPath) throws {
        if unsafe chmod(text(file), mode) != 0 { throw Errno.current }
    }

    func openDirectory(_ directory: RawPath) throws -> OwnedDescriptor {
        let number = unsafe mw_openat(AT_FDCWD, text(directory), O_RDONLY | O_DIRECTORY, 0)
        if number < 0 { throw Errno.current }
        return OwnedDescriptor(owning: number)
    }
}

func text(_ path: RawPath) -> [CChar] {
    path.bytes.map(CChar.init(bitPattern:)) + [0]
}
