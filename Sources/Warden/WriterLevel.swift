import Host
import Integrity

extension WriterLevel {
    /// `full`, `fanotify without exec cache`, `none`.
    package var name: String {
        switch self {
        case .full: "full"
        case .living: "fanotify without exec cache"
        case .none: "none"
        }
    }

    /// Why it is no more than that; nil where it is all there is.
    package var reason: String? {
        switch self {
        case .full: nil
        case .living(let error): "the proc connector is not to be had: \(error)"
        case .none(let error): "fanotify is not to be had: \(error)"
        }
    }

    /// What a person can do for more.
    package var nextStep: String? {
        switch self {
        case .full: nil
        case .living(.permission), .living(.access):
            "run the service as its unit does, with CAP_NET_ADMIN and in the host's first namespaces"
        case .living: "boot a kernel with CONFIG_PROC_EVENTS"
        case .none(.permission), .none(.access): "run the service as its unit does, with CAP_SYS_ADMIN"
        case .none: "boot Linux 5.15 or newer with CONFIG_FANOTIFY"
        }
    }
}

extension WriterStatus {
    var json: JSON {
        var object = JSONObject()
        object.append("level", .string(level.name))
        object.append("because", .optional(level.reason))
        object.append("next_step", .optional(level.nextStep))
        object.append("directories_marked", .int(Int64(marked)))
        object.append("directories_unmarked", .int(Int64(unmarked)))
        object.append("lost_writers", .int(Int64(lostWriters)))
        object.append("lost_processes", .int(Int64(lostProcesses)))
        return .object(object)
    }
}
