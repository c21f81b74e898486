package import Integrity

/// One line of passwd(5), as far as it matters here.
struct Account: Hashable {
    var name: [UInt8]
    var home: RawPath
    /// As it is written; empty means `/bin/sh`.
    var shell: [UInt8]
}

/// The homes that `~/` stands for in rules.
///
/// They come from the bytes of /etc/passwd, never from name services: those answer over the network, or not at all.
package enum HomeDirectories {
    /// The homes of people and of build users.
    ///
    /// Nothing in the files can make this fail: a line that is broken, or a home that is not there, names no home.
    ///
    /// - Parameters:
    ///   - passwd: The bytes of /etc/passwd.
    ///   - shells: The bytes of /etc/shells; who has one of these may log in.
    ///   - buildUsers: Accounts that count whatever their shell.
    ///   - tree: Where homes are looked for.
    /// - Returns: Existing directories in canonical form, each once, sorted.
    package static func find(
        passwd: [UInt8],
        shells: [UInt8],
        buildUsers: [String],
        tree: some FileTree
    ) -> [RawPath] {
        let allowed = self.shells(shells)
        let named = Set(buildUsers.map { Array($0.utf8) })
        let wanted = accounts(passwd).filter { named.contains($0.name) || allowed.contains($0.shell) }
        let resolver = PathResolver(tree: tree)
        var examiner = Examiner(tree: tree, clock: { Timestamp(seconds: 0) })
        var homes: Set<RawPath> = []
        for home in Set(wanted.map(\.home)) {
            guard isHome(home), let canonical = resolver.resolve(home).final, isHome(canonical) else {
                continue
            }
            guard (try? examiner.status(canonical))?.type == .directory else { continue }
            homes.insert(canonical)
        }
        return homes.sorted()
    }

    /// The lines of seven fields whose home is an absolute path.
    static func accounts(_ passwd: [UInt8]) -> [Account] {
        lines(passwd).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count == 7, !fields[0].isEmpty, fields[5].first == slash else { return nil }
            let shell = fields[6].isEmpty ? Array("/bin/sh".utf8) : Array(fields[6])
            return Account(name: Array(fields[0]), home: RawPath(bytes: Array(fields[5])), shell: shell)
        }
    }

    /// The absolute paths of shells(5); what follows `#` is a remark.
    static func shells(_ bytes: [UInt8]) -> Set<[UInt8]> {
        let blank: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        return Set(
            lines(bytes).compactMap { line in
                let path = line.drop { blank.contains($0) }.prefix {
                    $0 != UInt8(ascii: "#") && !blank.contains($0)
                }
                return path.first == slash ? Array(path) : nil
            }
        )
    }

    /// At least two deep and in no directory of the system, but for `/root`.
    static func isHome(_ path: RawPath) -> Bool {
        let components = path.normalized.components
        guard let first = components.first else { return false }
        if components.count == 1 { return first.elementsEqual("root".utf8) }
        if system.contains(Array(first)) || first.starts(with: "lib".utf8) { return false }
        return !path.normalized.isWithin("/var/run")
    }

    private static let system: Set<[UInt8]> = Set(
        ["bin", "boot", "dev", "etc", "nonexistent", "proc", "run", "sbin", "sys", "usr"].map {
            Array($0.utf8)
        }
    )

    /// A NUL can be in no path: a line that holds one is broken.
    private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "\n")).filter { !$0.contains(0) }
    }
}
