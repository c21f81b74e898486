import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// One thing that can happen to a watched file, and all that has to be said about it.
struct ChangeCase: CustomTestStringConvertible, Sendable {
    typealias Action = @Sendable (Millwarden) throws -> Void

    /// One finding.
    ///
    /// Paths are relative to the world.
    struct Expected: Sendable {
        var path: String
        var change: String
        /// Those that have to be named; others, such as times, may be.
        var attributes: Set<String> = []
        var from: String?
        /// Members of `before` and of `after`; nil where there is none.
        var before: [String: String]?
        var after: [String: String]?
    }

    var name: String
    /// What has to be so for it to be possible, with the reason a skip states.
    var needs: Need = .nothing
    /// True where it takes several calls: they are made while the service stands still.
    var isSeveral = false
    var act: Action
    var undo: Action?
    var expected: [Expected]
    /// The exit status of `check` while it stands.
    var exit: Int32

    var testDescription: String { name }

    enum Need: Sendable {
        case nothing, root, userXattrs, accessLists

        /// Why it is impossible here; nil where it is possible.
        func refusal(_ world: Millwarden) -> Comment? {
            let probe = world.outside.appending("probe")
            switch self {
            case .nothing: return nil
            case .root: return isRoot ? nil : "only root may do this"
            case .userXattrs:
                guard (try? probe.write([])) != nil, (try? probe.setXattr("user.probe", [1])) != nil else {
                    return "the file system of TMPDIR has no user xattrs"
                }
            case .accessLists:
                guard (try? probe.write([], mode: 0o755)) != nil,
                    (try? probe.setXattr("system.posix_acl_access", accessList(readableBy: 65_534))) != nil
                else { return "the file system of TMPDIR has no access lists" }
            }
            return nil
        }
    }
}

private let compilerDigest = digestText(of: Millwarden.compilerText)
private let linkerDigest = digestText(of: Millwarden.linkerText)
private let implant = Array("an implant\n".utf8)
private let implantDigest = digestText(of: implant)

/// Puts the compiler's own bytes and time back, into the same inode.
private let restoreCompiler: ChangeCase.Action = { world in
    try world.compiler.write(Millwarden.compilerText)
    try world.compiler.setModified(Millwarden.modified)
}

extension ChangeCase {
    private static func compiler(
        _ change: String,
        _ attributes: Set<String>,
        after: [String: String]? = ["type": "file"]
    ) -> Expected {
        Expected(
            path: "tools/cc",
            change: change,
            attributes: attributes,
            before: ["type": "file", "digest": compilerDigest, "mode": "0755"],
            after: after
        )
    }

    private static func added(_ path: String, _ type: String = "file") -> Expected {
        Expected(path: path, change: "added", after: ["type": type])
    }

    private static func removed(_ path: String, _ type: String = "file") -> Expected {
        Expected(path: path, change: "removed", before: ["type": type])
    }

    /// Written into the file that stands there.
    static let contents: [ChangeCase] = [
        ChangeCase(
            name: "overwrite",
            act: { try $0.compiler.write(implant) },
            undo: restoreCompiler,
            expected: [compiler("content", ["digest", "size", "mtime"], after: ["digest": implantDigest])],
            exit: 4
        ),
        ChangeCase(
            name: "append",
            act: { try $0.compiler.append(implant) },
            undo: restoreCompiler,
            expected: [
                compiler(
                    "content",
                    ["digest", "size"],
                    after: ["digest": digestText(of: Millwarden.compilerText + implant)]
                )
            ],
            exit: 4
        ),
        ChangeCase(
            name: "truncate through a descriptor",
            act: { world in
                try world.compiler.opened { descriptor in
                    guard ftruncate(descriptor, 3) == 0 else { throw Errno.current }
                }
            },
            undo: restoreCompiler,
            expected: [
                compiler("content", ["digest", "size"], after: ["digest": digestText(of: Array("the".utf8))])
            ],
            exit: 4
        ),
        ChangeCase(
            name: "truncate by path",
            act: { try $0.compiler.truncate(to: 0) },
            undo: restoreCompiler,
            expected: [compiler("content", ["digest", "size"], after: ["digest": digestText(of: [])])],
            exit: 4
        ),
        ChangeCase(
            name: "write of the same length with the time put back",
            isSeveral: true,
            act: { world in
                try world.compiler.write(Array("THE COMPILER\n".utf8))
                try world.compiler.setModified(Millwarden.modified)
            },
            undo: restoreCompiler,
            expected: [
                compiler(
                    "content",
                    ["digest"],
                    after: ["digest": digestText(of: Array("THE COMPILER\n".utf8))]
                )
            ],
            exit: 4
        ),
    ]

    /// Names that come, go, and change places.
    static let names: [ChangeCase] = [
        ChangeCase(
            name: "delete",
            act: { try $0.compiler.delete() },
            expected: [Expected(path: "tools/cc", change: "removed", before: ["digest": compilerDigest])],
            exit: 2
        ),
        ChangeCase(
            name: "rename inside the scope",
            act: { try $0.compiler.rename(to: $0.tools.appending("cc.old")) },
            undo: { try $0.tools.appending("cc.old").rename(to: $0.compiler) },
            expected: [
                Expected(
                    path: "tools/cc.old",
                    change: "moved",
                    from: "tools/cc",
                    after: ["digest": compilerDigest]
                )
            ],
            exit: 3
        ),
        ChangeCase(
            name: "rename over",
            isSeveral: true,
            act: { world in
                let other = world.outside.appending("cc")
                try other.write(implant, mode: 0o755)
                try other.rename(to: world.compiler)
            },
            expected: [compiler("content", ["digest", "size", "inode"], after: ["digest": implantDigest])],
            exit: 4
        ),
        ChangeCase(
            name: "rename one recorded file onto another",
            act: { try $0.linker.rename(to: $0.compiler) },
            expected: [
                compiler("content", ["digest", "size", "inode"], after: ["digest": linkerDigest]),
                Expected(path: "tools/ld", change: "removed", before: ["digest": linkerDigest]),
            ],
            exit: 6
        ),
        ChangeCase(
            name: "RENAME_EXCHANGE",
            act: { try $0.compiler.exchange(with: $0.linker) },
            undo: { try $0.compiler.exchange(with: $0.linker) },
            expected: [
                compiler("content", ["digest", "size", "inode"], after: ["digest": linkerDigest]),
                Expected(
                    path: "tools/ld",
                    change: "content",
                    attributes: ["digest", "size", "inode"],
                    before: ["digest": linkerDigest],
                    after: ["digest": compilerDigest]
                ),
            ],
            exit: 4
        ),
        ChangeCase(
            name: "the same bytes in a new inode",
            isSeveral: true,
            act: { world in
                let copy = world.outside.appending("cc")
                try copy.write(Millwarden.compilerText, mode: 0o755)
                try copy.setModified(Millwarden.modified)
                try copy.rename(to: world.compiler)
            },
            expected: [compiler("replaced", ["inode"], after: ["digest": compilerDigest])],
            exit: 4
        ),
        ChangeCase(
            name: "a new file",
            act: { try $0.tools.appending("new").write(implant) },
            undo: { try $0.tools.appending("new").delete() },
            expected: [
                Expected(
                    path: "tools/new",
                    change: "added",
                    after: ["type": "file", "digest": implantDigest]
                )
            ],
            exit: 1
        ),
        ChangeCase(
            name: "a path that must not exist",
            act: { try $0.tools.appending("specs").write(implant) },
            undo: { try $0.tools.appending("specs").delete() },
            expected: [Expected(path: "tools/specs", change: "added", after: ["digest": implantDigest])],
            exit: 1
        ),
        ChangeCase(
            name: "a new file five directories deep",
            act: { world in
                var directory = world.tools
                for name in ["1", "2", "3", "4", "5"] {
                    directory = directory.appending(name)
                    try directory.makeDirectory()
                }
                try directory.appending("deep").write(implant)
            },
            expected: [
                added("tools/1", "directory"), added("tools/1/2", "directory"),
                added("tools/1/2/3", "directory"),
                added("tools/1/2/3/4", "directory"), added("tools/1/2/3/4/5", "directory"),
                Expected(path: "tools/1/2/3/4/5/deep", change: "added", after: ["digest": implantDigest]),
            ],
            exit: 1
        ),
        ChangeCase(
            name: "a directory moved in",
            isSeveral: true,
            act: { world in
                let directory = world.outside.appending("plugin")
                try directory.makeDirectory()
                try directory.appending("x.so").write(implant)
                try directory.rename(to: world.tools.appending("plugin"))
            },
            undo: { try $0.tools.appending("plugin").rename(to: $0.outside.appending("plugin")) },
            expected: [added("tools/plugin", "directory"), added("tools/plugin/x.so")],
            exit: 1
        ),
        ChangeCase(
            name: "a directory moved out",
            act: { try $0.tools.appending("lib").rename(to: $0.outside.appending("lib")) },
            undo: { try $0.outside.appending("lib").rename(to: $0.tools.appending("lib")) },
            expected: [
                removed("tools/lib", "directory"), removed("tools/lib/a.so"), removed("tools/lib/b.so"),
            ],
            exit: 2
        ),
    ]

    /// What stat(2) shows beside the bytes.
    static let metadata: [ChangeCase] = [
        ChangeCase(
            name: "chmod",
            act: { try $0.compiler.setMode(0o4755) },
            undo: { try $0.compiler.setMode(0o755) },
            expected: [compiler("metadata", ["mode"], after: ["mode": "4755"])],
            exit: 4
        ),
        ChangeCase(
            name: "chown",
            needs: .root,
            act: { try $0.compiler.setOwner(65_534, 65_534) },
            undo: { try $0.compiler.setOwner(0, 0) },
            expected: [compiler("metadata", ["uid", "gid"])],
            exit: 4
        ),
        ChangeCase(
            name: "setcap",
            needs: .root,
            act: { try $0.compiler.setXattr("security.capability", netRawCapability) },
            undo: { try $0.compiler.removeXattr("security.capability") },
            expected: [compiler("metadata", ["xattr:security.capability"])],
            exit: 4
        ),
        ChangeCase(
            name: "setfattr",
            needs: .userXattrs,
            act: { try $0.compiler.setXattr("user.note", Array("x".utf8)) },
            undo: { try $0.compiler.removeXattr("user.note") },
            expected: [compiler("metadata", ["xattr:user.note"])],
            exit: 4
        ),
        ChangeCase(
            name: "setfacl",
            needs: .accessLists,
            act: { try $0.compiler.setXattr("system.posix_acl_access", accessList(readableBy: 65_534)) },
            undo: { try $0.compiler.removeXattr("system.posix_acl_access") },
            expected: [compiler("metadata", ["xattr:system.posix_acl_access"])],
            exit: 4
        ),
        ChangeCase(
            name: "mtime set back",
            act: { try $0.compiler.setModified(timespec(tv_sec: 1_000_000_000, tv_nsec: 0)) },
            undo: { try $0.compiler.setModified(Millwarden.modified) },
            expected: [compiler("metadata", ["mtime"], after: ["mtime": "2001-09-09T01:46:40.000000Z"])],
            exit: 4
        ),
    ]

    /// A file becomes something else.
    static let types: [ChangeCase] = [
        ChangeCase(
            name: "retarget a link",
            isSeveral: true,
            act: { world in
                let link = world.outside.appending("alias")
                try link.makeLink(to: "ld")
                try link.rename(to: world.tools.appending("alias"))
            },
            expected: [
                Expected(
                    path: "tools/alias",
                    change: "content",
                    attributes: ["target", "inode"],
                    before: ["type": "link", "target": "cc"],
                    after: ["type": "link", "target": "ld"]
                )
            ],
            exit: 4
        ),
        ChangeCase(
            name: "file to link",
            isSeveral: true,
            act: { world in
                let link = world.outside.appending("cc")
                try link.makeLink(to: world.linker)
                try link.rename(to: world.compiler)
            },
            expected: [compiler("type", ["type"], after: ["type": "link"])],
            exit: 4
        ),
        ChangeCase(
            name: "file to directory",
            isSeveral: true,
            act: { world in
                try world.compiler.delete()
                try world.compiler.makeDirectory()
            },
            expected: [compiler("type", ["type"], after: ["type": "directory"])],
            exit: 4
        ),
        ChangeCase(
            name: "file to FIFO",
            isSeveral: true,
            act: { world in
                let pipe = world.outside.appending("cc")
                try pipe.makeFIFO()
                try pipe.rename(to: world.compiler)
            },
            expected: [compiler("type", ["type"], after: ["type": "fifo"])],
            exit: 4
        ),
    ]

    static let all = contents + names + metadata + types
}
