import Integrity

/// What one process holds of inotify.
package struct WatchUser: Hashable, Sendable {
    package var pid: Int
    /// The name of the program (comm), as the kernel keeps it: 15 bytes that the process itself may choose.
    package var command: [UInt8]
    package var instances: Int
    package var watches: Int

    package init(pid: Int, command: [UInt8], instances: Int, watches: Int) {
        self.pid = pid
        self.command = command
        self.instances = instances
        self.watches = watches
    }
}

/// The limits of inotify (inotify(7)), and who uses how much of them.
package struct WatchUse: Hashable, Sendable {
    /// The smaller one of the host's limit and that of this user namespace, and which one that is.
    package var watchLimit: Fact<Int>
    package var watchKey = "fs.inotify.max_user_watches"
    package var instanceLimit: Fact<Int>
    package var instanceKey = "fs.inotify.max_user_instances"
    /// `fs.inotify.max_queued_events`.
    package var queueLimit: Fact<Int>
    /// The processes of this user that hold an instance, those with the most watches first: the limits are a user's.
    package var users: [WatchUser] = []
    /// Processes of this user that could not be looked into.
    package var unseen = 0

    package init(watchLimit: Fact<Int>, instanceLimit: Fact<Int>, queueLimit: Fact<Int>) {
        self.watchLimit = watchLimit
        self.instanceLimit = instanceLimit
        self.queueLimit = queueLimit
    }

    /// Reads the limits and goes through all processes of a user.
    ///
    /// - Parameters:
    ///   - uid: The effective user, to whom the kernel counts.
    ///   - files: Where /proc is.
    /// - Returns: What could be found out.
    package static func gather(uid: UInt32, from files: HostFiles) -> WatchUse {
        var use = WatchUse(
            watchLimit: Fact { () throws(Errno) in try files.number(limits.appending("max_user_watches")) },
            instanceLimit: Fact { () throws(Errno) in
                try files.number(limits.appending("max_user_instances"))
            },
            queueLimit: Fact { () throws(Errno) in try files.number(limits.appending("max_queued_events")) }
        )
        use.lowerToNamespace(files)
        let processes = (try? files.names(in: "/proc")) ?? []
        for name in processes {
            guard let pid = decimal(name) else { continue }
            use.take(pid, uid, files)
        }
        use.users.sort { ($1.watches, $0.pid) < ($0.watches, $1.pid) }
        return use
    }

    /// A user namespace may have lower limits of its own (namespaces(7), /proc/sys/user).
    private mutating func lowerToNamespace(_ files: HostFiles) {
        if let host = watchLimit.value, let lower = try? files.number(own.appending("max_inotify_watches")),
            lower < host
        {
            (watchLimit, watchKey) = (.known(lower), "user.max_inotify_watches")
        }
        if let host = instanceLimit.value,
            let lower = try? files.number(own.appending("max_inotify_instances")),
            lower < host
        {
            (instanceLimit, instanceKey) = (.known(lower), "user.max_inotify_instances")
        }
    }

    private mutating func take(_ pid: Int, _ uid: UInt32, _ files: HostFiles) {
        let process = RawPath("/proc/\(pid)")
        guard let status = try? files.read(process.appending("status"), limit: 64 << 10),
            ProcessStatus(status).effectiveUID == uid
        else { return }
        var user = WatchUser(pid: pid, command: [], instances: 0, watches: 0)
        do {
            for descriptor in try files.names(in: process.appending("fd")) {
                let link = process.appending("fd").appending(descriptor)
                // Closed meanwhile, or gone with its process: it holds nothing any more.
                guard let target = try? files.target(of: link),
                    target.elementsEqual("anon_inode:inotify".utf8)
                else { continue }
                user.instances += 1
                let info = process.appending("fdinfo").appending(descriptor)
                user.watches += (try? files.count(linesBeginning: "inotify ", in: info)) ?? 0
            }
        } catch {
            if !error.isAbsence { unseen += 1 }
            return
        }
        guard user.instances > 0 else { return }
        user.command = trimmed((try? files.read(process.appending("comm"), limit: 64)) ?? [])
        users.append(user)
    }
}

private let limits: RawPath = "/proc/sys/fs/inotify"
private let own: RawPath = "/proc/sys/user"

/// A name that is a number, as processes have in /proc.
private func decimal(_ name: [UInt8]) -> Int? {
    guard name.count <= 10, name.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else {
        return nil
    }
    return String(validating: name, as: UTF8.self).flatMap { Int($0) }
}

/// What /proc/PID/status tells; what is missing or broken in it is nil.
package struct ProcessStatus: Hashable, Sendable {
    package private(set) var effectiveUID: UInt32?
    /// The effective capabilities, bit by bit (capabilities(7)).
    package private(set) var capabilities: UInt64?

    package init(_ bytes: [UInt8]) {
        effectiveUID = ProcessOwner(bytes[...]).effectiveUID
        for line in lines(bytes) where line.starts(with: "CapEff:".utf8) {
            guard let value = String(validating: line.dropFirst(7), as: UTF8.self) else { continue }
            let fields = value.split { $0 == "\t" || $0 == " " }
            if fields.count == 1 { capabilities = UInt64(fields[0], radix: 16) }
        }
    }
}
