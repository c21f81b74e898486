import Integrity
import TestSupport
import Testing

@testable import Host

struct HomeDirectoriesTests {
    let tree = MemoryTree()
    let shells =
        "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash # the usual\n  /usr/bin/zsh\nrelative\n"

    private func find(_ passwd: String, buildUsers: [String] = []) -> [RawPath] {
        HomeDirectories.find(
            passwd: Array(passwd.utf8),
            shells: Array(shells.utf8),
            buildUsers: buildUsers,
            tree: tree
        )
    }

    init() {
        tree.change {
            for home in [
                "/root", "/home/ann", "/home/bob", "/srv/ci", "/var/lib/jenkins", "/usr/games", "/var/mail",
            ] {
                $0.makeDirectory(RawPath(home))
            }
            $0.symlink("/home/link", to: "/srv/ci")
            $0.symlink("/home/evil", to: "/etc")
            $0.symlink("/homes", to: "/home")
            $0.makeDirectory("/etc/below")
            $0.symlink("/home/eviler", to: "/etc/below")
            $0.write("/home/file", "")
        }
    }

    @Test func peopleWithAShellAndBuildUsersHaveHomes() {
        let passwd = """
            root:x:0:0:root:/root:/bin/bash
            ann:x:1000:1000:Ann,,,:/home/ann:/usr/bin/zsh
            bob:x:1001:1001::/home/bob:/usr/sbin/nologin
            jenkins:x:110:110::/var/lib/jenkins:/bin/false
            default:x:1002:1002::/srv/ci:
            """
        #expect(find(passwd) == ["/root", "/home/ann", "/srv/ci"])
        #expect(
            find(passwd, buildUsers: ["jenkins", "nobody-here"]) == [
                "/root", "/home/ann", "/srv/ci", "/var/lib/jenkins",
            ]
        )
    }

    @Test(arguments: [
        "/", "/home", "/usr/games", "/etc", "/bin", "/nonexistent", "/var/run/x", "home/ann", "",
        "/home/none",
        "/home/file", "/home/evil", "/home/eviler", "/home/ann/../../etc/below", "/dev/shm", "/lib64/x",
        "/proc/1",
    ])
    func whatIsNoHomeNamesNone(home: String) {
        tree.change {
            for path in ["/var/run/x", "/dev/shm", "/lib64/x", "/proc/1"] { $0.makeDirectory(RawPath(path)) }
        }
        #expect(find("user:x:1:1::\(home):/bin/sh").isEmpty)
    }

    @Test func eachDirectoryCountsOnceUnderItsCanonicalName() {
        let passwd = """
            a:x:1:1::/home/link:/bin/sh
            b:x:2:2::/srv/ci/:/bin/sh
            c:x:3:3::/srv//./ci:/bin/sh
            d:x:4:4::/homes/ann:/bin/sh
            e:x:5:5::/home/ann:/bin/sh
            """
        #expect(find(passwd) == ["/home/ann", "/srv/ci"])
    }

    @Test(arguments: [
        "+::::::", "user:x:1:1::/home/ann", "user:x:1:1::/home/ann:/bin/sh:more", ":x:1:1::/home/ann:/bin/sh",
        "# user:x:1:1::/home/ann", "::::::", "user",
    ])
    func brokenLinesAreLeftOut(line: String) {
        #expect(find(line + "\nann:x:1:1::/home/bob:/bin/sh\n") == ["/home/bob"])
    }

    @Test func aNulIsInNoPath() {
        #expect(find("ann:x:1:1::/home/ann\0/x:/bin/sh").isEmpty)
    }

    @Test func randomBytesNameNothingThatIsNotThere() {
        var random = SeededGenerator()
        let alphabet = Array("::::////\n\nabcroot home/ann/bin/sh\0.".utf8)
        for _ in 0..<3_000 {
            let passwd = random.bytes(Int.random(in: 0..<120, using: &random), mostlyFrom: alphabet)
            let shells = random.bytes(Int.random(in: 0..<40, using: &random), mostlyFrom: alphabet)
            let homes = HomeDirectories.find(
                passwd: passwd,
                shells: shells,
                buildUsers: ["a", ""],
                tree: tree
            )
            #expect(
                homes.allSatisfy { HomeDirectories.isHome($0) && (try? tree.openDirectory($0)) != nil },
                "\(random)"
            )
        }
    }

    @Test func theHomesOfThisHostAreDirectories() throws {
        let homes = HomeDirectories.find(
            passwd: try readFile("/etc/passwd", limit: 16 << 20),
            shells: (try? readFile("/etc/shells", limit: 1 << 20)) ?? [],
            buildUsers: [],
            tree: KernelTree()
        )
        #expect(homes.allSatisfy { $0.isAbsolute && realPath($0) == $0 })
    }
}
