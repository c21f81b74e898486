import CLinux
import Integrity
import TestSupport
import Testing

@testable import Host

/// Who wrote, as this kernel tells it.
struct WriterSourceTests {
    let scratch: TemporaryDirectory
    let source: WriterSource

    /// - Throws: The cancellation of the test, where this kernel does not tell.
    init() throws {
        scratch = try TemporaryDirectory()
        do {
            source = try WriterSource()
        } catch {
            try Test.cancel("fanotify is not to be had here: \(error)")
        }
        source.mark(scratch.path, try KernelTree().openDirectory(scratch.path))
        if source.status.marked == 0 { try Test.cancel("the file system of TMPDIR cannot be marked") }
    }

    /// A shell that runs one line and ends.
    @discardableResult
    private func shell(_ line: String) throws -> Int64 {
        let child = try ChildProcess("/bin/sh", ["-c", line], directory: scratch.path)
        let result = child.finish()
        try #require(result.status == .exited(0), "\(result)")
        return Int64(child.id)
    }

    private func who(_ name: String, _ change: ChangeKind) -> Actor? {
        source.actor(of: scratch.appending(name), change, asOf: source.position())?.actor
    }

    private var shellProgram: [UInt8] {
        PathResolver(tree: KernelTree()).resolve("/bin/sh").final?.bytes ?? []
    }

    /// Runs the source's thread for the length of `body`.
    private func running(_ body: () throws -> Void) throws {
        try source.start()
        defer { source.stop() }
        try body()
    }

    @Test func aWriterThatIsGoneIsNamedByItsNumber() throws {
        try running {
            let pid = try shell("echo x > new")
            let actor = try #require(who("new", .added))
            #expect(actor.pid == pid && actor.others == 0)
            if let exe = actor.exe { #expect(exe == shellProgram) }
        }
    }

    /// A shell that stands still right before a line and again behind it.
    private func standing(_ line: String) throws -> ChildProcess {
        let whole = "kill -STOP $$; \(line); echo done; kill -STOP $$"
        let child = try ChildProcess("/bin/sh", ["-c", whole], directory: scratch.path)
        var status: CInt = 0
        try #require(unsafe waitpid(child.id, &status, WUNTRACED) == child.id)
        // The queues are empty at a moment at which it is a shell and has not written.
        _ = source.position()
        child.send(SIGCONT)
        child.read { !$0.output.isEmpty }
        return child
    }

    @Test func aWriterThatLivesIsNamedInFull() throws {
        let child = try standing("echo x > new")
        defer { child.send(SIGKILL) }
        let actor = try #require(who("new", .added))
        let own = try #require(ProcessFiles().facts(getpid()))
        #expect(actor.pid == Int64(child.id) && actor.others == 0)
        #expect(actor.exe == shellProgram)
        #expect(actor.cmdline.prefix(2) == [Array("/bin/sh".utf8), Array("-c".utf8)])
        #expect(actor.uid == Int64(geteuid()) && actor.loginuid == own.loginuid.map(Int64.init))
        #expect(actor.parents.first == own.exe)
        #expect(actor.unit == own.group?.unit && actor.container == own.group?.container)
    }

    @Test func theLastOfSeveralIsNamed() throws {
        let first = try standing("echo x > new")
        let second = try standing("echo x >> new")
        defer {
            first.send(SIGKILL)
            second.send(SIGKILL)
        }
        let actor = try #require(who("new", .added))
        #expect(actor.pid == Int64(second.id) && actor.others == 1 && actor.exe == shellProgram)
    }

    @Test func everyKindOfChangeHasItsWriter() throws {
        try scratch.write("file", "text")
        try scratch.write("gone", "text")
        try running {
            let mode = try shell("exec chmod 600 file")
            #expect(who("file", .metadata)?.pid == mode)
            #expect(who("file", .content) == nil, "nobody wrote into it")
            let text = try shell("echo more >> file")
            #expect(who("file", .content)?.pid == text)
            #expect(who("file", .metadata)?.pid == mode)
            #expect(who("file", .content)?.others == 1)
            let removal = try shell("exec rm gone")
            #expect(who("gone", .removed)?.pid == removal)
            let move = try shell("exec mv file moved")
            #expect(who("moved", .moved)?.pid == move && who("moved", .moved)?.others == 0)
        }
    }

    @Test func itsOwnDeedsAreNobodys() throws {
        try scratch.write("mine", "text")
        #expect(who("mine", .added) == nil)
        #expect(source.position() == 0)
    }

    @Test func whatIsToldIsForgotten() throws {
        try scratch.write("file", "text")
        try running {
            try shell("echo 1 >> file")
            let position = source.position()
            source.forget(scratch.appending("file"), upTo: position)
            #expect(who("file", .content) == nil)
            let pid = try shell("echo 2 >> file")
            #expect(who("file", .content)?.pid == pid)
            #expect(who("file", .content)?.others == 0)
        }
    }

    @Test func elsewhereNobodyIsHeard() throws {
        let other = try scratch.makeDirectory("other")
        try running {
            try shell("echo x > other/file")
            #expect(who("other/file", .added) == nil)
            source.mark(other, try KernelTree().openDirectory(other))
            let pid = try shell("echo x >> other/file")
            #expect(who("other/file", .content)?.pid == pid)
            source.forget(directory: other)
            try shell("echo x >> other/file")
            #expect(source.actor(of: other.appending("late"), .added, asOf: 0) == nil)
        }
    }

    @Test func aNameElsewhereIsNoHidingPlace() throws {
        try scratch.write("file", "text")
        let elsewhere = try scratch.makeDirectory("elsewhere")
        try running {
            try shell("ln file elsewhere/link")
            let tree = KernelTree()
            let directory = try tree.openDirectory(scratch.path)
            source.mark(
                file: scratch.appending("file"),
                try tree.openFile(Array("file".utf8)[...], in: directory)
            )
            let pid = try shell("echo x >> elsewhere/link")
            #expect(who("file", .content)?.pid == pid)
            let other = try shell("echo x >> file")
            #expect(who("file", .content)?.pid == other && who("file", .content)?.others == 1)
            #expect(source.actor(of: elsewhere.appending("link"), .content, asOf: 0) == nil)
        }
    }

    @Test func aDirectoryThatIsRenamedTakesItsWritersAlong() throws {
        let old = try scratch.makeDirectory("old")
        source.mark(old, try KernelTree().openDirectory(old))
        try scratch.write("old/file", "text")
        try running {
            let pid = try shell("mv old new; echo x > new/file")
            // What is below was removed by whoever renamed the directory, and nobody writes under its old name.
            let actor = who("old/file", .removed)
            #expect(actor != nil && actor?.pid != nil)
            #expect(who("old/file", .content) == nil)
            #expect(pid > 0)
        }
    }

    @Test func aHandleIsThatOfTheEvents() throws {
        let fanotify = try Fanotify()
        let directory = try KernelTree().openDirectory(scratch.path)
        try fanotify.mark(directory, mask: [.create, .eventOnChild])
        try scratch.write("file", "text")
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = try fanotify.read(into: &buffer)
        let event = try #require(decodeFanotify(buffer[..<count]).events.first)
        if let pidfd = event.pidfd { _ = close(pidfd) }
        #expect(
            event.place == DirectoryName(directory: try FileHandle(of: directory), name: Array("file".utf8))
        )
        #expect(event.pid == getpid())
        #expect(try fanotify.read(into: &buffer) == 0)
        #expect(throws: Errno(EBADF)) { try fanotify.mark(OwnedDescriptor(owning: -7), mask: .create) }
    }
}

/// The connector of this kernel.
struct ProcessConnectorTests {
    @Test func aProcessIsHeardFromItsForkToItsEnd() throws {
        let connector: ProcessConnector
        do {
            connector = try ProcessConnector()
        } catch {
            try Test.cancel("the proc connector is not to be had here: \(error)")
        }
        let child = try ChildProcess("/bin/true")
        _ = child.finish()
        var events: [ProcessEvent] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let received = try connector.receive(into: &buffer), received.count > 0 {
            let decoded = decodeProcessEvents(buffer[..<received.count])
            #expect(decoded.undecoded == 0)
            events += decoded.events
        }
        let own = events.filter { event in
            switch event.what {
            case .fork(_, let pid), .exec(let pid), .exit(let pid): pid == child.id
            default: false
            }
        }
        #expect(
            own.map(\.what) == [.fork(parent: getpid(), child: child.id), .exec(child.id), .exit(child.id)]
        )
        #expect(own.map(\.time) == own.map(\.time).sorted())
    }
}
