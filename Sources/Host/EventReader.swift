/// What one read gave, undecoded.
package struct EventChunk: Sendable {
    package var bytes: [UInt8]
    /// Boot-time nanoseconds (`CLOCK_BOOTTIME`) right after the read.
    package var readAt: UInt64

    package init(bytes: [UInt8], readAt: UInt64) {
        self.bytes = bytes
        self.readAt = readAt
    }
}

/// Everything that was read since the last time.
package struct EventBatch: Sendable {
    package var chunks: [EventChunk] = []
    /// Chunks behind these were dropped because the consumer fell too far behind.
    ///
    /// What the kernel itself dropped shows as `queueOverflow` in the chunks.
    package var lost = false
    /// Why reading has ended, should it have ended by itself: nothing more will ever come.
    package var failure: Errno?

    package init() {}
}

/// A thread that does nothing but drain one inotify instance, so that a slow disk can never make the kernel drop events.
///
/// Memory is bounded: past `limit` bytes everything is dropped until the consumer has drained, and the batch says so.
package final class EventReader: Sendable {
    private let channel: EventChannel
    private let thread: OSThread

    /// Starts the thread.
    /// - Parameters:
    ///   - inotify: nobody else may read it.
    ///   - bell: rung when there is something to drain. Clear it first, then drain.
    ///   - limit: the bytes held for the consumer, overhead included.
    ///   - clock: boot-time nanoseconds.
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`, `EAGAIN` where the host allows no further descriptor or thread.
    package init(
        _ inotify: Inotify,
        bell: EventBell,
        limit: Int = 32 << 20,
        clock: @escaping @Sendable () -> UInt64
    ) throws(Errno) {
        let channel = EventChannel(inotify, control: try EventBell(), bell: bell, limit: limit, clock: clock)
        self.channel = channel
        thread = try OSThread(name: "mw-events") { channel.run() }
    }

    /// Takes what was read since the last time, in order; empty where that is nothing.
    package func drain() -> EventBatch { channel.drain() }

    /// How many bytes wait to be drained, overhead included, and how many may.
    package var held: (bytes: Int, limit: Int) { channel.held }

    /// Waits until everything that the kernel had queued when this was called can be drained; at once where reading has
    /// ended.
    package func barrier() { channel.barrier() }

    /// Reads what the kernel has queued, ends the thread and waits for it.
    ///
    /// What it read can still be drained.
    package func stop() {
        channel.requestStop()
        thread.join()
    }

    deinit { stop() }
}

/// What the thread and its owner share.
///
/// The thread holds this and not the reader, whose end stops it.
private final class EventChannel: Sendable {
    private struct State: Sendable {
        var batch = EventBatch()
        var heldBytes = 0
        var stopRequested = false
        var hasEnded = false
        /// Barriers are numbered; all up to `barriersDone` have been reached.
        var barriersAsked: UInt64 = 0
        var barriersDone: UInt64 = 0
    }

    private let inotify: Inotify
    private let control: EventBell
    private let bell: EventBell
    private let limit: Int
    private let clock: @Sendable () -> UInt64
    private let monitor = Monitor(State())

    init(
        _ inotify: Inotify,
        control: EventBell,
        bell: EventBell,
        limit: Int,
        clock: @escaping @Sendable () -> UInt64
    ) {
        self.inotify = inotify
        self.control = control
        self.bell = bell
        self.limit = limit
        self.clock = clock
    }

    // MARK: The owner's side

    func drain() -> EventBatch {
        monitor.withLock { state in
            let batch = state.batch
            state.batch = EventBatch()
            state.batch.failure = batch.failure
            state.heldBytes = 0
            return batch
        }
    }

    var held: (bytes: Int, limit: Int) { (monitor.withLock { $0.heldBytes }, limit) }

    func barrier() {
        let number = monitor.withLock { state in
            state.barriersAsked += 1
            return state.barriersAsked
        }
        control.ring()
        _ = monitor.await { state in state.barriersDone >= number || state.hasEnded ? true : nil }
    }

    func requestStop() {
        monitor.withLock { state in state.stopRequested = true }
        control.ring()
    }

    // MARK: The thread's side

    func run() {
        do throws(Errno) {
            try readUntilStopped()
        } catch {
            monitor.withLock { state in
                state.batch.failure = error
                state.batch.lost = true
            }
            bell.ring()
        }
        monitor.withLock { state in state.hasEnded = true }
        monitor.notify()
    }

    private func readUntilStopped() throws(Errno) {
        var poller = Poller([inotify, control])
        // Larger than what comes at once while this thread keeps up; one allocation for its whole life.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            // Requests are looked at before reading, so that what was queued before them is read before they are met.
            let (asked, done, stops) = monitor.withLock { state in
                (state.barriersAsked, state.barriersDone, state.stopRequested)
            }
            if asked > done || stops {
                unsafe try readWhatIsQueued(buffer)
                monitor.withLock { state in state.barriersDone = asked }
                monitor.notify()
                if stops { return }
                continue
            }
            if unsafe try readOnce(buffer) > 0 { continue }
            _ = try poller.wait()
            control.clear()
        }
    }

    /// Reads as much as was queued at its start; writers may be faster than any reader, so it does not wait for the end.
    private func readWhatIsQueued(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        var left = inotify.queuedBytes
        // At least once, so that what is wrong with the descriptor shows.
        repeat {
            let count = unsafe try readOnce(buffer)
            if count == 0 { return }
            left -= count
        } while left > 0
    }

    private func readOnce(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let count = unsafe try inotify.read(into: buffer)
        guard count > 0 else { return 0 }
        let chunk = EventChunk(bytes: unsafe Array(buffer.prefix(count)), readAt: clock())
        if append(chunk) { bell.ring() }
        return count
    }

    /// Returns whether the consumer has to be told: the first of a batch, or the first that is lost.
    private func append(_ chunk: EventChunk) -> Bool {
        monitor.withLock { state in
            // Nothing is kept behind a hole, so that what is drained is without one.
            guard !state.batch.lost else { return false }
            // What an array and its place in the list cost besides the bytes.
            let size = chunk.bytes.count + 96
            guard state.heldBytes + size <= limit else {
                state.batch.lost = true
                return true
            }
            state.heldBytes += size
            state.batch.chunks.append(chunk)
            return state.batch.chunks.count == 1
        }
    }
}
