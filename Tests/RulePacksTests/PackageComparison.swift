import Integrity

@testable import RulePacks

#if canImport(Glibc)
    import Glibc
#endif

/// What a Debian package that is installed on this host ships, to compare with what the packs select.
struct InstalledPackage {
    let name: String
    /// Regular files and links that exist, under their canonical names, in the order of dpkg's list.
    let files: [RawPath]

    /// - Returns: nil where the package is not installed, or this is no host with dpkg.
    init?(_ name: String, information: String = "/var/lib/dpkg/info") {
        let lists = ShippedPacksTests.entries(information).filter { InstalledPackage.isList($0, of: name) }
        guard let list = lists.first, let bytes = ShippedPacksTests.read(information + "/" + list) else {
            return nil
        }
        self.name = name
        files = InstalledPackage.paths(inList: bytes).filter(InstalledPackage.isFileOrLink)
    }

    /// `make.list`, and `libllvm14:amd64.list` where packages of several architectures can stand side by side.
    static func isList(_ file: String, of package: String) -> Bool {
        guard file.hasSuffix(".list") else { return false }
        return file.dropLast(".list".count).split(separator: ":").first.map(String.init) == package
    }

    /// The canonical names in a list of dpkg, which may write /lib for /usr/lib.
    static func paths(inList bytes: [UInt8]) -> [RawPath] {
        bytes.split(separator: UInt8(ascii: "\n")).map { line in
            let path = RawPath(bytes: Array(line))
            for alias in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
                let directory = RawPath(alias)
                if path != directory, let moved = path.moved(from: directory, to: RawPath("/usr" + alias)) {
                    return moved
                }
            }
            return path
        }
    }

    /// Whether there is anything to compare: directories are shared by several packages.
    ///
    /// What was left out of the install does not exist.
    private static func isFileOrLink(_ path: RawPath) -> Bool {
        var status = stat()
        guard unsafe lstat(path.description, &status) == 0 else { return false }
        return [S_IFREG, S_IFLNK].contains(status.st_mode & S_IFMT)
    }
}

/// Which pack has to select the files of a package.
struct PackageComparison: CustomStringConvertible {
    let package: String
    let pack: String
    /// Only what lies in here executes or configures.
    let below: [RawPath]
    /// What another pack selects on purpose, by glob.
    var elsewhere: [String: String] = [:]
    /// What no pack selects on purpose, by glob, with the reason.
    var leftOut: [String: String] = [:]

    init(
        _ package: String,
        pack: String,
        below: [RawPath],
        elsewhere: [String: String] = [:],
        leftOut: [String: String] = [:]
    ) {
        self.package = package
        self.pack = pack
        self.below = below
        self.elsewhere = elsewhere
        self.leftOut = leftOut
    }

    var description: String { "\(package) by \(pack)" }

    /// What is selected otherwise than expected, one line each.
    func differences(_ files: [RawPath], _ rules: RuleSet) throws -> [String] {
        let others = try elsewhere.map { (glob: try Glob($0.key), pack: $0.value) }
        let exceptions = try leftOut.keys.map { try Glob($0) }
        return files.compactMap { path in
            guard below.contains(where: path.isWithin) else { return nil }
            let found = rules.decidingRule(path)
            if exceptions.contains(where: { $0.matches(path) }) {
                return found.map { "\(path) is selected by \($0), and is listed as left out" }
            }
            let expected = others.first { $0.glob.matches(path) }?.pack ?? pack
            guard let found else { return "\(path) is selected by no rule, instead of one of \(expected)" }
            return found.hasPrefix(expected + ".")
                ? nil : "\(path) is selected by \(found), instead of a rule of \(expected)"
        }
    }
}
