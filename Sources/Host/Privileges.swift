internal import CLinux
import Integrity

/// A capability of the kernel that widens what can be seen (capabilities(7)).
package enum Capability: Int, Hashable, Sendable, CaseIterable {
    case dacReadSearch = 2
    case netAdmin = 12
    case sysPtrace = 19
    case sysAdmin = 21

    /// `CAP_SYS_ADMIN`.
    package var name: String {
        switch self {
        case .dacReadSearch: "CAP_DAC_READ_SEARCH"
        case .netAdmin: "CAP_NET_ADMIN"
        case .sysPtrace: "CAP_SYS_PTRACE"
        case .sysAdmin: "CAP_SYS_ADMIN"
        }
    }
}

/// As whom the program runs, and how much of the host it is shown.
package struct Privileges: Hashable, Sendable {
    package var uid: UInt32
    package var capabilities: Fact<Set<Capability>>
    /// False in the user namespace that the host began with (user_namespaces(7)).
    package var isInUserNamespace: Fact<Bool>
    /// The mount namespace is another than that of process 1.
    package var hasOwnMounts: Fact<Bool>
    /// What kind of container this is, as whoever started it says; nil outside of any.
    package var container: String?

    package init(
        uid: UInt32,
        capabilities: Fact<Set<Capability>>,
        isInUserNamespace: Fact<Bool>,
        hasOwnMounts: Fact<Bool>,
        container: String? = nil
    ) {
        self.uid = uid
        self.capabilities = capabilities
        self.isInUserNamespace = isInUserNamespace
        self.hasOwnMounts = hasOwnMounts
        self.container = container
    }

    package func has(_ capability: Capability) -> Bool {
        capabilities.value?.contains(capability) ?? false
    }

    package static func gather(from files: HostFiles) -> Privileges {
        Privileges(
            uid: geteuid(),
            capabilities: Fact { () throws(Errno) in
                let status = ProcessStatus(try files.read("/proc/self/status", limit: 64 << 10))
                guard let bits = status.capabilities else { throw .invalid }
                return Set(Capability.allCases.filter { bits >> UInt64($0.rawValue) & 1 == 1 })
            },
            isInUserNamespace: Fact { () throws(Errno) in
                !isWholeRange(try files.read("/proc/self/uid_map", limit: 64 << 10))
            },
            hasOwnMounts: Fact { () throws(Errno) in
                try files.target(of: "/proc/1/ns/mnt") != files.target(of: "/proc/self/ns/mnt")
            },
            container: container(files)
        )
    }

    /// The initial user namespace maps every user to itself.
    static func isWholeRange(_ map: [UInt8]) -> Bool {
        let fields = lines(map).map { line in
            line.split { $0 == 0x20 || $0 == 0x09 }.map { String(validating: $0, as: UTF8.self) ?? "" }
        }
        return fields == [["0", "0", "4294967295"]]
    }

    /// Where systemd-detect-virt(1) looks as well.
    private static func container(_ files: HostFiles) -> String? {
        for path: RawPath in ["/run/systemd/container", "/run/host/container-manager"] {
            if let name = try? files.text(path, limit: 256), !name.isEmpty { return name }
        }
        if files.exists("/run/.containerenv").value == true { return "podman" }
        if files.exists("/.dockerenv").value == true { return "docker" }
        guard let environment = try? files.read("/proc/1/environ", limit: 1 << 20) else { return nil }
        let word = Array("container=".utf8)
        guard let variable = environment.split(separator: 0).first(where: { $0.starts(with: word) }) else {
            return nil
        }
        let name = escaped(variable.dropFirst(word.count).prefix(64))
        return name.isEmpty ? nil : name
    }
}
