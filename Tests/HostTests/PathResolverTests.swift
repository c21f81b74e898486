import Host
import Integrity
import TestSupport
import Testing

struct PathResolverTests {
    let tree = MemoryTree()
    let resolver: PathResolver<MemoryTree>

    init() {
        resolver = PathResolver(tree: tree)
        tree.change {
            $0.symlink("/bin", to: "usr/bin")
            $0.write("/usr/bin/gcc-12", "")
            $0.symlink("/usr/bin/gcc", to: "gcc-12")
            $0.symlink("/usr/bin/cc", to: "/etc/alternatives/cc")
            $0.symlink("/etc/alternatives/cc", to: "/bin/gcc")
            $0.symlink("/usr/bin/up", to: "../../usr/./bin//gcc-12")
            $0.symlink("/usr/bin/dangling", to: "/usr/lib/none")
            $0.symlink("/usr/bin/a", to: "b")
            $0.symlink("/usr/bin/b", to: "a")
            $0.symlink("/deep/out", to: "../../../../usr")
            $0.symlink("/toroot", to: "/")
        }
    }

    @Test(arguments: [
        ("/", "/"), ("/bin", "/bin"), ("/bin/gcc", "/usr/bin/gcc"), ("/bin/cc", "/usr/bin/cc"),
        ("//usr/./bin//../bin/gcc/", "/usr/bin/gcc"), ("/bin/../lib", "/usr/lib"), ("/bin/.", "/usr/bin"),
        ("/bin/new/tail", "/usr/bin/new/tail"), ("/none/../x", "/x"),
        ("/usr/bin/gcc-12/x", "/usr/bin/gcc-12/x"),
        ("/usr/bin/a/x", "/usr/bin/a/x"), ("/usr/bin/dangling/x", "/usr/lib/none/x"),
        ("/deep/out/bin/cc", "/usr/bin/cc"),
        ("/toroot/bin/gcc", "/usr/bin/gcc"), ("/..", "/"), ("/../bin/gcc", "/usr/bin/gcc"),
    ])
    func linksInDirectoriesAreResolvedAndTheLastIsNot(path: String, canonical: String) {
        #expect(resolver.canonical(RawPath(path)) == RawPath(canonical))
        #expect(resolver.canonical(RawPath(canonical)) == RawPath(canonical), "canonical stays")
    }

    @Test func everyHopIsNamed() {
        let resolution = resolver.resolve("/bin/cc")
        #expect(resolution.final == "/usr/bin/gcc-12")
        #expect(resolution.hops == ["/bin", "/usr/bin/cc", "/etc/alternatives/cc", "/usr/bin/gcc"])
        #expect(resolution.failure == nil)
    }

    @Test(
        arguments: [
            ("/usr/bin/gcc-12", "/usr/bin/gcc-12", []), ("/usr/bin/up", "/usr/bin/gcc-12", ["/usr/bin/up"]),
            ("/deep/out/bin", "/usr/bin", ["/deep/out"]), ("/toroot", "/", ["/toroot"]), ("/", "/", []),
        ] as [(String, String, [String])]
    )
    func pathsAreFollowed(path: String, final: String, hops: [String]) {
        let expected = Resolution(hops: hops.map { RawPath($0) }, final: RawPath(final))
        #expect(resolver.resolve(RawPath(path)) == expected)
    }

    @Test func danglingLinksAndCirclesEndNowhere() {
        #expect(resolver.resolve("/usr/bin/dangling") == Resolution(hops: ["/usr/bin/dangling"]))
        #expect(resolver.resolve("/usr/bin/a") == Resolution(hops: ["/usr/bin/a", "/usr/bin/b"]))
        #expect(resolver.resolve("/usr/bin/gcc-12/below") == Resolution())
        #expect(resolver.resolve("/none") == Resolution())
    }

    @Test func asManyLinksAsLinuxFollowsAndNoMore() {
        tree.change {
            $0.write("/chain/0", "")
            for number in 1...41 { $0.symlink(RawPath("/chain/\(number)"), to: "\(number - 1)") }
        }
        #expect(resolver.resolve("/chain/40").final == "/chain/0")
        #expect(resolver.resolve("/chain/41").final == nil)
    }

    @Test func aLinkThatDoublesItselfEnds() {
        tree.change { $0.symlink("/fork", to: "fork/fork") }
        #expect(resolver.resolve("/fork").final == nil)
        #expect(resolver.canonical("/fork/x") == "/fork/x")
    }

    @Test(arguments: [Errno.access, .io, .stale])
    func whatCannotBeFollowedIsAFailureAndNotNothing(error: Errno) {
        let truth = resolver.resolve("/bin/cc")
        for number in 1... {
            let faulty = FaultyTree(tree, failing: number, with: error)
            let resolution = PathResolver(tree: faulty).resolve("/bin/cc")
            guard faulty.hasFailed else {
                #expect(resolution == truth)
                break
            }
            #expect(resolution.final == nil && resolution.failure?.errno == error.code, "call \(number)")
            #expect(truth.hops.starts(with: resolution.hops))
            _ = PathResolver(tree: FaultyTree(tree, failing: number, with: error)).canonical("/bin/cc")
        }
    }

    /// Against realpath(3) of the kernel's own names, in random nests of links.
    @Test func theKernelFollowsTheSameWay() throws {
        var random = SeededGenerator()
        let directory = try TemporaryDirectory()
        let kernel = PathResolver(tree: KernelTree())
        let names = ["a", "b", "c"]
        func name() -> String { names[Int.random(in: 0..<3, using: &random)] }
        for top in names {
            for below in names {
                let place = "\(top)/\(below)"
                switch Int.random(in: 0..<4, using: &random) {
                case 0: try directory.write(place, place)
                case 1: try directory.makeDirectory(place + "/" + name())
                default:
                    let targets = [
                        "\(name())", "../\(name())", "../\(name())/\(name())", "../\(name())/./\(name())/..",
                    ]
                    let target = targets[Int.random(in: 0..<targets.count, using: &random)]
                    try directory.symlink(place, to: RawPath(target))
                }
            }
        }
        for _ in 0..<200 {
            let text = (0..<4).map { _ in Int.random(in: 0..<5, using: &random) == 0 ? ".." : name() }
            let path = directory.appending("a/" + text.joined(separator: "/"))
            let real = realPath(path)
            let ours = kernel.resolve(path).final
            // A path may climb out of the directory, and above there the two must agree as well.
            #expect(ours == real, "\(path) \(random)")
        }
    }
}
