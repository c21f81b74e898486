import Integrity
import RulePacks
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("/usr/bin/gcc", "/usr/bin/gcc", true),
        ("/usr/bin/gcc", "/usr/bin/gcc-12", false),
        ("/usr/bin/gcc", "/usr/bin", false),
        ("/usr/bin/gcc*", "/usr/bin/gcc", true),
        ("/usr/bin/gcc*", "/usr/bin/gcc-ar-12", true),
        ("/usr/bin/gcc*", "/usr/bin/gcc/x", false),
        ("/usr/bin/*", "/usr/bin", false),
        ("/usr/bin/*", "/usr/bin/.hidden", true),
        ("/usr/*/gcc", "/usr/gcc", false),
        ("/usr/*/gcc", "/usr/bin/gcc", true),
        ("/usr/*/gcc", "/usr/a/b/gcc", false),
        ("/usr/?", "/usr/a", true),
        ("/usr/?", "/usr/ab", false),
        ("/usr?bin", "/usr/bin", false),
        ("/usr/lib/gcc/**", "/usr/lib/gcc", true),
        ("/usr/lib/gcc/**", "/usr/lib/gcc/x/y", true),
        ("/usr/lib/gcc/**", "/usr/lib/gccx", false),
        ("/usr/lib/gcc/**", "/usr/lib", false),
        ("/x/**/y", "/x/y", true),
        ("/x/**/y", "/x/a/y", true),
        ("/x/**/y", "/x/a/b/y", true),
        ("/x/**/y", "/x/ay", false),
        ("/x/**/y", "/xy", false),
        ("/x/a**y", "/x/a/b/y", true),
        ("/x/a**y", "/x/ay", true),
        ("/**", "/", true),
        ("/**", "/a/b", true),
        ("/", "/", true),
        ("/", "/a", false),
        ("/**/y", "/y", true),
        ("/x**", "/x", true),
        ("/x**", "/xy/z", true),
        ("/x/*/**", "/x", false),
        ("/x/*/**", "/x/a", true),
        ("/x/**/*", "/x", false),
        ("/x/**/*", "/x/a", true),
        ("/x/**/**", "/x", true),
        ("/[a-c]x", "/bx", true),
        ("/[a-c]x", "/dx", false),
        ("/[!a-c]x", "/dx", true),
        ("/[^a-c]x", "/ax", false),
        ("/a[!b]c", "/a/c", false),
        ("/a[]]c", "/a]c", true),
        ("/a[!]]c", "/axc", true),
        ("/a[a-]c", "/a-c", true),
        ("/a[\\]x]c", "/a]c", true),
        ("/{a,b}/c", "/b/c", true),
        ("/{a,{b,c}d}e", "/cde", true),
        ("/{a,{b,c}d}e", "/ce", false),
        ("/a{,b}", "/a", true),
        ("/a{,/b}", "/a/b", true),
        ("/usr/{lib/**,bin/gcc}", "/usr/lib", true),
        ("/usr/{lib/**,bin/gcc}", "/usr/lib/a/b", true),
        ("/usr/{**,x}", "/usr", true),
        ("/usr{/a,/b}/{**,c}", "/usr/b", true),
        ("/{a/,b/}**", "/a", true),
        ("/{a/,b/}**/y", "/b/y", true),
        ("/{a,b}{c,d}{e,f}", "/adf", true),
        ("/a\\*b", "/a*b", true),
        ("/a\\*b", "/axb", false),
        ("/a\\{b", "/a{b", true),
        ("/a,b", "/a,b", true),
        ("/A", "/a", false),
    ])
    func matches(glob: String, path: String, expected: Bool) throws {
        #expect(try Glob(glob).matches(RawPath(path)) == expected)
    }

    @Test(arguments: [
        ("*.tmp", "/a/b/c.tmp", true),
        ("*.tmp", "/c.tmp", true),
        ("**/*.tmp", "/a/c.tmp", true),
        ("**/*.tmp", "/c.tmp", true),
        ("__pycache__/**", "/a/__pycache__", true),
        ("__pycache__/**", "/a/__pycache__/x.pyc", true),
        ("b/c", "/a/b/c", true),
        ("b/c", "/a/xb/c", false),
    ])
    func matchesAtAnyDepthWithoutSlash(glob: String, path: String, expected: Bool) throws {
        #expect(try Glob(glob, anywhere: true).matches(RawPath(path)) == expected)
    }

    @Test func bytesThatAreNoTextAreMatchedByWildcards() throws {
        let path = RawPath(bytes: Array("/x/".utf8) + [0xFF, 0x0A, 0x80])
        #expect(try Glob("/x/*").matches(path))
        #expect(try Glob("/x/???").matches(path))
        #expect(try !Glob("/x/??").matches(path))
        #expect(try Glob("/x/[!a]*").matches(path))
    }

    @Test(arguments: [
        ("", GlobError.empty),
        ("usr/bin", .notAbsolute(orAnywhere: false)),
        ("~", .otherHome),
        ("~root/x", .otherHome),
        ("~/", .trailingSlash),
        ("/a\\", .trailingBackslash),
        ("/a[b", .unclosedClass),
        ("/a[]", .unclosedClass),
        ("/a[b\\", .unclosedClass),
        ("/a[/]", .emptyClass),
        ("/a[z-a]", .reversedRange(0x7A, 0x61)),
        ("/a{b", .unclosedGroup),
        ("/a{b,{c}", .unclosedGroup),
        ("/a}", .unopenedGroup),
        ("/a{}", .emptyGroup),
        ("/a//b", .doubledSlash),
        ("//a", .doubledSlash),
        ("/a/", .trailingSlash),
        ("/a/./b", .dotComponent(".")),
        ("/a/..", .dotComponent("..")),
        ("/{a,b/../c}", .dotComponent("..")),
        ("/a\0b", .holdsNUL),
    ])
    func impossibleGlobsAreRefused(glob: String, error: GlobError) {
        #expect(throws: error) { try Glob(glob) }
        #expect(!error.description.isEmpty)
    }

    @Test func nestingAndLengthAreBounded() {
        #expect(throws: GlobError.nestedTooDeep(limit: 16)) {
            try Glob("/" + String(repeating: "{a,", count: 17) + String(repeating: "}", count: 17))
        }
        #expect(throws: GlobError.tooLong(limit: 4_096)) {
            try Glob("/" + String(repeating: "a", count: 4_096))
        }
    }

    @Test func alternativesAreNotWrittenOut() throws {
        // Two to the power of a thousand paths.
        let glob = try Glob("/" + String(repeating: "{a,b}", count: 800))
        #expect(glob.matches(RawPath("/" + String(repeating: "ab", count: 400))))
        #expect(!glob.matches(RawPath("/" + String(repeating: "ab", count: 399) + "ac")))
    }

    @Test func manyStarsStayLinear() throws {
        let glob = try Glob("/" + String(repeating: "*a", count: 100) + "b")
        #expect(!glob.matches(RawPath("/" + String(repeating: "a", count: 4_000))))
    }

    @Test func aHomeMatchesOnlyWhenItIsExpanded() throws {
        let glob = try Glob("~/.cargo/bin/*")
        #expect(!glob.matches("/home/a/.cargo/bin/rustc"))
        let homes = glob.atHome(["/home/a", "/root"])
        #expect(
            homes.map(\.literalPrefix) == ["/home/a/.cargo/bin/", "/root/.cargo/bin/"].map { Array($0.utf8) }
        )
        #expect(homes[1].matches("/root/.cargo/bin/rustc"))
    }

    @Test func aHomeThatIsTheRootNeedsNoSecondSlash() throws {
        let globs = try Glob("~/bin/*").atHome([.root])
        #expect(globs.count == 1 && globs[0].matches("/bin/x"))
    }

    @Test func whatAGlobCoversIncludesEverythingBelow() throws {
        let glob = try Glob("/usr/lib/g*")
        #expect(glob.covers("/usr/lib/gcc/x/y"))
        #expect(glob.covers("/usr/lib/gcc"))
        #expect(!glob.covers("/usr/lib"))
    }

    @Test func literalGlobsAreKnown() throws {
        #expect(try Glob("/etc/ld.so.preload").literal == "/etc/ld.so.preload")
        #expect(try Glob("/etc/ld.so.*").literal == nil)
        #expect(try Glob("/etc/a\\*").literal == "/etc/a*")
        #expect(Glob(literally: "/a*").matches("/a*"))
        #expect(!Glob(literally: "/a*").matches("/ab"))
    }

    @Test func directoriesBeforeTheFirstWildcardAreCanonical() throws {
        let canonicalize: (RawPath) -> RawPath = { path in
            path.moved(from: "/bin", to: "/usr/bin") ?? path.moved(from: "/lib", to: "/usr/lib") ?? path
        }
        func resolved(_ text: String) throws -> [Glob] {
            try Glob(text).resolved(homes: ["/home/a"], canonicalize: canonicalize)
        }
        #expect(try resolved("/bin/gcc*").map(\.literalPrefix) == [Array("/usr/bin/gcc".utf8)])
        #expect(try resolved("/lib/**")[0].matches("/usr/lib"))
        #expect(try resolved("/lib")[0].matches("/lib"))
        #expect(try resolved("/{bin,opt}/gcc*").contains { $0.matches("/usr/bin/gcc") })
        #expect(try resolved("/{lib/x,opt}/**").contains { $0.matches("/usr/lib/x/y") })
        #expect(try resolved("/usr/bin/{gcc,cc}*").count == 1)
        #expect(try resolved("/l*/x").map(\.literalPrefix) == [Array("/l".utf8)])
    }

    @Test func tooManyDirectoriesStayAlternatives() throws {
        let glob = try Glob("/" + String(repeating: "{a,b}", count: 12) + "/x")
        let resolved = glob.resolved(homes: []) { $0 }
        #expect(resolved.count == 1)
        #expect(resolved[0].matches("/abababababab/x"))
    }
}
