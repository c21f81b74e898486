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

    /// Who logged in, whatever su or sudo did later (/proc/PID/loginuid); nil where nobody did.
    package static func loginUID() -> Int64? {
        guard let bytes = try? readFile("/proc/self/loginuid", limit: 64) else { return nil }
        return loginUID(bytes)
    }

    /// 4,294,967,295 stands for nobody.
    static func loginUID(_ bytes: [UInt8]) -> Int64? {
        guard let text = String(validating: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self),
            let number = UInt32(text), number != .max
        else { return nil }
        return Int64(number)
    }

    /// The node name, as gethostname(2) and uname(2) give it; what is not UTF-8 in it comes escaped.
    private static func nodeName() -> String {
        // HOST_NAME_MAX is 64.
        var name = [CChar](repeating: 0, count: 65)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return escaped(name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
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
