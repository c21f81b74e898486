import Integrity
import Testing

@testable import RulePacks

/// Paths that real builds probe and that are not there: whoever creates one takes the build over.
///
/// What a build looks for in its own workspace (GNUmakefile, .git/hooks) is the matter of a site's rules.
@Suite struct MustNotExistTests {
    /// Rules, and what each of them says must not exist.
    @Test(arguments: [
        (
            "glibc.preload",
            [
                "/etc/ld.so.preload"
            ]
        ),
        (
            "gcc.specs",
            [
                "/usr/lib/gcc/x86_64-linux-gnu/12/specs", "/usr/lib/gcc/x86_64-linux-gnu/specs",
            ]
        ),
        (
            "gcc.private-tools",
            [
                "/usr/lib/gcc/x86_64-linux-gnu/12/as", "/usr/lib/gcc/x86_64-linux-gnu/12/ld",
                "/usr/lib/gcc/x86_64-linux-gnu/12/real-ld", "/usr/lib/gcc/x86_64-linux-gnu/12/collect-ld",
                "/usr/lib/gcc/x86_64-linux-gnu/12/x86_64-linux-gnu-as",
                "/usr/lib/gcc/x86_64-linux-gnu/12/x86_64-linux-gnu-ld", "/usr/lib/gcc/x86_64-linux-gnu/as",
                "/usr/lib/gcc/x86_64-linux-gnu/ld", "/usr/lib/gcc/x86_64-linux-gnu/real-ld",
                "/usr/lib/gcc/x86_64-linux-gnu/collect-ld",
                "/usr/lib/gcc/x86_64-linux-gnu/x86_64-linux-gnu-as",
                "/usr/lib/gcc/x86_64-linux-gnu/x86_64-linux-gnu-ld", "/usr/x86_64-linux-gnu/bin/as",
            ]
        ),
        (
            "gcc.private-objects",
            [
                "/usr/lib/gcc/x86_64-linux-gnu/12/Scrt1.o", "/usr/lib/gcc/x86_64-linux-gnu/12/crti.o",
                "/usr/lib/gcc/x86_64-linux-gnu/12/crtn.o", "/usr/lib/gcc/x86_64-linux-gnu/Scrt1.o",
                "/usr/lib/gcc/x86_64-linux-gnu/crti.o", "/usr/lib/gcc/x86_64-linux-gnu/crtn.o",
                "/usr/lib/x86_64-linux-gnu/12/crti.o",
            ]
        ),
        (
            "gcc.private-headers",
            [
                "/usr/lib/gcc/x86_64-linux-gnu/12/include-fixed/stdio.h",
                "/usr/lib/gcc/x86_64-linux-gnu/include-fixed/stdio.h",
            ]
        ),
        (
            "gcc.path-hijack",
            [
                "/usr/local/sbin/gcc", "/usr/local/bin/gcc", "/usr/local/sbin/cc", "/usr/local/bin/cc",
                "/usr/local/sbin/as", "/usr/local/bin/as", "/usr/local/bin/ld", "/usr/local/sbin/ld",
            ]
        ),
        (
            "make.path-hijack",
            [
                "/usr/local/bin/make", "/usr/local/sbin/make",
            ]
        ),
        (
            "git.path-hijack",
            [
                "/usr/local/bin/git", "/usr/local/sbin/git",
            ]
        ),
        (
            "node.path-hijack",
            [
                "/usr/local/bin/node", "/usr/local/sbin/node",
            ]
        ),
        (
            "python.path-hijack",
            [
                "/usr/local/bin/python3", "/usr/local/sbin/python3",
            ]
        ),
        (
            "system.path-hijack",
            [
                "/usr/local/bin/sh", "/usr/local/sbin/sh", "/usr/local/bin/echo", "/usr/local/sbin/echo",
                "/usr/local/bin/id", "/usr/local/sbin/id",
            ]
        ),
        (
            "clang.configuration",
            [
                "/usr/lib/llvm-14/bin/clang.cfg", "/usr/lib/llvm-14/bin/x86_64-unknown-linux-gnu.cfg",
                "/usr/lib/llvm-14/bin/x86_64-unknown-linux-gnu-clang.cfg", "/usr/bin/clang.cfg",
            ]
        ),
        (
            "swift.clang-configuration",
            [
                "/opt/swift/usr/bin/clang.cfg"
            ]
        ),
        (
            "clang.private-libraries",
            [
                "/usr/lib/llvm-14/lib/libc.so.6", "/usr/lib/llvm-14/lib/libm.so.6",
                "/usr/lib/llvm-14/lib/libz.so.1", "/usr/lib/llvm-14/lib/libstdc++.so.6",
                "/usr/lib/llvm-14/lib/libgcc_s.so.1",
                "/usr/lib/llvm-14/lib/glibc-hwcaps/x86-64-v2/libz.so.1",
                "/usr/lib/llvm-14/lib/glibc-hwcaps/x86-64-v3/libz.so.1",
            ]
        ),
        (
            "swift.private-libraries",
            [
                "/opt/swift/usr/lib/libz.so.1", "/opt/swift/usr/lib/libm.so.6",
                "/opt/swift/usr/lib/glibc-hwcaps/x86-64-v2/libz.so.1", "/opt/swift/usr/lib/swift/linux/tls",
                "/opt/swift/usr/lib/swift/linux/glibc-hwcaps",
                "/opt/swift/usr/lib/swift/linux/x86_64/libswiftCore.so",
                "/opt/swift/usr/lib/swift/host/tls", "/opt/swift/usr/lib/swift/host/glibc-hwcaps",
                "/opt/swift/usr/lib/swift/host/x86_64", "/opt/swift/usr/lib/swift/host/compiler/tls",
                "/opt/swift/usr/lib/swift/host/compiler/glibc-hwcaps",
                "/opt/swift/usr/lib/swift/host/compiler/x86_64",
            ]
        ),
        (
            "clang.private-gcc",
            [
                "/etc/env.d/gcc", "/opt/rh", "/usr/lib/llvm-14/lib/gcc",
            ]
        ),
        (
            "swift.private-gcc",
            [
                "/opt/swift/usr/lib/gcc"
            ]
        ),
        (
            "swift.blocklists",
            [
                "/opt/swift/usr/local/lib/swift/blocklists"
            ]
        ),
        (
            "rust.private-libraries",
            [
                "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/glibc-hwcaps",
                "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/tls",
                "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/x86_64",
            ]
        ),
        (
            "rust.override",
            [
                "/etc/rustup/settings.toml", "/rust-toolchain", "/rust-toolchain.toml", "/Cargo.toml",
                "/tmp/rust-toolchain", "/tmp/rust-toolchain.toml", "/tmp/Cargo.toml",
                "/home/rust-toolchain", "/home/Cargo.toml", "/root/rust-toolchain",
                "/root/rust-toolchain.toml", "/root/Cargo.toml",
            ]
        ),
        (
            "rust.configuration",
            [
                "/.cargo/config", "/.cargo/config.toml", "/tmp/.cargo/config", "/tmp/.cargo/config.toml",
                "/home/.cargo/config.toml",
            ]
        ),
        (
            "git.attributes",
            [
                "/etc/gitattributes", "/root/.config/git/config", "/root/.config/git/attributes",
            ]
        ),
        (
            "git.template-hijack",
            [
                "/usr/share/git-core/templates/config", "/usr/share/git-core/templates/hooks/pre-commit",
            ]
        ),
        (
            "python.startup-hijack",
            [
                "/usr/bin/pyvenv.cfg", "/usr/bin/python3._pth", "/usr/bin/python3.11._pth",
                "/usr/bin/pybuilddir.txt", "/usr/bin/Modules/Setup.local", "/usr/pyvenv.cfg",
                "/usr/lib/python311.zip", "/usr/bin/lib/python3.11/os.py",
                "/usr/lib/python3.11/dist-packages",
            ]
        ),
        (
            "python.user-hijack",
            [
                "/root/.local/lib/python3.11/site-packages",
                "/root/.local/lib/python3.11/site-packages/usercustomize.py",
            ]
        ),
        (
            "node.builtin-configuration",
            [
                "/usr/lib/node_modules/npm/npmrc"
            ]
        ),
        (
            "node.project-configuration",
            [
                "/.npmrc", "/tmp/.npmrc", "/home/.npmrc", "/package.json", "/tmp/package.json",
            ]
        ),
        (
            "node.module-hijack",
            [
                "/root/.node_modules", "/root/.node_libraries", "/usr/lib/node",
            ]
        ),
        (
            "java.private-libraries",
            [
                "/usr/lib/jvm/java-17-openjdk-amd64/bin/glibc-hwcaps",
                "/usr/lib/jvm/java-17-openjdk-amd64/bin/tls",
                "/usr/lib/jvm/java-17-openjdk-amd64/bin/x86_64",
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/glibc-hwcaps",
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/tls",
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/x86_64",
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/endorsed",
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/ext",
            ]
        ),
        (
            "java.options",
            [
                "/.hotspotrc", "/tmp/.hotspotrc", "/.hotspot_compiler",
            ]
        ),
        (
            "maven.startup",
            [
                "/etc/mavenrc", "/usr/local/etc/mavenrc", "/root/.mavenrc",
            ]
        ),
        (
            "maven.project-configuration",
            [
                "/.mvn/jvm.config", "/tmp/.mvn/jvm.config", "/.mvn/maven.config", "/tmp/.mvn/maven.config",
            ]
        ),
        (
            "signing.configuration-hijack",
            [
                "/usr/local/ssl/openssl.cnf", "/etc/gnutls/config",
            ]
        ),
    ])
    func whatBuildsProbeIsAbsent(rule: String, paths: [String]) throws {
        for path in paths { try ShippedPacksTests.expectAbsent(rule, for: path) }
    }

    /// These come with cross compilers and static SDKs, so that they may exist; a new one is a critical finding all
    /// the same.
    @Test(arguments: [
        ("/usr/x86_64-linux-gnu/lib/crt1.o", "gcc.toolchain"),
        ("/usr/x86_64-linux-gnu/include/stdio.h", "gcc.toolchain"),
        ("/usr/lib/gcc-cross", "gcc.toolchain"),
        ("/usr/lib64/gcc", "gcc.toolchain"),
        ("/opt/swift/usr/lib/swift/linux/x86_64", "swift.toolchain"),
    ])
    func whatSomePackagesBringIsCriticalWhenNew(path: String, rule: String) throws {
        try ShippedPacksTests.expect(rule, for: path)
        let rules = try ShippedPacksTests.rules()
        let match = try #require(rules.decide(RawPath(path)).match)
        #expect(rules.rules[match.rule].severity == .critical)
        #expect(rules.rules[match.rule].profile == .executable)
    }
}
