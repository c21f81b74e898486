import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json, jsonl
    /// Only of `history export`.
    case ecs, ocsf, cef
}

/// The options that every subcommand takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Configuration.",
            discussion: "Default: /etc/millwarden/config.yaml",
            valueName: "file"
        )
    )
    var config: ByteArgument?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A rule pack, or a directory of them; may be given several times.",
            discussion: "Default: /usr/share/millwarden/rules, then /etc/millwarden/rules.d",
            valueName: "path"
        )
    )
    var rules: [ByteArgument] = []

    @Option(
        help: ArgumentHelp(
            "Where baseline, history, keys and socket are.",
            discussion: "Default: /var/lib/millwarden for root, else ~/.local/state/millwarden",
            valueName: "dir"
        )
    )
    var stateDir: ByteArgument?

    @Option(
        help: ArgumentHelp("text, json or jsonl; ecs, ocsf or cef for history export.", valueName: "format")
    )
    var format: OutputFormat = .text

    /// A format that the command does not have is a usage error.
    func require(_ formats: OutputFormat...) throws {
        guard formats.contains(format) else {
            let known = formats.map(\.rawValue).joined(separator: " or ")
            throw CommandFailure(
                ExitStatus.usage,
                "--format \(format.rawValue) is not one of this command's; use \(known)"
            )
        }
    }
}

/// A directory by the path that no link leads to, so that one place has one name.
func realDirectory(_ path: RawPath) -> RawPath {
    let resolver = PathResolver(tree: KernelTree())
    return resolver.resolve(path).final ?? resolver.canonical(path)
}

/// What a command works with: the configuration, and the places that follow from it and the options.
struct Session {
    let options: GlobalOptions
    let configuration: Configuration
    let stateDirectory: RawPath
    /// The root that is examined, where it is not this system's own: `--root`.
    let root: RawPath?
    /// The files that are examined.
    ///
    /// The program's own (rules, keys, history, baseline) are never looked for there.
    let tree: KernelTree
    /// Whose files they are.
    let host: HostIdentity

    init(_ options: GlobalOptions, root: RawPath? = nil) throws {
        self.options = options
        self.root = root
        tree = try root.map(Session.openRoot) ?? KernelTree()
        host = root == nil ? SystemClock.host() : SystemClock.host(in: tree)
        configuration = try Configuration.load(options.config?.path)
        stateDirectory =
            options.stateDir?.path ?? configuration.stateDirectory ?? Session.defaultStateDirectory()
    }

    private static func openRoot(_ path: RawPath) throws -> KernelTree {
        do {
            return try KernelTree(root: path)
        } catch {
            let status = error == .access ? ExitStatus.noPermission : ExitStatus.noInput
            throw CommandFailure(
                status,
                "--root \(path): \(error); name the directory on which the other system's root is mounted"
            )
        }
    }

    private static func defaultStateDirectory() -> RawPath {
        if geteuid() == 0 { return "/var/lib/millwarden" }
        if let state = environmentPath("XDG_STATE_HOME"), state.isAbsolute {
            return state.appending("millwarden")
        }
        let home = environmentPath("HOME") ?? RawPath("/")
        return home.appending(".local").appending("state").appending("millwarden")
    }

    private static func environmentPath(_ name: String) -> RawPath? {
        guard let value = unsafe getenv(name) else { return nil }
        let bytes = unsafe Array(UnsafeBufferPointer(start: value, count: strlen(value)))
        return bytes.isEmpty ? nil : RawPath(bytes: bytes.map { UInt8(bitPattern: $0) })
    }

    var rulePlaces: [RawPath] {
        options.rules.isEmpty ? configuration.ruleDirectories : options.rules.map(\.path)
    }

    /// The rules in force on this host.
    ///
    /// - Parameter baselinePacks: The packs that the baseline was made with: once on they stay on.
    /// - Returns: The rules, and why each pack is on or off.
    /// - Throws: `RuleLoadingError`; `CommandFailure` where `--rules` names nothing.
    func loadRules(baselinePacks: [String] = []) throws -> LoadedRules {
        for place in options.rules.map(\.path) {
            do {
                _ = try PathStatus.exists(place)
            } catch {
                throw CommandFailure(
                    ExitStatus.configuration,
                    "--rules \(place): \(error); name a file or a directory"
                )
            }
        }
        var rules = RuleConfiguration(
            places: rulePlaces,
            choice: PackChoice(on: configuration.packsOn, off: configuration.packsOff),
            buildUsers: configuration.buildUsers
        )
        rules.baselinePacks = baselinePacks
        return try loader.load(rules)
    }

    /// What resolves names as rules do, in the files that are examined.
    var loader: RuleLoader<KernelTree> { RuleLoader(tree: tree) }

    /// Makes the state directory where it is missing, mode 0700.
    func prepareStateDirectory() throws {
        do {
            try StateDirectory.prepare(stateDirectory)
        } catch {
            let status =
                error == .access || error == .permission ? ExitStatus.noPermission : ExitStatus.cannotCreate
            throw CommandFailure(
                status,
                "cannot make the state directory \(stateDirectory): \(error); name another one with --state-dir"
            )
        }
    }

    var store: BaselineStore { BaselineStore(stateDirectory: stateDirectory) }

    var keys: KeyStore { KeyStore(stateDirectory: stateDirectory) }

    func trustedKeys() throws(KeyError) -> [PublicKey] {
        try keys.trustedKeys(configured: configuration.baselineKeys)
    }

    /// The history for reading and writing.
    func openHistory() throws -> History { try History.open(at: stateDirectory, access: .readWrite) }

    /// The history for looking at; it is not made where it is missing.
    func openHistoryForReading() throws -> History { try History.open(at: stateDirectory, access: .readOnly) }

    /// Before anything else is opened: without a baseline nothing else matters.
    ///
    /// - Throws: `CommandFailure` 16 where there is none; 77 or 74 where nobody can tell.
    func requireBaseline() throws {
        do {
            _ = try PathStatus.exists(store.path)
        } catch  where error.isAbsence {
            throw CommandFailure(ExitStatus.noTrustAnchor, BaselineError.missing(store.path).description)
        } catch {
            throw CommandFailure(reaching: "look for the baseline", store.path, error, stateDirectory)
        }
    }

    /// Opens the baseline that `check` and `watch` compare with.
    ///
    /// - Throws: `CommandFailure` 16 where there is none that can be trusted.
    func openBaseline(_ history: History) throws -> OpenedBaseline {
        try requireBaseline()
        do {
            if history.isWritable { _ = try store.recover(history: history, at: Session.clock()) }
            return try store.open(history: history, trusting: try trustedKeys())
        } catch let error as KeyError {
            throw CommandFailure(ExitStatus.noTrustAnchor, "\(error)")
        }
    }

    static let clock: @Sendable () -> Timestamp = { SystemClock.now() }
    static let bootClock: @Sendable () -> Int64 = { SystemClock.bootTime() }
}

/// Small questions about a path, asked before anything is opened for real.
enum PathStatus {
    static func exists(_ path: RawPath, in tree: KernelTree = KernelTree()) throws(Errno) -> Bool {
        let canonical = RuleLoader(tree: tree).canonical(path)
        let directory = try tree.openDirectory(canonical.parent)
        if canonical.isRoot { return true }
        _ = try tree.status(of: canonical.name, in: directory)
        return true
    }

    static func isThere(_ path: RawPath, in tree: KernelTree = KernelTree()) -> Bool {
        (try? exists(path, in: tree)) ?? false
    }
}

extension CommandFailure {
    /// Something in the state directory cannot be got at.
    init(reaching what: String, _ file: RawPath, _ error: Errno, _ stateDirectory: RawPath) {
        self.init(
            error == .access ? ExitStatus.noPermission : ExitStatus.io,
            "cannot \(what) \(file): \(error); run as the owner of \(stateDirectory), or name another --state-dir"
        )
    }

    /// The status for an error that a module threw.
    init(classifying error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as RuleLoadingError: self.init(ExitStatus.configuration, error.description)
        case let error as RulePackErrors: self.init(ExitStatus.configuration, error.description)
        case let error as BaselineError:
            self.init(error.isInputOutput ? ExitStatus.io : ExitStatus.noTrustAnchor, error.description)
        case let error as HistoryError: self.init(error.exitStatus, error.description)
        case let error as KeyError: self.init(ExitStatus.noTrustAnchor, error.description)
        case let error as JournalReadError: self.init(error.exitStatus, error.description)
        case let error as Errno:
            let status = error == .access || error == .permission ? ExitStatus.noPermission : ExitStatus.io
            self.init(status, error.description)
        default: self.init(ExitStatus.software, oneLine(error))
        }
    }
}

extension BaselineError {
    /// The file could not be read or written, which says nothing about whether it can be trusted.
    var isInputOutput: Bool {
        switch self {
        case .io, .history, .malformed, .outOfOrder, .stopped: true
        default: false
        }
    }
}

extension HistoryError {
    var isReadOnly: Bool {
        switch self {
        case .readOnly, .permission: true
        default: false
        }
    }

    var exitStatus: Int32 {
        switch self {
        case .missing: ExitStatus.noInput
        case .damaged, .newerFormat, .replaced: ExitStatus.damagedData
        case .permission: ExitStatus.noPermission
        case .unusablePath: ExitStatus.cannotCreate
        case .refused: ExitStatus.software
        case .full, .readOnly, .busy, .io: ExitStatus.io
        }
    }
}
