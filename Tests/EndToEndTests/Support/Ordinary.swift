import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Somebody without privilege: whoever runs the tests, or `nobody` where root does.
enum Ordinary {
    static let uid: UInt32 = 65_534

    /// A world in which the program runs without privilege; the files are that user's.
    ///
    /// - Throws: The cancellation of the test, where root cannot become somebody else here.
    static func world() throws -> Millwarden {
        guard isRoot else { return try Millwarden() }
        return try world(launcher: becomingNobody)
    }

    /// A world in which the program is root of a user namespace, and nobody outside of it.
    ///
    /// - Throws: The cancellation of the test, where this host allows no user namespaces.
    static func container() throws -> Millwarden {
        let entering = ["unshare", "--user", "--map-root-user", "--mount", "--"]
        return try world(launcher: isRoot ? becomingNobody + entering : entering)
    }

    private static let becomingNobody = [
        "setpriv", "--reuid=\(uid)", "--regid=\(uid)", "--clear-groups", "--inh-caps=-all", "--",
    ]

    private static func world(launcher: [String]) throws -> Millwarden {
        let world = try Millwarden(launcher: launcher)
        if isRoot {
            try world.path.setMode(0o755)
            try world.adoptEverything()
        }
        let line = launcher + [world.program, "--version"]
        guard let tried = try? TestSupport.run(line[0], Array(line.dropFirst())) else {
            try Test.cancel("there is no \(line[0])(1) to start the program with")
        }
        guard tried.status == .exited(0) else {
            try Test.cancel("\(launcher) cannot start \(world.program): \(tried.errorText)")
        }
        return world
    }
}

extension Millwarden {
    /// Where the program runs as somebody else, gives that user a path.
    func adopt(_ path: RawPath) throws {
        if isRoot, !launcher.isEmpty { try path.giveAway(to: Ordinary.uid) }
    }

    func adoptEverything() throws {
        try adopt(path)
        let result = try TestSupport.run(
            "chown",
            ["-R", "-h", "\(Ordinary.uid):\(Ordinary.uid)", text(path)]
        )
        try #require(result.status == .exited(0), "\(result)")
    }

    /// Takes the right to write from the state directory and all that is in it, or gives it back.
    func setStateWritable(_ isWritable: Bool) throws {
        var listing = DirectoryListing()
        let tree = KernelTree()
        try tree.list(try tree.openDirectory(state), into: &listing)
        for entry in listing.entries where entry.type == .file {
            try state.appending(listing.name(of: entry)).setMode(isWritable ? 0o600 : 0o400)
        }
        try state.setMode(isWritable ? 0o700 : 0o500)
    }
}

extension RawPath {
    fileprivate func giveAway(to uid: UInt32) throws(Errno) {
        try unsafe call { unsafe lchown($0, uid_t(uid), gid_t(uid)) }
    }
}

/// A file system of a few hundred KiB; unmounted when the test is done.
final class SmallDisk {
    private let place: RawPath

    init(at place: RawPath, kibibytes: Int) throws {
        self.place = place
        let name = jsonText(place.bytes).text
        let result = try run("mount", ["-t", "tmpfs", "-o", "size=\(kibibytes)k,mode=0700", "tmpfs", name])
        guard result.status == .exited(0) else {
            try Test.cancel("cannot mount a tmpfs here: \(result.errorText)")
        }
    }

    deinit { _ = try? run("umount", ["-l", jsonText(place.bytes).text]) }

    /// Writes until nothing fits any more.
    func fill(_ file: RawPath) {
        let chunk = [UInt8](repeating: 0x20, count: 4_096)
        if (try? file.write([])) == nil { return }
        while (try? file.append(chunk)) != nil {}
        while (try? file.append([0x20])) != nil {}
    }
}
