import CLinux
package import Host
package import Integrity

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signaled(Int32)
    /// It took longer than it was given, and was killed.
    case timedOut
}

/// What a finished process said.
package struct ProcessResult: Sendable, CustomStringConvertible {
    package var status: ExitStatus
    package var output: [UInt8]
    package var errors: [UInt8]

    /// Standard output; each byte that is not UTF-8 as `\xnn`.
    package var text: String { jsonText(output).text }
    package var errorText: String { jsonText(errors).text }

    /// For the message of an expectation that fails.
    package var description: String { "\(status)\n--- output\n\(text)\n--- errors\n\(errorText)" }
}

/// Runs a program to its end, with nothing on its standard input unless told otherwise.
package func run(
    _ program: String,
    _ arguments: [String] = [],
    environment: [String: String]? = nil,
    directory: RawPath? = nil,
    input: [UInt8]? = nil,
    timeout seconds: Int = 60
) throws(Errno) -> ProcessResult {
    let child = try ChildProcess(
        program,
        arguments,
        environment: environment,
        directory: directory,
        input: input
    )
    return child.finish(timeout: seconds)
}

/// The path of an executable that was built beside the tests: `millwarden`.
package func builtProduct(_ name: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = unsafe buffer.withUnsafeMutableBytes { raw in
        guard let start = raw.baseAddress else { return 0 }
        return unsafe readlink("/proc/self/exe", start.assumingMemoryBound(to: CChar.self), raw.count)
    }
    let own = RawPath(bytes: Array(buffer[..<max(0, count)]))
    return jsonText(own.parent.appending(name).bytes).text
}

/// A running process whose output is collected while it is waited for; killed where it is forgotten.
package final class ChildProcess {
    package let id: Int32
    package private(set) var output: [UInt8] = []
    package private(set) var errors: [UInt8] = []
    private let outputPipe: Pipe
    private let errorPipe: Pipe
    /// Readable when the process has ended (pidfd_open(2)).
    private let end: OwnedDescriptor
    private var status: ExitStatus?

    /// - Parameters:
    ///   - program: A path, or a name to be found in `PATH`.
    ///   - arguments: Without the program's own name.
    ///   - environment: All of it; nil for that of the tests.
    ///   - directory: Where it starts; nil where the tests run.
    ///   - input: What it reads on standard input; nil for /dev/null.
    /// - Throws: What posix_spawn(3) says.
    package init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String]? = nil,
        directory: RawPath? = nil,
        input: [UInt8]? = nil
    ) throws(Errno) {
        let output = try Pipe()
        let errors = try Pipe()
        let standardInput = try Self.descriptor(holding: input)
        let outputNumber = output.writing.lend { $0 }
        let errorNumber = errors.writing.lend { $0 }
        let inputNumber = standardInput.lend { $0 }

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, inputNumber, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, outputNumber, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, errorNumber, 2)
        if let directory {
            try unsafe directory.call { unsafe posix_spawn_file_actions_addchdir_np(&actions, $0) }
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        Self.resetSignals(&attributes)

        var process: pid_t = 0
        let code = unsafe Self.withCStrings([program] + arguments) { words -> CInt in
            guard let name = unsafe words[0] else { return EINVAL }
            guard let environment else {
                return unsafe posix_spawnp(&process, name, &actions, &attributes, words, mw_environ())
            }
            return unsafe Self.withCStrings(environment.map { "\($0.key)=\($0.value)" }) { variables in
                unsafe posix_spawnp(&process, name, &actions, &attributes, words, variables)
            }
        }
        guard code == 0 else { throw Errno(code) }
        id = process
        let ended = mw_pidfd_open(process)
        guard ended >= 0 else { throw .current }
        outputPipe = output
        errorPipe = errors
        outputPipe.closeWriting()
        errorPipe.closeWriting()
        end = OwnedDescriptor(owning: ended)
    }

    deinit {
        guard status == nil else { return }
        _ = kill(id, SIGKILL)
        _ = waitpid(id, nil, 0)
    }

    package func send(_ signal: CInt) {
        if status == nil { _ = kill(id, signal) }
    }

    /// Collects output until the condition holds, the process ends, or the time is over.
    ///
    /// - Returns: Whether the condition holds.
    @discardableResult
    package func read(timeout seconds: Int = 30, until condition: (ChildProcess) -> Bool) -> Bool {
        let deadline = Self.now() + Int64(seconds) * 1_000
        while !condition(self) {
            guard status == nil, collect(until: deadline) else { return condition(self) }
        }
        return true
    }

    /// Waits for the end and collects the rest of the output; kills what takes too long.
    package func finish(timeout seconds: Int = 60) -> ProcessResult {
        read(timeout: seconds) { $0.status != nil }
        if status == nil {
            _ = kill(id, SIGKILL)
            _ = waitpid(id, nil, 0)
            status = .timedOut
            drain()
        }
        return ProcessResult(status: status ?? .timedOut, output: output, errors: errors)
    }

    // MARK: Waiting

    /// Waits for output or the end once; false where the time is over.
    private func collect(until deadline: Int64) -> Bool {
        let numbers = [outputPipe.reading.lend { $0 }, errorPipe.reading.lend { $0 }, end.lend { $0 }]
        // What was closed at the other end would be ready for ever.
        var asked = zip(numbers, [isOutputOpen, isErrorOpen, true]).map { number, isOpen in
            pollfd(fd: isOpen ? number : -1, events: Int16(POLLIN), revents: 0)
        }
        let left = max(0, deadline - Self.now())
        let ready = unsafe poll(&asked, nfds_t(asked.count), CInt(clamping: left))
        guard ready > 0 else { return ready < 0 && Errno.current == .interrupted }
        let hasEnded = asked[2].revents != 0
        drain()
        if hasEnded { reap() }
        return true
    }

    private var isOutputOpen = true
    private var isErrorOpen = true

    /// Reads what is there without waiting: what the process left in the pipes, not what its children may still write.
    private func drain() {
        if isOutputOpen { isOutputOpen = Self.drain(outputPipe.reading, into: &output) }
        if isErrorOpen { isErrorOpen = Self.drain(errorPipe.reading, into: &errors) }
    }

    private static func drain(_ pipe: borrowing OwnedDescriptor, into bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                pipe.lend { unsafe CLinux.read($0, buffer.baseAddress, buffer.count) }
            }
            if count == 0 { return false }
            guard count > 0 else { return true }
            bytes += chunk[..<count]
        }
    }

    private func reap() {
        var code: CInt = 0
        guard unsafe waitpid(id, &code, 0) == id else { return }
        drain()
        let signal = code & 0x7F
        status = signal == 0 ? .exited(code >> 8 & 0xFF) : .signaled(signal)
    }

    private static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: Starting

    private static func descriptor(holding input: [UInt8]?) throws(Errno) -> OwnedDescriptor {
        guard let input else {
            return OwnedDescriptor(
                owning: try unsafe RawPath("/dev/null").call { unsafe mw_openat(AT_FDCWD, $0, O_RDONLY, 0) }
            )
        }
        let number = unsafe memfd_create("input", CUnsignedInt(MFD_CLOEXEC))
        guard number >= 0 else { throw .current }
        let file = OwnedDescriptor(owning: number)
        var rest = input[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe CLinux.write(number, $0.baseAddress, $0.count) }
            guard count > 0 else { throw .current }
            rest = rest.dropFirst(count)
        }
        guard lseek(number, 0, SEEK_SET) == 0 else { throw .current }
        return file
    }

    /// The tests may have blocked signals or ignore SIGPIPE; the program starts as from a shell.
    private static func resetSignals(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        unsafe sigemptyset(&none)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    }

    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe body(&pointers)
    }
}

/// A pipe whose reading end never blocks.
private final class Pipe {
    let reading: OwnedDescriptor
    private(set) var writing: OwnedDescriptor

    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw .current }
        reading = OwnedDescriptor(owning: ends[0])
        writing = OwnedDescriptor(owning: ends[1])
        guard mw_fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 else { throw .current }
    }

    func closeWriting() {
        writing = OwnedDescriptor(owning: -1)
    }
}
