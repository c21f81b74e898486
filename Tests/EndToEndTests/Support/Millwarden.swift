import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// The real program, with a small world of one test's own: rules, what they select, and a state directory.
///
/// ```
/// tools/     demo.tools      executable     critical    cc ld as alias→cc lib/{a,b}.so
/// settings/  demo.settings   configuration  medium      app.conf
/// marks/     demo.marks      write-once     low         new files are expected: the sentinels
/// outside/   no rule
/// ```
final class Millwarden {
    let home: TemporaryDirectory
    /// What starts the program as somebody else: `setpriv` and its options.
    let launcher: [String]
    let program: String
    /// Places of rules behind the first: each beats those before it.
    var furtherRules: [RawPath] = []
    private var marks = 0
    private var isConfigured = false
    /// Where `baseline create` said it wrote.
    private(set) var baselineFile: RawPath = .root

    var path: RawPath { home.path }
    var state: RawPath { path.appending("state") }
    var rules: RawPath { path.appending("rules.yaml") }
    var tools: RawPath { path.appending("tools") }
    var settings: RawPath { path.appending("settings") }
    var outside: RawPath { path.appending("outside") }
    var compiler: RawPath { tools.appending("cc") }
    var linker: RawPath { tools.appending("ld") }
    var configuration: RawPath { settings.appending("app.conf") }

    /// Neither the start of a second nor of a microsecond: times are kept to the nanosecond.
    static let modified = timespec(tv_sec: 1_704_164_645, tv_nsec: 678_901_234)
    static let compilerText = Array("the compiler\n".utf8)
    static let linkerText = Array("the linker\n".utf8)

    /// Makes a world of its own in a temporary directory.
    ///
    /// - Parameter launcher: A command in front of the program's own.
    /// - Throws: The errno of what could not be made.
    init(launcher: [String] = []) throws {
        home = try TemporaryDirectory()
        self.launcher = launcher
        program = builtProduct("millwarden")
        try #require(isExecutable(program), "\(program) is missing: `swift build` makes it")
        for directory in ["tools", "tools/lib", "settings", "marks", "outside"] {
            try home.makeDirectory(directory)
        }
        try home.write("tools/cc", Self.compilerText, mode: 0o755)
        try home.write("tools/ld", Self.linkerText, mode: 0o755)
        try home.write("tools/as", "the assembler\n", mode: 0o755)
        try home.write("tools/lib/a.so", "library a\n")
        try home.write("tools/lib/b.so", "library b\n")
        try home.symlink("tools/alias", to: "cc")
        try home.write("settings/app.conf", "answer = 42\n")
        for file in [compiler, linker, tools.appending("as"), configuration] {
            try file.setModified(Self.modified)
        }
        try home.write("rules.yaml", demonstrationPack())
    }

    private func demonstrationPack() -> String {
        """
        pack: demo
        title: What the end-to-end tests watch
        rules:
          - id: demo.tools
            title: Tools
            reason: Everything passes through these programs.
            severity: critical
            profile: executable
            watch: ['\(glob(tools))/**']
            absent: ['\(glob(tools))/specs']
            tags: [attack.t1554, supply-chain]
          - id: demo.settings
            title: Settings
            reason: They steer the tools.
            severity: medium
            profile: configuration
            watch: ['\(glob(settings))/**']
        \(marksRule)

        """
    }

    // MARK: Commands

    /// Writes the configuration that every further command is given.
    func configure(_ yaml: String) throws {
        try home.write("config.yaml", yaml + "\n")
        isConfigured = true
    }

    var globalOptions: [String] {
        (isConfigured ? ["--config", text(path.appending("config.yaml"))] : []) + ["--rules", text(rules)]
            + furtherRules.flatMap { ["--rules", text($0)] } + [
                "--state-dir", text(state),
            ]
    }

    /// Runs a command of the program to its end.
    func run(_ arguments: [String], environment: [String: String]? = nil, timeout: Int = 120) throws
        -> ProcessResult
    {
        let line = command(arguments)
        return try TestSupport.run(
            line[0],
            Array(line.dropFirst()),
            environment: environment,
            timeout: timeout
        )
    }

    func run(_ arguments: String...) throws -> ProcessResult { try run(arguments) }

    /// The rule behind `mark`, for packs that tests write themselves.
    var marksRule: String {
        """
          - id: demo.marks
            title: Marks
            reason: New files are expected here.
            severity: low
            profile: write-once
            watch: ['\(glob(path.appending("marks")))/**']
        """
    }

    /// The whole command line, with the options that every subcommand takes.
    func command(_ arguments: [String]) -> [String] { launcher + [program] + arguments + globalOptions }

    /// Runs a command that has to end with `status`.
    @discardableResult
    func expect(
        _ status: Int32,
        _ arguments: String...,
        location: SourceLocation = #_sourceLocation
    ) throws -> ProcessResult {
        let result = try run(arguments)
        #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
        return result
    }

    /// Runs a command with `--format json` that has to end with `status`, and reads its document.
    @discardableResult
    func document(
        _ status: Int32,
        _ arguments: String...,
        location: SourceLocation = #_sourceLocation
    ) throws -> JSONObject {
        let result = try run(arguments + ["--format", "json"])
        #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
        let object = (try? JSON(parsing: result.output))?.object
        return try #require(
            object,
            "\(arguments) printed no JSON object: \(result)",
            sourceLocation: location
        )
    }

    /// `baseline create`, which has to succeed.
    func createBaseline(location: SourceLocation = #_sourceLocation) throws {
        let created = try document(0, "baseline", "create", location: location)
        let file = try #require(created.bytes("file"), "\(created.pretty)", sourceLocation: location)
        baselineFile = RawPath(bytes: file)
    }

    /// The rows of the history, oldest first.
    func history(_ arguments: String..., location: SourceLocation = #_sourceLocation) throws -> [LogEntry] {
        let result = try run(["history", "list", "--format", "jsonl"] + arguments)
        try #require(result.status == .exited(0), "\(result)", sourceLocation: location)
        return try LogEntry.parse(lines: result.output)
    }

    /// The history's chain is whole, its numbers have no holes, and no chain value stands twice.
    func verifyHistory(location: SourceLocation = #_sourceLocation) throws {
        let result = try run("history", "verify")
        #expect(result.status == .exited(0), "\(result)", sourceLocation: location)
        let rows = try history(location: location)
        #expect(rows.map(\.seq) == Array(1...Int64(max(1, rows.count))), sourceLocation: location)
        #expect(Set(rows.map(\.chain)).count == rows.count, sourceLocation: location)
    }

    // MARK: The service

    /// Starts `watch` and waits until it is ready.
    func watch(location: SourceLocation = #_sourceLocation) throws -> Daemon {
        let daemon = try Daemon(self)
        try daemon.waitUntilReady(location: location)
        return daemon
    }

    /// Makes a file whose appearance is expected and waits for its entry.
    ///
    /// What happened before is reported by then.
    func mark(_ daemon: Daemon, location: SourceLocation = #_sourceLocation) throws {
        marks += 1
        let file = path.appending("marks").appending("mark-\(marks)")
        try file.write(Array("\(marks)\n".utf8))
        try daemon.entry("the sentinel \(file)", location: location) {
            $0.event == "change" && $0.path == file
        }
    }

    // MARK: Words

    /// A path of this test as a command-line argument.
    ///
    /// Its bytes are valid UTF-8 wherever `TMPDIR` is.
    func text(_ path: RawPath) -> String { jsonText(path.bytes).text }

    /// A path as a glob that means it literally, inside a YAML string in single quotes.
    func glob(_ path: RawPath) -> String {
        var glob = ""
        for character in text(path) {
            if #"*?[]{},\"#.contains(character) { glob.append("\\") }
            glob.append(character)
            if character == "'" { glob.append("'") }
        }
        return glob
    }
}

extension ProcessResult {
    /// The exit status; nil where a signal or the clock ended it.
    var code: Int32? {
        guard case .exited(let code) = status else { return nil }
        return code
    }

    /// What a failing command has to say: one sentence on standard error, under the program's name.
    func expectOneSentence(
        naming words: String...,
        location: SourceLocation = #_sourceLocation
    ) {
        let lines = errorText.split(separator: "\n")
        #expect(lines.count == 1, "one sentence: \(self)", sourceLocation: location)
        #expect(errorText.hasPrefix("millwarden: "), "\(self)", sourceLocation: location)
        #expect(
            errorText.last == "\n" && !errorText.dropLast().hasSuffix("."),
            "\(self)",
            sourceLocation: location
        )
        for word in words {
            #expect(errorText.contains(word), "expected \(word): \(self)", sourceLocation: location)
        }
    }
}
