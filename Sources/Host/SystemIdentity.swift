internal import CLinux
package import Integrity

extension SystemClock {
    /// Which host this is, in which of its boots.
    package static func host() -> HostIdentity {
        HostIdentity(
            name: nodeName(),
            machineID: identifier("/etc/machine-id"),
            bootID: identifier("/proc/sys/kernel/random/boot_id")
        )
    }

    /// The host whose root a tree is, as far as its files tell: `/etc/hostname` and `/etc/machine-id`.
    ///
    /// It does not run, so that it is in no boot.
    package static func host(in tree: some FileTree) -> HostIdentity {
        let resolver = PathResolver(tree: tree)
        let name = (try? resolver.readFile("/etc/hostname", limit: 4_096)) ?? []
        let machine = (try? resolver.readFile("/etc/machine-id", limit: 4_096)) ?? []
        return HostIdentity(
            // As long as a node name can be.
            name: escaped(Array(name.prefix { $0 != UInt8(ascii: "\n") }.prefix(64))),
            machineID: identifier(machine),
            bootID: ""
        )
    }

    /// Who logged in, whatever su or sudo did later (/proc/PID/loginuid); nil where nobody did.
    package static func loginUID() -> Int64? {
        guard let bytes = try? readFile("/proc/self/loginuid", limit: 64) else { return nil }
        return loginUID(bytes)
    }

    /// The process that traces this one (`TracerPid` of /proc/self/status); nil where none does.
    package static func tracer() -> Int64? {
        guard let bytes = try? readFile("/proc/self/status", limit: 1 << 16) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("TracerPid:") {
            return line.split(separator: "\t").last.flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil }
        }
        return nil
    }

    /// 4,294,967,295 stands for nobody.
    static func loginUID(_ bytes: [UInt8]) -> Int64? {
        guard let text = String(validating: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self),
            let number = UInt32(text), number != .max
        else { return nil }
        return Int64(number)
    }

    /// The node name (gethostname(2)); what is not UTF-8 in it comes escaped.
    private static func nodeName() -> String {
        // Linux allows 64 bytes.
        let name = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer -> [UInt8] in
            guard let start = buffer.baseAddress, unsafe gethostname(start, buffer.count) == 0 else {
                return []
            }
            return unsafe buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        }
        return escaped(name)
    }

    private static func identifier(_ path: RawPath) -> String {
        guard let bytes = try? readFile(path, limit: 4_096) else { return "" }
        return identifier(bytes)
    }

    /// 32 hexadecimal digits in lower case, without dashes; empty where that is not what the bytes hold.
    static func identifier(_ bytes: [UInt8]) -> String {
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }.filter { $0 != UInt8(ascii: "-") }
        guard line.count == 32, let text = String(validating: line, as: UTF8.self),
            let digits = Integrity.bytes(hex: text)
        else { return "" }
        return hex(digits)
    }
}
