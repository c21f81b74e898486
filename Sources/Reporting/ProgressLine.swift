internal import CLinux

/// How far a walk has come.
package struct Progress: Hashable, Sendable {
    package var files: Int
    /// Read and hashed.
    package var bytes: UInt64

    package init(files: Int, bytes: UInt64) {
        self.files = files
        self.bytes = bytes
    }
}

/// The line that shows how far a walk has come: files, bytes, rate, time left.
///
/// Never wider than `width`; what is least needed goes first. `total` is what the last walk found, where there was
/// one; `elapsed` is in nanoseconds since the walk began.
package func progressText(done: Progress, total: Progress?, elapsed: Int64, width: Int = 80) -> String {
    let known = total.flatMap { $0.files >= done.files && $0.bytes >= done.bytes ? $0 : nil }
    let files = known.map { "\(done.files) of \(counted($0.files, "file"))" } ?? counted(done.files, "file")
    let bytes = known.map { "\(byteText(done.bytes)) of \(byteText($0.bytes))" } ?? byteText(done.bytes)
    var words = [files, bytes]
    // The first moments tell nothing of the rate.
    if elapsed >= 200_000_000 {
        let perSecond = Double(done.bytes) * 1e9 / Double(elapsed)
        words.append(byteText(UInt64(min(perSecond, 1e18))) + "/s")
        if let known, done.bytes > 0, let left = timeLeft(done, known, elapsed) {
            words.append(durationText(left) + " left")
        }
    }
    let candidates = (1...words.count).reversed().map { words.prefix($0).joined(separator: ", ") }
    let shortest = String(done.files)
    let text = fitting(width, candidates + [shortest])
    return columns(text) <= width ? text : ""
}

/// Nanoseconds, by the share of the bytes that are read; nil where that would be a guess of days.
private func timeLeft(_ done: Progress, _ total: Progress, _ elapsed: Int64) -> Int64? {
    let left = Double(elapsed) * Double(total.bytes - done.bytes) / Double(done.bytes)
    guard left < 86_400e9 else { return nil }
    // Tenths of seconds would only flicker.
    return Int64((left / 1e9).rounded(.up)) * 1_000_000_000
}

/// Keeps one line of a terminal up to date, and leaves nothing behind.
///
/// Belongs to one thread. On anything but a terminal every call does nothing.
package struct ProgressLine: ~Copyable {
    private let descriptor: CInt
    private let isTerminal: Bool
    private var lastShown: Int64?
    private var isVisible = false

    /// Draws on `descriptor`, which stays the caller's.
    package init(descriptor: CInt = 2) {
        self.init(descriptor: descriptor, isTerminal: isatty(descriptor) == 1)
    }

    /// A test says itself what is a terminal.
    init(descriptor: CInt, isTerminal: Bool) {
        self.descriptor = descriptor
        self.isTerminal = isTerminal
    }

    /// Shows the state, ten times a second at most; `elapsed` is in nanoseconds since the walk began.
    package mutating func show(done: Progress, total: Progress? = nil, elapsed: Int64) {
        guard isTerminal, lastShown.map({ elapsed - $0 >= 100_000_000 }) ?? true else { return }
        lastShown = elapsed
        isVisible = true
        // The last column stays free: some terminals go to the next line when it is written.
        let width = terminalWidth(descriptor) - 1
        put("\r" + progressText(done: done, total: total, elapsed: elapsed, width: width) + "\u{1B}[K")
    }

    /// Takes the line away, so that the report begins on a clean one.
    package mutating func erase() {
        guard isVisible else { return }
        isVisible = false
        put("\r\u{1B}[K")
    }

    deinit {
        if isVisible { ProgressLine.put("\r\u{1B}[K", descriptor) }
    }

    private func put(_ text: String) { ProgressLine.put(text, descriptor) }

    /// Progress that cannot be shown is nobody's problem.
    private static func put(_ text: String, _ descriptor: CInt) {
        var bytes = Array(text.utf8)
        try? writeAll(&bytes, to: descriptor)
    }
}

/// The columns of a terminal (ioctl_tty(2), `TIOCGWINSZ`); 80 where it does not say.
package func terminalWidth(_ descriptor: CInt) -> Int {
    let width = mw_terminal_width(descriptor)
    return width > 0 ? Int(width) : 80
}
