import Host
import Integrity

/// The disk under the state directory, who may write where, and the clock.
extension DoctorFacts {
    var diskFindings: [DoctorFinding] {
        switch disk {
        case .unknown(let reason): [.unknown("disk-space", "the disk under the state directory", reason)]
        case .known(let disk): [space(disk), inodes(disk), fileSystem(disk)].compactMap { $0 }
        }
    }

    private func space(_ disk: DiskFacts) -> DoctorFinding {
        if disk.isReadOnly {
            return DoctorFinding(
                "disk-space",
                .problem,
                "the file system of the state directory is mounted read-only: nothing can be recorded",
                paths: [disk.path],
                fixes: [.command("findmnt --target \(shellWord(disk.path))")]
            )
        }
        let level: DoctorFinding.Level =
            disk.freeBytes < leastSpace ? .problem : disk.freeBytes < goodSpace ? .warning : .ok
        return DoctorFinding(
            "disk-space",
            level,
            "\(disk.freeBytes >> 20) MiB are free under the state directory",
            paths: level == .ok ? [] : [disk.path],
            fixes: level == .ok
                ? [] : [.command("df -h \(shellWord(disk.path))"), .command("apt-get clean")]
        )
    }

    private func inodes(_ disk: DiskFacts) -> DoctorFinding? {
        guard let free = disk.freeInodes else { return nil }
        let level: DoctorFinding.Level = free < 100 ? .problem : free < 1_000 ? .warning : .ok
        return DoctorFinding(
            "disk-inodes",
            level,
            "\(plural(free, "inode is", "inodes are")) free under the state directory",
            fixes: level == .ok ? [] : [.command("df -i \(shellWord(disk.path))")]
        )
    }

    private func fileSystem(_ disk: DiskFacts) -> DoctorFinding {
        let name = disk.fileSystem.name
        if disk.fileSystem.isRemote {
            return DoctorFinding(
                "disk-file-system",
                .problem,
                "the state directory lies on \(name): another machine can change what this one believes, and locks may not "
                    + "hold; set state-directory: to a local disk",
                paths: [disk.path]
            )
        }
        let isInMemory = name == "tmpfs" || name == "ramfs"
        return DoctorFinding(
            "disk-file-system",
            isInMemory ? .warning : .ok,
            isInMemory
                ? "the state directory lies in memory (\(name)): a restart of the host loses baseline and history"
                : "the state directory lies on \(name)",
            paths: isInMemory ? [disk.path] : []
        )
    }

    // MARK: Who may write

    var placeFindings: [DoctorFinding] {
        var seen: Set<RawPath> = []
        var findings: [DoctorFinding] = []
        for place in places where seen.insert(place.path).inserted {
            findings += [writers(place), owner(place), readers(place)].compactMap { $0 }
        }
        if findings.isEmpty {
            findings.append(
                DoctorFinding(
                    "permission",
                    .ok,
                    "nobody else may write to the state, the keys, the rules or the program"
                )
            )
        }
        return findings
    }

    private func id(_ place: PlaceFacts) -> String {
        switch place.role {
        case .state: "permission-state"
        case .keys, .privateKey, .publicKey: "permission-keys"
        case .rules: "permission-rules"
        case .program: "permission-program"
        case .configuration: "permission-configuration"
        }
    }

    private func writers(_ place: PlaceFacts) -> DoctorFinding? {
        // In a sticky directory nobody exchanges what belongs to somebody else (inode(7)).
        if place.isAncestor && place.mode & 0o1000 != 0 { return nil }
        guard place.type != .link, place.mode & 0o022 != 0 else { return nil }
        let isAnybody = place.mode & 0o002 != 0
        return DoctorFinding(
            id(place),
            .problem,
            "\(isAnybody ? "everybody" : "its group") may write to \(place.path) (mode \(octal(place.mode))), and so decide "
                + "what \(meaning(place))",
            paths: [place.path],
            fixes: [.command("chmod go-w \(shellWord(place.path))")]
        )
    }

    private func owner(_ place: PlaceFacts) -> DoctorFinding? {
        guard place.uid != 0, place.uid != privileges.uid else { return nil }
        return DoctorFinding(
            id(place),
            .problem,
            "\(place.path) belongs to uid \(place.uid), who so decides what \(meaning(place))",
            paths: [place.path],
            fixes: [.command("chown \(privileges.uid) \(shellWord(place.path))")]
        )
    }

    private func readers(_ place: PlaceFacts) -> DoctorFinding? {
        guard !place.isAncestor, place.mode & 0o055 != 0 else { return nil }
        switch place.role {
        case .privateKey:
            return DoctorFinding(
                id(place),
                .problem,
                "others may read the private key \(place.path) (mode \(octal(place.mode))): make new keys if somebody could "
                    + "have",
                paths: [place.path],
                fixes: [.command("chmod 600 \(shellWord(place.path))")]
            )
        case .state where place.type == .directory && place.mode & 0o022 == 0:
            return DoctorFinding(
                id(place),
                .warning,
                "others may look into the state directory \(place.path) (mode \(octal(place.mode)))",
                paths: [place.path],
                fixes: [.command("chmod 700 \(shellWord(place.path))")]
            )
        default: return nil
        }
    }

    private func meaning(_ place: PlaceFacts) -> String {
        switch place.role {
        case .state, .keys, .privateKey, .publicKey: "is believed"
        case .rules, .configuration: "is watched"
        case .program: "runs as the monitor"
        }
    }

    private func octal(_ mode: UInt16) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    // MARK: The clock

    var clockFindings: [DoctorFinding] { [synchronization, order].compactMap { $0 } }

    private var synchronization: DoctorFinding {
        switch clock.isSynchronized {
        case .unknown(let reason):
            .unknown("clock-synchronized", "whether the clock is synchronized", reason)
        case .known(true): DoctorFinding("clock-synchronized", .ok, "the clock is synchronized")
        case .known(false):
            DoctorFinding(
                "clock-synchronized",
                .warning,
                "the clock is not synchronized: times in reports may not fit those of other hosts",
                fixes: [.command("apt-get install systemd-timesyncd"), .command("timedatectl set-ntp true")]
            )
        }
    }

    /// Rows and baselines cannot be of the future.
    private var order: DoctorFinding? {
        let latest = [ledger.newest, ledger.baselineCreated].compactMap { $0 }.max()
        if let latest, clock.now.nanoseconds(since: latest) < -second {
            return DoctorFinding(
                "clock-behind",
                .problem,
                "the clock (\(clock.now)) is behind what was recorded last (\(latest)): it was set back, or was wrong then",
                fixes: [.command("timedatectl status")]
            )
        }
        // Before the year in which this program was first built a clock can only be wrong.
        guard clock.booted < Timestamp(seconds: firstYear) else { return nil }
        return DoctorFinding(
            "clock-boot",
            .problem,
            "the host was started on \(clock.booted), says its clock: that cannot be",
            fixes: [.command("timedatectl status")]
        )
    }
}

/// A history and a baseline of many toolchains fit.
private let goodSpace: UInt64 = 512 << 20

/// A new baseline, which is written beside the old one, may not fit.
private let leastSpace: UInt64 = 64 << 20

private let second: Int64 = 1_000_000_000

/// 2026-01-01.
private let firstYear: Int64 = 1_767_225_600
