internal import CLinux
internal import Host
package import Integrity
internal import Synchronization
package import Warden

/// Prints finished entries one a line, for `watch` on a terminal or in a pipe.
package final class LinePublisher: Publisher {
    package enum Form: Hashable, Sendable {
        /// The time and one sentence.
        case text(TextStyle)
        /// `Entry.json` on one line.
        case jsonl
    }

    private let descriptor: CInt
    private let form: Form
    /// Held over a whole line, so that two threads never mix theirs; holds what is still to be written of a line that
    /// a failed write cut off.
    private let rest = Mutex<[UInt8]>([])

    /// Prints to `descriptor`, which stays the caller's and is never closed here.
    package init(descriptor: CInt = 1, form: Form) {
        self.descriptor = descriptor
        self.form = form
    }

    package func publish(_ entry: Entry) throws(PublishError) {
        let line = Array((text(of: entry) + "\n").utf8)
        let failure: Errno? = rest.withLock { rest in
            do throws(Errno) {
                // A line that was cut off is finished first, so that what follows stands on a line of its own.
                try write(&rest)
                var bytes = line
                do throws(Errno) {
                    try write(&bytes)
                } catch {
                    // What has not begun is left to the caller, who sends it again.
                    if bytes.count < line.count { rest = bytes }
                    if bytes.count == line.count || error == .brokenPipe { throw error }
                }
                return nil
            } catch {
                return error
            }
        }
        guard let failure else { return }
        if failure == .brokenPipe {
            throw PublishError("standard output is closed: nobody reads it any more")
        }
        throw PublishError("standard output takes no more: \(failure)")
    }

    /// Nothing is known of what a reader kept.
    package func alreadyPublished(_ entries: [Entry]) -> Set<Int64>? { nil }

    private func text(of entry: Entry) -> String {
        switch form {
        case .jsonl: return entry.json.compact
        case .text(let style):
            let sentence = message(for: entry)
            let shown =
                if case .change(let finding) = entry.event, finding.verdict == .unauthorized {
                    Paint(finding.severity).apply(sentence, style)
                } else {
                    sentence
                }
            return "\(entry.time.toSecond) \(shown)"
        }
    }

    private func write(_ bytes: inout [UInt8]) throws(Errno) {
        try writeAll(&bytes, to: descriptor)
    }
}

extension Errno {
    static let brokenPipe = Errno(EPIPE)
}

/// Writes everything, however little each write(2) takes, and waits where a non-blocking descriptor is full.
///
/// What was written is removed from `bytes`, also where an error ends it.
func writeAll(_ bytes: inout [UInt8], to descriptor: CInt) throws(Errno) {
    while !bytes.isEmpty {
        let (written, code) = withoutBrokenPipeSignal { () -> (Int, CInt) in
            let result = unsafe bytes.withUnsafeBytes {
                unsafe CLinux.write(descriptor, $0.baseAddress, $0.count)
            }
            return (result, result < 0 ? mw_errno() : 0)
        }
        if written >= 0 {
            bytes.removeFirst(written)
            continue
        }
        switch Errno(code) {
        case .interrupted: continue
        case .again:
            var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = unsafe poll(&wanted, 1, -1)
        default: throw Errno(code)
        }
    }
}

/// Keeps SIGPIPE from this thread while `body` writes, and takes back the one it raised: ignoring the signal for the
/// whole process would be inherited by every build that `guard` starts (execve(2)).
private func withoutBrokenPipeSignal<Result>(_ body: () -> Result) -> Result {
    var pipe = sigset_t()
    unsafe sigemptyset(&pipe)
    unsafe sigaddset(&pipe, SIGPIPE)
    var pending = sigset_t()
    unsafe sigpending(&pending)
    let wasPending = unsafe sigismember(&pending, SIGPIPE) == 1
    var before = sigset_t()
    unsafe pthread_sigmask(SIG_BLOCK, &pipe, &before)
    let result = body()
    if !wasPending {
        var nothing = timespec(tv_sec: 0, tv_nsec: 0)
        unsafe sigtimedwait(&pipe, nil, &nothing)
    }
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    return result
}
