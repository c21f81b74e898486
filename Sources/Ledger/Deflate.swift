internal import CZlib

/// Compression as zlib(3) does it (RFC 1950).
enum Deflate {
    static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        var length = compressBound(uLong(bytes.count))
        var output = [UInt8](repeating: 0, count: Int(length))
        let result = unsafe bytes.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe compress2(
                    target.baseAddress,
                    &length,
                    source.baseAddress,
                    uLong(source.count),
                    Z_DEFAULT_COMPRESSION
                )
            }
        }
        precondition(result == Z_OK, "zlib cannot compress: is there memory?")
        output.removeLast(output.count - Int(length))
        return output
    }

    /// Nil where the bytes are not the compressed form of exactly so many.
    static func decompressed(_ bytes: [UInt8], size: Int) -> [UInt8]? {
        // One byte more, so that a longer content is noticed and an empty one has an address.
        var output = [UInt8](repeating: 0, count: size + 1)
        var length = uLongf(output.count)
        let result = unsafe bytes.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe uncompress(target.baseAddress, &length, source.baseAddress, uLong(source.count))
            }
        }
        guard result == Z_OK, Int(length) == size else { return nil }
        output.removeLast()
        return output
    }
}
