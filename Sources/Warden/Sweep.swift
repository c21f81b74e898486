import Host
package import Integrity
import Synchronization

/// How often everything is read again in the background, and how fast.
package struct SweepSchedule: Hashable, Sendable {
    /// Nanoseconds between the end of one and the beginning of the next; 0 for none.
    package var every: Int64
    /// Bytes a second.
    package var rate: UInt64

    package init(every: Int64 = 86_400_000_000_000, rate: UInt64 = 50 << 20) {
        self.every = every
        self.rate = rate
    }
}

/// What a sweep met.
///
/// It judges nothing: what is suspect the pipeline examines again.
struct SweepResult: Sendable {
    var started: Timestamp
    /// Boot time in nanoseconds.
    var bootStarted: Int64
    /// Nil where it could not be carried through.
    var survey: SurveyResult?
    /// Why.
    var failure: String?
}

/// One sweep at a time, on a thread of its own at idle priority.
///
/// A sweep finds what raises no event: a shared mapping, chattr(1), a write to the block device, a mount that was missed.
final class Sweeper: Sendable {
    private struct State {
        var isRunning = false
        var progress = SurveyProgress()
        var cancellation = WalkCancellation()
        var result: SweepResult?
    }

    private let state = Mutex(State())

    var isRunning: Bool { state.withLock { $0.isRunning } }

    /// Files and bytes of the one that runs; nil where none does.
    var progress: (files: Int, bytes: UInt64)? {
        state.withLock { $0.isRunning ? $0.progress.current : nil }
    }

    /// Starts one; the bell rings when its result can be taken.
    ///
    /// - Throws: `EAGAIN` where no thread can be had.
    func start(
        bell: EventBell,
        _ body: @escaping @Sendable (SurveyProgress, WalkCancellation) -> SweepResult
    ) throws(Errno) {
        let (progress, cancellation) = (SurveyProgress(), WalkCancellation())
        state.withLock {
            $0.isRunning = true
            ($0.progress, $0.cancellation) = (progress, cancellation)
        }
        do {
            // Not joined: where the service ends, nobody waits for a read at idle priority.
            _ = try OSThread(name: "mw-sweep") { [self] in
                IdlePriority.take()
                let result = body(progress, cancellation)
                state.withLock {
                    $0.result = result
                    $0.isRunning = false
                }
                bell.ring()
            }
        } catch {
            state.withLock { $0.isRunning = false }
            throw error
        }
    }

    func cancel() { state.withLock { $0.cancellation.cancel() } }

    func take() -> SweepResult? {
        state.withLock { state in
            defer { state.result = nil }
            return state.result
        }
    }
}

/// Stands still nine seconds of ten while the host is short of memory or storage.
@Sendable func sweepBrake() -> UInt64 {
    StallPressure.current()?.isHigh == true ? 9_000_000_000 : 0
}

/// What `status` says of the sweep.
package struct SweepStatus: Hashable, Sendable {
    package var schedule: SweepSchedule
    package var lastFinished: Timestamp?
    /// By the wall clock; nil where there is none.
    package var next: Timestamp?
    /// Files and bytes of the one that runs.
    package var examined: Int?
    package var bytes: UInt64?

    var json: JSON {
        var object = JSONObject()
        object.append("every_seconds", .int(schedule.every / 1_000_000_000))
        object.append("bytes_per_second", .int(Int64(clamping: schedule.rate)))
        object.append("last_finished", .optional(lastFinished?.description))
        object.append("next", .optional(next?.description))
        object.append("running", .bool(examined != nil))
        object.append("examined", .optional(examined.map(Int64.init)))
        object.append("bytes", .optional(bytes.map { Int64(clamping: $0) }))
        return .object(object)
    }
}
