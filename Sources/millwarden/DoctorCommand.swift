import ArgumentParser
import CLinux
import Host
import Integrity
import Ledger
import Reporting
import RulePacks
import Warden

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "What on this host limits Millwarden, and the command that mends it.",
        discussion: """
            Changes nothing. Exit status, as monitoring plug-ins have it: 0 nothing but notes, 1 warnings, 2 problems; 64 \
            for a wrong command line, 78 for a wrong configuration.
            """
    )
    @OptionGroup var global: GlobalOptions
    @Flag(name: .shortAndLong, help: "Also list what is as it should be.")
    var verbose = false

    func run() throws {
        try global.require(.text, .json)
        let session = try Session(global)
        let host = SystemClock.host()
        let facts = DoctorGathering(session: session, host: host).facts()
        let report = DoctorReport(
            host: host,
            version: Millwarden.version,
            time: facts.clock.now,
            findings: facts.findings,
            budget: facts.budget
        )
        if global.format == .json {
            say(report.json.pretty)
        } else {
            say(report.text(.terminal, isVerbose: verbose), terminator: "")
        }
        if report.exit != 0 { throw CommandFailure(Int32(report.exit)) }
    }
}

/// Asks the host everything that `doctor` judges by.
struct DoctorGathering {
    let session: Session
    let host: HostIdentity
    private let files = HostFiles()

    init(session: Session, host: HostIdentity) {
        self.session = session
        self.host = host
    }

    func facts() -> DoctorFacts {
        let privileges = Privileges.gather(from: files)
        let ledger = DoctorLedger.gather(store: session.store) { () throws(KeyError) in
            try session.trustedKeys()
        }
        let service = ControlClient.status(stateDirectory: session.stateDirectory)
        return DoctorFacts(
            watches: WatchUse.gather(uid: privileges.uid, from: files),
            servicePID: service?.object?["pid"]?.integer.map { Int($0) },
            kernel: KernelFeatures.probe(files),
            privileges: privileges,
            journal: JournalFacts.gather(refusal: journalRefusal(), machineID: host.machineID, from: files),
            clock: ClockFacts.gather(from: files),
            disk: DiskFacts.gather(session.stateDirectory),
            places: places(),
            unit: SystemdFile.unit("millwarden.service", from: files),
            rules: rules(ledger, privileges),
            ledger: ledger
        )
    }

    private func rules(_ ledger: DoctorLedger, _ privileges: Privileges) -> DoctorRules {
        var rules = DoctorRules()
        rules.places = session.rulePlaces
        do {
            let loaded = try session.loadRules(baselinePacks: ledger.baseline.packs)
            rules.states = loaded.states
            rules.hidden = loaded.hidden
            rules.digest = loaded.set.digest
            // Whoever may read everything need not ask about every file.
            var walk = ScopeWalk(tree: KernelTree(), rules: loaded.set, jobs: processorCount())
            if !privileges.has(.dacReadSearch) { walk.refusal = readRefusal }
            rules.scope = walk.run()
        } catch {
            rules.failure = CommandFailure(classifying: error).description
        }
        return rules
    }

    /// What decides what the program believes, watches and is.
    private func places() -> [PlaceFacts] {
        let tree = KernelTree()
        let keys = session.keys
        var places: [PlaceFacts] = []
        for role in [KeyStore.Role.baseline, .host] {
            places += PlaceFacts.gather(.privateKey, keys.privateKeyPath(role), in: tree).prefix(1)
            places += PlaceFacts.gather(.publicKey, keys.publicKeyPath(role), in: tree).prefix(1)
        }
        places += PlaceFacts.gather(.keys, keys.directory, in: tree).prefix(1)
        places += PlaceFacts.gather(.publicKey, keys.trustedDirectory, withEntries: true, in: tree)
        for key in session.configuration.baselineKeys {
            places += PlaceFacts.gather(.publicKey, key, in: tree)
        }
        places += PlaceFacts.gather(.state, session.stateDirectory, withEntries: true, in: tree)
        for place in session.rulePlaces {
            places += PlaceFacts.gather(.rules, place, withEntries: true, in: tree)
        }
        let configuration = session.options.config?.path ?? Configuration.defaultPath
        places += PlaceFacts.gather(.configuration, configuration, in: tree)
        if let program = files.program().value { places += PlaceFacts.gather(.program, program, in: tree) }
        return places
    }
}
