import Host
import Integrity
import TestSupport
import Testing

/// Another system's root in a directory, full of links: some mean what lies in it, some try to leave it.
///
/// ```
/// image/usr/bin/    image.tools   cc ld gcc→/usr/bin/cc bin→usr/bin, and links to the host's secret
/// image/opt/tools   image.tools   →/usr/lib/tools
/// image/home/dev/   image.homes   .cargo/bin/tool
/// host/             no rule       secret, home/.cargo/bin/evil: what nothing in the image may lead to
/// ```
final class Image {
    let home: TemporaryDirectory
    let program: String
    let launcher: [String]

    var root: RawPath { home.appending("image") }
    var host: RawPath { home.appending("host") }
    var secret: RawPath { host.appending("secret") }
    var state: RawPath { home.appending("state") }
    var file: RawPath { home.appending("golden.mwb") }
    /// The public key that `record` signs with.
    var key: RawPath { state.appending("keys/baseline.pub") }

    static let machine = "fedcba98765432100123456789abcdef"

    init(launcher: [String] = []) throws {
        home = try TemporaryDirectory()
        program = builtProduct("millwarden")
        self.launcher = launcher
        try #require(isExecutable(program), "\(program) is missing: `swift build` makes it")
        try home.path.setMode(0o755)
        try home.write("host/secret", "the host's own\n")
        try home.write("host/home/.cargo/bin/evil", "not of the image\n", mode: 0o755)
        try home.write("image/usr/bin/cc", "the compiler\n", mode: 0o755)
        try home.write("image/usr/bin/ld", "the linker\n", mode: 0o755)
        try home.write("image/usr/lib/tools/helper", "a helper\n", mode: 0o755)
        try home.write("image/home/dev/.cargo/bin/tool", "a tool\n", mode: 0o755)
        try home.write("image/etc/shells", "/bin/bash\n")
        try home.write("image/etc/hostname", "golden\n")
        try home.write("image/etc/machine-id", Image.machine + "\n")
        try home.makeDirectory("image/opt")
        let up = String(repeating: "../", count: 40)
        try home.write(
            "image/etc/passwd",
            """
            dev:x:1000:1000::/home/dev:/bin/bash
            up:x:1001:1001::/home/\(up)\(text(host).dropFirst())/home:/bin/bash
            abs:x:1002:1002::/home/abs:/bin/bash

            """
        )
        let links: [(String, String)] = [
            ("bin", "usr/bin"), ("usr/bin/gcc", "/usr/bin/cc"), ("usr/bin/up", up + text(secret).dropFirst()),
            ("usr/bin/abs", text(secret)), ("usr/bin/self", "/proc/self/root" + text(secret)),
            ("opt/tools", "/usr/lib/tools"), ("home/abs", text(host.appending("home"))), ("up", up),
            ("outside", text(host)),
        ]
        for (link, target) in links { try home.symlink("image/" + link, to: RawPath(target)) }
        try home.write(
            "rules.yaml",
            """
            pack: image
            title: What is watched in an image
            detect: [/bin/cc]
            rules:
              - id: image.tools
                title: Tools
                reason: Everything passes through these programs.
                severity: critical
                profile: executable
                watch: ['/bin/**', '/opt/tools/**', '/up/usr/bin/ld', '/outside/**']
              - id: image.homes
                title: Tools of people
                reason: They stand first in the search path.
                severity: high
                profile: executable
                watch: ['~/.cargo/bin/**']

            """
        )
    }

    func text(_ path: RawPath) -> String { jsonText(path.bytes).text }

    var options: [String] { ["--rules", text(home.appending("rules.yaml")), "--state-dir", text(state)] }

    /// Runs a command of the program that has to end with `status`.
    @discardableResult
    func expect(_ status: Int32, _ arguments: [String], location: SourceLocation = #_sourceLocation) throws
        -> ProcessResult
    {
        let line = launcher + [program] + arguments + options
        let result = try run(line[0], Array(line.dropFirst()), timeout: 120)
        #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
        return result
    }

    /// The same with `--format json`.
    @discardableResult
    func document(_ status: Int32, _ arguments: [String], location: SourceLocation = #_sourceLocation) throws
        -> JSONObject
    {
        let result = try expect(status, arguments + ["--format", "json"], location: location)
        return try #require(
            (try? JSON(parsing: result.output))?.object,
            "\(result)",
            sourceLocation: location
        )
    }

    /// Records the image into `file`.
    func record(location: SourceLocation = #_sourceLocation) throws {
        try expect(
            0,
            ["baseline", "create", "--root", text(root), "--output", text(file)],
            location: location
        )
    }

    /// A check of a root, as rescue media make it.
    func check(
        _ status: Int32,
        _ root: RawPath? = nil,
        _ more: [String] = [],
        location: SourceLocation = #_sourceLocation
    ) throws -> JSONObject {
        let line = [
            "check", "--root", text(root ?? self.root), "--baseline", text(file), "--trust-key", text(key),
        ]
        return try document(status, line + more, location: location)
    }

    // MARK: The witness

    /// Runs the program inside the image by chroot(1), as the witness that owes nothing to `--root`.
    ///
    /// The program, its libraries and the rules are mounted below `/.witness`, in a mount namespace of its own; `share`
    /// is there too, for what goes in and comes out.
    func inside(
        _ status: Int32,
        _ arguments: [String],
        withProc: Bool = true,
        location: SourceLocation = #_sourceLocation
    ) throws -> ProcessResult {
        let share = home.appending("share")
        if !isThere(text(share)) { try share.makeDirectory() }
        let script = """
            set -e
            WITHOUT_PROC=\(withProc ? "" : "yes")
            image=$1 program=$2 rules=$3 share=$4
            shift 4
            mkdir -p "$image/.witness/lib" "$image/.witness/share"
            bind() { [ -e "$2" ] || : >"$2"; mount --bind "$1" "$2"; }
            ldd "$program" | sed -n 's/.*=> \\(\\/[^ ]*\\) .*/\\1/p' | while read -r library; do
                bind "$library" "$image/.witness/lib/$(basename "$library")"
            done
            loader=$(ldd "$program" | sed -n 's/^[[:space:]]*\\(\\/[^ ]*ld-linux[^ ]*\\) .*/\\1/p')
            mkdir -p "$image$(dirname "$loader")" "$image/proc"
            bind "$loader" "$image$loader"
            [ -n "$WITHOUT_PROC" ] || mount -t proc proc "$image/proc"
            bind "$program" "$image/.witness/millwarden"
            bind "$rules" "$image/.witness/rules.yaml"
            mount --bind "$share" "$image/.witness/share"
            export LD_LIBRARY_PATH=/.witness/lib
            exec chroot "$image" /.witness/millwarden "$@" \\
                --rules /.witness/rules.yaml --state-dir /.witness/share/state
            """
        let line =
            ["--mount", "--propagation", "private", "sh", "-c", script, "sh", text(root), program]
            + [text(home.appending("rules.yaml")), text(share)] + arguments
        let result = try run("unshare", line, timeout: 120)
        #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
        return result
    }
}
