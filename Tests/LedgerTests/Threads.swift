import CLinux
import Synchronization

/// A barrier of one ring: who waits goes on once somebody rang.
@safe final class Bell: @unchecked Sendable {
    // Written before any thread sees it, and used by write(2) and read(2) alone from then on.
    private let descriptor = eventfd(0, CInt(EFD_CLOEXEC))

    func ring() { _ = eventfd_write(descriptor, 1) }

    func wait() {
        var value: eventfd_t = 0
        _ = unsafe eventfd_read(descriptor, &value)
    }

    deinit { close(descriptor) }
}

/// A thread of its own, so that waiting in it holds up no task.
final class Thread: Sendable {
    private let done = Bell()

    init(_ body: @escaping @Sendable () -> Void) {
        let start = Start(body: body, done: done)
        var number = pthread_t()
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        _ = unsafe pthread_create(
            &number,
            nil,
            { context in
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.body()
                start.done.ring()
                return nil
            },
            context
        )
        pthread_detach(number)
    }

    func join() { done.wait() }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        let done: Bell

        init(body: @escaping @Sendable () -> Void, done: Bell) { (self.body, self.done) = (body, done) }
    }
}
