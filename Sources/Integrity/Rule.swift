/// The dotted name of a rule, `gcc.driver`: unique over all packs that are on.
package typealias RuleID = String

/// How bad an unauthorized change is.
///
/// Ordered: `low < critical`.
package enum Severity: UInt8, Hashable, Sendable, Comparable, CaseIterable {
    case low = 1
    case medium = 2
    case high = 3
    case critical = 4

    package var name: String { String(describing: self) }

    package init?(name: String) {
        guard let match = Severity.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    package static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }

    /// One step down, `low` at the least.
    package var lowered: Severity { Severity(rawValue: rawValue - 1) ?? .low }

    /// One step up, `critical` at the most.
    package var raised: Severity { Severity(rawValue: rawValue + 1) ?? .critical }

    /// The syslog priority of an unauthorized change: critical 2, high 3, medium 4, low 5 (syslog(3)).
    package var priority: Int { 6 - Int(rawValue) }
}

/// Which attributes count for the paths of a rule.
package enum Profile: UInt8, Hashable, Sendable, CaseIterable {
    case executable = 1
    case configuration = 2
    case content = 3
    case directory = 4
    case appendOnly = 5
    case writeOnce = 6
    case inventory = 7
    case ignore = 8

    /// The name in rule packs.
    package var name: String {
        switch self {
        case .executable: "executable"
        case .configuration: "configuration"
        case .content: "content"
        case .directory: "directory"
        case .appendOnly: "append-only"
        case .writeOnce: "write-once"
        case .inventory: "inventory"
        case .ignore: "ignore"
        }
    }

    package init?(name: String) {
        guard let match = Profile.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    /// Any write that ends equal is a swap-and-restore under these.
    package var isStrict: Bool { self == .executable || self == .writeOnce }
    package var countsMetadata: Bool { self != .content && self != .ignore }
    package var countsLinks: Bool {
        switch self {
        case .executable, .configuration, .appendOnly, .writeOnce, .inventory: true
        case .content, .directory, .ignore: false
        }
    }
    package var countsReplacement: Bool { self == .executable || self == .writeOnce || self == .appendOnly }
    /// The bytes, the size, the link target of files; a directory rule looks at names only.
    package var countsContent: Bool { self != .directory && self != .ignore }
}

/// What is kept of a file besides its digest.
package enum Keep: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case text = 1
    case copy = 2

    package var name: String { String(describing: self) }

    package init?(name: String) {
        guard let match = Keep.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }
}

/// One rule of a pack: which paths, how they are compared, and why a sysadmin should care.
package struct Rule: Hashable, Sendable {
    package var id: RuleID
    package var pack: String
    package var title: String
    package var reason: String
    package var severity: Severity
    package var profile: Profile
    /// Globs as written, before `~/` is expanded and links are resolved.
    package var watch: [String]
    package var except: [String]
    package var absent: [String]
    package var keep: Keep
    package var tags: [String]

    package init(
        id: RuleID,
        pack: String,
        title: String,
        reason: String,
        severity: Severity,
        profile: Profile,
        watch: [String],
        except: [String] = [],
        absent: [String] = [],
        keep: Keep = .none,
        tags: [String] = []
    ) {
        self.id = id
        self.pack = pack
        self.title = title
        self.reason = reason
        self.severity = severity
        self.profile = profile
        self.watch = watch
        self.except = except
        self.absent = absent
        self.keep = keep
        self.tags = tags
    }
}
