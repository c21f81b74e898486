internal import CLinux
import Synchronization

/// A kernel thread of our own.
///
/// Blocking work runs here, never on the cooperative pool, which has one thread a core.
///
/// Every signal is blocked in it: signals are for the thread that reads them (`SignalSource`).
package final class OSThread: Sendable {
    /// Nil once joined.
    private let handle: Mutex<pthread_t?>

    /// Starts the thread.
    /// - Parameters:
    ///   - name: shown by ps(1) and top(1); the kernel keeps its first 15 bytes.
    ///   - stackSize: bytes, raised to `PTHREAD_STACK_MIN`; nil for the system's default (8 MiB of address space).
    ///   - body: what it does; the thread ends when it returns.
    /// - Throws: `EAGAIN` where the host allows no further thread (pthread_create(3)).
    package init(
        name: String,
        stackSize: Int? = nil,
        _ body: @escaping @Sendable () -> Void
    ) throws(Errno) {
        handle = Mutex(try startThread(ThreadStart(name: name, body: body), stackSize: stackSize))
    }

    /// Waits until the thread has ended; at once where it was joined before.
    ///
    /// Never called from the thread itself.
    package func join() {
        handle.withLock { handle in
            guard let thread = handle else { return }
            _ = pthread_join(thread, nil)
            handle = nil
        }
    }

    deinit {
        handle.withLock { handle in
            guard let thread = handle else { return }
            _ = pthread_detach(thread)
        }
    }
}

/// What a new thread is handed.
private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func startThread(_ start: ThreadStart, stackSize: Int?) throws(Errno) -> pthread_t {
    var thread = pthread_t()
    var options = pthread_attr_t()
    var code = unsafe pthread_attr_init(&options)
    if code != 0 { throw Errno(code) }
    defer { unsafe pthread_attr_destroy(&options) }
    if let stackSize {
        // Whole pages; the largest PTHREAD_STACK_MIN of any architecture we build for is 128 KiB.
        let rounded = (max(stackSize, 131_072) + 65_535) / 65_536 * 65_536
        code = unsafe pthread_attr_setstacksize(&options, rounded)
        if code != 0 { throw Errno(code) }
    }
    // A thread inherits the mask of the one that makes it.
    var everything = sigset_t()
    var before = sigset_t()
    unsafe sigfillset(&everything)
    unsafe pthread_sigmask(SIG_SETMASK, &everything, &before)
    // The retained object is balanced by `takeRetainedValue` in the thread, or below where there is no thread.
    let object = unsafe Unmanaged.passRetained(start)
    code = unsafe pthread_create(&thread, &options, runThread, object.toOpaque())
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    if code != 0 {
        unsafe object.release()
        throw Errno(code)
    }
    return thread
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // `startThread` passes the retained object and nothing else.
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    // A longer name would be refused, not cut.
    let name = start.name.utf8.prefix(15).map(CChar.init(bitPattern:)) + [0]
    unsafe mw_name_thread(name)
    start.body()
    return nil
}
