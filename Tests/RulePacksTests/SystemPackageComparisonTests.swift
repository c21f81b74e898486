import Integrity
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// What Debian's packages of the system's tools install, compared with what the packs select.
@Suite struct SystemPackageComparisonTests {
    /// One package, the packs that have to select what it ships, and what they leave out with the reason.
    struct Expectation: Sendable, CustomTestStringConvertible {
        var package: String
        var packs: Set<String>
        var leftOut: [String: String] = [:]

        var testDescription: String { package }
    }

    static let expectations: [Expectation] = [
        // apt
        Expectation(
            package: "dpkg",
            packs: ["apt", "system"],
            leftOut: ["/etc/alternatives/README": "a text for people"]
        ),
        Expectation(package: "apt", packs: ["apt", "system"]),
        Expectation(package: "apt-utils", packs: ["apt"]),
        Expectation(package: "libapt-pkg6.0", packs: ["apt"]),
        Expectation(package: "debian-archive-keyring", packs: ["apt"]),
        Expectation(package: "debconf", packs: ["apt"]),
        Expectation(package: "debianutils", packs: ["apt", "system"]),
        Expectation(package: "init-system-helpers", packs: ["apt"]),
        Expectation(package: "ucf", packs: ["apt"]),
        Expectation(package: "packagekit", packs: ["apt", "system"]),
        Expectation(package: "dpkg-dev", packs: ["apt"]),
        Expectation(package: "debhelper", packs: ["apt"]),
        Expectation(package: "debootstrap", packs: ["apt"]),
        Expectation(package: "fakeroot", packs: ["apt"]),
        Expectation(package: "libfakeroot", packs: ["apt", "glibc"]),
        Expectation(package: "pbuilder", packs: ["apt"]),
        Expectation(package: "sbuild", packs: ["apt"]),
        Expectation(package: "schroot", packs: ["apt", "system"]),
        // rpm
        Expectation(package: "rpm", packs: ["rpm", "signing"]),
        Expectation(package: "rpm-common", packs: ["rpm", "system"]),
        Expectation(package: "createrepo-c", packs: ["rpm"]),
        Expectation(package: "dnf", packs: ["rpm"]),
        Expectation(package: "zypper", packs: ["rpm"]),
        // Caches and containers
        Expectation(package: "ccache", packs: ["ccache"]),
        Expectation(package: "sccache", packs: ["ccache"]),
        Expectation(package: "distcc", packs: ["ccache", "system"]),
        Expectation(package: "docker.io", packs: ["containers", "system"]),
        Expectation(package: "containerd", packs: ["containers", "system"]),
        Expectation(package: "runc", packs: ["containers"]),
        Expectation(package: "crun", packs: ["containers"]),
        Expectation(package: "podman", packs: ["containers", "system"]),
        Expectation(package: "buildah", packs: ["containers"]),
        Expectation(package: "skopeo", packs: ["containers"]),
        Expectation(package: "containernetworking-plugins", packs: ["containers", "system"]),
        Expectation(package: "uidmap", packs: ["containers"]),
        // Signing and certificates
        Expectation(package: "gpg", packs: ["signing"]),
        Expectation(
            package: "gpg-agent",
            packs: ["signing", "system"],
            leftOut: ["/etc/logcheck/": "which lines of the log are mailed"]
        ),
        Expectation(package: "gpgv", packs: ["signing"]),
        Expectation(package: "gpgconf", packs: ["signing"]),
        Expectation(package: "gpgsm", packs: ["signing"]),
        Expectation(package: "gnupg-utils", packs: ["signing"]),
        Expectation(package: "gpg-wks-client", packs: ["signing"]),
        Expectation(package: "dirmngr", packs: ["signing", "system"]),
        Expectation(package: "scdaemon", packs: ["signing", "system"]),
        Expectation(package: "pinentry-curses", packs: ["signing"]),
        Expectation(package: "openssl", packs: ["signing", "ca-store"]),
        Expectation(package: "libssl3", packs: ["signing", "millwarden"]),
        Expectation(package: "libgcrypt20", packs: ["signing"]),
        Expectation(package: "libgnutls30", packs: ["signing"]),
        Expectation(package: "libksba8", packs: ["signing"]),
        Expectation(package: "libassuan0", packs: ["signing"]),
        Expectation(package: "libp11-kit0", packs: ["signing"]),
        Expectation(package: "libnss3", packs: ["signing"]),
        Expectation(package: "p11-kit", packs: ["signing", "ca-store"]),
        Expectation(package: "p11-kit-modules", packs: ["signing", "ca-store"]),
        Expectation(package: "opensc", packs: ["signing", "system"]),
        Expectation(package: "softhsm2", packs: ["signing"]),
        Expectation(package: "sbsigntool", packs: ["signing"]),
        Expectation(package: "osslsigncode", packs: ["signing"]),
        Expectation(package: "ca-certificates", packs: ["ca-store"]),
        Expectation(package: "ca-certificates-java", packs: ["ca-store", "java"]),
        // What this program itself relies on
        Expectation(package: "libsystemd0", packs: ["millwarden"]),
        Expectation(package: "libsqlite3-0", packs: ["millwarden"]),
        // The system
        Expectation(package: "systemd", packs: ["system", "millwarden", "signing"]),
        Expectation(package: "systemd-sysv", packs: ["system"]),
        Expectation(package: "systemd-timesyncd", packs: ["system"]),
        Expectation(package: "libpam-systemd", packs: ["system"]),
        Expectation(package: "libsystemd-shared", packs: ["system"]),
        Expectation(package: "udev", packs: ["system"]),
        Expectation(package: "dbus", packs: ["system"]),
        Expectation(package: "dbus-bin", packs: ["system"]),
        Expectation(package: "dbus-daemon", packs: ["system"]),
        Expectation(package: "dbus-system-bus-common", packs: ["system"]),
        Expectation(package: "dbus-user-session", packs: ["system"]),
        Expectation(package: "polkitd", packs: ["system"]),
        Expectation(package: "libpam-modules", packs: ["system"]),
        Expectation(package: "libpam-modules-bin", packs: ["system"]),
        Expectation(package: "libpam-runtime", packs: ["system"]),
        Expectation(package: "libpam0g", packs: ["system"]),
        Expectation(package: "login", packs: ["system"]),
        Expectation(package: "passwd", packs: ["system"]),
        Expectation(package: "adduser", packs: ["system"]),
        Expectation(package: "sudo", packs: ["system"]),
        Expectation(package: "cron", packs: ["system"]),
        Expectation(package: "at", packs: ["system"]),
        Expectation(package: "openssh-client", packs: ["system"]),
        Expectation(
            package: "openssh-server",
            packs: ["system"],
            leftOut: ["/etc/ufw/": "a name for a port of the firewall"]
        ),
        Expectation(package: "binfmt-support", packs: ["system"]),
        Expectation(package: "kmod", packs: ["system"]),
        Expectation(package: "initramfs-tools-core", packs: ["system"]),
        Expectation(package: "bash", packs: ["system"]),
        Expectation(package: "dash", packs: ["system"]),
        Expectation(package: "coreutils", packs: ["system"]),
        Expectation(package: "findutils", packs: ["system"]),
        Expectation(package: "diffutils", packs: ["system"]),
        Expectation(package: "grep", packs: ["system"]),
        Expectation(package: "sed", packs: ["system"]),
        Expectation(package: "mawk", packs: ["system"]),
        Expectation(package: "gawk", packs: ["system"], leftOut: ["/usr/bin/gawkbug": "mails a report"]),
        Expectation(
            package: "tar",
            packs: ["system"],
            leftOut: ["/usr/lib/mime/": "which viewer shows a file", "/etc/rmt": "a link for remote tapes"]
        ),
        Expectation(package: "gzip", packs: ["system"]),
        Expectation(package: "bzip2", packs: ["system"]),
        Expectation(package: "xz-utils", packs: ["system"]),
        Expectation(package: "zstd", packs: ["system"]),
        Expectation(package: "liblzma5", packs: ["system"]),
        Expectation(package: "zlib1g", packs: ["system"]),
        Expectation(package: "libzstd1", packs: ["gcc"]),
        Expectation(package: "patch", packs: ["system"]),
        Expectation(package: "file", packs: ["system"]),
        Expectation(package: "perl", packs: ["system"]),
        Expectation(package: "perl-base", packs: ["system"]),
        Expectation(package: "libperl5.36", packs: ["system"]),
        Expectation(package: "curl", packs: ["system"]),
        Expectation(package: "wget", packs: ["system", "ca-store"]),
        Expectation(package: "libcurl4", packs: ["system"]),
    ]

    /// What executes or configures lies below these; the rest of a package is data and documentation.
    private static let places = [
        "/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/",
    ]
    private static let records = "/var/lib/dpkg/info"

    @Test(arguments: expectations) func whatAPackageShipsIsSelected(_ expected: Expectation) throws {
        guard let list = Self.list(of: expected.package) else {
            print("\(expected.package) is not installed here, so that there is nothing to compare")
            return
        }
        let shipped = Self.paths(in: list).filter(Self.isFileOrLink)
        #expect(try Self.unselected(shipped, expected) == [], "\(expected.package)")
    }

    /// The comparison itself: what no rule selects, and what another pack does, is told; what is left out is not.
    @Test func aPathThatIsMissedIsFound() throws {
        let list = Array(
            "/.\n/bin\n/bin/dpkg\n/usr/bin/dpkg-novel\n/usr/bin/novel\n/etc/novel/a\n/usr/share/x\n".utf8
        )
        let expected = Expectation(package: "novel", packs: ["apt"], leftOut: ["/etc/novel/": "a reason"])
        let paths = Self.paths(in: list)
        #expect(paths == ["/usr/bin/dpkg", "/usr/bin/dpkg-novel", "/usr/bin/novel", "/etc/novel/a"])
        #expect(try Self.unselected(paths, expected) == ["/usr/bin/novel"])
        let other = Expectation(package: "novel", packs: ["rpm"])
        #expect(try Self.unselected(["/usr/bin/dpkg"], other) == ["/usr/bin/dpkg"])
    }

    /// A reason that no longer applies, because the path is selected now, has to go.
    @Test(arguments: expectations) func whatIsLeftOutIsSelectedByNobody(_ expected: Expectation) throws {
        let rules = try ShippedPacksTests.rules()
        for (path, reason) in expected.leftOut {
            #expect(reason.count > 5, "\(path)")
            let probe = path.last == "/" ? path + "x" : path
            #expect(rules.decidingRule(RawPath(probe)) == nil, "\(path)")
        }
    }

    // MARK: What is installed

    private static func unselected(_ paths: [String], _ expected: Expectation) throws -> [String] {
        let rules = try ShippedPacksTests.rules()
        return paths.filter { path in
            if expected.leftOut.keys.contains(where: { $0.last == "/" ? path.hasPrefix($0) : path == $0 }) {
                return false
            }
            guard let id = rules.decidingRule(RawPath(path)), let pack = id.split(separator: ".").first else {
                return true
            }
            return !expected.packs.contains(String(pack))
        }
    }

    /// The record of an installed package, with or without the architecture in its name.
    private static func list(of package: String) -> [UInt8]? {
        let architectures = ["", ":amd64", ":arm64", ":i386", ":armhf", ":ppc64el", ":riscv64", ":s390x"]
        for architecture in architectures {
            if let bytes = ShippedPacksTests.read("\(records)/\(package)\(architecture).list") {
                return bytes
            }
        }
        return nil
    }

    /// The paths below `places`, as they are called where /usr is merged.
    private static func paths(in list: [UInt8]) -> [String] {
        list.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let path = String(decoding: line, as: UTF8.self)
            let isOld = ["/bin/", "/sbin/", "/lib/", "/lib64/"].contains { path.hasPrefix($0) }
            let canonical = isOld ? "/usr" + path : path
            return places.contains { canonical.hasPrefix($0) } ? canonical : nil
        }
    }

    /// What is gone (a diverted file, one that an image's maker removed) and directories do not count.
    private static func isFileOrLink(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return false }
        let kind = status.st_mode & S_IFMT
        return kind == S_IFREG || kind == S_IFLNK
    }
}
