import Host

/// How much a finding can say of who it was.
extension DoctorFacts {
    var whoFinding: DoctorFinding {
        let id = "who"
        if case .unknown(let reason) = privileges.capabilities {
            return .unknown(id, "whether findings can say who it was", reason)
        }
        if let reason = missingFanotify {
            return DoctorFinding(id, .note, "findings cannot say who it was: \(reason)", fixes: mending)
        }
        if let reason = missingConnector {
            return DoctorFinding(
                id,
                .note,
                "findings name only programs that still run when their event is read: \(reason)",
                fixes: mending
            )
        }
        guard privileges.has(.sysPtrace) else {
            return DoctorFinding(
                id,
                .note,
                "findings say who it was, without the program of other users: CAP_SYS_PTRACE is missing",
                fixes: mending
            )
        }
        return DoctorFinding(id, .ok, "findings say who it was, also of programs that have ended")
    }

    private var missingFanotify: String? {
        switch kernel.fanotifyProcess {
        case .available: nil
        case .denied: "fanotify(7) takes CAP_SYS_ADMIN in the host's first user namespace"
        case .missing: "fanotify(7) tells the process since Linux 5.15, with CONFIG_FANOTIFY"
        case .failed(let error): "fanotify_init(2) says \(error)"
        }
    }

    private var missingConnector: String? {
        guard kernel.processConnector == .available else {
            return "the proc connector takes CONFIG_PROC_EVENTS and the host's first network namespace"
        }
        return privileges.has(.netAdmin) ? nil : "the proc connector takes CAP_NET_ADMIN"
    }

    private var mending: [DoctorFinding.Fix] {
        privileges.uid == 0 ? [] : [.command("sudo millwarden doctor")]
    }
}
