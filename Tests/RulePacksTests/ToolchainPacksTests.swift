import Integrity
import Testing

@testable import RulePacks

/// The packs of compilers, language toolchains and build systems.
@Suite struct ToolchainPacksTests {
    @Test(arguments: [
        // clang
        ("/usr/bin/clang", "clang.driver"), ("/usr/bin/clang++-14", "clang.driver"),
        ("/usr/bin/clang-cpp-14", "clang.driver"), ("/usr/bin/clang-tidy-diff-14.py", "clang.driver"),
        ("/usr/bin/x86_64-linux-gnu-clang", "clang.driver"), ("/usr/bin/ld.lld-14", "clang.driver"),
        ("/usr/bin/ld.lld", "gcc.binutils"), ("/usr/bin/wasm-ld", "clang.driver"),
        ("/usr/bin/llvm-ar-14", "clang.tools"), ("/usr/bin/opt", "clang.tools"),
        ("/usr/bin/count-14", "clang.tools"), ("/usr/bin/count", nil),
        ("/usr/bin/scan-build-py-14", "clang.tools"), ("/usr/bin/git-clang-format", "git.programs"),
        ("/usr/lib/llvm-14/bin/clang", "clang.toolchain"),
        ("/usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h", "clang.toolchain"),
        ("/usr/lib64/llvm18/bin/clang-18", "clang.toolchain"),
        ("/usr/lib/clang/18/lib/linux/libclang_rt.asan-x86_64.so", "clang.toolchain"),
        ("/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1", "clang.libraries"),
        ("/usr/lib64/libclang-cpp.so.18", "clang.libraries"),
        ("/usr/lib/bfd-plugins/LLVMgold-14.so", "gcc.linker-plugins"),
        ("/etc/alternatives/clang", "clang.alternatives"),
        (
            "/opt/rh/gcc-toolset-12/root/usr/lib/gcc/x86_64-redhat-linux/12/crtbegin.o",
            "clang.gcc-installations"
        ),
        ("/root/.config/clangd/config.yaml", nil),
        // Swift
        ("/opt/swift/usr/bin/swift-frontend", "swift.toolchain"),
        ("/opt/swift/usr/bin/clang", "swift.toolchain"),
        ("/opt/swift/usr/bin/x86_64-swift-linux-musl-clang++.cfg", "swift.toolchain"),
        ("/opt/swift/usr/lib/swift/pm/ManifestAPI/libPackageDescription.so", "swift.toolchain"),
        ("/opt/swift/usr/lib/swift/host/plugins/libFoundationMacros.so", "swift.toolchain"),
        ("/opt/swift/usr/lib/swift/linux/x86_64/swiftrt.o", "swift.toolchain"),
        ("/opt/swift-6.2/usr/bin/swiftc", "swift.toolchain"),
        ("/opt/swift/usr/share/doc/swift/diagnostics/x.md", nil),
        ("/opt/swift-packages/x", nil), ("/usr/libexec/swift/bin/swift-frontend", "swift.toolchain"),
        ("/usr/libexec/swift/6.1/bin/clang", "swift.toolchain"),
        ("/usr/share/swift/features.json", "swift.toolchain"),
        ("/usr/lib/swift/linux/libswiftCore.so", "swift.toolchain"), ("/usr/bin/swiftc", "swift.driver"),
        ("/home/ci/.local/share/swiftly/toolchains/6.2.0/usr/bin/swiftc", "swift.user-toolchains"),
        ("/home/ci/.local/share/swiftly/config.json", "swift.user-environment"),
        ("/etc/profile.d/swift.sh", "swift.user-environment"),
        ("/root/.swiftpm/swift-sdks/x.artifactbundle/info.json", "swift.sdks"),
        ("/root/.swiftpm/configuration/mirrors.json", "swift.packages"),
        ("/root/.swiftpm/security/fingerprints/yams-eb7b4209.json", "swift.fingerprints"),
        ("/root/.swiftpm/security/trusted-root-certs/x.cer", "swift.trust"), ("/root/.swiftpm/cache", nil),
        // Rust
        ("/usr/bin/rustc", "rust.driver"), ("/usr/bin/cargo", "rust.driver"),
        ("/usr/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd-a5a48102fbd58791.rlib", "rust.toolchain"),
        ("/usr/lib/x86_64-linux-gnu/librustc_driver-4c3beb7552356b6f.so", "rust.toolchain"),
        ("/usr/lib/rust-1.80/bin/rustc", "rust.toolchain"), ("/usr/share/cargo/bin/cargo", "rust.toolchain"),
        ("/usr/share/cargo/registry/libc-0.2.1/src/lib.rs", "rust.sources"),
        ("/usr/src/rustc-1.63.0/library/std/src/lib.rs", "rust.sources"),
        ("/usr/src/rustc-1.63.0/compiler/rustc/src/main.rs", nil),
        ("/root/.cargo/bin/rustup", "rust.cargo-bin"), ("/root/.cargo/env", "rust.environment"),
        ("/root/.rustup/settings.toml", "rust.rustup-settings"),
        ("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu", "rust.user-toolchains"),
        ("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc", "rust.user-toolchains"),
        (
            "/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/rustlib/components",
            "rust.user-toolchains"
        ),
        ("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/share/doc/rust/COPYRIGHT", nil),
        ("/root/.rustup/downloads/x", nil), ("/root/.cargo/credentials.toml", "rust.credentials"),
        ("/root/.cargo/registry/src/index.crates.io-1cd66030c949c28d/libc-0.2.1/build.rs", "rust.registry"),
        ("/root/.cargo/registry/index/index.crates.io-1cd66030c949c28d/.cache/li/bc/libc", nil),
        ("/root/.cargo/registry/src/index.crates.io-1cd66030c949c28d/libc-0.2.1/.cargo-ok", nil),
        ("/root/.cargo/git/checkouts/x-1/2/.git/config", nil), ("/root/.cargo/.package-cache", nil),
        // Go
        ("/usr/bin/go", "go.toolchain"), ("/usr/local/go/pkg/tool/linux_amd64/compile", "go.toolchain"),
        ("/usr/local/go/src/runtime/proc.go", "go.toolchain"), ("/usr/local/go/go.env", "go.toolchain"),
        ("/usr/lib/go-1.19/bin/go", "go.toolchain"), ("/usr/share/go-1.19/src/os/file.go", "go.toolchain"),
        ("/usr/lib/golang/pkg/tool/linux_amd64/link", "go.toolchain"), ("/usr/lib/go", "go.toolchain"),
        ("/usr/lib64/go/1.21/bin/go", "go.toolchain"), ("/usr/share/go-1.19/test/x.go", nil),
        ("/usr/local/go/test/x.go", nil), ("/root/go/bin/protoc-gen-go", "go.tools"),
        ("/root/go/pkg/mod/golang.org/x/sys@v0.1.0/unix/x.go", "go.modules"),
        (
            "/root/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.22.0.linux-amd64/bin/go",
            "go.downloaded-toolchains"
        ),
        ("/root/go/pkg/mod/cache/lock", nil), ("/root/go/pkg/mod/cache/vcs/x/config", nil),
        ("/root/go/pkg/mod/cache/download/golang.org/x/sys/@v/list", nil),
        ("/root/go/pkg/mod/cache/download/golang.org/x/sys/@v/v0.1.0.ziphash", "go.modules"),
        ("/home/ci/sdk/go1.22.0/bin/go", "go.user-toolchains"), ("/root/.cache/go-build/00/x-d", nil),
        // Java, Maven, Gradle
        ("/usr/bin/javac", "java.programs"), ("/etc/alternatives/java", "java.alternatives"),
        ("/etc/alternatives/java.1.gz", nil),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/lib/server/libjvm.so", "java.jdk"),
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/javac", "java.jdk"),
        ("/usr/lib64/jvm/java-21-openjdk/bin/java", "java.jdk"),
        ("/etc/java-17-openjdk/security/java.security", "java.configuration"),
        ("/etc/java21-openjdk/net.properties", "java.configuration"),
        ("/etc/java/java.conf", "java.configuration"), ("/etc/.java/.systemPrefs/.system.lock", nil),
        ("/etc/ssl/certs/java/cacerts", "java.keystore"),
        ("/etc/pki/ca-trust/extracted/java/cacerts", "java.keystore"),
        ("/etc/ca-certificates/update.d/jks-keystore", "ca-store.hooks"),
        ("/usr/share/java/guava.jar", "java.libraries"), ("/usr/bin/ant", "java.ant"),
        ("/usr/share/ant/lib/ant.jar", "java.ant"),
        ("/home/ci/.sdkman/candidates/java/21.0.1-tem/bin/java", "java.user-jdks"),
        ("/usr/bin/mvn", "maven.programs"),
        ("/usr/share/maven/boot/plexus-classworlds-2.x.jar", "maven.programs"),
        ("/usr/share/maven/man/mvn.1.gz", nil), ("/etc/maven/settings.xml", "maven.configuration"),
        ("/usr/share/maven-repo/junit/junit/4.x/junit-4.x.pom", "maven.repository"),
        ("/root/.m2/settings.xml", "maven.user-configuration"),
        ("/root/.m2/repository/junit/junit/4.13/junit-4.13.jar", "maven.artifacts"),
        ("/root/.m2/repository/junit/junit/4.13/_remote.repositories", nil),
        ("/root/.m2/repository/org/x/1-SNAPSHOT/x-1-SNAPSHOT.jar", nil),
        ("/root/.m2/repository/org/x/maven-metadata-central.xml", nil),
        ("/root/.m2/wrapper/dists/apache-maven-3.9.6/x/bin/mvn", "maven.wrappers"),
        ("/usr/bin/gradle", "gradle.programs"),
        ("/opt/gradle/gradle-8.5/lib/gradle-core-8.5.jar", "gradle.programs"),
        ("/root/.gradle/gradle.properties", "gradle.properties"),
        ("/root/.gradle/wrapper/dists/gradle-8.5-bin/x/gradle-8.5/bin/gradle", "gradle.wrappers"),
        ("/root/.gradle/wrapper/dists/gradle-8.5-bin/x/gradle-8.5-bin.zip.lck", nil),
        ("/root/.gradle/caches/modules-2/x", nil), ("/root/.gradle/daemon/8.5/x.log", nil),
        // Node
        ("/usr/bin/node", "node.programs"), ("/usr/bin/yarnpkg", "node.programs"),
        ("/usr/bin/node-20", "node.programs"), ("/usr/lib/x86_64-linux-gnu/libnode.so.108", "node.programs"),
        ("/usr/lib/node_modules/npm/bin/npm-cli.js", "node.modules"),
        ("/usr/share/nodejs/lodash.map/index.js", "node.modules"),
        ("/usr/local/lib/node_modules/yarn/bin/yarn.js", "node.modules"),
        ("/usr/include/node/node.h", "glibc.headers"), ("/usr/etc/npmrc", "node.configuration"),
        ("/etc/npmrc", "node.configuration"), ("/root/.npmrc", "node.user-configuration"),
        ("/home/ci/.yarnrc.yml", "node.user-configuration"),
        ("/root/.nvm/versions/node/v20.1.0/bin/node", "node.user-tools"),
        ("/root/.bun/bin/bun", "node.user-tools"), ("/root/.npm/_cacache/index-v5/x", nil),
        ("/root/.local/share/pnpm/store/v3/files/00/x", nil), ("/root/.cache/node/corepack/x", nil),
        // .NET
        ("/usr/bin/dotnet", "dotnet.sdk"), ("/usr/lib/dotnet/sdk/8.0.100/MSBuild.dll", "dotnet.sdk"),
        ("/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.0/libcoreclr.so", "dotnet.sdk"),
        ("/etc/dotnet/install_location", "dotnet.sdk"), ("/usr/lib/mono/4.5/mcs.exe", "dotnet.mono"),
        ("/usr/lib/nuget/NuGet.exe", "dotnet.mono"),
        ("/root/.nuget/NuGet/NuGet.Config", "dotnet.user-configuration"),
        ("/etc/opt/NuGet/Config/x.config", "dotnet.configuration"),
        ("/root/.dotnet/sdk/8.0.100/dotnet.dll", "dotnet.user-sdk"),
        ("/root/.dotnet/8.0.100.dotnetFirstUseSentinel", nil),
        ("/root/.nuget/packages/newtonsoft.json/13.0.1/lib/net6.0/Newtonsoft.Json.dll", "dotnet.packages"),
        ("/root/.local/share/NuGet/http-cache/x", nil),
        // make and its kind
        ("/usr/bin/make", "make.programs"), ("/usr/bin/cmake", "make.programs"),
        ("/usr/bin/pkg-config", "make.programs"), ("/usr/bin/x86_64-linux-gnu-pkg-config", "gcc.driver"),
        ("/usr/bin/automake-1.16", "make.autotools"), ("/usr/bin/m4", "make.autotools"),
        ("/usr/bin/msgfmt", "make.autotools"), ("/etc/alternatives/yacc", "make.autotools"),
        ("/usr/share/autoconf/autoconf/general.m4", "make.autotools"),
        ("/usr/share/automake-1.16/compile", "make.autotools"),
        ("/usr/share/cmake-3.25/Modules/FindThreads.cmake", "make.cmake-modules"),
        ("/usr/share/cmake-3.25/Help/index.rst", nil),
        ("/usr/share/cmake/Modules/x.cmake", "make.cmake-modules"),
        ("/usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc", "make.package-files"),
        ("/usr/share/aclocal/pkg.m4", "make.package-files"),
        ("/usr/lib/x86_64-linux-gnu/cmake/x/x-config.cmake", "make.package-files"),
        ("/usr/lib/cmake/clang-14", "clang.toolchain"), ("/usr/share/bazel/linux-sandbox", "make.bazel"),
        ("/etc/bazel.bazelrc", "make.bazel-configuration"), ("/root/.bazelrc", "make.user-configuration"),
        ("/root/.cmake/packages/X/1", "make.user-packages"),
        ("/root/.local/share/meson/cross/arm", "make.user-packages"),
        ("/usr/lib/python3/dist-packages/mesonbuild/mparser.py", "python.library"),
    ])
    func realPathsAreDecided(path: String, id: String?) throws {
        try ShippedPacksTests.expect(id, for: path)
    }

    @Test(arguments: [
        ("/etc/clang", "clang.configuration"), ("/etc/clang/clang.cfg", "clang.configuration"),
        ("/home/ci/.config/clang", "clang.configuration"), ("/usr/bin/clang++.cfg", "clang.configuration"),
        ("/usr/bin/x86_64-unknown-linux-gnu.cfg", "clang.configuration"),
        ("/usr/bin/x86_64-unknown-linux-gnu-clang.cfg", "clang.configuration"),
        ("/usr/lib/llvm-14/bin/clang.cfg", "clang.configuration"),
        ("/usr/lib/llvm-14/lib/libc.so.6", "clang.private-libraries"),
        ("/usr/lib/llvm-14/lib/libstdc++.so.6", "clang.private-libraries"),
        ("/usr/lib/llvm-14/lib/glibc-hwcaps/x86-64-v3/libz.so.1", "clang.private-libraries"),
        ("/etc/env.d/gcc", "clang.private-gcc"), ("/opt/rh", "clang.private-gcc"),
        ("/usr/lib/llvm-14/lib/gcc", "clang.private-gcc"), ("/usr/local/bin/clang-14", "clang.path-hijack"),
        ("/opt/swift/usr/bin/clang.cfg", "swift.clang-configuration"),
        ("/opt/swift/usr/bin/clang++.cfg", "swift.clang-configuration"),
        ("/opt/swift/usr/bin/x86_64-unknown-linux-gnu.cfg", "swift.clang-configuration"),
        ("/opt/swift/usr/bin/x86_64-unknown-linux-gnu-clang.cfg", "swift.clang-configuration"),
        ("/opt/swift/usr/lib/libc.so.6", "swift.private-libraries"),
        ("/opt/swift/usr/lib/libgcc_s.so.1", "swift.private-libraries"),
        ("/opt/swift/usr/lib/glibc-hwcaps/x86-64-v2", "swift.private-libraries"),
        ("/opt/swift/usr/lib/swift/linux/tls", "swift.private-libraries"),
        ("/opt/swift/usr/lib/swift/host/compiler/x86_64", "swift.private-libraries"),
        ("/opt/swift/usr/lib/swift/linux/x86_64/libFoundation.so", "swift.private-libraries"),
        ("/opt/swift/usr/lib/gcc", "swift.private-gcc"),
        ("/opt/swift/usr/local/lib/swift/blocklists", "swift.blocklists"),
        ("/usr/local/bin/swiftc", "swift.path-hijack"),
        ("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/tls", "rust.private-libraries"),
        ("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/x86_64", "rust.private-libraries"),
        ("/root/.cargo/config", "rust.configuration"), ("/home/ci/.cargo/config.toml", "rust.configuration"),
        ("/.cargo/config", "rust.configuration"), ("/tmp/.cargo/config.toml", "rust.configuration"),
        ("/etc/rustup/settings.toml", "rust.override"), ("/rust-toolchain", "rust.override"),
        ("/tmp/rust-toolchain.toml", "rust.override"), ("/root/rust-toolchain.toml", "rust.override"),
        ("/Cargo.toml", "rust.override"), ("/tmp/Cargo.toml", "rust.override"),
        ("/usr/local/bin/cargo", "rust.path-hijack"), ("/root/.local/bin/rustc", "rust.path-hijack"),
        ("/root/.config/go/env", "go.environment"), ("/go.work", "go.workspace"),
        ("/tmp/go.work", "go.workspace"), ("/usr/local/bin/go", "go.path-hijack"),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/bin/glibc-hwcaps", "java.private-libraries"),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/lib/tls", "java.private-libraries"),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/lib/endorsed", "java.private-libraries"),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/lib/ext", "java.private-libraries"),
        ("/.hotspotrc", "java.options"), ("/tmp/.hotspot_compiler", "java.options"),
        ("/root/.antrc", "java.ant-startup"), ("/root/.ant/lib/x.jar", "java.ant-startup"),
        ("/usr/local/bin/javac", "java.path-hijack"),
        ("/etc/mavenrc", "maven.startup"), ("/usr/local/etc/mavenrc", "maven.startup"),
        ("/home/ci/.mavenrc", "maven.startup"), ("/.mvn/jvm.config", "maven.project-configuration"),
        ("/tmp/.mvn/maven.config", "maven.project-configuration"),
        ("/home/.mvn/extensions.xml", "maven.project-configuration"),
        ("/usr/local/bin/mvn", "maven.path-hijack"),
        ("/root/.gradle/init.gradle.kts", "gradle.init-scripts"),
        ("/root/.gradle/init.d/x.gradle", "gradle.init-scripts"),
        ("/usr/local/bin/gradle", "gradle.path-hijack"),
        ("/usr/lib/node_modules/npm/npmrc", "node.builtin-configuration"),
        ("/root/.node_modules", "node.module-hijack"), ("/home/ci/.node_libraries", "node.module-hijack"),
        ("/usr/lib/node", "node.module-hijack"), ("/node_modules", "node.module-hijack"),
        ("/.npmrc", "node.project-configuration"), ("/tmp/.npmrc", "node.project-configuration"),
        ("/package.json", "node.project-configuration"), ("/tmp/package.json", "node.project-configuration"),
        ("/usr/local/sbin/node", "node.path-hijack"), ("/root/.local/bin/npm", "node.path-hijack"),
        ("/Directory.Build.props", "dotnet.build-imports"),
        ("/tmp/Directory.Build.targets", "dotnet.build-imports"),
        ("/root/Directory.Packages.props", "dotnet.build-imports"),
        (
            "/root/.local/share/Microsoft/MSBuild/Current/Microsoft.Common.props/ImportBefore/x.props",
            "dotnet.user-imports"
        ),
        ("/tmp/nuget.config", "dotnet.sources-hijack"), ("/usr/local/bin/dotnet", "dotnet.path-hijack"),
        ("/usr/local/lib/pkgconfig", "make.local-macros"),
        ("/usr/local/share/pkgconfig/x.pc", "make.local-macros"),
        ("/usr/local/share/aclocal", "make.local-macros"),
        ("/usr/local/share/config.site", "make.configure-site"),
        ("/root/.autom4te.cfg", "make.configure-site"), ("/tmp/MODULE.bazel", "make.implicit-files"),
        ("/usr/local/bin/make", "make.path-hijack"), ("/usr/local/sbin/m4", "make.path-hijack"),
    ])
    func whatMustNotExistIsAbsent(path: String, id: String) throws {
        try ShippedPacksTests.expectAbsent(id, for: path)
    }

    /// Of files with passwords and tokens the evidence is a digest and no more.
    @Test(arguments: [
        "/root/.m2/settings.xml", "/root/.gradle/gradle.properties", "/root/.npmrc", "/root/.yarnrc.yml",
        "/root/.cargo/credentials.toml", "/root/.nuget/NuGet/NuGet.Config",
        "/root/.config/NuGet/NuGet.Config",
        "/root/.bazelrc", "/root/.swiftpm/configuration/registries.json", "/etc/npmrc",
    ])
    func noTextIsKeptOfSecrets(path: String) throws {
        let rules = try ShippedPacksTests.rules()
        let match = try #require(rules.decide(RawPath(path)).match)
        #expect(rules.rules[match.rule].keep == .none, "\(path)")
    }

    /// What ordinary builds add to is not reported for growing.
    @Test func cachesAreWriteOnceAndNoneIsCritical() throws {
        // What enables our own service is no cache.
        let rules = try ShippedPacksTests.rules().rules.filter {
            $0.profile == .writeOnce && $0.pack != "millwarden"
        }
        let ids = Set(rules.map(\.id))
        #expect(ids.isSuperset(of: ["rust.registry", "go.modules", "maven.artifacts", "dotnet.packages"]))
        for rule in rules { #expect(rule.severity < .critical, "\(rule.id)") }
    }
}

/// The packs against what the packages of this host ship.
@Suite struct ToolchainPackageTests {
    static let comparisons: [PackageComparison] = [
        PackageComparison("make", pack: "make", below: ["/usr/bin"]),
        PackageComparison("cmake", pack: "make", below: ["/usr/bin", "/usr/share/cmake"]),
        PackageComparison("ninja-build", pack: "make", below: ["/usr/bin"]),
        PackageComparison("autoconf", pack: "make", below: ["/usr/bin", "/usr/share/autoconf"]),
        PackageComparison("m4", pack: "make", below: ["/usr/bin"]),
        PackageComparison(
            "pkgconf",
            pack: "make",
            below: ["/usr/bin", "/usr/share/aclocal", "/usr/share/pkgconfig"],
            elsewhere: ["/usr/bin/*-linux-gnu*-pkg{conf,-config}": "gcc"]
        ),
        PackageComparison("pkgconf-bin", pack: "make", below: ["/usr/bin", "/usr/lib"]),
        PackageComparison("gettext-base", pack: "make", below: ["/usr/bin"]),
        PackageComparison("gettext", pack: "make", below: ["/usr/bin", "/usr/lib", "/usr/share/aclocal"]),
        PackageComparison("gettext", pack: "make", below: ["/usr/share/gettext"]),
        PackageComparison(
            "nodejs",
            pack: "node",
            below: ["/usr/bin", "/usr/lib", "/usr/share/nodejs", "/usr/share/node_modules"]
        ),
        PackageComparison("npm", pack: "node", below: ["/usr/bin", "/usr/share/nodejs"]),
        PackageComparison(
            "maven",
            pack: "maven",
            below: ["/etc", "/usr/bin", "/usr/share/maven"],
            leftOut: ["/usr/share/maven/man/**": "manual pages"]
        ),
        PackageComparison("libmaven3-core-java", pack: "java", below: ["/usr/share/java"]),
        PackageComparison("libmaven3-core-java", pack: "maven", below: ["/usr/share/maven-repo"]),
        PackageComparison("libguava-java", pack: "java", below: ["/usr/share/java"]),
        PackageComparison("openjdk-17-jre-headless", pack: "java", below: ["/etc", "/usr/lib/jvm"]),
        PackageComparison("openjdk-17-jdk-headless", pack: "java", below: ["/usr/lib/jvm"]),
        PackageComparison("openjdk-17-jdk", pack: "java", below: ["/usr/lib/jvm"]),
        PackageComparison("java-common", pack: "java", below: ["/usr/sbin", "/usr/share/java"]),
        PackageComparison(
            "ca-certificates-java",
            pack: "java",
            below: ["/etc", "/usr/share/ca-certificates-java"],
            elsewhere: ["/etc/ca-certificates/update.d/*": "ca-store"]
        ),
        PackageComparison(
            "clang-14",
            pack: "clang",
            below: ["/usr/bin", "/usr/lib"]
        ),
        PackageComparison("lld-14", pack: "clang", below: ["/usr/bin", "/usr/lib"]),
        PackageComparison("llvm", pack: "clang", below: ["/usr/bin"]),
        PackageComparison("llvm-14", pack: "clang", below: ["/usr/bin", "/usr/lib"]),
        PackageComparison("llvm-14-dev", pack: "clang", below: ["/usr/lib"]),
        PackageComparison("llvm-14-tools", pack: "clang", below: ["/usr/bin", "/usr/lib"]),
        PackageComparison("llvm-14-runtime", pack: "clang", below: ["/usr/bin", "/usr/lib/llvm-14"]),
        PackageComparison(
            "llvm-14-linker-tools",
            pack: "clang",
            below: ["/usr/lib"],
            elsewhere: ["/usr/lib/bfd-plugins/**": "gcc"]
        ),
        PackageComparison("libllvm14", pack: "clang", below: ["/usr/lib"]),
        PackageComparison("libclang-cpp14", pack: "clang", below: ["/usr/lib"]),
        PackageComparison("rustc", pack: "rust", below: ["/usr/bin", "/usr/lib", "/usr/share/rustc"]),
        PackageComparison("cargo", pack: "rust", below: ["/usr/bin", "/usr/share/cargo"]),
        PackageComparison("libstd-rust-dev", pack: "rust", below: ["/usr/lib"]),
        PackageComparison("golang-go", pack: "go", below: ["/usr/bin", "/usr/lib"]),
        PackageComparison("gradle", pack: "gradle", below: ["/usr/bin", "/usr/share/gradle"]),
        PackageComparison("ant", pack: "java", below: ["/usr/bin", "/usr/share/ant", "/usr/share/java"]),
    ]

    @Test(arguments: comparisons)
    func whatAPackageShipsIsSelected(_ comparison: PackageComparison) throws {
        guard let package = InstalledPackage(comparison.package) else {
            print("passed over: the package \(comparison.package) is not installed on this host")
            return
        }
        #expect(package.files.contains { file in comparison.below.contains(where: file.isWithin) })
        #expect(try comparison.differences(package.files, ShippedPacksTests.rules()) == [])
    }

    @Test func listsOfDpkgAreFoundAndReadUnderCanonicalNames() {
        #expect(InstalledPackage.isList("make.list", of: "make"))
        #expect(InstalledPackage.isList("libllvm14:amd64.list", of: "libllvm14"))
        #expect(!InstalledPackage.isList("make.md5sums", of: "make"))
        #expect(!InstalledPackage.isList("makedev.list", of: "make"))
        let paths = InstalledPackage.paths(
            inList: Array("/.\n/lib\n/lib/x.so\n/usr/lib/y\n/libexec/z\n".utf8)
        )
        #expect(paths.dropFirst() == ["/lib", "/usr/lib/x.so", "/usr/lib/y", "/libexec/z"])
    }

    @Test func aFileThatNoRuleOrAnotherPackSelectsIsADifference() throws {
        let comparison = PackageComparison(
            "x",
            pack: "make",
            below: ["/usr"],
            elsewhere: ["/usr/bin/gcc": "gcc"],
            leftOut: ["/usr/bin/cmake": "wrongly", "/usr/share/x/**": "documents"]
        )
        let files: [RawPath] = [
            "/usr/bin/make", "/usr/bin/gcc", "/usr/share/x/y", "/etc/unrelated", "/usr/bin/unheard-of",
            "/usr/bin/git",
            "/usr/bin/cmake",
        ]
        #expect(
            try comparison.differences(files, ShippedPacksTests.rules()) == [
                "/usr/bin/unheard-of is selected by no rule, instead of one of make",
                "/usr/bin/git is selected by git.programs, instead of a rule of make",
                "/usr/bin/cmake is selected by make.programs, and is listed as left out",
            ]
        )
    }
}
