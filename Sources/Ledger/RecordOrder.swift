internal import CLinux
internal import Integrity

/// Compares two directories as `RawPath`'s order compares what stands in them: component by component.
///
/// A slash is what ends a component, so it sorts before every byte, and the end of the path before that.
/// - Returns: Less than, equal to or greater than 0, as memcmp(3).
func compareDirectories(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Int {
    unsafe left.withUnsafeBufferPointer { left in
        unsafe right.withUnsafeBufferPointer { right in
            let shared = min(left.count, right.count)
            var position = 0
            while position < shared, unsafe left[position] == right[position] { position += 1 }
            guard position < shared else { return left.count - right.count }
            let (first, second) = unsafe (left[position], right[position])
            return (first == slash ? 0 : Int(first)) - (second == slash ? 0 : Int(second))
        }
    }
}

/// Compares a part of an array with other bytes as memcmp(3) does; of two of which one begins with the other, the
/// shorter one is less.
func compareBytes(_ bytes: [UInt8], _ part: Range<Int>, _ other: ArraySlice<UInt8>) -> Int {
    compareNames(bytes[part], other)
}

/// Compares two names byte by byte.
func compareNames(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Int {
    unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in
            let shared = min(left.count, right.count)
            guard shared > 0, let first = left.baseAddress, let second = right.baseAddress else {
                return left.count - right.count
            }
            let order = unsafe memcmp(first, second, shared)
            return order == 0 ? left.count - right.count : Int(order)
        }
    }
}

func compareKeys(
    _ leftDirectory: ArraySlice<UInt8>,
    _ leftName: ArraySlice<UInt8>,
    _ rightDirectory: ArraySlice<UInt8>,
    _ rightName: ArraySlice<UInt8>
) -> Int {
    let order = compareDirectories(leftDirectory, rightDirectory)
    return order == 0 ? compareNames(leftName, rightName) : order
}
