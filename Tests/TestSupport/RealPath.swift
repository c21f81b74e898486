import CLinux
package import Integrity

/// What realpath(3) says; nil where the path leads nowhere.
package func realPath(_ path: RawPath) -> RawPath? {
    let terminated = path.bytes + [0]
    return unsafe terminated.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress else { return nil }
        guard let real = unsafe realpath(start.assumingMemoryBound(to: CChar.self), nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe RawPath(bytes: [UInt8](UnsafeRawBufferPointer(start: real, count: strlen(real))))
    }
}

extension [UInt8] {
    /// Lends the bytes with a NUL behind them.
    package func withTerminator<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        unsafe (self.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else {
                preconditionFailure("an array with a NUL is not empty")
            }
            return unsafe body(start)
        }
    }
}
