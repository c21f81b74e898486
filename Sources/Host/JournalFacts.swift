import Integrity

/// How this host keeps its journal, and whether it sends it on.
package struct JournalFacts: Hashable, Sendable {
    /// Why nobody takes what is sent to the journal's socket; nil where somebody does.
    package var refusal: Errno?
    /// journald.conf(5) with its drop-ins.
    package var configuration: SystemdFile
    /// /var/log/journal is there: with `Storage=auto` that makes the journal persistent.
    package var hasPersistentDirectory: Fact<Bool>
    /// A journal of this host lies there already.
    package var hasPersistentJournal: Fact<Bool>
    package var upload: Forwarding

    package enum Forwarding: Hashable, Sendable {
        case absent
        case installed
        /// It is started with the host.
        case enabled
    }

    package init(
        refusal: Errno?,
        configuration: SystemdFile,
        hasPersistentDirectory: Fact<Bool>,
        hasPersistentJournal: Fact<Bool>,
        upload: Forwarding
    ) {
        self.refusal = refusal
        self.configuration = configuration
        self.hasPersistentDirectory = hasPersistentDirectory
        self.hasPersistentJournal = hasPersistentJournal
        self.upload = upload
    }

    /// - Parameters:
    ///   - refusal: What connecting to the journal's socket gave.
    ///   - machineID: The name under which the journal of this host lies.
    ///   - files: The host's.
    /// - Returns: What could be found out.
    package static func gather(refusal: Errno?, machineID: String, from files: HostFiles) -> JournalFacts {
        let folder: RawPath = "/var/log/journal"
        let unit = "systemd-journal-upload.service"
        let isEnabled = SystemdFile.unitPlaces.contains { place in
            let link = place.appending("multi-user.target.wants").appending(unit)
            return (try? files.target(of: link)) != nil
        }
        let isInstalled = SystemdFile.unitPlaces.contains { files.exists($0.appending(unit)).value == true }
        return JournalFacts(
            refusal: refusal,
            configuration: SystemdFile.configuration("journald.conf", from: files),
            hasPersistentDirectory: files.exists(folder),
            hasPersistentJournal: files.exists(folder.appending(machineID)),
            upload: isEnabled ? .enabled : isInstalled ? .installed : .absent
        )
    }
}
