import CLinux
import TestSupport
import Testing

@testable import Host

/// What /proc/PID tells, whatever the process made of it.
struct ProcessFactsTests {
    private func slice(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

    private static let stat =
        "4711 (sh) S 4000 4711 4000 34816 4711 4194304 82 0 0 0 0 0 0 0 20 0 1 0 1822345 2678784 "
        + "231 18446744073709551615 94 95 14 0 0 0 0 0 65538 1 0 0 17 0 0 0 0 0 0\n"

    @Test func statIsRead() {
        let stat = ProcessStat(slice(Self.stat))
        #expect(stat?.pid == 4_711 && stat?.parent == 4_000 && stat?.started == 1_822_345)
    }

    @Test(arguments: ["a b", "x) R 1 (y", ")", "((", "\n", "4711 (sh) S 1 2 3", "\u{FFFD}"])
    func theNameIsTheProcesssOwnChoice(name: String) {
        let stat = ProcessStat(slice(Self.stat.replacing("(sh)", with: "(\(name))")))
        #expect(stat?.parent == 4_000 && stat?.started == 1_822_345)
    }

    @Test func aCutStatSaysNothing() {
        let whole = slice(Self.stat)
        let end =
            Self.stat.utf8.count - "2678784 ".utf8.count
            - Self.stat.split(separator: "2678784 ")[1].utf8.count
        // Before the field that follows the start, its last digits could be missing.
        for cut in 0...end { #expect(ProcessStat(whole.prefix(cut)) == nil, "\(cut)") }
        #expect(ProcessStat(whole.prefix(end + 1))?.started == 1_822_345)
    }

    @Test(arguments: [
        "", "4711", "4711 sh S 1", "4711 )sh( S 1", "x (sh) S 4000",
        "4711 (sh) S -1 " + String(repeating: "0 ", count: 40),
        "99999999999 (sh) S 1 " + String(repeating: "0 ", count: 40),
    ])
    func whatIsNoStatSaysNothing(text: String) {
        #expect(ProcessStat(slice(text)) == nil)
    }

    @Test func ofAStatusTheParentAndTheEffectiveUserAreRead() {
        let owner = ProcessOwner(
            slice(
                "Name:\tUid:\\n0\nState:\tS (sleeping)\nPid:\t7\nPPid:\t6\nTracerPid:\t0\nUid:\t1000\t33\t1000\t1000\n"
            )
        )
        #expect(owner.parent == 6 && owner.effectiveUID == 33)
    }

    @Test(arguments: [
        "", "Uid:", "Uid:\t1\t2\t3\n", "Uid:\tx\ty\tz\tu\n", "PPid:\t-1\nUid:\t0\t4294967296\t0\t0\n",
    ])
    func whatIsNoStatusSaysNothing(text: String) {
        let owner = ProcessOwner(slice(text))
        #expect(owner.parent == nil && owner.effectiveUID == nil)
    }

    @Test func argumentsAreBytesBetweenNULs() {
        #expect(ProcessFacts.arguments([]) == [])
        #expect(ProcessFacts.arguments(slice("sh\0-c\0\0")) == [Array("sh".utf8), Array("-c".utf8), []])
        #expect(ProcessFacts.arguments([0x73, 0, 0xFF, 10]) == [[0x73], [0xFF, 10]], "the last one is cut")
        #expect(ProcessFacts.arguments([0]) == [[]])
    }

    @Test func aLoginIsANumber() {
        #expect(ProcessFacts.loginuid(slice("1000")) == 1_000)
        #expect(ProcessFacts.loginuid(slice("0\n")) == 0)
        #expect(ProcessFacts.loginuid(slice("4294967295")) == nil, "nobody logged in")
        for text in ["", " ", "-1", "4294967296", "1 2", "0x10", "99999999999999999999999"] {
            #expect(ProcessFacts.loginuid(slice(text)) == nil)
        }
    }

    @Test func randomBytesAreHarmless() {
        var random = SeededGenerator()
        for _ in 0..<20_000 {
            let noise = random.bytes(
                Int.random(in: 0...200, using: &random),
                mostlyFrom: Array("0123456789 ():\n\t\0/Uid:PPid:.scope-docker".utf8)
            )
            if let stat = ProcessStat(noise[...]) { #expect(stat.pid >= 0 && stat.parent >= 0, "\(random)") }
            _ = ProcessOwner(noise[...])
            let arguments = ProcessFacts.arguments(noise[...])
            #expect(Array(arguments.joined(separator: [0])).count <= noise.count, "\(random)")
            let group = ControlGroup(noise[...])
            #expect((group.unit ?? "").utf8.count <= 4 * 255, "\(random)")
        }
    }

    // MARK: the real one

    @Test func thisProcessIsRead() throws {
        let files = ProcessFiles()
        let facts = try #require(files.facts(getpid()))
        #expect(facts.uid == geteuid())
        #expect(facts.parent == getppid())
        #expect(facts.exe?.isEmpty == false && facts.cmdline.isEmpty == false)
        #expect(files.stat(getpid())?.parent == getppid())
        let pidfd = OwnedDescriptor(owning: mw_pidfd_open(getpid()))
        #expect(pidfd.lend { files.facts(getpid(), pidfd: $0) } == facts)
    }

    @Test func aProcessThatIsGoneIsNotRead() throws {
        let child = try ChildProcess("/bin/true")
        let pidfd = OwnedDescriptor(owning: mw_pidfd_open(child.id))
        _ = child.finish()
        let files = ProcessFiles()
        #expect(files.facts(child.id) == nil)
        #expect(pidfd.lend { files.facts(child.id, pidfd: $0) } == nil)
        // Whoever has the number by now is not the one that is asked for.
        #expect(pidfd.lend { files.facts(getpid(), pidfd: $0) } == nil)
        for pid: Int32 in [0, -1, .max] { #expect(files.facts(pid) == nil) }
    }

    @Test func aLongCommandLineIsCut() throws {
        let long = String(repeating: "x", count: 3 * ProcessFiles.limit)
        let child = try ChildProcess("/bin/sh", ["-c", "kill -STOP $$", "sh", long])
        defer { child.send(SIGKILL) }
        var status: CInt = 0
        try #require(unsafe waitpid(child.id, &status, WUNTRACED) == child.id)
        let facts = try #require(ProcessFiles().facts(child.id))
        #expect(facts.cmdline.prefix(2) == [Array("/bin/sh".utf8), Array("-c".utf8)])
        #expect(Array(facts.cmdline.joined(separator: [0])).count == ProcessFiles.limit)
    }
}

/// Where a process belongs, from the paths that real hosts have.
struct ControlGroupTests {
    private static let id = String(repeating: "0123456789abcdef", count: 4)

    static let paths: [(path: String, unit: String?, container: String?)] = [
        ("/", nil, nil),
        ("/system.slice/ci.service", "ci.service", nil),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", nil),
        ("/init.scope", "init.scope", nil),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", nil),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/run-u1.service", "user@1000.service", nil),
        // Whoever owns a group names those below it; he cannot get out of his own.
        ("/user.slice/user-1000.slice/user@1000.service/dpkg.service", "user@1000.service", nil),
        ("/system.slice/docker-\(id).scope", "docker-\(id).scope", id),
        ("/docker/\(id)", nil, id),
        ("/docker/buildx/docker/\(id)", nil, id),
        (
            "/system.slice/containerd.service/kubepods-burstable-podab.slice:cri-containerd:\(id)",
            "containerd.service", id
        ),
        ("/kubepods/burstable/pod1f6a5c3e-77a2/\(id)", nil, id),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1f.slice/cri-containerd-\(id).scope",
            "cri-containerd-\(id).scope", id
        ),
        ("/kubepods.slice/kubepods-pod1f.slice/crio-\(id).scope", "crio-\(id).scope", id),
        ("/machine.slice/libpod-\(id).scope/container", "libpod-\(id).scope", id),
        ("/machine.slice/libpod-conmon-\(id).scope", "libpod-conmon-\(id).scope", nil),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope",
            "user@1000.service", id
        ),
        ("/machine.slice/systemd-nspawn@build.service/payload", "systemd-nspawn@build.service", "build"),
        ("/machine.slice/machine-build\\x2d07.scope/payload", "machine-build\\\\x2d07.scope", "build-07"),
        ("/lxc/web/init.scope", "init.scope", "web"),
        ("/lxc.payload.web/system.slice/ssh.service", "ssh.service", "web"),
        ("/system.slice/docker-1234.scope", "docker-1234.scope", nil),
        ("/system.slice/.service", nil, nil),
        ("/a.slice", nil, nil),
        ("", nil, nil),
    ]

    @Test(arguments: paths.indices) func unitAndContainerAreTold(index: Int) {
        let (path, unit, container) = Self.paths[index]
        let group = ControlGroup(Array("0::\(path)\n".utf8)[...])
        #expect(group == ControlGroup(unit: unit, container: container), "\(path)")
    }

    @Test func theHierarchyOfSystemdCountsThenAnyOther() {
        let hybrid = "9:name=systemd:/system.slice/ci.service\n4:memory:/other.service\n0::/\n"
        #expect(ControlGroup(Array(hybrid.utf8)[...]).unit == "ci.service")
        let docker = "4:memory:/docker/\(Self.id)\n1:name=systemd:/\n"
        #expect(ControlGroup(Array(docker.utf8)[...]).container == Self.id)
        #expect(ControlGroup(Array("no colons\n0:\n::".utf8)[...]) == ControlGroup(unit: nil, container: nil))
    }

    @Test func hostileNamesAreShownHarmless() {
        let text = Array("0::/a\u{1B}[31m".utf8) + [0xFF] + Array(".service\n".utf8)
        #expect(ControlGroup(text[...]).unit == #"a\x1b[31m\xff.service"#)
        let long = "0::/" + String(repeating: "x", count: 5_000) + ".service"
        #expect(ControlGroup(Array(long.utf8)[...]).unit == nil, "longer than any name")
        #expect(ControlGroup(Array("0::/machine-\\xzz.scope".utf8)[...]).container == nil)
    }
}
