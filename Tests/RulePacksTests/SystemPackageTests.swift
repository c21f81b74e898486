import Integrity
import Testing

@testable import RulePacks

/// The packs of the system against what the packages of this host ship.
@Suite struct SystemPackageTests {
    /// What executes or configures lies in these; the rest of a package is data and documentation.
    private static let places: [RawPath] = [
        "/etc", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec",
    ]

    /// How a package has its programs started, which the pack of the system decides for all of them.
    private static let started = [
        "/usr/lib/{systemd,udev,tmpfiles.d,sysusers.d}/**": "system",
        "/etc/{cron.d,cron.daily,logrotate.d,init.d,pam.d,dbus-1,xdg,X11}/**": "system",
    ]

    private static func system(_ package: String, leftOut: [String: String] = [:]) -> PackageComparison {
        PackageComparison(package, pack: "system", below: places, leftOut: leftOut)
    }

    private static func shipped(
        _ package: String,
        by pack: String,
        elsewhere: [String: String] = [:],
        leftOut: [String: String] = [:]
    ) -> PackageComparison {
        PackageComparison(
            package,
            pack: pack,
            below: places,
            elsewhere: started.merging(elsewhere) { $1 },
            leftOut: leftOut
        )
    }

    static let packaging: [PackageComparison] = [
        shipped("dpkg", by: "apt", leftOut: ["/etc/alternatives/README": "a text for people"]),
        shipped("apt", by: "apt"), shipped("apt-utils", by: "apt"), shipped("libapt-pkg6.0", by: "apt"),
        shipped("debian-archive-keyring", by: "apt"), shipped("debconf", by: "apt"),
        shipped(
            "debianutils",
            by: "apt",
            elsewhere: ["/usr/bin/{tempfile,ischroot,savelog}": "system"]
        ),
        shipped("init-system-helpers", by: "apt"), shipped("ucf", by: "apt"),
        shipped("packagekit", by: "apt"), shipped("dpkg-dev", by: "apt"), shipped("debhelper", by: "apt"),
        shipped("debootstrap", by: "apt"), shipped("fakeroot", by: "apt"),
        shipped("libfakeroot", by: "apt", elsewhere: ["/etc/ld.so.conf.d/*": "glibc"]),
        shipped("pbuilder", by: "apt"), shipped("sbuild", by: "apt"),
        shipped("schroot", by: "apt", elsewhere: ["/etc/default/*": "system"]),
        shipped("rpm", by: "rpm", elsewhere: ["/usr/bin/rpmsign": "signing"]),
        shipped("rpm-common", by: "rpm"), shipped("createrepo-c", by: "rpm"), shipped("dnf", by: "rpm"),
        shipped("zypper", by: "rpm"),
        shipped("ccache", by: "ccache"), shipped("sccache", by: "ccache"), shipped("distcc", by: "ccache"),
        shipped("docker.io", by: "containers"), shipped("containerd", by: "containers"),
        shipped("runc", by: "containers"), shipped("crun", by: "containers"),
        shipped("podman", by: "containers"), shipped("buildah", by: "containers"),
        shipped("skopeo", by: "containers"), shipped("containernetworking-plugins", by: "containers"),
        shipped("uidmap", by: "containers"),
    ]

    static let signing: [PackageComparison] = [
        shipped("gpg", by: "signing"), shipped("gpgv", by: "signing"), shipped("gpgconf", by: "signing"),
        shipped(
            "gpg-agent",
            by: "signing",
            leftOut: ["/etc/logcheck/**": "which lines of the log are mailed"]
        ),
        shipped("gpgsm", by: "signing"), shipped("gnupg-utils", by: "signing"),
        shipped("gpg-wks-client", by: "signing"), shipped("dirmngr", by: "signing"),
        shipped("scdaemon", by: "signing"), shipped("pinentry-curses", by: "signing"),
        shipped(
            "openssl",
            by: "signing",
            elsewhere: ["/usr/bin/c_rehash": "ca-store", "/usr/lib/ssl/{cert.pem,certs}": "ca-store"]
        ),
        shipped("libssl3", by: "signing", elsewhere: ["/usr/lib/**/libcrypto.so*": "millwarden"]),
        shipped("libgcrypt20", by: "signing"), shipped("libgnutls30", by: "signing"),
        shipped("libksba8", by: "signing"), shipped("libassuan0", by: "signing"),
        shipped("libp11-kit0", by: "signing"), shipped("libnss3", by: "signing"),
        shipped("p11-kit", by: "ca-store", elsewhere: ["/usr/bin/p11-kit": "signing"]),
        shipped("p11-kit-modules", by: "signing", elsewhere: ["/usr/lib/**/p11-kit-trust.so": "ca-store"]),
        shipped("opensc", by: "signing"), shipped("softhsm2", by: "signing"),
        shipped("sbsigntool", by: "signing"), shipped("osslsigncode", by: "signing"),
        shipped("ca-certificates", by: "ca-store"),
        shipped("ca-certificates-java", by: "ca-store", elsewhere: ["/etc/default/cacerts": "java"]),
        shipped("libsystemd0", by: "millwarden"), shipped("libsqlite3-0", by: "millwarden"),
        shipped("zlib1g", by: "millwarden"),
        PackageComparison(
            "systemd",
            pack: "system",
            below: places,
            elsewhere: [
                "/usr/bin/journalctl": "millwarden", "/usr/lib/systemd/systemd-journald": "millwarden",
                "/etc/systemd/journald.conf": "millwarden", "/usr/lib/systemd/systemd-measure": "signing",
            ]
        ),
        PackageComparison("wget", pack: "system", below: places, elsewhere: ["/etc/wgetrc": "ca-store"]),
        shipped("libzstd1", by: "gcc"),
    ]

    static let base: [PackageComparison] =
        [
            "systemd-sysv", "systemd-timesyncd", "libpam-systemd", "libsystemd-shared", "udev", "dbus",
            "dbus-bin",
            "dbus-daemon", "dbus-system-bus-common", "dbus-user-session", "polkitd", "libpam-modules",
            "libpam-modules-bin", "libpam-runtime", "libpam0g", "login", "passwd", "adduser", "sudo", "cron",
            "at",
            "openssh-client", "binfmt-support", "kmod", "initramfs-tools-core", "bash", "dash", "coreutils",
            "findutils", "diffutils", "grep", "sed", "mawk", "gzip", "bzip2", "xz-utils", "zstd", "liblzma5",
            "patch", "file", "perl", "perl-base", "libperl5.36", "curl", "libcurl4",
        ].map { system($0) } + [
            system("openssh-server", leftOut: ["/etc/ufw/**": "a name for a port of the firewall"]),
            system("gawk", leftOut: ["/usr/bin/gawkbug": "mails a report"]),
            system(
                "tar",
                leftOut: [
                    "/usr/lib/mime/**": "which viewer shows a file", "/etc/rmt": "a link for remote tapes",
                ]
            ),
        ]

    @Test(arguments: packaging + signing + base)
    func whatAPackageShipsIsSelected(_ comparison: PackageComparison) throws {
        try ToolchainPackageTests().whatAPackageShipsIsSelected(comparison)
    }
}
