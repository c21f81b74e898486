package import Host
package import Integrity
package import RulePacks

/// Where rules come from, and what a person configured of them.
package struct RuleConfiguration: Sendable {
    /// Rule files, or directories of them; a later one beats an earlier one.
    package var places: [RawPath]
    package var choice: PackChoice
    package var buildUsers: [String]
    /// The packs of the baseline: a pack once on stays on.
    package var baselinePacks: [String] = []

    package init(places: [RawPath], choice: PackChoice = PackChoice(), buildUsers: [String] = []) {
        self.places = places
        self.choice = choice
        self.buildUsers = buildUsers
    }
}

/// The rules in force on this host, and how they came to be.
package struct LoadedRules: Sendable {
    package var set: RuleSet
    package var states: [PackState]
    package var hidden: [RuleFilesInEffect.Hidden]
    package var homes: [RawPath]

    /// The packs that are on, sorted by name.
    package var packsOn: [String] { states.filter(\.isOn).map(\.name).sorted() }

    /// The scope as an approval signs it.
    package var scope: Scope {
        Scope(rules: set.digest, packs: packsOn, homes: set.homes, definition: set.definition)
    }
}

/// Why there are no rules to work with.
package enum RuleLoadingError: Error, CustomStringConvertible {
    case unreadable(RawPath, Errno)
    case invalid(RulePackErrors)
    case contradictory(RuleSetError)
    case choice(PackSelectionError)
    case empty([RawPath])
    case nothingOn([PackState])

    package var description: String {
        switch self {
        case .unreadable(let path, let error):
            "cannot read the rules at \(path): \(error); name another place with --rules"
        case .invalid(let errors): errors.description
        case .contradictory(let error): error.description
        case .choice(let error): "configuration: \(error)"
        case .empty(let places):
            "no rule packs in \(places.map(\.description).joined(separator: ", ")); "
                + "name a file or a directory of them with --rules"
        case .nothingOn:
            "no rule pack applies to this host, so that nothing would be in scope; "
                + "see `millwarden rules list` and switch packs on in the configuration"
        }
    }
}

/// Reads and parses the rules of this host, and resolves them against a tree.
///
/// The places of rules are the running program's own files. What rules speak of (the programs of `detect`, homes, the
/// links in the names) is the tree's.
package struct RuleLoader<Tree: FileTree>: Sendable {
    let tree: Tree

    package init(tree: Tree) {
        self.tree = tree
    }

    /// - Throws: `RuleLoadingError`.
    package func load(_ configuration: RuleConfiguration) throws(RuleLoadingError) -> LoadedRules {
        let files = try files(configuration.places)
        var packs: [LoadedPack] = []
        var errors: [RulePackError] = []
        for file in files.files {
            do {
                packs.append(
                    LoadedPack(pack: try parse(file, in: configuration.places), precedence: file.place)
                )
            } catch {
                errors.append(contentsOf: error.errors)
            }
        }
        guard errors.isEmpty else { throw .invalid(RulePackErrors(errors: errors)) }
        guard !packs.isEmpty else { throw .empty(configuration.places) }

        let homes = homes(configuration.buildUsers)
        // Hundreds of globs begin with the same few directories.
        var directories = DirectoryResolver(tree: tree)
        let states = try states(packs, configuration, homes, &directories)
        let on = Set(states.filter(\.isOn).map(\.name))
        guard !on.isEmpty else { throw .nothingOn(states) }
        let set = try rules(packs.filter { on.contains($0.pack.name) }, homes, &directories)
        return LoadedRules(set: set, states: states, hidden: files.hidden, homes: homes)
    }

    /// Which files are in effect, of all places.
    package func files(_ places: [RawPath]) throws(RuleLoadingError) -> RuleFilesInEffect {
        var read: [[RuleFile]] = []
        for place in places {
            do {
                read.append(try files(in: place))
            } catch {
                // A place that does not exist holds nothing: the site's directory is optional.
                guard error == .noEntry else { throw .unreadable(place, error) }
                read.append([])
            }
        }
        return RuleFilesInEffect(read)
    }

    package func parse(
        _ file: RuleFilesInEffect.Entry,
        in places: [RawPath]
    ) throws(RulePackErrors) -> RulePack {
        let place = places[file.place]
        let path = place.name == file.name[...] ? place : place.appending(file.name)
        return try RulePack(file.bytes, file: path.description, digest: SHA256Hasher.digest(of: file.bytes))
    }

    /// The bytes of one file, or of every file of a directory.
    private func files(in place: RawPath) throws(Errno) -> [RuleFile] {
        let tree = KernelTree()
        let directory: OwnedDescriptor
        do {
            directory = try tree.openDirectory(RuleLoader<KernelTree>(tree: tree).canonicalDirectory(place))
        } catch .notDirectory {
            return [RuleFile(name: Array(place.name), content: .bytes(try readFile(place, limit: fileLimit)))]
        }
        var listing = DirectoryListing()
        try tree.list(directory, into: &listing)
        var files: [RuleFile] = []
        for entry in listing.entries where RuleFilesInEffect.counts(listing.name(of: entry)) {
            let name = Array(listing.name(of: entry))
            if entry.type == .link, isOff(name[...], in: directory, tree) {
                files.append(RuleFile(name: name, content: .off))
            } else {
                files.append(
                    RuleFile(
                        name: name,
                        content: .bytes(try readFile(place.appending(name), limit: fileLimit))
                    )
                )
            }
        }
        return files
    }

    private func isOff(_ name: ArraySlice<UInt8>, in directory: borrowing OwnedDescriptor, _ tree: KernelTree)
        -> Bool
    {
        guard let link = try? tree.openPlace(name, in: directory), let target = try? tree.target(of: link)
        else {
            return false
        }
        return target.elementsEqual("/dev/null".utf8)
    }

    private func states(
        _ packs: [LoadedPack],
        _ configuration: RuleConfiguration,
        _ homes: [RawPath],
        _ directories: inout DirectoryResolver<Tree>
    ) throws(RuleLoadingError) -> [PackState] {
        do {
            return try PackState.all(
                of: packs.map(\.pack),
                choice: configuration.choice,
                baseline: configuration.baselinePacks,
                homes: homes,
                exists: { exists($0, &directories) }
            )
        } catch {
            throw .choice(error)
        }
    }

    private func rules(
        _ packs: [LoadedPack],
        _ homes: [RawPath],
        _ directories: inout DirectoryResolver<Tree>
    ) throws(RuleLoadingError) -> RuleSet {
        do {
            return try RuleSet(
                packs: packs,
                homes: homes,
                hash: SHA256Hasher.digest(of:),
                canonicalize: { directories.canonical($0) }
            )
        } catch {
            throw .contradictory(error)
        }
    }

    /// The homes that `~/` stands for.
    private func homes(_ buildUsers: [String]) -> [RawPath] {
        let resolver = PathResolver(tree: tree)
        let users = (try? resolver.readFile("/etc/passwd", limit: 16 << 20)) ?? []
        let shells = (try? resolver.readFile("/etc/shells", limit: 1 << 20)) ?? []
        return HomeDirectories.find(passwd: users, shells: shells, buildUsers: buildUsers, tree: tree)
    }

    /// Every link of a directory's path resolved, its last component too; what is missing stays as written.
    package func canonicalDirectory(_ path: RawPath) -> RawPath {
        let resolver = PathResolver(tree: tree)
        return resolver.resolve(path).final ?? resolver.canonical(path)
    }

    /// A path as rules see it: every link but the last component resolved.
    package func canonical(_ path: RawPath) -> RawPath {
        PathResolver(tree: tree).canonical(path)
    }

    /// Whether a glob of `detect` matches anything.
    ///
    /// Only directories that lead on towards it are entered, as many levels down as it has slashes, and at most
    /// `detectLimit` names are tried: a pack looks for a program, not through a disk.
    private func exists(_ glob: Glob, _ directories: inout DirectoryResolver<Tree>) -> Bool {
        if let path = glob.literal {
            return directories.isThere(path.name, in: directories.canonical(path.parent))
        }
        var matcher = RuleSet.matcher(for: [glob])
        let depth = glob.text.utf8.count { $0 == slash }
        var pending = [(path: RawPath.root, state: matcher.root)]
        var seen = 0
        while let (directory, state) = pending.popLast() {
            let canonical = directories.canonical(directory)
            let known = matcher.literalNames(state)
            for name in known ?? names(in: canonical) {
                seen += 1
                let step = matcher.step(state, name[...])
                // What may be there by its name is looked up; what was listed is there.
                if step.rule != nil, known == nil || directories.isThere(name[...], in: canonical) {
                    return true
                }
                let path = directory.appending(name)
                if let below = step.below, path.components.count < depth, seen < detectLimit {
                    pending.append((path, below))
                }
            }
        }
        return false
    }

    private func names(in directory: RawPath) -> [[UInt8]] {
        var listing = DirectoryListing()
        guard let opened = try? tree.openDirectory(directory),
            (try? tree.list(opened, into: &listing)) != nil
        else { return [] }
        return listing.entries.map { Array(listing.name(of: $0)) }
    }
}

extension RuleLoader where Tree == KernelTree {
    /// For the files of the running system.
    package init() { self.init(tree: KernelTree()) }
}

/// Bytes of a rule file at the most; the parser refuses larger ones with its own words.
private let fileLimit = 2 << 20

/// Entries of directories that one glob of `detect` may cost.
private let detectLimit = 20_000
