import CLinux
import Integrity
import TestSupport
import Testing

@testable import Host

/// What `doctor` reads of a host, from small trees that stand in for /proc and /etc.
struct HostFactsTests {
    let directory: TemporaryDirectory
    var files: HostFiles { HostFiles(root: directory.path) }

    init() throws {
        directory = try TemporaryDirectory()
    }

    /// A process with inotify instances that hold so many watches each.
    private func process(_ pid: Int, uid: Int, _ name: String, watches: [Int]) throws {
        let place = "proc/\(pid)"
        for folder in ["", "/fd", "/fdinfo"] { try directory.makeDirectory(place + folder) }
        try directory.write(place + "/status", "Name:\tx\nUid:\t0\t\(uid)\t0\t0\nCapEff:\t0000000000200004\n")
        try directory.write(place + "/comm", name + "\n")
        try directory.symlink(place + "/fd/0", to: "/dev/null")
        for (position, count) in watches.enumerated() {
            let line = "inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 fhandle-bytes:8\n"
            try directory.symlink("\(place)/fd/\(position + 3)", to: "anon_inode:inotify")
            try directory.write(
                "\(place)/fdinfo/\(position + 3)",
                "pos:\t0\nflags:\t02004000\nmnt_id:\t15\n" + String(repeating: line, count: count)
            )
        }
    }

    @Test func watchesAreCountedForOneUser() throws {
        try directory.makeDirectory("proc/sys/fs/inotify")
        try directory.makeDirectory("proc/sys/user")
        try directory.write("proc/sys/user/max_inotify_watches", "2147483647\n")
        try directory.write("proc/sys/user/max_inotify_instances", "16\n")
        for (name, value) in [
            ("max_user_watches", "8192\n"), ("max_user_instances", "128"), ("max_queued_events", "x"),
        ] {
            try directory.write("proc/sys/fs/inotify/" + name, value)
        }
        try process(12, uid: 0, "few", watches: [1])
        try process(7, uid: 0, "many\u{1B}[2J", watches: [2_000, 3])
        try process(9, uid: 1_000, "other", watches: [50])
        try process(10, uid: 0, "none", watches: [])
        try directory.makeDirectory("proc/self")
        let use = WatchUse.gather(uid: 0, from: files)
        #expect(use.watchLimit == .known(8_192))
        #expect(use.watchKey == "fs.inotify.max_user_watches")
        #expect(use.instanceLimit == .known(16) && use.instanceKey == "user.max_inotify_instances")
        #expect(use.queueLimit.value == nil)
        #expect(
            use.users == [
                WatchUser(pid: 7, command: Array("many\u{1B}[2J".utf8), instances: 2, watches: 2_003),
                WatchUser(pid: 12, command: Array("few".utf8), instances: 1, watches: 1),
            ]
        )
        #expect(use.unseen == 0)
    }

    /// The kernel's own numbers, with an instance that this test holds.
    @Test func ourOwnWatchesAreFound() throws {
        let inotify = try Inotify()
        for name in ["a", "b", "c"] {
            try inotify.add(path: try directory.makeDirectory(name), mask: [.create])
        }
        let use = WatchUse.gather(uid: geteuid(), from: HostFiles())
        let own = try #require(use.users.first { $0.pid == Int(getpid()) })
        #expect(own.instances >= 1 && own.watches >= 3, "\(own)")
        withExtendedLifetime(inotify) {}
    }

    @Test func systemdSyntaxIsReadAsSystemdDoes() {
        let text = """
            stray=1
            # remark=1
            [Service]
            ; another
             PrivateTmp = yes\u{20}
            ExecStart=/bin/a \\
              # in between
              b\\
              c
            nonsense
            =empty
            [Install]
            WantedBy=
            """
        let settings = SystemdFile.parse(Array(text.utf8), file: "/u")
        #expect(
            settings == [
                SystemdSetting(section: "", key: "stray", value: "1", file: "/u", line: 1),
                SystemdSetting(section: "Service", key: "PrivateTmp", value: "yes", file: "/u", line: 5),
                SystemdSetting(
                    section: "Service",
                    key: "ExecStart",
                    value: "/bin/a  b c",
                    file: "/u",
                    line: 6
                ),
                SystemdSetting(section: "Install", key: "WantedBy", value: "", file: "/u", line: 13),
            ]
        )
    }

    @Test func dropInsCountInTheOrderOfTheirNames() throws {
        let (usr, etc) = ("usr/lib/systemd/system/", "etc/systemd/system/")
        for folder in ["m.service.d", "service.d"] {
            try directory.makeDirectory(usr + folder)
            try directory.makeDirectory(etc + folder)
        }
        try directory.write(
            usr + "m.service",
            "[Service]\nPrivateTmp=no\nInaccessiblePaths=/a\nInaccessiblePaths=/b\n"
        )
        try directory.write(usr + "m.service.d/20-x.conf", "[Service]\nPrivateTmp=yes\nInaccessiblePaths=\n")
        try directory.write(usr + "m.service.d/30-y.conf", "[Service]\nProtectHome=yes\n")
        try directory.symlink(etc + "m.service.d/30-y.conf", to: "/dev/null")
        try directory.write(
            etc + "service.d/10-z.conf",
            "[Service]\nPrivateTmp=connected\nProtectProc=ptraceable\n"
        )
        try directory.write(etc + "m.service.d/readme", "[Service]\nPrivateTmp=no\n")
        let unit = SystemdFile.unit("m.service", from: files)
        #expect(unit.file == "/usr/lib/systemd/system/m.service")
        #expect(
            unit.setting("Service", "PrivateTmp")?.file == "/usr/lib/systemd/system/m.service.d/20-x.conf"
        )
        #expect(unit.setting("Service", "ProtectHome") == nil)
        #expect(unit.setting("Service", "ProtectProc")?.value == "ptraceable")
        #expect(unit.list("Service", "InaccessiblePaths") == [])
        #expect(unit.unreadable == [:] && !unit.isMasked)
        try directory.symlink(etc + "m.service", to: "/dev/null")
        #expect(SystemdFile.unit("m.service", from: files).isMasked)
        #expect(SystemdFile.unit("n.service", from: files).file == nil)
    }

    @Test func theJournalsConfigurationIsFound() throws {
        try directory.makeDirectory("etc/systemd/journald.conf.d")
        try directory.makeDirectory("etc/systemd/system/multi-user.target.wants")
        try directory.write("etc/systemd/journald.conf", "[Journal]\nStorage=volatile\n")
        try directory.write("etc/systemd/journald.conf.d/a.conf", "[Journal]\nStorage=persistent\n")
        let plain = JournalFacts.gather(refusal: .noEntry, machineID: "abc", from: files)
        #expect(plain.configuration.setting("Journal", "Storage")?.value == "persistent")
        #expect(plain.hasPersistentDirectory == .known(false) && plain.upload == .absent)
        try directory.makeDirectory("var/log/journal/abc")
        try directory.symlink(
            "etc/systemd/system/multi-user.target.wants/systemd-journal-upload.service",
            to: "/usr/lib/x"
        )
        let full = JournalFacts.gather(refusal: nil, machineID: "abc", from: files)
        #expect(full.hasPersistentJournal == .known(true) && full.upload == .enabled)
    }

    @Test(arguments: [
        ("         0          0 4294967295\n", true), ("0 1000 1\n", false), ("", false),
        ("0 0 4294967295\n1 1 1\n", false), ("0 0 1000\n", false),
    ])
    func theFirstUserNamespaceMapsEveryUser(map: String, isWhole: Bool) {
        #expect(Privileges.isWholeRange(Array(map.utf8)) == isWhole)
    }

    @Test func privilegesAreReadFromProc() throws {
        try process(1, uid: 0, "init", watches: [])
        for (name, namespace) in [("1", "mnt:[1]"), ("self", "mnt:[2]")] {
            try directory.makeDirectory("proc/\(name)/ns")
            try directory.symlink("proc/\(name)/ns/mnt", to: RawPath(namespace))
        }
        try directory.write("proc/self/status", "CapEff:\t0000000000200004\n")
        try directory.write("proc/self/uid_map", "0 1000 1\n")
        try directory.write("proc/1/environ", "HOME=/\0container=lxc\u{7}\0")
        let found = Privileges.gather(from: files)
        #expect(found.capabilities == .known([.dacReadSearch, .sysAdmin]))
        #expect(found.isInUserNamespace == .known(true) && found.hasOwnMounts == .known(true))
        #expect(found.container == "lxc\\x07")
        try directory.makeDirectory("run/systemd")
        try directory.write("run/systemd/container", "systemd-nspawn\n")
        #expect(Privileges.gather(from: files).container == "systemd-nspawn")
        // Nothing there is unknown, never a guess.
        let nothing = Privileges.gather(from: HostFiles(root: directory.path.appending("nowhere")))
        #expect(nothing.capabilities.value == nil && nothing.isInUserNamespace.value == nil)
    }

    @Test func theKernelAnswersForItself() {
        let features = KernelFeatures.probe(HostFiles())
        #expect(!features.release.isEmpty)
        #expect(features.openat2 == .available, "the walks cannot do without")
        #expect(features.pidfd == .available)
    }

    @Test func placesNameEveryDirectoryAbove() throws {
        try directory.makeDirectory("a/b")
        try directory.write("a/b/file", "", mode: 0o666)
        let facts = PlaceFacts.gather(.rules, directory.appending("a/b"), withEntries: true, in: KernelTree())
        #expect(facts.first?.path.name.elementsEqual("b".utf8) == true && facts.first?.isAncestor == false)
        #expect(facts.contains { $0.path.isRoot && $0.isAncestor })
        #expect(facts.last?.path.name.elementsEqual("file".utf8) == true && facts.last?.type == .file)
        #expect(PlaceFacts.gather(.rules, directory.appending("none"), in: KernelTree()) == [])
    }

    @Test func theDiskIsThatOfTheNearestDirectory() throws {
        let disk = try #require(DiskFacts.gather(directory.appending("not/yet/there")).value)
        #expect(disk.path == PathResolver(tree: KernelTree()).resolve(directory.path).final)
        #expect(!disk.isReadOnly)
    }

    /// Whatever a hostile process, mount or file puts there is read without harm.
    @Test func randomBytesHarmNoParser() {
        var random = SeededGenerator()
        let alphabet = Array("[]=\\#;\n\t Uid:CapEffinotify 0123456789Service".utf8)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int.random(in: 0...300, using: &random), mostlyFrom: alphabet)
            let settings = SystemdFile.parse(bytes, file: "/u")
            #expect(settings.allSatisfy { !$0.key.contains("\n") && $0.line >= 1 }, "\(random)")
            _ = ProcessStatus(bytes)
            _ = Privileges.isWholeRange(bytes)
            var counter = LineCounter("inotify ")
            for byte in bytes { counter.take(byte) }
            let word = Array("inotify ".utf8)
            let expected = bytes.split(separator: 0x0A).count { $0.starts(with: word) }
            #expect(counter.count == expected, "\(random)")
        }
    }
}
