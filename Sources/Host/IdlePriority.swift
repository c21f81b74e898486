internal import CLinux
internal import Integrity

/// The lowest priorities there are, for work that nobody waits for.
package enum IdlePriority {
    /// Lets the calling thread run and read only where nobody else wants to: `SCHED_IDLE` (sched(7)) and the idle class
    /// of ioprio_set(2).
    ///
    /// Nobody needs a privilege for it. A kernel that refuses leaves the thread as it is.
    package static func take() {
        _ = mw_sched_idle()
        _ = mw_ioprio_idle()
    }
}

/// How much of the last ten seconds somebody had to wait for memory or storage (PSI, Documentation/accounting/psi.rst
/// of the kernel).
package struct StallPressure: Hashable, Sendable {
    /// Per cent of the time in which some task waited.
    package var memory: Double
    package var io: Double

    package init(memory: Double, io: Double) {
        self.memory = memory
        self.io = io
    }

    /// Nil where the kernel does not keep the count.
    package static func current() -> StallPressure? {
        guard let memory = share("/proc/pressure/memory"), let io = share("/proc/pressure/io") else {
            return nil
        }
        return StallPressure(memory: memory, io: io)
    }

    private static func share(_ path: RawPath) -> Double? {
        guard let bytes = try? HostFiles().read(path) else { return nil }
        return some(bytes)
    }

    /// The number after `some avg10=`.
    static func some(_ bytes: [UInt8]) -> Double? {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.first == "some", let word = words.first(where: { $0.hasPrefix("avg10=") }) else {
                continue
            }
            return Double(word.dropFirst("avg10=".count)).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
        }
        return nil
    }

    /// A host in need: a tenth of the time waiting for memory, or half of it for storage, which one busy reader alone
    /// can make.
    package var isHigh: Bool { memory >= 10 || io >= 50 }
}
