import CLinux
import Integrity

@testable import Host

/// A directory of one test's own, removed with everything in it.
final class Scratch: Sendable {
    let path: RawPath

    init() throws {
        let base = unsafe getenv("TMPDIR").map { unsafe RawPath(String(cString: $0)) } ?? "/tmp"
        var template = base.appending("mw-events-XXXXXX").bytes.map(CChar.init(bitPattern:)) + [0]
        guard unsafe mkdtemp(&template) != nil else { throw Errno.current }
        path = RawPath(bytes: template.dropLast().map(UInt8.init(bitPattern:)))
    }

    deinit { removeTree(path) }

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

private func removeTree(_ path: RawPath) {
    if unsafe unlink(text(path)) == 0 { return }
    if let stream = unsafe opendir(text(path)) {
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                unsafe Array($0.prefix { $0 != 0 })
            }
            if name == [46] || name == [46, 46] { continue }
            removeTree(path.appending(name))
        }
        unsafe closedir(stream)
    }
    _ = unsafe rmdir(text(path))
}

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
