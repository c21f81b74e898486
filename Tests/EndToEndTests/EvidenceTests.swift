import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// What is kept of a change: the diff of a text, the bytes of an implant, what differs in an ELF file.
@Suite struct EvidenceTests {
    private let world: Millwarden

    init() throws {
        world = try Millwarden()
        try world.home.write(
            "rules.yaml",
            """
            pack: demo
            title: What the end-to-end tests watch
            rules:
              - id: demo.tools
                title: Tools
                reason: Everything passes through these programs.
                severity: critical
                profile: executable
                watch: ['\(world.glob(world.tools))/**']
                keep: copy
              - id: demo.settings
                title: Settings
                reason: They steer the tools.
                severity: medium
                profile: configuration
                watch: ['\(world.glob(world.settings))/**']
                keep: text
              - id: demo.marks
                title: Marks
                reason: New files are expected here.
                severity: low
                profile: write-once
                watch: ['\(world.glob(world.path.appending("marks")))/**']

            """
        )
    }

    private var npmrc: RawPath { world.settings.appending("npmrc") }
    private static let token = "npm_0123456789abcdefghijklmnopqrstuvwxyz"

    private func copy(of bytes: [UInt8]) -> RawPath {
        world.state.appending("evidence").appending("sha256")
            .appending(String(digestText(of: bytes).dropFirst("sha256:".count)))
    }

    @Test func aChangedConfigurationGivesAMaskedDiff() throws {
        try npmrc.write(Array("registry=https://good/\n//good/:_authToken=\(Self.token)\nfund=false\n".utf8))
        try world.createBaseline()
        let daemon = try world.watch()
        try npmrc.write(
            Array("registry=https://evil/\n//good/:_authToken=\(Self.token)\nfund=\u{1B}[2Kfalse\n".utf8)
        )
        let entry = try daemon.change("content", on: npmrc)
        try daemon.terminate()
        let diff = try #require(entry.json["evidence"]?.object?["diff"]?.object, "\(entry)")
        let expected = """
            --- approved
            +++ observed
            @@ -1,3 +1,3 @@
            -registry=https://good/
            +registry=https://evil/
             //good/:_authToken=[masked]
            -fund=false
            +fund=\\x1b[2Kfalse

            """
        #expect(diff["text"]?.text == expected)
        #expect(diff["masked"]?.integer == 1 && diff["cut"] == .bool(false))
        let shown = try world.expect(0, "history", "show", "\(entry.seq)")
        #expect(shown.text.contains("  -registry=https://good/\n  +registry=https://evil/\n"), "\(shown)")
        #expect(shown.text.split(separator: "\n").allSatisfy { $0.utf8.count <= 80 }, "\(shown)")
        // The secret is nowhere but in the file itself and, compressed and for us alone, in what is kept.
        for command in [["history", "list"], ["history", "list", "--format", "jsonl"], ["check"]] {
            #expect(try !world.run(command).text.contains(Self.token))
        }
        #expect(try !world.state.appending("history.db").contents().contains(Array(Self.token.utf8)))
        try world.verifyHistory()
    }

    @Test func aSwapThatIsTakenBackLeavesTheImplantInTheStore() throws {
        try world.createBaseline()
        let daemon = try world.watch()
        let implant = Array("an implant that nobody was to see\n".utf8)
        let kept = world.outside.appending("cc.kept")
        try world.compiler.rename(to: kept)
        try world.compiler.write(implant, mode: 0o755)
        let change = try daemon.change("content", on: world.compiler)
        try kept.rename(to: world.compiler)
        try daemon.entry("that it was undone") { $0.event == "resolved" && $0.path == world.compiler }
        try daemon.terminate()

        #expect(change.json["evidence"]?.object?["copy"]?.text == digestText(of: implant), "\(change)")
        #expect(try copy(of: implant).contents() == implant)
        let status = try KernelTree().status(
            of: copy(of: implant).name,
            in: KernelTree().openDirectory(copy(of: implant).parent)
        )
        #expect(status.mode == 0o600, "nobody runs it by mistake")
        let shown = try world.expect(0, "history", "show", "\(change.seq)").text
        let lines = shown.split(separator: "\n").map { $0.filter { $0 != " " && $0 != "\\" } }.joined()
        #expect(lines.contains(world.text(copy(of: implant)).filter { $0 != " " }), "\(shown)")
        let report = try world.run("status", "--format", "json")
        let evidence = try JSON(parsing: report.output).object?["evidence"]?.object
        #expect(evidence?["files"]?.integer == 1 && evidence?["bytes"]?.integer == Int64(implant.count))
        try copy(of: implant).delete()
        #expect(try world.expect(0, "history", "show", "\(change.seq)").text.contains("is there no more"))
        try world.verifyHistory()
    }

    @Test func whatDoesNotFitIsNotKeptAndSaidSo() throws {
        let settings = try world.home.write("config.yaml", "retention: {evidence: {bytes: 1KiB, age: 1d}}\n")
        try world.createBaseline()
        try world.compiler.write([UInt8](repeating: 0x41, count: 1_025))
        let result = try world.run("check", "--format", "json", "--config", world.text(settings))
        let finding = try #require(try JSON(parsing: result.output).object?.findings.first, "\(result)")
        let missing = finding.json["evidence"]?.object?["missing"]?.elements?.compactMap(\.text)
        #expect(
            missing == [
                "the altered file was not saved: it is larger than `retention: evidence: bytes:` allows"
            ]
        )
        #expect(!isThere(world.text(world.state.appending("evidence").appending("sha256"))))
    }

    @Test func anApprovalKeepsTheNewTextAndDropsTheOldFile() throws {
        try npmrc.write(Array("registry=https://one/\n".utf8))
        try world.createBaseline()
        try npmrc.write(Array("registry=https://two/\n".utf8))
        try world.expect(4, "check")
        try world.expect(0, "baseline", "accept", "--all", "--reason", "moved")
        let kept = try names(in: world.state.appending("evidence")).filter { $0.hasPrefix("approved.") }
        #expect(kept.count == 1)
        try npmrc.write(Array("registry=https://three/\n".utf8))
        let finding = try #require(try world.document(4, "check").findings.first)
        let text = finding.json["evidence"]?.object?["diff"]?.object?["text"]?.text
        #expect(text?.hasSuffix("-registry=https://two/\n+registry=https://three/\n") == true, "\(finding)")
    }

    private func names(in directory: RawPath) throws -> [String] {
        var listing = DirectoryListing()
        try KernelTree().list(KernelTree().openDirectory(directory), into: &listing)
        return listing.entries.map { jsonText(Array(listing.name(of: $0))).text }
    }

    // MARK: ELF

    static let hasCompiler = isExecutable("/usr/bin/gcc")

    private func compile(_ source: String, _ options: String..., to output: RawPath) throws {
        let file = try world.home.write("outside/source.c", source)
        let result = try run("/usr/bin/gcc", [world.text(file), "-o", world.text(output)] + options)
        try #require(result.status == .exited(0), "\(result)")
    }

    private func elf() throws -> JSONObject {
        let finding = try #require(
            try world.document(4, "check").findings.first { $0.path == world.compiler }
        )
        return try #require(finding.json["evidence"]?.object?["elf"]?.object, "\(finding)")
    }

    private func names(_ elf: JSONObject, _ list: String, _ side: String) -> [String] {
        (elf[list]?.object?[side]?.elements ?? []).compactMap(\.text)
    }

    /// Without a build id, so that one constant changes one section only.
    @Test(.enabled(if: hasCompiler, "gcc is not installed"))
    func aChangedConstantIsFoundInItsSection() throws {
        let source = "const char word[] = \"WORD\"; int main(void) { return word[0]; }"
        try compile(source.replacing("WORD", with: "wgood"), "-Wl,--build-id=none", to: world.compiler)
        try world.createBaseline()
        try compile(source.replacing("WORD", with: "wevil"), "-Wl,--build-id=none", to: world.compiler)
        let elf = try elf()
        #expect(names(elf, "sections", "changed") == [".rodata"], "\(elf.pretty)")
        #expect(
            elf["needed"] == nil && elf["runpath"] == nil && elf["partial"] == .bool(false),
            "\(elf.pretty)"
        )
    }

    @Test(.enabled(if: hasCompiler, "gcc is not installed"))
    func aRelinkedProgramNamesItsNewLibraryAndRunPath() throws {
        try compile("int main(void) { return 0; }", to: world.compiler)
        try world.createBaseline()
        try compile(
            "#include <math.h>\nint main(int n, char **v) { return v[0] ? (int)sin(n) : 1; }",
            "-lm",
            "-Wl,-rpath,/tmp/evil",
            "-Wl,--enable-new-dtags",
            to: world.compiler
        )
        let elf = try elf()
        #expect(names(elf, "needed", "added") == ["libm.so.6"], "\(elf.pretty)")
        #expect(elf["runpath"]?.object?["after"]?.text == "/tmp/evil", "\(elf.pretty)")
        #expect(elf["build_id"]?.object?["before"]?.text?.count == 40, "\(elf.pretty)")
        #expect(names(elf, "sections", "changed").contains(".text"), "\(elf.pretty)")
        let page = try world.run("check").text
        #expect(page.contains("    needs     +libm.so.6\n    run path  none -> /tmp/evil\n"), "\(page)")
    }

    /// What is appended to a program is in no section, and the loader never sees it; a dropper does.
    @Test(.enabled(if: hasCompiler, "gcc is not installed"))
    func whatIsAppendedIsOutsideOfAllSections() throws {
        try compile("int main(void) { return 0; }", to: world.compiler)
        try world.createBaseline()
        try world.compiler.append(Array("payload".utf8))
        let elf = try elf()
        #expect(elf["parts"]?.elements?.compactMap(\.text) == ["rest"], "\(elf.pretty)")
        #expect(elf["sections"] == nil)
        try world.compiler.write(Array("#!/bin/sh\n".utf8))
        #expect(try self.elf()["kind"]?.object?["after"] == .null)
    }
}
