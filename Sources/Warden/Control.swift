import CLinux
package import Host
package import Integrity

/// The read-only control socket: whoever may open it sends one line, and gets one JSON line back.
///
/// The socket lies in the state directory (mode 0700). Requests are bounded in size and time; one is served after the
/// other. A visit also rings the outboxes, so that rows another process wrote are published.
package final class ControlServer: Sendable {
    package static let socketName = "control.sock"
    private static let requestLimit = 256

    private let listener: SocketDescriptor
    private let board: StatusBoard
    private let visited: @Sendable () -> Void

    /// - Throws: The errno of socket(2), bind(2) or listen(2).
    package init(
        stateDirectory: RawPath,
        board: StatusBoard,
        visited: @escaping @Sendable () -> Void
    ) throws(Errno) {
        self.board = board
        self.visited = visited
        listener = try SocketDescriptor.listen(in: stateDirectory, name: ControlServer.socketName)
    }

    /// Serves until `stop`; to be called on a thread of its own.
    package func serve() {
        while let client = listener.accept() { answer(client) }
    }

    package func stop() { listener.shutDown() }

    private func answer(_ client: SocketDescriptor) {
        visited()
        guard let request = client.readLine(limit: ControlServer.requestLimit, seconds: 2) else { return }
        var reply = JSONObject()
        if request.elementsEqual("status".utf8) {
            reply.append("ok", .bool(true))
            reply.append("status", board.json)
        } else {
            reply.append("ok", .bool(false))
            reply.append("error", .string("unknown request; this socket answers 'status'"))
        }
        client.write(Array((JSON.object(reply).compact + "\n").utf8), seconds: 2)
    }
}

/// The other end: asks a running service.
package enum ControlClient {
    /// The service's answer; nil where none runs.
    package static func status(stateDirectory: RawPath) -> JSON? {
        guard let socket = try? SocketDescriptor.connect(in: stateDirectory, name: ControlServer.socketName)
        else {
            return nil
        }
        socket.write(Array("status\n".utf8), seconds: 2)
        guard let line = socket.readLine(limit: 1 << 20, seconds: 5), let reply = try? JSON(parsing: line)
        else {
            return nil
        }
        return reply.object?["status"]
    }
}

/// A Unix stream socket with one owner.
///
/// A class, because one thread accepts while another ends it.
package final class SocketDescriptor: Sendable {
    private let number: CInt

    private init(_ number: CInt) { self.number = number }

    deinit { _ = close(number) }

    static func listen(in directory: RawPath, name: String) throws(Errno) -> SocketDescriptor {
        let socket = try make()
        try SocketDescriptor.withPath(in: directory, name: name) { (path) throws(Errno) in
            _ = unsafe unlink(path)
            let old = umask(0o177)
            defer { umask(old) }
            guard unsafe mw_unix_bind(socket.number, path) == 0 else { throw Errno.current }
        }
        guard CLinux.listen(socket.number, 16) == 0 else { throw Errno.current }
        return socket
    }

    static func connect(in directory: RawPath, name: String) throws(Errno) -> SocketDescriptor {
        let socket = try make()
        try SocketDescriptor.withPath(in: directory, name: name) { (path) throws(Errno) in
            guard unsafe mw_unix_connect(socket.number, path) == 0 else { throw Errno.current }
        }
        return socket
    }

    private static func make() throws(Errno) -> SocketDescriptor {
        let number = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno.current }
        return SocketDescriptor(number)
    }

    /// A socket's address holds 108 bytes; the directory is named through its descriptor, so that its path may be
    /// longer (unix(7)).
    private static func withPath(
        in directory: RawPath,
        name: String,
        _ body: ([CChar]) throws(Errno) -> Void
    ) throws(Errno) {
        let folder = try KernelTree().openDirectory(directory)
        try folder.lend { (descriptor) throws(Errno) in
            try body("/proc/self/fd/\(descriptor)/\(name)".utf8.map { CChar(bitPattern: $0) } + [0])
        }
    }

    func accept() -> SocketDescriptor? {
        while true {
            let client = mw_accept(number)
            if client >= 0 { return SocketDescriptor(client) }
            let error = Errno.current
            if error != .interrupted && error.code != ECONNABORTED { return nil }
        }
    }

    func shutDown() { _ = shutdown(number, Int32(SHUT_RDWR)) }

    /// One line without its end; nil where none came in time.
    func readLine(limit: Int, seconds: Int) -> [UInt8]? {
        setTimeout(SO_RCVTIMEO, seconds)
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while line.count <= limit {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(number, $0.baseAddress, $0.count, 0)
            }
            guard count > 0 else { return nil }
            line.append(contentsOf: buffer[..<count])
            if let end = line.firstIndex(of: 0x0A) { return Array(line[..<end]) }
        }
        return nil
    }

    func write(_ bytes: [UInt8], seconds: Int) {
        setTimeout(SO_SNDTIMEO, seconds)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func setTimeout(_ option: CInt, _ seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        _ = unsafe setsockopt(number, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }
}
