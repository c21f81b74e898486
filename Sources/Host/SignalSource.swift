internal import CLinux

/// The signals that the program answers in an orderly way.
package enum ProgramSignal: Hashable, Sendable, CaseIterable {
    /// `SIGTERM`: the service manager wants it to end.
    case terminate
    /// `SIGINT`: somebody pressed Ctrl-C.
    case interrupt
    /// `SIGHUP`: read the configuration again.
    case hangUp
    /// `SIGCONT`: it goes on, after somebody may have stopped it. The default action takes place all the same.
    case goOn

    package var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        case .goOn: SIGCONT
        }
    }
}

/// Signals as something to poll for (signalfd(2)), so that no code of ours ever runs inside a signal handler.
package final class SignalSource: PollSource {
    private let descriptor: OwnedDescriptor

    /// Blocks the signals in the calling thread, and so in every thread it starts from now on.
    ///
    /// Call it in `main` before the first thread starts: a thread without the block would die of the signal.
    /// A child process inherits the block; whoever starts one clears its mask.
    package static func block(_ signals: [ProgramSignal] = ProgramSignal.allCases) {
        var mask = signalSet(signals)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
    }

    /// Starts to receive the signals, which have to be blocked.
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    package init(_ signals: [ProgramSignal] = ProgramSignal.allCases) throws(Errno) {
        var mask = signalSet(signals)
        let number = unsafe signalfd(-1, &mask, CInt(SFD_CLOEXEC) | CInt(SFD_NONBLOCK))
        if number < 0 { throw Errno.current }
        descriptor = OwnedDescriptor(owning: number)
    }

    package var descriptorNumber: CInt { descriptor.lend { $0 } }
    package var interest: PollEvents { .readable }

    /// The next signal that was sent and who sent it, nil where there is none.
    ///
    /// The same signal sent twice before it is read is one.
    /// - Throws: what read(2) reports; never `EAGAIN`.
    package func next() throws(Errno) -> (signal: ProgramSignal, sender: SignalSender?)? {
        while true {
            var info = signalfd_siginfo()
            do {
                let count = try descriptor.lend { (number) throws(Errno) -> Int in
                    try retrying { unsafe read(number, &info, MemoryLayout<signalfd_siginfo>.size) }
                }
                guard count == MemoryLayout<signalfd_siginfo>.size else { return nil }
            } catch .again {
                return nil
            }
            let received = info.ssi_signo
            if let signal = ProgramSignal.allCases.first(where: { UInt32($0.number) == received }) {
                // Above 0 in si_code is what the kernel itself sends.
                let isSent = info.ssi_code <= 0
                return (
                    signal, isSent ? SignalSender(pid: Int64(info.ssi_pid), uid: Int64(info.ssi_uid)) : nil
                )
            }
        }
    }
}

/// Who sent a signal, by the kernel's word (sigaction(2): `si_pid` and `si_uid`).
package struct SignalSender: Hashable, Sendable {
    package var pid: Int64
    package var uid: Int64

    package init(pid: Int64, uid: Int64) {
        self.pid = pid
        self.uid = uid
    }
}

private func signalSet(_ signals: [ProgramSignal]) -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal.number) }
    return set
}
