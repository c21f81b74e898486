/// What /proc told of a process at one moment; what could not be read, or is not well formed, is nil.
package struct ProcessFacts: Hashable, Sendable {
    package var exe: [UInt8]?
    package var cmdline: [[UInt8]] = []
    package var parent: Int32?
    /// The effective one: as whom it may write.
    package var uid: UInt32?
    package var loginuid: UInt32?
    package var group: ControlGroup?

    package init() {}
}

extension ProcessFacts {
    /// The arguments of /proc/PID/cmdline: each ends with a NUL, the last one also where the text was cut.
    ///
    /// A process may write what it likes there, NULs too.
    package static func arguments(_ cmdline: ArraySlice<UInt8>) -> [[UInt8]] {
        guard !cmdline.isEmpty else { return [] }
        let whole = cmdline.last == 0 ? cmdline.dropLast() : cmdline
        return whole.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The login uid of /proc/PID/loginuid; nil where nobody logged in.
    package static func loginuid(_ text: ArraySlice<UInt8>) -> UInt32? {
        guard let number: UInt32 = decimal(text), number != .max else { return nil }
        return number
    }
}

/// What /proc/PID/stat tells (proc_pid_stat(5)), of which a part is needed.
package struct ProcessStat: Hashable, Sendable {
    package var pid: Int32
    package var parent: Int32
    /// In clock ticks since boot; together with the pid it names one process.
    package var started: UInt64

    /// Nil where the text is not what the kernel writes.
    ///
    /// The name in parentheses is the process's own choice and may hold parentheses, blanks and newlines: it ends at
    /// the last `)`.
    package init?(_ text: ArraySlice<UInt8>) {
        guard let open = text.firstIndex(of: UInt8(ascii: "(")),
            let close = text.lastIndex(of: UInt8(ascii: ")")), open < close,
            let pid: UInt32 = decimal(text[..<open]), let number = Int32(exactly: pid)
        else { return nil }
        let fields = text[(close + 1)...].split { $0 == 0x20 || $0 == 0x0A }
        // The state is field 3, the parent 4, the start 22; something has to follow, or its digits may have been cut.
        guard fields.count > 20, fields[0].count == 1, let parent: UInt32 = decimal(fields[1]),
            let parentNumber = Int32(exactly: parent), let started: UInt64 = decimal(fields[19])
        else { return nil }
        self.pid = number
        self.parent = parentNumber
        self.started = started
    }
}

/// What /proc/PID/status tells of the family and the user, and no more.
package struct ProcessOwner: Hashable, Sendable {
    package var parent: Int32?
    package var effectiveUID: UInt32?

    /// The first line of a name counts: the process's own name comes before, and the kernel escapes newlines in it.
    package init(_ text: ArraySlice<UInt8>) {
        for line in text.split(separator: 0x0A, maxSplits: 64) {
            if parent == nil, line.starts(with: "PPid:".utf8) {
                parent = decimal(line.dropFirst(5)).flatMap { (number: UInt32) in Int32(exactly: number) }
            } else if line.starts(with: "Uid:".utf8) {
                let fields = line.dropFirst(4).split { $0 == 0x09 || $0 == 0x20 }
                if fields.count == 4 { effectiveUID = decimal(fields[1]) }
                return
            }
        }
    }
}

/// A number and white space around it, nothing else.
func decimal<Number: FixedWidthInteger>(_ text: ArraySlice<UInt8>) -> Number? {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0A }
    var digits = text.drop(while: isBlank)
    while let last = digits.last, isBlank(last) { digits = digits.dropLast() }
    guard !digits.isEmpty, digits.count <= 20 else { return nil }
    var number: Number = 0
    for byte in digits {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
        let (sum, stillTooLarge) = product.addingReportingOverflow(Number(byte - UInt8(ascii: "0")))
        if tooLarge || stillTooLarge { return nil }
        number = sum
    }
    return number
}
