import CLinux
import Integrity
import Testing

/// A directory of one test, removed with everything in it when the test is over.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/millwarden-reporting-XXXXXX".utf8) + [0]
        let isMade = unsafe template.withUnsafeMutableBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe mkdtemp($0) != nil } ?? false
        }
        try #require(isMade, "no temporary directory: errno \(mw_errno())")
        path = try #require(String(validating: template.dropLast(), as: UTF8.self))
    }

    deinit {
        _ = unsafe system("rm -rf '\(path)'")
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file, and reads it back with `read`.
    func write(_ text: String, to name: String) throws {
        try writeFile(Array(text.utf8), to: file(name))
    }
}

func writeFile(_ bytes: [UInt8], to path: String) throws {
    let number = unsafe mw_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    try #require(number >= 0, "cannot write \(path): errno \(mw_errno())")
    defer { close(number) }
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = unsafe rest.withUnsafeBytes { unsafe CLinux.write(number, $0.baseAddress, $0.count) }
        try #require(written > 0)
        rest = rest.dropFirst(written)
    }
}

/// The bytes of a file; nil where there is none.
func readFile(_ path: String) -> [UInt8]? {
    let number = unsafe mw_openat(AT_FDCWD, path, O_RDONLY, 0)
    guard number >= 0 else { return nil }
    defer { close(number) }
    return readAll(number)
}

/// Everything up to the end.
func readAll(_ number: CInt) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
        if count <= 0 { return bytes }
        bytes.append(contentsOf: buffer[..<count])
    }
}

/// Runs a command of the shell and gives its exit status with what it printed.
func shell(_ command: String, in scratch: borrowing Scratch) throws -> (status: Int, output: String) {
    let log = scratch.file("output")
    let status = unsafe system("{ \(command) ; } >'\(log)' 2>&1 </dev/null")
    let output = readFile(log).flatMap { String(validating: $0, as: UTF8.self) } ?? ""
    return (Int(status >> 8 & 0xFF), output)
}
