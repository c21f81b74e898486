import Host

/// Something took longer than it may: it blocks.
package struct Overdue: Error, CustomStringConvertible {
    package var seconds: Int

    package var description: String { "did not end within \(seconds) s of its start" }
}

/// Runs what must never block on a thread of its own, and waits for its end.
///
/// A test's own time limit will not do for that: it counts from the moment at which the test is queued, and hundreds of
/// others may stand before it. Expectations belong outside of `body`: on another thread nobody knows whose they are.
///
/// - Parameters:
///   - seconds: How long it may take from its start.
///   - body: What is tried.
/// - Returns: What it returns.
/// - Throws: `Overdue`, and whatever `body` throws.
package func inTime<Value: Sendable>(
    _ seconds: Int,
    _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    let outcome = Monitor<Result<Value, any Error>?>(nil)
    _ = try OSThread(name: "in-time") {
        let result = Result { try body() }
        outcome.withLock { $0 = result }
        outcome.notify()
    }
    guard let result = outcome.await(timeout: UInt64(seconds) * 1_000_000_000, { $0 }) else {
        throw Overdue(seconds: seconds)
    }
    return try result.get()
}
