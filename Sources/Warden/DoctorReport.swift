package import Host
package import Integrity

/// One thing that `doctor` has to say about this host.
package struct DoctorFinding: Hashable, Sendable {
    package enum Level: String, Hashable, Sendable, CaseIterable, Comparable {
        case ok, note, warning, problem

        package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

        private var rank: Int { Level.allCases.firstIndex(of: self) ?? 0 }
    }

    /// Stable: `docs/troubleshooting.md` explains each.
    package var id: String
    package var level: Level
    /// One sentence, in lower case, without a full stop.
    package var message: String
    /// What belongs to it, one line each.
    package var details: [String]
    /// The paths concerned, the first ten.
    package var paths: [RawPath]
    package var fixes: [Fix]

    /// What mends it, in a form that can be pasted.
    package enum Fix: Hashable, Sendable {
        case command(String)
        /// A file with these lines, none of which holds a blank or a quote.
        case file(RawPath, lines: [String])
    }

    package init(
        _ id: String,
        _ level: Level,
        _ message: String,
        details: [String] = [],
        paths: [RawPath] = [],
        fixes: [Fix] = []
    ) {
        self.id = id
        self.level = level
        self.message = message
        self.details = details
        self.paths = Array(paths.prefix(10))
        self.fixes = fixes
    }

    /// What could not be found out is said, never guessed.
    static func unknown(_ id: String, _ what: String, _ reason: String) -> DoctorFinding {
        DoctorFinding(id, .note, "unknown: \(what): \(reason)")
    }
}

/// All that `doctor` has to say.
package struct DoctorReport: Hashable, Sendable {
    package var host: HostIdentity
    package var version: String
    package var time: Timestamp
    package var findings: [DoctorFinding]
    package var budget: WatchBudget?

    package init(
        host: HostIdentity,
        version: String,
        time: Timestamp,
        findings: [DoctorFinding],
        budget: WatchBudget?
    ) {
        self.host = host
        self.version = version
        self.time = time
        self.findings = findings
        self.budget = budget
    }

    package func count(_ level: DoctorFinding.Level) -> Int { findings.count { $0.level == level } }

    /// The worst of all.
    package var level: DoctorFinding.Level { findings.map(\.level).max() ?? .ok }

    /// As monitoring plug-ins end: 0 nothing but notes, 1 warnings, 2 problems.
    package var exit: Int {
        switch level {
        case .ok, .note: 0
        case .warning: 1
        case .problem: 2
        }
    }
}

/// What `watch` will need of the kernel's watches, and what is left of them.
package struct WatchBudget: Hashable, Sendable {
    /// Directories to be watched.
    package var needed: Int
    package var limit: Int?
    /// What other processes of the same user hold.
    package var usedByOthers: Int

    package init(needed: Int, limit: Int?, usedByOthers: Int) {
        self.needed = needed
        self.limit = limit
        self.usedByOthers = usedByOthers
    }

    /// Twice of all that is used, in whole powers of two: room for what builds add, and for the next toolchain.
    package var recommended: Int {
        var limit = 65_536
        while limit < 2 * (needed + usedByOthers) { limit *= 2 }
        return limit
    }
}

/// All that findings follow from; plain values that others gathered.
package struct DoctorFacts: Sendable {
    package var watches: WatchUse
    /// The running service, whose watches are not somebody else's; nil where none runs.
    package var servicePID: Int?
    package var kernel: KernelFeatures
    package var privileges: Privileges
    package var journal: JournalFacts
    package var clock: ClockFacts
    package var disk: Fact<DiskFacts>
    package var places: [PlaceFacts]
    package var unit: SystemdFile
    package var rules: DoctorRules
    package var ledger: DoctorLedger

    package init(
        watches: WatchUse,
        servicePID: Int?,
        kernel: KernelFeatures,
        privileges: Privileges,
        journal: JournalFacts,
        clock: ClockFacts,
        disk: Fact<DiskFacts>,
        places: [PlaceFacts],
        unit: SystemdFile,
        rules: DoctorRules,
        ledger: DoctorLedger
    ) {
        self.watches = watches
        self.servicePID = servicePID
        self.kernel = kernel
        self.privileges = privileges
        self.journal = journal
        self.clock = clock
        self.disk = disk
        self.places = places
        self.unit = unit
        self.rules = rules
        self.ledger = ledger
    }

    package var budget: WatchBudget? {
        guard let scope = rules.scope else { return nil }
        let others = watches.users.filter { $0.pid != servicePID }
        // One for the state directory.
        return WatchBudget(
            needed: scope.directories + 1,
            limit: watches.watchLimit.value,
            usedByOthers: others.reduce(0) { $0 + $1.watches }
        )
    }

    /// Everything there is to say, in the order in which to read it.
    package var findings: [DoctorFinding] {
        let host = privilegeFindings + kernelFindings + [whoFinding]
        return ledgerFindings + ruleFindings + watchFindings + scopeFindings + host + sandboxFindings
            + journalFindings + diskFindings + placeFindings + clockFindings
    }
}

/// A path as a word that bash reads back exactly, without a blank in it.
func shellWord(_ path: RawPath) -> String {
    let isHarmless = { (byte: UInt8) in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/._+:@%-,".utf8.contains(byte)
        }
    }
    if path.bytes.allSatisfy(isHarmless) { return path.description }
    let quoted = path.bytes.map { isHarmless($0) ? String(UnicodeScalar($0)) : "\\x" + hex([$0]) }
    return "$'" + quoted.joined() + "'"
}

func plural(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    "\(count) " + (count == 1 ? one : many ?? one + "s")
}
