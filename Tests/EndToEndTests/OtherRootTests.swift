import Host
import Integrity
import TestSupport
import Testing

/// `--root`: another system's files, by their own names, and nothing of this one's.
@Suite struct OtherRootTests {
    @Test func everythingResolvesInsideTheRoot() throws {
        let image = try Image()
        try image.record()
        let recorded = Set(try paths(of: image))
        #expect(
            recorded == [
                "/usr/bin", "/usr/bin/cc", "/usr/bin/ld", "/usr/bin/gcc", "/usr/bin/up", "/usr/bin/abs",
                "/usr/bin/self",
                // Linked roots, hop by hop, and what they lead to.
                "/bin", "/opt/tools", "/usr/lib/tools", "/usr/lib/tools/helper", "/up", "/outside",
                "/home/dev/.cargo/bin", "/home/dev/.cargo/bin/tool",
            ],
            "\(recorded.sorted())"
        )
        #expect(!isThere(image.text(image.state.appending("history.db"))), "nothing of it is this host's")
        let created = try image.document(
            0,
            [
                "baseline", "create", "--root", image.text(image.root), "--output",
                image.text(image.file) + "2",
            ]
        )
        #expect(created["scope"]?.object?.list("homes") == [Array("/home/dev".utf8)], "\(created.pretty)")

        let report = try image.check(0)
        #expect(
            report["host"]?.text == "golden" && report["machine_id"]?.text == Image.machine,
            "\(report.pretty)"
        )
        #expect(report["boot_id"]?.text == "" && report["root"]?.text == image.text(image.root))
        // What is outside may change as it likes.
        try image.secret.append([1])
        try image.host.appending("home/.cargo/bin/evil").append([1])
        try image.host.appending("new").write([1])
        _ = try image.check(0)
    }

    /// The paths of the image's baseline, by way of an import.
    private func paths(of image: Image) throws -> [String] {
        let other = image.text(image.home.appending("imported"))
        let options = ["--rules", image.text(image.home.appending("rules.yaml")), "--state-dir", other]
        let line = ["baseline", "import", image.text(image.file), "--trust-key", image.text(image.key)]
        let imported = try run(image.program, line + options)
        try #require(imported.status == .exited(0), "\(imported)")
        let shown = try run(image.program, ["baseline", "show"] + options)
        return shown.text.split(separator: "\n").map(String.init)
    }

    @Test func pathsAreThoseOfTheImage() throws {
        let image = try Image()
        try image.record()
        try image.root.appending("usr/bin/cc").append([1])
        try image.root.appending("usr/lib/tools/helper").delete()
        try image.root.appending("home/dev/.cargo/bin/new").write([1])
        let report = try image.check(7)
        #expect(
            report.findings.map { "\($0.change ?? "") \(jsonText($0.path?.bytes ?? []).text)" } == [
                "added /home/dev/.cargo/bin/new", "content /usr/bin/cc", "removed /usr/lib/tools/helper",
            ],
            "\(report.pretty)"
        )
        // Names of the command line are the image's too.
        #expect(try image.check(4, nil, ["--path", "/bin/cc"]).findings.count == 1)
        #expect(try image.check(2, nil, ["--path", "/opt/tools/helper"]).findings.count == 1)
        _ = try image.check(0, nil, ["--path", image.text(image.root.appending("usr"))])
        let text = try image.expect(
            7,
            ["check", "--root", image.text(image.root), "--baseline", image.text(image.file)]
        )
        #expect(!text.text.contains("baseline accept"), "nothing can be approved from here: \(text.text)")
    }

    @Test(.enabled(if: isRoot, "only root may chroot(2)"))
    func theSameAsTheProgramInsideSays() throws {
        let image = try Image()
        // What this link means is another thing where /proc is mounted, as it has to be for the witness.
        try image.root.appending("usr/bin/self").delete()
        // The mount points of the witness are there before anything is recorded.
        _ = try image.inside(0, ["rules", "list"])
        try image.record()
        _ = try image.inside(0, ["baseline", "create"])
        _ = try image.inside(0, ["baseline", "export", "/.witness/share/inside.mwb"])
        let share = image.home.appending("share")
        let trust = [
            "--trust-key", image.text(share.appending("state/keys/baseline.pub")), "--trust-key",
            image.text(image.key),
        ]
        let difference = try image.document(
            0,
            ["baseline", "diff", image.text(image.file), image.text(share.appending("inside.mwb"))] + trust
        )
        #expect(difference["same_files"] == .bool(true), "\(difference.pretty)")
        let (before, after) = (difference["before"]?.object, difference["after"]?.object)
        #expect(before?["scope"] == after?["scope"], "\(difference.pretty)")

        let changes: [() throws -> Void] = [
            { try image.root.appending("usr/bin/cc").append([1]) },
            { try image.root.appending("usr/bin/ld").delete() },
            { try image.root.appending("usr/bin/new").write([1]) },
            { try image.root.appending("usr/lib/tools/helper").setMode(0o4755) },
            {
                try image.root.appending("usr/bin/gcc").delete()
                try image.root.appending("usr/bin/gcc").makeLink(to: image.secret)
            },
            {
                try image.root.appending("opt/tools").delete()
                try image.root.appending("opt/tools").makeLink(to: "../../../../../home/dev")
            },
        ]
        try share.appending("golden.mwb").write(try image.file.contents())
        try share.appending("golden.pub").write(try image.key.contents())
        for change in changes {
            try change()
            let outside = try image.document(
                try image.status(of: image.root),
                ["check", "--root", image.text(image.root), "--baseline", image.text(image.file)]
            )
            let line = [
                "check", "--baseline", "/.witness/share/golden.mwb", "--trust-key",
                "/.witness/share/golden.pub", "--format", "json",
            ]
            let inside = try image.inside(Int32(outside["exit"]?.integer ?? -1), line)
            let witness = try #require(try JSON(parsing: inside.output).object, "\(inside)")
            for key in ["findings", "summary", "errors", "exit", "machine_id", "origin"] {
                #expect(outside[key] == witness[key], "\(key): \(outside.pretty) \(witness.pretty)")
            }
            let details = [outside, witness].map { report in
                (report["gaps"]?.elements ?? []).map { $0.object?["detail"] }
            }
            #expect(details[0] == details[1], "\(outside.pretty) \(witness.pretty)")
            #expect(outside.findings.contains { $0.verdict == "unauthorized" }, "\(outside.pretty)")
        }
    }

    /// The command line is read from /proc: without it nothing is taken for a command that was never given.
    @Test(.enabled(if: isRoot, "only root may chroot(2)"))
    func withoutProcNothingIsGuessed() throws {
        let image = try Image()
        let result = try image.inside(74, ["check"], withProc: false)
        result.expectOneSentence(naming: "/proc")
    }

    /// An image that was copied has inodes, birth times and change times of its own; the disk itself has not.
    @Test func aCopiedImageIsNotReplaced() throws {
        let image = try Image()
        try image.record()
        let copy = image.home.appending("copy")
        let copied = try run("cp", ["-a", image.text(image.root), image.text(copy)])
        try #require(copied.status == .exited(0), "\(copied)")
        let clean = try image.check(0, copy, ["--strict"])
        #expect(clean["origin"]?.object?["copy"] == .bool(true), "\(clean.pretty)")
        #expect(clean["findings"] == .array([]), "\(clean.pretty)")
        for root in [image.root, copy] {
            let (compiler, new) = (root.appending("usr/bin/cc"), root.appending("cc.new"))
            let renewed = try run("cp", ["-p", image.text(compiler), image.text(new)])
            try #require(renewed.status == .exited(0), "\(renewed)")
            try new.rename(to: compiler)
        }
        let report = try image.check(4)
        #expect(report.findings.map(\.change) == ["replaced"], "\(report.pretty)")
        #expect(report["origin"]?.object?["copy"] == .bool(false), "\(report.pretty)")
        _ = try image.check(0, copy)
        try copy.appending("usr/bin/cc").append([1])
        #expect(try image.check(4, copy).findings.map(\.change) == ["content"])
    }

    /// What this host's history knows is not about those files, and nothing is added to it.
    @Test func theHistoryOfThisHostStaysOutOfIt() throws {
        let world = try Millwarden()
        try world.createBaseline()
        try world.compiler.append([1])
        try world.expect(4, "check")
        try world.tools.appending("new").write([1])
        try world.expect(5, "check")
        try world.tools.appending("new").delete()
        let rows = try world.history().count
        // A copy of the world below a directory of its own, as it was recorded.
        let image = world.outside.appending("image")
        let target = world.text(image) + world.text(world.path)
        let made = try run(
            "sh",
            [
                "-c", "mkdir -p \"$2\" && cp -a \"$1/tools\" \"$1/settings\" \"$1/marks\" \"$2\"", "sh",
                world.text(world.path), target,
            ]
        )
        try #require(made.status == .exited(0), "\(made)")
        let compiler = RawPath(target).appending("tools/cc")
        try compiler.write(Millwarden.compilerText)
        try compiler.setModified(Millwarden.modified)
        let result = try world.expect(0, "check", "--root", world.text(image))
        result.expectOneSentence(naming: "not recorded", "image")
        #expect(try world.history().count == rows)
        try world.expect(4, "check")
    }

    @Test func anOrdinaryUserChecksAnImage() throws {
        let image = try Image(launcher: try Ordinary.world().launcher)
        try image.recordForEverybody()
        _ = try image.check(0)
        try image.root.appending("usr/bin/cc").append([1])
        _ = try image.check(4)
        // What may not be read is said.
        guard isRoot else { return }
        try image.root.appending("usr/bin/ld").setMode(0o700)
        let report = try image.check(12)
        #expect((report["errors"]?.elements ?? []).count == 1, "\(report.pretty)")
    }

    /// Files of the image that decide what is examined are read as files only: nothing in it makes the program wait.
    @Test(arguments: ["etc/passwd", "etc/shells", "etc/machine-id", "etc/hostname"])
    func nothingInTheImageMakesItWait(name: String) throws {
        let image = try Image()
        try image.record()
        let file = image.root.appending(name)
        try file.delete()
        try file.makeFIFO()
        let result = try run(
            image.program,
            ["check", "--root", image.text(image.root), "--baseline", image.text(image.file)] + image.options,
            timeout: 60
        )
        #expect([0, 8].contains(result.code), "\(result)")
        try file.delete()
        try file.makeLink(to: RawPath("/dev/zero"))
        let again = try run(
            image.program,
            ["check", "--root", image.text(image.root), "--baseline", image.text(image.file)] + image.options,
            timeout: 60
        )
        #expect([0, 8].contains(again.code), "\(again)")
    }

    @Test func aRootThatIsNoneIsSaid() throws {
        let image = try Image()
        try image.record()
        for root in ["/nowhere", image.text(image.file)] {
            let result = try image.expect(
                66,
                ["check", "--root", root, "--baseline", image.text(image.file)]
            )
            result.expectOneSentence(naming: "--root", root)
        }
        try image.expect(64, ["baseline", "create", "--root", image.text(image.root)])
        try image.expect(64, ["baseline", "create", "--output", image.text(image.file)])
        let taken = try image.expect(
            73,
            ["baseline", "create", "--root", image.text(image.root), "--output", image.text(image.file)]
        )
        taken.expectOneSentence(naming: "golden.mwb")
        // An empty directory: no pack applies.
        let empty = try image.home.makeDirectory("empty")
        try image.expect(
            78,
            ["baseline", "create", "--root", image.text(empty), "--output", image.text(empty) + ".mwb"]
        )
        .expectOneSentence()
        try image.expect(16, ["check", "--root", image.text(image.root)]).expectOneSentence(
            naming: "no baseline"
        )
    }
}

extension Image {
    /// The exit status of a check of that root, whatever it is.
    fileprivate func status(of root: RawPath) throws -> Int32 {
        let line = ["check", "--root", text(root), "--baseline", text(file)] + options
        return try run(program, line).code ?? -1
    }

    /// Records the image as whoever runs the tests; the key is then for everybody to read.
    fileprivate func recordForEverybody() throws {
        let line = ["baseline", "create", "--root", text(root), "--output", text(file)]
        let result = try run(program, line + options)
        try #require(result.status == .exited(0), "\(result)")
        for directory in [state, state.appending("keys")] { try directory.setMode(0o755) }
    }
}
