import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// Baselines that leave the host they were made on: exported, imported, compared with from rescue media.
@Suite struct MovedBaselineTests {
    /// A world with a baseline, its export and the key to it, and a second host: the same world with its files copied.
    struct Pair {
        let golden: Millwarden
        let exported: RawPath
        var key: RawPath { golden.state.appending("keys/baseline.pub") }
        var second: RawPath { golden.path.appending("second") }

        init(_ golden: Millwarden) throws {
            self.golden = golden
            exported = golden.path.appending("golden.mwb")
            try golden.createBaseline()
            try golden.expect(0, "baseline", "export", golden.text(exported))
        }

        /// Runs a command on the second host.
        @discardableResult
        func expect(
            _ status: Int32,
            _ arguments: String...,
            location: SourceLocation = #_sourceLocation
        ) throws -> ProcessResult {
            let line =
                golden.launcher + [golden.program] + arguments
                + ["--rules", golden.text(golden.rules), "--state-dir", golden.text(second)]
            let result = try run(line[0], Array(line.dropFirst()))
            #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
            return result
        }

        /// The same with `--format json`.
        func document(
            _ status: Int32,
            _ arguments: [String],
            location: SourceLocation = #_sourceLocation
        ) throws -> JSONObject {
            let line =
                golden.launcher + [golden.program] + arguments
                + [
                    "--format", "json", "--rules", golden.text(golden.rules), "--state-dir",
                    golden.text(second),
                ]
            let result = try run(line[0], Array(line.dropFirst()))
            #expect(result.status == .exited(status), "\(arguments): \(result)", sourceLocation: location)
            return try #require(
                try JSON(parsing: result.output).object,
                "\(result)",
                sourceLocation: location
            )
        }

        var file: String { golden.text(exported) }
        var keyFile: String { golden.text(key) }

        /// Replaces every file of the world by a copy, as another machine has it: names, bytes, modes and times are kept.
        func copyEverything() throws {
            for name in ["tools", "settings", "marks"] {
                let directory = golden.text(golden.path.appending(name))
                let result = try run(
                    "sh",
                    [
                        "-c", "cp -a \"$1\" \"$1.copy\" && rm -r \"$1\" && mv \"$1.copy\" \"$1\"", "sh",
                        directory,
                    ]
                )
                try #require(result.status == .exited(0), "\(result)")
            }
        }
    }

    @Test func exportedBytesAreTheBaseline() throws {
        let pair = try Pair(Millwarden())
        #expect(try pair.exported.contents() == pair.golden.baselineFile.contents())
        try pair.golden.expect(73, "baseline", "export", pair.file).expectOneSentence(naming: "golden.mwb")
        let missing = pair.golden.text(pair.golden.path) + "/nowhere/x.mwb"
        try pair.golden.expect(73, "baseline", "export", missing).expectOneSentence(naming: "nowhere/x.mwb")
        let other = pair.golden.text(pair.golden.path) + "/other.mwb"
        let report = try pair.golden.document(0, "baseline", "export", other)
        #expect(report["key_file"]?.text == pair.keyFile, "\(report.pretty)")
    }

    /// No damaged baseline leaves the host.
    @Test func whatIsDamagedIsNotExported() throws {
        let world = try Millwarden()
        try world.createBaseline()
        var bytes = try world.baselineFile.contents()
        bytes[40] ^= 1
        try world.baselineFile.write(bytes)
        let target = world.text(world.path.appending("x.mwb"))
        try world.expect(16, "baseline", "export", target).expectOneSentence(naming: "block 0")
        #expect(!isThere(target))
    }

    @Test func aSecondHostTakesItOverWithItsKey() throws {
        let pair = try Pair(Millwarden())
        let id = try #require(
            try pair.golden.document(0, "baseline", "verify")["baseline"]?.object?["signed_by"]?.text
        )
        let refused = try pair.expect(16, "baseline", "import", pair.file)
        refused.expectOneSentence(naming: id, "--trust-key", "golden.mwb")
        #expect(!isThere(pair.golden.text(pair.second)), "nothing was made for what was refused")

        try pair.copyEverything()
        let report = try pair.document(0, ["baseline", "import", pair.file, "--trust-key", pair.keyFile])
        #expect(report["schema"] == .string("millwarden.baseline-import/1"))
        #expect(report["origin"]?.object?["trusted_key"]?.text == id, "\(report.pretty)")
        #expect(report["replaced"] == .null && report["copy"] == .bool(true), "\(report.pretty)")
        let rows = try LogEntry.parse(
            lines: pair.expect(0, "history", "list", "--format", "jsonl", "--event", "baseline").output
        )
        #expect(rows.compactMap { $0.json["action"]?.text } == ["intended", "imported"], "\(rows.listing)")
        #expect(rows.allSatisfy { $0.json["origin"]?.object?["trusted_key"]?.text == id }, "\(rows.listing)")

        // Every file has another inode; nothing of that is a change on a machine of its own.
        let checked = try pair.document(0, ["check", "--strict"])
        #expect(checked["findings"] == .array([]), "\(checked.pretty)")
        #expect(checked["origin"]?.object?["copy"] == .bool(true), "\(checked.pretty)")
        try pair.expect(0, "baseline", "verify")
        try pair.golden.compiler.append([1])
        try pair.golden.linker.setMode(0o4755)
        let changed = try pair.document(4, ["check"])
        #expect(changed.findings.map(\.change) == ["content", "metadata"], "\(changed.pretty)")

        // Approved with a key that is made for it.
        try pair.expect(0, "baseline", "accept", "--all", "--reason", "mine")
        let accepted = try pair.document(0, ["check"])
        #expect(accepted["baseline"]?.object?["generation"]?.integer == 2, "\(accepted.pretty)")
        #expect(accepted["baseline"]?.object?["signed_by"]?.text != id, "\(accepted.pretty)")
        try pair.expect(0, "history", "verify")
    }

    @Test func anImportedBaselineIsWatched() throws {
        let world = try Millwarden()
        let other = try Pair(world)
        try other.copyEverything()
        // The host's own state is forgotten, as on a machine that was made from the image.
        let result = try run(
            "rm",
            ["-r", world.text(world.state.appending("history.db")), other.file + ".none", "-f"]
        )
        try #require(result.status == .exited(0), "\(result)")
        try world.baselineFile.delete()
        for file in ["history.db-wal", "history.db-shm"] { try? world.state.appending(file).delete() }
        try world.expect(0, "baseline", "import", other.file)
        let daemon = try world.watch()
        try world.linker.append([1])
        try daemon.change("content", on: world.linker)
        try world.mark(daemon)
        try daemon.terminate()
        let rows = try world.history("--event", "change")
        #expect(rows.filter(\.isFinding).map(\.path) == [world.linker], "\(rows.listing)")
    }

    @Test func anImportReplacesOnlyWithForce() throws {
        let pair = try Pair(Millwarden())
        let world = pair.golden
        try world.compiler.append([1])
        try world.expect(0, "baseline", "create", "--force")
        try world.expect(73, "baseline", "import", pair.file).expectOneSentence(naming: "--force")
        let report = try world.document(0, "baseline", "import", pair.file, "--force")
        #expect(report["replaced"]?.object?["generation"]?.integer == 2, "\(report.pretty)")
        #expect(report["copy"] == .bool(false), "its own export: \(report.pretty)")
        #expect(report["origin"]?.object?["trusted_key"] == .null, "\(report.pretty)")
        try world.expect(0, "baseline", "verify")
        try world.expect(4, "check")
        // The next number was never given to another one.
        let next = try world.document(0, "baseline", "create", "--force")
        #expect(next["baseline"]?.object?["generation"]?.integer == 3, "\(next.pretty)")
    }

    @Test func whatIsDamagedIsNotImported() throws {
        let pair = try Pair(Millwarden())
        let whole = try pair.exported.contents()
        var random = SeededGenerator()
        for place in [0, 8, 20, whole.count - 1]
            + (0..<6).map({ _ in Int.random(in: 0..<whole.count, using: &random) })
        {
            var damaged = whole
            damaged[place] ^= 0x10
            try pair.exported.write(damaged)
            let line = ["baseline", "import", pair.file, "--trust-key", pair.keyFile]
            let result = try pair.golden.run(line + ["--force"])
            #expect([16, 65].contains(result.code), "byte \(place), \(random): \(result)")
            result.expectOneSentence(naming: "golden.mwb")
        }
        for length in [0, 11, whole.count / 2, whole.count - 1] {
            try pair.exported.write(Array(whole.prefix(length)))
            try pair.golden.expect(65, "baseline", "import", pair.file, "--force").expectOneSentence(
                naming: "golden.mwb"
            )
        }
        var newer = whole
        newer[8] = 99
        try pair.exported.write(newer)
        try pair.golden.expect(65, "baseline", "import", pair.file, "--force")
            .expectOneSentence(naming: "golden.mwb", "format 99", "upgrade")
        try pair.exported.delete()
        try pair.golden.expect(66, "baseline", "import", pair.file, "--force").expectOneSentence(
            naming: "golden.mwb"
        )
        try pair.golden.expect(65, "baseline", "import", "/dev/zero", "--force").expectOneSentence()
        // All of that changed nothing.
        try pair.golden.expect(0, "check")
        let rows = try pair.golden.history("--event", "baseline")
        #expect(rows.compactMap { $0.json["action"]?.text } == ["intended", "created"], "\(rows.listing)")
    }

    @Test func aKeyThatDidNotSignIsNotTrustedForAnything() throws {
        let pair = try Pair(Millwarden())
        let stranger = try Millwarden()
        try stranger.createBaseline()
        let key = stranger.text(stranger.state.appending("keys/baseline.pub"))
        try pair.expect(16, "baseline", "import", pair.file, "--trust-key", key).expectOneSentence(
            naming: "ed25519:"
        )
        #expect(!isThere(pair.golden.text(pair.second)))
        // Who names a key means that one, even where another one is known.
        try pair.golden.expect(16, "baseline", "import", pair.file, "--force", "--trust-key", key)
        try pair.golden.expect(16, "check", "--baseline", pair.file, "--trust-key", key)
        #expect(!isThere(pair.golden.text(pair.golden.state.appending("keys/trusted"))))
        let privateKey = pair.golden.text(pair.golden.state.appending("keys/baseline.key"))
        try pair.expect(65, "baseline", "import", pair.file, "--trust-key", privateKey).expectOneSentence()
        try pair.expect(66, "baseline", "import", pair.file, "--trust-key", "/nowhere").expectOneSentence()
    }

    /// The configuration says whose baselines count: a key that it does not name would not be believed later.
    @Test func configuredKeysCountAlone() throws {
        let pair = try Pair(Millwarden())
        let stranger = try Millwarden()
        try stranger.createBaseline()
        let key = stranger.text(stranger.state.appending("keys/baseline.pub"))
        let config = pair.golden.text(
            try pair.golden.home.write("config.yaml", "keys: {baseline: [\(key)]}\n")
        )
        let line = ["baseline", "import", pair.file, "--config", config]
        try pair.expect(78, line[0], line[1], line[2], line[3], line[4], "--trust-key", pair.keyFile)
            .expectOneSentence(naming: "keys: baseline:")
        try pair.golden.home.write("config.yaml", "keys: {baseline: [\(pair.keyFile)]}\n")
        try pair.expect(0, line[0], line[1], line[2], line[3], line[4])
        #expect(!isThere(pair.golden.text(pair.second.appending("keys"))), "nothing had to be stored")
        try pair.expect(0, "check", "--config", config)
        // What this host signs itself would not be believed: it is refused before anything is written.
        try pair.golden.compiler.append([1])
        try pair.expect(4, "check", "--config", config)
        try pair.expect(16, "baseline", "accept", "--all", "--reason", "mine", "--config", config)
            .expectOneSentence(naming: "keys: baseline:")
        try pair.expect(4, "check", "--config", config)
    }

    /// Rescue media: no state directory, or one that cannot be written.
    @Test func aCheckWithAFileNeedsNoState() throws {
        let pair = try Pair(Millwarden())
        let line = ["check", "--baseline", pair.file, "--trust-key", pair.keyFile]
        let clean = try pair.expect(0, line[0], line[1], line[2], line[3], line[4])
        clean.expectOneSentence(naming: "not recorded", "golden.mwb")
        try pair.golden.compiler.append([1])
        let report = try pair.document(4, line)
        #expect(report["baseline_file"]?.text == pair.file, "\(report.pretty)")
        #expect(report.findings.map(\.path) == [pair.golden.compiler], "\(report.pretty)")
        #expect(!isThere(pair.golden.text(pair.second)), "nothing was made")
        // On the host itself its own key is known, and what its history holds stays out of it.
        try pair.golden.expect(4, "check")
        try pair.golden.compiler.write(Millwarden.compilerText)
        try pair.golden.compiler.setModified(Millwarden.modified)
        let rows = try pair.golden.history().count
        try pair.golden.expect(0, "check", "--baseline", pair.file)
        #expect(try pair.golden.history().count == rows)
        try pair.golden.expect(4, "check")

        try pair.expect(16, "check", "--baseline", pair.file).expectOneSentence(naming: "--trust-key")
        try pair.expect(16, "check", "--baseline", pair.file + ".none").expectOneSentence(naming: ".none")
        try pair.expect(64, "check", "--trust-key", pair.keyFile)
        var damaged = try pair.exported.contents()
        damaged[30] ^= 1
        try pair.exported.write(damaged)
        try pair.golden.expect(16, "check", "--baseline", pair.file).expectOneSentence(naming: "golden.mwb")
    }

    /// The files that were recorded are recognized by machine id and identity, so that a swapped inode still shows.
    @Test func theSameFilesKeepTheirIdentity() throws {
        let pair = try Pair(Millwarden())
        let copy = pair.golden.outside.appending("cc")
        try copy.write(Millwarden.compilerText, mode: 0o755)
        try copy.setModified(Millwarden.modified)
        try copy.rename(to: pair.golden.compiler)
        let report = try pair.document(4, ["check", "--baseline", pair.file, "--trust-key", pair.keyFile])
        #expect(report.findings.map(\.change) == ["replaced"], "\(report.pretty)")
        #expect(report["origin"]?.object?["copy"] == .bool(false), "\(report.pretty)")
        try pair.copyEverything()
        let copied = try pair.document(0, ["check", "--baseline", pair.file, "--trust-key", pair.keyFile])
        #expect(copied["origin"]?.object?["copy"] == .bool(true), "\(copied.pretty)")
    }

    @Test func twoBaselinesAreCompared() throws {
        let pair = try Pair(Millwarden())
        let world = pair.golden
        try world.expect(0, "baseline", "diff", pair.file, "current")
        try world.compiler.append([1])
        try world.linker.setMode(0o4755)
        try world.tools.appending("as").delete()
        try world.tools.appending("new").write([1])
        try world.expect(0, "baseline", "create", "--force")
        let text = try world.expect(1, "baseline", "diff", pair.file, "current")
        for line in text.text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        for words in [
            "1 added, 1 removed and 2 changed", "0755 -> 4755 (now set-user-ID)", "ADDED (1)", "REMOVED (1)",
        ] {
            #expect(text.text.contains(words), "\(words): \(text)")
        }
        let report = try world.document(1, "baseline", "diff", pair.file, "current")
        #expect(report["schema"] == .string("millwarden.baseline-diff/1"))
        #expect(report["same_files"] == .bool(true), "\(report.pretty)")
        #expect(report.count("paths") == 12 && report.count("equal") == 8, "\(report.pretty)")
        let items = (report["items"]?.elements ?? []).compactMap(\.object)
        #expect(
            items.compactMap { $0["change"]?.text } == ["removed", "content", "metadata", "added"],
            "\(report.pretty)"
        )
        let lines = try world.expect(1, "baseline", "diff", pair.file, "current", "--format", "jsonl")
        #expect(try LogEntry.parse(lines: lines.output).map(\.json) == items)
        // The other way round.
        let back = try world.document(1, "baseline", "diff", "current", pair.file)
        #expect(
            (back["items"]?.elements ?? []).compactMap { $0.object?["change"]?.text }
                == ["added", "content", "metadata", "removed"]
        )
        try world.expect(64, "baseline", "diff", pair.file, "current", "--ignore", "checksum")
            .expectOneSentence()
    }

    /// Two hosts with the same tools: what is not the machine's own has to be the same.
    @Test func twoHostsAreCompared() throws {
        let pair = try Pair(Millwarden())
        try pair.copyEverything()
        try pair.expect(0, "baseline", "create")
        let other = pair.golden.text(pair.golden.path) + "/other.mwb"
        try pair.expect(0, "baseline", "export", other)
        let otherKey = pair.golden.text(pair.second.appending("keys/baseline.pub"))
        let line = ["baseline", "diff", pair.file, other]
        try pair.expect(16, line[0], line[1], line[2], line[3]).expectOneSentence(
            naming: "golden.mwb",
            "--trust-key"
        )
        try pair.expect(16, line[0], line[1], line[2], line[3], "--trust-key", pair.keyFile)
            .expectOneSentence(naming: "other.mwb")
        let keys = ["--trust-key", pair.keyFile, "--trust-key", otherKey]
        let report = try pair.document(0, line + keys)
        #expect(report["same_files"] == .bool(false), "\(report.pretty)")
        try pair.golden.compiler.setModified(timespec(tv_sec: 1_700_000_000, tv_nsec: 0))
        try pair.expect(0, "baseline", "create", "--force")
        let touched = try pair.document(1, ["baseline", "diff", pair.file, "current"] + keys)
        #expect(
            (touched["items"]?.elements ?? []).compactMap { $0.object?["change"]?.text } == ["touched"],
            "\(touched.pretty)"
        )
        _ = try pair.document(0, ["baseline", "diff", pair.file, "current", "--ignore", "mtime"] + keys)
        try pair.expect(66, "baseline", "diff", pair.file, other + ".none", "--trust-key", pair.keyFile)
        var damaged = try pair.exported.contents()
        damaged[30] ^= 1
        try pair.exported.write(damaged)
        try pair.golden.expect(65, "baseline", "diff", pair.file, "current").expectOneSentence(
            naming: "golden.mwb"
        )
    }
}
