import ArgumentParser
import CLinux
import Integrity

/// A byte string given on the command line.
///
/// Arguments are bytes, and names need not be UTF-8; yet the parser takes strings. So every byte that is not
/// UTF-8 travels through it as one private-use character and is turned back here.
struct ByteArgument: ExpressibleByArgument, Hashable {
    let bytes: [UInt8]

    /// The first of 256 characters of the supplementary private use area B, one a byte.
    private static let carrier: UInt32 = 0x10_FF00 - 0x100

    init?(argument: String) {
        var bytes: [UInt8] = []
        for scalar in argument.unicodeScalars {
            if scalar.value >= ByteArgument.carrier, scalar.value < ByteArgument.carrier + 0x100 {
                bytes.append(UInt8(scalar.value - ByteArgument.carrier))
            } else {
                bytes.append(contentsOf: Array(String(scalar).utf8))
            }
        }
        self.bytes = bytes
    }

    /// The arguments of this process without its name, each byte kept.
    ///
    /// - Throws: `CommandFailure` where the runtime could not read them: a `check` in a root without /proc must not end
    ///   as if nothing had been asked.
    static func commandLine() throws -> [String] {
        guard CommandLine.argc > 0, PathStatus.isThere("/proc/self/cmdline") else {
            throw CommandFailure(
                ExitStatus.io,
                "cannot read the command line from /proc/self/cmdline; mount proc(5) on /proc"
            )
        }
        var arguments: [String] = []
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let pointer = unsafe CommandLine.unsafeArgv[index] else { break }
            arguments.append(
                text(of: unsafe Array(UnsafeBufferPointer(start: pointer, count: strlen(pointer))))
            )
        }
        return arguments
    }

    private static func text(of argument: [CChar]) -> String {
        let bytes = argument.map { UInt8(bitPattern: $0) }
        var text = ""
        for piece in UTF8Pieces(bytes) {
            switch piece {
            case .scalar(let scalar, _) where scalar.value < carrier || scalar.value >= carrier + 0x100:
                text.unicodeScalars.append(scalar)
            case .scalar(let scalar, _):
                text.unicodeScalars.append(contentsOf: String(scalar).utf8.compactMap(carried))
            case .broken(let byte): text.unicodeScalars.append(contentsOf: [byte].compactMap(carried))
            }
        }
        return text
    }

    private static func carried(_ byte: UInt8) -> Unicode.Scalar? { Unicode.Scalar(carrier + UInt32(byte)) }

    /// An absolute path; what is relative is taken from the working directory.
    var path: RawPath {
        let given = RawPath(bytes: bytes)
        if given.isAbsolute { return given.normalized }
        guard let current = unsafe getcwd(nil, 0) else { return RawPath.root.appending(bytes).normalized }
        defer { unsafe free(current) }
        let directory = unsafe Array(UnsafeBufferPointer(start: current, count: strlen(current)))
        return RawPath(bytes: directory.map { UInt8(bitPattern: $0) }).appending(bytes).normalized
    }

    /// The bytes as text for what has to be UTF-8, such as a glob; broken bytes are refused by whoever parses it.
    var text: String? { String(validating: bytes, as: UTF8.self) }
}
