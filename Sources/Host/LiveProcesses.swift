/// Writers of a host whose connector does not speak to us: read while they live, by the descriptor that came with the
/// event.
///
/// A process that replaces its program right after it wrote is told as what it became.
struct LiveProcesses {
    private struct Kept {
        var started: UInt64
        var process: KnownProcess
        var until: UInt64
    }

    private var kept: [Int32: Kept] = [:]
    private var serials: [Identity: UInt64] = [:]
    private var lastSerial: UInt64 = 0

    private struct Identity: Hashable {
        var pid: Int32
        var started: UInt64
    }

    /// How long what was read is used again for the same process, in nanoseconds: many events come from one.
    private static let fresh: UInt64 = 100_000_000
    private static let limit = 4_096

    /// The process behind an event; nil where it is gone.
    mutating func find(
        _ pid: Int32,
        pidfd: CInt,
        _ files: ProcessFiles,
        at now: UInt64
    ) -> KnownProcess? {
        guard let stat = files.stat(pid) else { return nil }
        if let known = kept[pid], known.started == stat.started, known.until > now { return known.process }
        guard let facts = files.facts(pid, pidfd: pidfd), files.stat(pid) == stat else { return nil }
        if kept.count >= LiveProcesses.limit { kept = kept.filter { $0.value.until > now } }
        if kept.count >= LiveProcesses.limit { kept = [:] }
        if serials.count >= LiveProcesses.limit { serials = [:] }
        let identity = Identity(pid: pid, started: stat.started)
        let serial = serials[identity] ?? lastSerial + 1
        lastSerial = max(lastSerial, serial)
        serials[identity] = serial
        var process = KnownProcess(
            serial: serial,
            pid: pid,
            born: 0,
            images: [ProcessImage(since: 0, facts: facts)]
        )
        process.parents = parents(of: pid, facts.parent, files)
        kept[pid] = Kept(started: stat.started, process: process, until: now + LiveProcesses.fresh)
        return process
    }

    /// The executables above; each is believed while its child still says that it is its parent.
    private func parents(of pid: Int32, _ parent: Int32?, _ files: ProcessFiles) -> [[UInt8]] {
        var chain: [[UInt8]] = []
        var (child, next) = (pid, parent)
        while chain.count < 16, let number = next, number > 0, let facts = files.facts(number),
            let exe = facts.exe, files.parent(child) == number
        {
            chain.append(exe)
            (child, next) = (number, facts.parent)
        }
        return chain
    }
}
