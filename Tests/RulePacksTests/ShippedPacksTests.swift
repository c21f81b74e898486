import Integrity
import Testing

@testable import RulePacks

#if canImport(Glibc)
    import Glibc
#endif

/// The packs of this source tree, as a host with a merged /usr sees them.
@Suite struct ShippedPacksTests {
    static let rulesDirectory: String = {
        let here = #filePath.split(separator: "/").dropLast(3)
        return "/" + here.joined(separator: "/") + "/Rules"
    }()

    static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += buffer.prefix(count)
        }
    }

    /// The names in a directory, sorted; none where it cannot be opened.
    static func entries(_ path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var found: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            found.append(name)
        }
        return found.sorted()
    }

    static func names() -> [String] {
        entries(rulesDirectory).filter { RuleFilesInEffect.counts(Array($0.utf8)) }
    }

    static func packs() throws -> [LoadedPack] {
        try names().map { name in
            let bytes = try #require(read(rulesDirectory + "/" + name))
            return LoadedPack(pack: try RulePack(bytes, file: name, digest: testDigest(bytes)), precedence: 0)
        }
    }

    private static let shared = Result {
        try ruleSet(
            packs(),
            homes: ["/root", "/home/ci"],
            links: ["/bin": "/usr/bin", "/sbin": "/usr/sbin", "/lib": "/usr/lib", "/lib64": "/usr/lib64"]
        )
    }

    static func rules() throws -> RuleSet { try shared.get() }

    /// A path that may exist is decided by the rule of that name, or by none; the matcher of a walk agrees.
    static func expect(_ id: String?, for path: String, location: SourceLocation = #_sourceLocation) throws {
        let rules = try rules()
        #expect(rules.decidingRule(RawPath(path)) == id, "\(path)", sourceLocation: location)
        #expect(!rules.isAbsent(RawPath(path)), "\(path)", sourceLocation: location)
        var matcher = rules.matcher()
        let found = matcher.rule(for: RawPath(path)).map { rules.rules[$0].id }
        #expect(found == id, "\(path)", sourceLocation: location)
    }

    /// A path that must not exist is decided by the rule of that name, and the rule says so.
    static func expectAbsent(_ id: String, for path: String, location: SourceLocation = #_sourceLocation)
        throws
    {
        let rules = try rules()
        #expect(rules.decidingRule(RawPath(path)) == id, "\(path)", sourceLocation: location)
        #expect(rules.isAbsent(RawPath(path)), "\(path)", sourceLocation: location)
        var absent = rules.absentMatcher()
        let found = absent.rule(for: RawPath(path)).map { rules.rules[$0].id }
        #expect(found == id, "\(path)", sourceLocation: location)
    }

    @Test func everyPackIsWellFormedAndNamedAsItsFile() throws {
        let packs = try ShippedPacksTests.packs()
        #expect(packs.count >= 4)
        for pack in packs.map(\.pack) {
            #expect(pack.file == pack.name + ".yaml")
            #expect(!pack.detect.isEmpty || pack.rules.allSatisfy { $0.severity >= .high })
            for rule in pack.rules {
                #expect(rule.id.hasPrefix(pack.name + "."), "\(rule.id)")
                #expect(rule.reason.count > 20 && rule.reason.last == ".", "\(rule.id)")
                #expect(rule.title.last != ".", "\(rule.id)")
            }
        }
        _ = try ShippedPacksTests.rules()
    }

    @Test(arguments: [
        ("/usr/bin/gcc", "gcc.driver"), ("/usr/bin/gcc-12", "gcc.driver"), ("/usr/bin/c++", "gcc.driver"),
        ("/usr/bin/c99-gcc", "gcc.driver"), ("/usr/bin/x86_64-linux-gnu-gcc-12", "gcc.driver"),
        ("/usr/bin/x86_64-redhat-linux-gcc-13", "gcc.driver"),
        ("/usr/bin/arm-linux-gnueabihf-ld", "gcc.driver"),
        ("/usr/bin/arm-none-eabi-gcc", "gcc.driver"), ("/usr/bin/x86_64-linux-gnu-ld.bfd", "gcc.driver"),
        ("/usr/bin/gcc-ar-12", "gcc.driver"),
        ("/usr/lib/gcc", "gcc.toolchain"), ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "gcc.toolchain"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/crtbegin.o", "gcc.toolchain"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/libgcc_s.so", "gcc.toolchain"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/libgomp.spec", "gcc.toolchain"),
        ("/usr/lib/gcc/aarch64-linux-gnu/13/plugin/libcc1plugin.so", "gcc.toolchain"),
        ("/usr/libexec/gcc/x86_64-redhat-linux/13/cc1", "gcc.toolchain"),
        ("/usr/lib/x86_64-linux-gnu/libisl.so.23", "gcc.libraries"),
        ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30", "gcc.libraries"),
        ("/usr/lib64/libgcc_s.so.1", "gcc.libraries"),
        ("/usr/bin/ld", "gcc.binutils"), ("/usr/bin/as", "gcc.binutils"),
        ("/usr/bin/ld.gold", "gcc.binutils"),
        ("/usr/bin/c++filt", "gcc.binutils"), ("/usr/lib/gold-ld/ld", "gcc.binutils"),
        ("/usr/lib/x86_64-linux-gnu/libbfd-2.40-system.so", "gcc.binutils"),
        ("/usr/lib/x86_64-linux-gnu/libctf-nobfd.so.0", "gcc.binutils"),
        ("/usr/lib/x86_64-linux-gnu/ldscripts/elf_x86_64.x", "gcc.binutils"),
        ("/usr/lib/bfd-plugins/liblto_plugin.so", "gcc.linker-plugins"),
        ("/usr/lib/x86_64-linux-gnu/bfd-plugins/libdep.so", "gcc.linker-plugins"),
        ("/usr/lib64/bfd-plugins", "gcc.linker-plugins"),
        ("/etc/alternatives/cc", "gcc.alternatives"), ("/etc/alternatives/cc.1.gz", nil),
        ("/usr/bin/ccache", "ccache.programs"),
        ("/usr/bin/perl5.36-x86_64-linux-gnu", "system.base-programs"), ("/usr/bin/cppcheck", nil),
        ("/usr/bin/gccx", nil),
        ("/usr/local/include/zlib.h", "gcc.local-includes"),
        ("/usr/local/lib/libz.so.1", "gcc.local-includes"),
        ("/usr/include/stdio.h", "glibc.headers"),
        ("/usr/include/x86_64-linux-gnu/bits/types.h", "glibc.headers"),
        ("/usr/lib/x86_64-linux-gnu/crt1.o", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/Scrt1.o", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/grcrt1.o", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/libc.so", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/libc.a", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/libm-2.36.a", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/libc_nonshared.a", "glibc.development"),
        ("/usr/lib64/crt1.o", "glibc.development"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "glibc.runtime"),
        ("/usr/lib/x86_64-linux-gnu/libpthread.so.0", "glibc.runtime"),
        ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "glibc.runtime"),
        ("/usr/lib64/ld-linux-x86-64.so.2", "glibc.runtime"),
        ("/usr/lib/ld-linux-aarch64.so.1", "glibc.runtime"),
        ("/usr/lib64/ld64.so.2", "glibc.runtime"),
        ("/usr/lib/x86_64-linux-gnu/libc-2.31.so", "glibc.runtime"),
        ("/usr/lib/x86_64-linux-gnu/libnss_files.so.2", "glibc.modules"),
        ("/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", "glibc.modules"),
        ("/usr/lib/x86_64-linux-gnu/audit/sotruss-lib.so", "glibc.modules"),
        ("/lib64", "glibc.loader-links"), ("/bin", "glibc.loader-links"),
        ("/usr/sbin/ldconfig", "glibc.tools"), ("/etc/ld.so.conf", "glibc.loader-configuration"),
        ("/etc/ld.so.conf.d/libc.conf", "glibc.loader-configuration"),
        ("/etc/ld.so.conf.d", "glibc.loader-configuration"), ("/etc/ld.so.cache", "glibc.loader-cache"),
        ("/var/cache/ldconfig/aux-cache", nil),
        ("/usr/lib/x86_64-linux-gnu/libcurl.so.4", "system.base-libraries"),
        ("/usr/bin/python3", "python.interpreter"), ("/usr/bin/python3.11", "python.interpreter"),
        ("/usr/bin/x86_64-linux-gnu-python3.11-config", "python.interpreter"),
        ("/usr/bin/pip3.11", "python.interpreter"), ("/usr/bin/pipewire", nil),
        ("/usr/bin/2to3-3.11", "python.interpreter"), ("/usr/bin/py3compile", "python.interpreter"),
        ("/usr/lib/python3.11/os.py", "python.library"),
        ("/usr/lib/python3/dist-packages/apt/cache.py", "python.library"),
        ("/usr/lib/python3.11/lib-dynload", "python.library"),
        ("/usr/lib64/python3.12/os.py", "python.library"),
        ("/usr/lib/python3.11/__pycache__/os.cpython-311.pyc", "python.bytecode"),
        ("/usr/lib/python3.11/__pycache__/os.cpython-311.pyc.140234", nil),
        ("/usr/lib/python3/dist-packages/distutils-precedence.pth", "python.startup"),
        ("/usr/lib/python3.11/sitecustomize.py", "python.startup"),
        ("/usr/lib/python3.11/EXTERNALLY-MANAGED", "python.startup"),
        ("/etc/python3.11/sitecustomize.py", "python.startup"),
        ("/usr/local/lib/python3.11/dist-packages/x.pth", "python.startup"),
        ("/etc/pip.conf", "python.configuration"), ("/etc/xdg/pip/pip.conf", "python.configuration"),
        ("/etc/uv/uv.toml", "python.configuration"),
        ("/root/.config/pip/pip.conf", "python.user-configuration"),
        ("/home/ci/.pypirc", "python.user-configuration"),
        ("/root/.pyenv/shims/python3", "python.pyenv"), ("/root/.pyenv/bin/pyenv", "python.pyenv"),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/os.py", "python.pyenv"),
        ("/root/.pyenv/versions/3.11.7/share/man/x", nil), ("/root/.pyenv/shims/.pyenv-shim", nil),
        (
            "/root/.pyenv/versions/3.11.7/lib/python3.11/__pycache__/os.cpython-311.pyc",
            "python.pyenv-bytecode"
        ),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/site-packages/numpy/core/x.so", "python.pyenv"),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/test/test_os.py", nil),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/test/__pycache__/a.cpython-311.pyc", nil),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/unittest/case.py", "python.pyenv"),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/site-packages/x/test/y.py", "python.pyenv"),
        ("/root/.pyenv/plugins/pyenv-doctor/.git/config", nil), ("/root/.cache/pip/x", nil),
        ("/root/.local/lib/python3.11/site-packages/yaml/__init__.py", "python.user-tools"),
        ("/usr/bin/git", "git.programs"), ("/usr/bin/git-shell", "git.programs"),
        ("/usr/lib/git-core/git-remote-https", "git.programs"), ("/usr/libexec/git-core/git", "git.programs"),
        ("/usr/share/perl5/Git.pm", "git.programs"), ("/usr/local/bin/git-lfs", "git.local-commands"),
        ("/usr/share/git-core/templates/hooks/pre-commit.sample", "git.templates"),
        ("/etc/gitconfig", "git.configuration"), ("/root/.gitconfig", "git.user-configuration"),
        ("/root/.config/git/ignore", "git.user-ignores"), ("/home/ci/.git-credentials", "git.credentials"),
    ])
    func realPathsAreDecided(path: String, id: String?) throws {
        try ShippedPacksTests.expect(id, for: path)
    }

    @Test(arguments: [
        ("/etc/ld.so.preload", "glibc.preload"),
        ("/usr/lib/x86_64-linux-gnu/glibc-hwcaps", "glibc.hardware-libraries"),
        ("/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libc.so.6", "glibc.hardware-libraries"),
        ("/usr/lib/x86_64-linux-gnu/tls", "glibc.hardware-libraries"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/specs", "gcc.specs"),
        ("/usr/lib/gcc/x86_64-linux-gnu/specs", "gcc.specs"),
        ("/usr/x86_64-linux-gnu/lib/specs", "gcc.specs"),
        ("/usr/x86_64-linux-gnu/lib/x86_64-linux-gnu/12/specs", "gcc.specs"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/as", "gcc.private-tools"),
        ("/usr/lib/gcc/x86_64-linux-gnu/as", "gcc.private-tools"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/real-ld", "gcc.private-tools"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/collect-ld", "gcc.private-tools"),
        ("/usr/lib/gcc/x86_64-linux-gnu/x86_64-linux-gnu-ld", "gcc.private-tools"),
        ("/usr/lib/gcc/aarch64-linux-gnu/13/aarch64-linux-gnu-as", "gcc.private-tools"),
        ("/usr/x86_64-linux-gnu/bin", "gcc.private-tools"),
        ("/usr/x86_64-linux-gnu/bin/as", "gcc.private-tools"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/Scrt1.o", "gcc.private-objects"),
        ("/usr/lib/gcc/x86_64-linux-gnu/crti.o", "gcc.private-objects"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/libc.a", "gcc.private-objects"),
        ("/usr/lib/x86_64-linux-gnu/12", "gcc.private-objects"),
        ("/usr/lib/x86_64-linux-gnu/12/crti.o", "gcc.private-objects"),
        ("/usr/x86_64-linux-gnu/lib", "gcc.private-objects"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/include-fixed", "gcc.private-headers"),
        ("/usr/lib/gcc/x86_64-linux-gnu/include-fixed", "gcc.private-headers"),
        ("/usr/include/stdc-predef.h.gch", "gcc.private-headers"),
        ("/usr/x86_64-linux-gnu/include", "gcc.private-headers"),
        ("/usr/local/sbin/gcc", "gcc.path-hijack"), ("/usr/local/bin/cc", "gcc.path-hijack"),
        ("/usr/local/bin/ld", "gcc.path-hijack"), ("/root/.cargo/bin/as", "gcc.path-hijack"),
        ("/usr/bin/gnm", "gcc.path-hijack"),
        ("/usr/bin/pyvenv.cfg", "python.startup-hijack"), ("/usr/pyvenv.cfg", "python.startup-hijack"),
        ("/usr/bin/python3._pth", "python.startup-hijack"),
        ("/usr/bin/python3.11._pth", "python.startup-hijack"),
        ("/usr/bin/pybuilddir.txt", "python.startup-hijack"),
        ("/usr/bin/Modules/Setup.local", "python.startup-hijack"),
        ("/usr/lib/python311.zip", "python.startup-hijack"),
        ("/usr/bin/lib/python3.11/os.py", "python.startup-hijack"),
        ("/usr/lib/python3.11/dist-packages", "python.startup-hijack"),
        ("/usr/lib/python3.11/usercustomize.py", "python.startup-hijack"),
        ("/root/.local/lib/python3.11/site-packages", "python.user-hijack"),
        ("/home/ci/.local/lib/python3.11/site-packages/usercustomize.py", "python.user-hijack"),
        ("/home/ci/.local/lib/python3.11/site-packages/x.pth", "python.user-hijack"),
        ("/usr/local/bin/python3", "python.path-hijack"), ("/usr/local/sbin/python3", "python.path-hijack"),
        ("/etc/gitattributes", "git.attributes"), ("/root/.config/git/config", "git.attributes"),
        ("/root/.config/git/attributes", "git.attributes"),
        ("/usr/share/git-core/templates/config", "git.template-hijack"),
        ("/usr/share/git-core/templates/hooks/pre-commit", "git.template-hijack"),
        ("/usr/share/git-core/templates/hooks/post-checkout", "git.template-hijack"),
        ("/usr/local/bin/git", "git.path-hijack"), ("/usr/local/sbin/git", "git.path-hijack"),
    ])
    func whatMustNotExistIsAbsent(path: String, id: String) throws {
        try ShippedPacksTests.expectAbsent(id, for: path)
    }

    /// Everything that hijacks a build without touching a file has to be as bad as touching the tools.
    @Test func whatMustNotExistIsCritical() throws {
        for rule in try ShippedPacksTests.rules().rules where rule.watch.isEmpty {
            #expect(rule.severity == .critical, "\(rule.id)")
        }
    }
}
