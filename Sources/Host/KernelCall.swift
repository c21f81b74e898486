internal import CLinux

/// Makes a system call until it is not interrupted: its value, or the negated error number.
@inline(__always)
func kernelResult<Value: SignedInteger>(_ body: () -> Value) -> Int {
    while true {
        let result = body()
        if result >= 0 { return Int(result) }
        let code = mw_errno()
        if code != EINTR { return -Int(code) }
    }
}

/// Turns the negated error number of `kernelResult` into the error.
@inline(__always)
@discardableResult
func checked(_ result: Int) throws(Errno) -> Int {
    guard result >= 0 else { throw Errno(Int32(truncatingIfNeeded: -result)) }
    return result
}

/// Lends the bytes with a NUL behind them, and makes the system call as `kernelResult` does.
///
/// Bytes that hold a NUL name no file: `EINVAL`. Up to 1,023 bytes need no allocation.
@inline(__always)
func withCString<Value: SignedInteger>(
    _ bytes: ArraySlice<UInt8>,
    _ call: (UnsafePointer<CChar>) -> Value
) -> Int {
    unsafe bytes.withUnsafeBytes { source in
        if source.count < 1_024 {
            return unsafe withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) { scratch in
                unsafe terminated(source, scratch, call)
            }
        }
        return unsafe withUnsafeTemporaryAllocation(byteCount: source.count + 1, alignment: 1) { scratch in
            unsafe terminated(source, scratch, call)
        }
    }
}

@inline(__always)
private func terminated<Value: SignedInteger>(
    _ source: UnsafeRawBufferPointer,
    _ scratch: UnsafeMutableRawBufferPointer,
    _ call: (UnsafePointer<CChar>) -> Value
) -> Int {
    guard let start = scratch.baseAddress else { return -Int(EINVAL) }
    if let from = source.baseAddress {
        if unsafe memchr(from, 0, source.count) != nil { return -Int(EINVAL) }
        unsafe start.copyMemory(from: from, byteCount: source.count)
    }
    unsafe start.storeBytes(of: 0, toByteOffset: source.count, as: UInt8.self)
    return kernelResult { unsafe call(start.assumingMemoryBound(to: CChar.self)) }
}
