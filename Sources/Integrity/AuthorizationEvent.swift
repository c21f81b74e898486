/// Somebody said beforehand that changes are wanted, took it back, or was not allowed to; or an authorization ended.
package struct AuthorizationEvent: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case opened
        /// Everything it spoke of has happened.
        case usedUp = "used-up"
        case closed
        /// It was asked for and not granted; nothing is in force by it.
        case refused
    }

    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A maintenance window.
        case window
        /// A signed manifest.
        case manifest
        /// A key that may sign manifests.
        case key
        /// A transaction of the package manager.
        case package
    }

    package var action: Action
    package var kind: Kind
    /// What findings name it by: `window:12`, `manifest:sha256:…`, `key:…`; empty where it was refused before it got one.
    package var id: String
    /// Why, in the words of whoever asked, or why it was refused or ended.
    package var reason: String
    /// Who asked, by the kernel's word; nil where nobody did.
    package var requester: Requester?
    /// What it is about; empty for everything.
    package var rules: [RuleID] = []
    /// Globs.
    package var paths: [[UInt8]] = []
    /// From when until when, by the wall clock, for people; nil without an end.
    package var from: Timestamp?
    package var until: Timestamp?
    /// The same by the boot clock, in nanoseconds, where that is what counts, with the boot it is about.
    package var bootFrom: Int64?
    package var bootUntil: Int64?
    package var bootID: String?
    /// SHA-256 of the envelope, or of the key.
    package var digest: Digest?
    package var serial: Int64?
    /// The keys that signed.
    package var keys: [String] = []

    package init(action: Action, kind: Kind, id: String, reason: String, requester: Requester? = nil) {
        self.action = action
        self.kind = kind
        self.id = id
        self.reason = reason
        self.requester = requester
    }
}

/// Who asked for something, from SO_PEERCRED and /proc, never from what the client says.
package struct Requester: Hashable, Sendable {
    package var pid: Int64
    package var uid: Int64
    /// The login uid of /proc/PID/loginuid; nil where nobody logged in.
    package var loginuid: Int64?
    /// The user that sudo(8) was called by, where it was.
    package var sudoUser: String?

    package init(pid: Int64, uid: Int64, loginuid: Int64? = nil, sudoUser: String? = nil) {
        self.pid = pid
        self.uid = uid
        self.loginuid = loginuid
        self.sudoUser = sudoUser
    }
}
