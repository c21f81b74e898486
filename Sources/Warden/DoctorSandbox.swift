import Host
import Integrity

/// Whether the installed unit hides from the service what it is to watch (systemd.exec(5)).
extension DoctorFacts {
    var sandboxFindings: [DoctorFinding] {
        var findings = unit.unreadable.sorted { $0.key < $1.key }.map { path, reason in
            DoctorFinding.unknown("sandbox-unreadable", "what \(path) says", reason)
        }
        guard unit.file != nil else {
            findings.append(
                DoctorFinding(
                    "sandbox",
                    .note,
                    "no unit \(unitName) is installed; nothing but a person starts the service"
                )
            )
            return findings
        }
        if unit.isMasked {
            findings.append(
                DoctorFinding(
                    "sandbox-masked",
                    .problem,
                    "the unit \(unitName) is masked: nobody can start the service",
                    fixes: [.command("systemctl unmask \(unitName)")]
                )
            )
            return findings
        }
        let hiding = Hiding.all.compactMap { finding($0) } + lists
        findings += hiding
        if hiding.isEmpty {
            findings.append(
                DoctorFinding("sandbox", .ok, "the unit \(unitName) hides nothing from the service")
            )
        }
        return findings
    }

    private func finding(_ hiding: Hiding) -> DoctorFinding? {
        guard let setting = unit.setting("Service", hiding.key), hiding.hides(setting.value.lowercased())
        else {
            return nil
        }
        return problem(setting, hiding.loss, wanted: hiding.wanted)
    }

    /// Lists of paths: an empty assignment takes all of them back.
    private var lists: [DoctorFinding] {
        [
            ("InaccessiblePaths", "the service cannot see those paths"),
            ("TemporaryFileSystem", "the service sees empty directories in their place"),
        ].compactMap { key, loss in
            unit.list("Service", key).first.map { problem($0, loss, wanted: "") }
        }
    }

    private func problem(_ setting: SystemdSetting, _ loss: String, wanted: String) -> DoctorFinding {
        let name = kebab(setting.key)
        let place = RawPath("/etc/systemd/system/\(unitName).d/zz-\(name).conf")
        return DoctorFinding(
            "sandbox-\(name)",
            .problem,
            "the unit says \(setting.key)=\(escaped(setting.value.utf8)), which hides scope: \(loss)",
            details: ["\(setting.file):\(setting.line)"],
            paths: [setting.file],
            fixes: [
                .file(place, lines: ["[Service]", "\(setting.key)=\(wanted)"]),
                .command("systemctl daemon-reload"), .command("systemctl restart \(unitName)"),
            ]
        )
    }
}

private let unitName = "millwarden.service"

/// One setting of a unit that hides something.
private struct Hiding {
    var key: String
    var hides: @Sendable (String) -> Bool
    var loss: String
    var wanted: String

    static let isOn: @Sendable (String) -> Bool = { systemdSwitch($0) ?? true }

    static let all: [Hiding] = [
        Hiding(
            key: "PrivateTmp",
            hides: isOn,
            loss: "/tmp and /var/tmp are others than those of builds",
            wanted: "no"
        ),
        Hiding(
            key: "ProtectHome",
            hides: { $0 != "read-only" && systemdSwitch($0) != false },
            loss: "/home, /root and /run/user look empty",
            wanted: "read-only"
        ),
        Hiding(
            key: "PrivateUsers",
            hides: isOn,
            loss: "owners look like nobody and capabilities do not reach the host",
            wanted: "no"
        ),
        Hiding(
            key: "ProtectProc",
            hides: { $0 != "default" },
            loss: "processes of others cannot be named",
            wanted: "default"
        ),
        Hiding(
            key: "ProcSubset",
            hides: { $0 != "all" },
            loss: "/proc lacks what tells limits and mounts",
            wanted: "all"
        ),
        Hiding(
            key: "ProtectKernelModules",
            hides: isOn,
            loss: "/usr/lib/modules looks empty",
            wanted: "no"
        ),
        Hiding(
            key: "PrivateNetwork",
            hides: isOn,
            loss: "the proc connector is silent in a network namespace of its own",
            wanted: "no"
        ),
        Hiding(key: "PrivateDevices", hides: isOn, loss: "/dev is another than the host's", wanted: "no"),
        Hiding(
            key: "PrivateMounts",
            hides: isOn,
            loss: "what is mounted on the host later is not seen",
            wanted: "no"
        ),
        Hiding(
            key: "MountFlags",
            hides: { $0 == "private" },
            loss: "what is mounted on the host later is not seen",
            wanted: ""
        ),
        Hiding(key: "RootDirectory", hides: { _ in true }, loss: "it sees another tree", wanted: ""),
        Hiding(key: "RootImage", hides: { _ in true }, loss: "it sees another tree", wanted: ""),
    ]
}

/// `PrivateTmp` as `private-tmp`.
private func kebab(_ key: String) -> String {
    var name = ""
    for character in key {
        if character.isUppercase && !name.isEmpty { name.append("-") }
        name += character.lowercased()
    }
    return name
}
