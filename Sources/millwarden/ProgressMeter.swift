import CLinux
import Host
import Reporting
import Synchronization
import Warden

/// Shows the progress of a survey on a terminal, from a thread of its own; elsewhere it shows nothing.
final class ProgressMeter: Sendable {
    let progress = SurveyProgress()
    private let bell: EventBell?
    private let thread = Mutex<OSThread?>(nil)
    private let isDone = Mutex(false)

    /// - Parameter total: The number of files, where it is known.
    init(total: Int?) {
        bell = isTerminal(STDERR_FILENO) ? try? EventBell() : nil
        guard bell != nil else { return }
        thread.withLock { $0 = try? OSThread(name: "progress") { self.show(total) } }
    }

    private func show(_ total: Int?) {
        var line = ProgressLine(descriptor: STDERR_FILENO)
        let began = SystemClock.bootTime()
        guard let bell else { return }
        var poller = Poller([bell])
        while !isDone.withLock({ $0 }) {
            _ = try? poller.wait(timeout: 200_000_000)
            let (files, bytes) = progress.current
            line.show(
                done: Progress(files: files, bytes: bytes),
                total: total.map { Progress(files: $0, bytes: 0) },
                elapsed: SystemClock.bootTime() - began
            )
        }
        line.erase()
    }

    func finish() {
        isDone.withLock { $0 = true }
        bell?.ring()
        thread.withLock { $0.take() }?.join()
    }
}

/// The processors this process may run on.
func processorCount() -> Int {
    max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}
