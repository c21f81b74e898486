internal import CLinux

/// A state behind a lock, with conditions to wait on: `Mutex` has none.
///
/// A thread waits with `await`: its attempt is made again, under the lock, each time the condition is notified. The
/// state is lent anew to every attempt and never across a wait, so that no attempt can hold what another changed.
@safe
package final class Monitor<State>: @unchecked Sendable {
    // Sendable: `state` is touched only between lock and unlock of `mutex`; the pointers are set once, and what they
    // point to is made for use by many threads.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int
    private var state: State

    /// Makes an unlocked monitor.
    /// - Parameters:
    ///   - state: what it guards.
    ///   - conditions: how many there are to wait on, numbered from 0.
    package init(_ state: sending State, conditions: Int = 1) {
        self.state = state
        conditionCount = max(1, conditions)
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe self.conditions = .allocate(capacity: conditionCount)
        var options = pthread_condattr_t()
        unsafe pthread_condattr_init(&options)
        unsafe pthread_condattr_setclock(&options, CLOCK_MONOTONIC)
        for index in 0..<conditionCount {
            unsafe (self.conditions + index).initialize(to: pthread_cond_t())
            unsafe pthread_cond_init(self.conditions + index, &options)
        }
        unsafe pthread_condattr_destroy(&options)
    }

    deinit {
        for index in 0..<conditionCount { unsafe pthread_cond_destroy(conditions + index) }
        unsafe pthread_mutex_destroy(mutex)
        unsafe conditions.deallocate()
        unsafe mutex.deallocate()
    }

    /// Lends the state for the length of `body`.
    ///
    /// `body` must not come back to this monitor but to notify.
    package func withLock<R, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Makes the attempt now and after every notice until it gives a value.
    package func await<R>(on condition: Int = 0, _ attempt: (inout State) -> R?) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let value = attempt(&state) { return value }
            unsafe pthread_cond_wait(address(condition), mutex)
        }
    }

    /// The same with an end.
    /// - Parameters:
    ///   - condition: the one to wait on.
    ///   - timeout: nanoseconds.
    ///   - attempt: gives a value, or nil to go on waiting.
    /// - Returns: nil where the time passed first; the attempt is made once more at the end.
    package func await<R>(
        on condition: Int = 0,
        timeout: UInt64,
        _ attempt: (inout State) -> R?
    ) -> R? {
        var deadline = deadline(after: timeout)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let value = attempt(&state) { return value }
            let code = unsafe pthread_cond_timedwait(address(condition), mutex, &deadline)
            if code == ETIMEDOUT { return attempt(&state) }
        }
    }

    /// Wakes everybody who waits on the condition.
    ///
    /// May be called with or without the lock.
    package func notify(_ condition: Int = 0) {
        unsafe pthread_cond_broadcast(address(condition))
    }

    private func address(_ condition: Int) -> UnsafeMutablePointer<pthread_cond_t> {
        precondition(condition >= 0 && condition < conditionCount)
        return unsafe conditions + condition
    }
}

/// The moment on the monotonic clock that lies so many nanoseconds ahead, held at a hundred years.
private func deadline(after nanoseconds: UInt64) -> timespec {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let wait = min(nanoseconds, 3_155_760_000_000_000_000)
    let part = UInt64(now.tv_nsec) + wait % 1_000_000_000
    return timespec(
        tv_sec: now.tv_sec + Int(wait / 1_000_000_000) + Int(part / 1_000_000_000),
        tv_nsec: Int(part % 1_000_000_000)
    )
}
