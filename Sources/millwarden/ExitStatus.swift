import Integrity

/// The exit statuses of the interface.
///
/// One type maps outcomes to numbers; nothing else calls exit(3).
enum ExitStatus {
    static let ok: Int32 = 0
    /// `verify` found something wrong.
    static let notVerified: Int32 = 1
    /// `status`: the service does not run.
    static let notRunning: Int32 = 3
    /// Coverage is incomplete.
    static let incomplete: Int32 = 8
    /// No usable trust anchor.
    static let noTrustAnchor: Int32 = 16

    // sysexits.h
    static let usage: Int32 = 64
    static let damagedData: Int32 = 65
    static let noInput: Int32 = 66
    static let software: Int32 = 70
    static let cannotCreate: Int32 = 73
    static let io: Int32 = 74
    static let noPermission: Int32 = 77
    static let configuration: Int32 = 78
}

/// The end of a command that did not do what was asked: one sentence and a status.
struct CommandFailure: Error, CustomStringConvertible {
    var status: Int32
    /// Empty where everything was said already.
    var description: String

    init(_ status: Int32, _ description: String = "") {
        self.status = status
        self.description = description
    }
}
