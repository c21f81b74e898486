import Integrity
import TestSupport
import Testing

struct RawPathTests {
    @Test(arguments: [
        ("/", "", "/"), ("/a", "a", "/"), ("/a/b", "b", "/a"), ("/a/b/c", "c", "/a/b"), ("name", "name", "/"),
    ])
    func nameAndParent(path: RawPath, name: String, parent: RawPath) {
        #expect(path.name.elementsEqual(name.utf8))
        #expect(path.parent == parent)
    }

    @Test(
        arguments: [
            ("/a", "/", true), ("/a", "/a", true), ("/a/b", "/a", true), ("/ab", "/a", false),
            ("/a", "/a/b", false),
            ("/", "/", true), ("/", "/a", false),
        ] as [(RawPath, RawPath, Bool)]
    )
    func within(path: RawPath, directory: RawPath, expected: Bool) {
        #expect(path.isWithin(directory) == expected)
    }

    @Test(
        arguments: [
            ("/a/b", "/a", "/c", "/c/b"), ("/a", "/a", "/c", "/c"), ("/a/b", "/a", "/", "/b"),
            ("/a", "/a", "/", "/"),
            ("/b", "/", "/m", "/m/b"), ("/ab", "/a", "/c", nil), ("/b", "/a", "/c", nil),
        ] as [(RawPath, RawPath, RawPath, RawPath?)]
    )
    func moved(path: RawPath, old: RawPath, new: RawPath, expected: RawPath?) {
        #expect(path.moved(from: old, to: new) == expected)
    }

    @Test(
        arguments: [
            ("/", "/"), ("", "/"), ("//a//b/", "/a/b"), ("/./a/.", "/a"), ("/a/../b", "/b"), ("/../..", "/"),
            ("/a/...", "/a/..."),
            ("/.a/..b", "/.a/..b"),
        ] as [(RawPath, RawPath)]
    )
    func normalized(path: RawPath, expected: RawPath) {
        #expect(path.normalized == expected)
        #expect(path.normalized.normalized == expected)
    }

    @Test func appendingAddsOneSlash() {
        #expect(RawPath.root.appending("a") == "/a")
        #expect(RawPath("/a").appending([0xFF]).bytes == [0x2F, 0x61, 0x2F, 0xFF])
    }

    @Test func componentsAndBack() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let path = random.path()
            #expect(RawPath(components: path.components) == path, "\(random)")
            if !path.isRoot { #expect(path.parent.appending(path.name) == path, "\(random)") }
            #expect(
                path.normalized == path || path.components.contains { $0.allSatisfy { $0 == 0x2E } },
                "\(random)"
            )
        }
    }

    @Test func orderIsDirectoryMajor() {
        let sorted: [RawPath] = [
            "/", "/a", "/a.b", "/ab", "/b", "/a/x", "/a/y", "/a/x/1", "/a.b/x", "/ab/a", "/b/a", "/b/a/a",
        ]
        #expect(sorted.shuffled().sorted() == sorted)
        #expect(RawPath("/a/b/c").orderKey == [0x61, 0, 0x62, 0, 0, 0x63])
    }

    /// What the baseline relies on: one directory's entries stand together, in the order of their bytes, and all that
    /// lies below a directory is one range.
    @Test func entriesAndSubtreesStandTogether() {
        var random = SeededGenerator()
        var paths: Set<RawPath> = []
        for _ in 0..<400 {
            var path = random.path()
            while paths.insert(path).inserted { path = path.parent }
        }
        let sorted = paths.sorted()
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0 < $1 && !($1 < $0) }, "\(random)")
        func isOneRange(_ belongs: (RawPath) -> Bool) -> Bool {
            guard let first = sorted.firstIndex(where: belongs), let last = sorted.lastIndex(where: belongs)
            else { return true }
            return sorted[first...last].allSatisfy(belongs)
        }
        for directory in sorted {
            #expect(isOneRange { $0 != directory && $0.isWithin(directory) }, "\(random)")
            #expect(isOneRange { !$0.isRoot && $0.parent == directory }, "\(random)")
            let names = sorted.filter { !$0.isRoot && $0.parent == directory }.map { Array($0.name) }
            #expect(names == names.sorted { $0.lexicographicallyPrecedes($1) }, "\(random)")
        }
    }

    @Test(arguments: [
        (Array("/tmp/a\nb".utf8), #"/tmp/a\x0ab"#), ([0x2F, 0xFF], #"/\xff"#),
        (Array(#"/a\b"#.utf8), #"/a\\b"#),
        (Array("/ä漢".utf8), "/ä漢"),
    ])
    func hostileNamesStayOnOneLine(bytes: [UInt8], shown: String) {
        #expect(RawPath(bytes: bytes).description == shown)
    }
}
