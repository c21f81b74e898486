import Host
import Integrity
import Ledger
import Warden
import Yams

/// `/etc/millwarden/config.yaml`: every key of the interface, checked, with defaults for what is not said.
struct Configuration: Equatable {
    var ruleDirectories: [RawPath] = ["/usr/share/millwarden/rules", "/etc/millwarden/rules.d"]
    var packsOn: [String] = []
    var packsOff: [String] = []
    var stateDirectory: RawPath?
    /// As written: `~/` is expanded for every home.
    var searchPath = [
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "~/.local/bin", "~/bin", "~/.cargo/bin",
    ]
    var buildUsers: [String] = []
    var sweepEvery: Int64 = 86_400 * 1_000_000_000
    /// Bytes a second.
    var sweepRate: UInt64 = 50 << 20
    var catchUpIsFull = false
    /// PEM files of the keys that may sign a baseline.
    var baselineKeys: [RawPath] = []
    var requiredSigner: String?
    var controlGroup = "millwarden"
    var historyRetention: Int64 = 400 * 86_400 * 1_000_000_000
    var evidenceBytes: UInt64 = 256 << 20
    var evidenceAge: Int64 = 90 * 86_400 * 1_000_000_000

    /// How often everything is read again in the background.
    var sweep: SweepSchedule { SweepSchedule(every: sweepEvery, rate: sweepRate) }

    /// How much of altered files is kept, and how long.
    var evidence: EvidenceLimits { EvidenceLimits(bytes: evidenceBytes, age: evidenceAge) }

    static let defaultPath: RawPath = "/etc/millwarden/config.yaml"

    /// Reads the file; one that is missing means the defaults, if nobody named it.
    static func load(_ path: RawPath?) throws -> Configuration {
        let file = path ?? defaultPath
        let bytes: [UInt8]
        do {
            bytes = try readFile(file, limit: 1 << 20)
        } catch .noEntry where path == nil {
            return Configuration()
        } catch .noEntry {
            throw CommandFailure(
                ExitStatus.noInput,
                "configuration \(file) does not exist; leave out --config for the defaults"
            )
        } catch {
            let status = error == .access ? ExitStatus.noPermission : ExitStatus.configuration
            throw CommandFailure(status, "cannot read the configuration \(file): \(error)")
        }
        return try parse(bytes, file: file)
    }

    static func parse(_ bytes: [UInt8], file: RawPath) throws -> Configuration {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(ExitStatus.configuration, "\(file): not UTF-8 text; save it as UTF-8")
        }
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw CommandFailure(ExitStatus.configuration, "\(file): not valid YAML: \(oneLine(error))")
        }
        var configuration = Configuration()
        guard let node, node != Node("") else { return configuration }
        try configuration.take(ConfigurationNode(node, file: file))
        return configuration
    }

    private mutating func take(_ top: ConfigurationNode) throws {
        for (key, value) in try top.mapping(
            allowed: [
                "rules", "state-directory", "path", "build-users", "sweep", "catch-up", "keys", "control",
                "retention",
            ]
        ) {
            switch key {
            case "rules": try takeRules(value)
            case "state-directory": stateDirectory = try value.absolutePath()
            case "path": searchPath = try value.strings()
            case "build-users": buildUsers = try value.strings()
            case "sweep":
                for (key, value) in try value.mapping(allowed: ["every", "rate"]) {
                    if key == "every" {
                        sweepEvery = try value.duration()
                    } else {
                        sweepRate = try value.size()
                    }
                }
            case "catch-up": catchUpIsFull = try value.choice(["quick", "full"]) == "full"
            case "keys":
                for (key, value) in try value.mapping(allowed: ["baseline", "require-signature-by"]) {
                    if key == "baseline" {
                        baselineKeys = try value.elements().map { try $0.absolutePath() }
                    } else {
                        requiredSigner = try value.optionalString()
                    }
                }
            case "control":
                for (_, value) in try value.mapping(allowed: ["group"]) { controlGroup = try value.string() }
            default: try takeRetention(value)
            }
        }
    }

    private mutating func takeRules(_ node: ConfigurationNode) throws {
        for (key, value) in try node.mapping(allowed: ["directories", "packs"]) {
            if key == "directories" {
                ruleDirectories = try value.elements().map { try $0.absolutePath() }
                continue
            }
            for (key, value) in try value.mapping(allowed: ["on", "off"]) {
                if key == "on" { packsOn = try value.strings() } else { packsOff = try value.strings() }
            }
        }
    }

    private mutating func takeRetention(_ node: ConfigurationNode) throws {
        for (key, value) in try node.mapping(allowed: ["history", "evidence"]) {
            if key == "history" {
                historyRetention = try value.duration()
                continue
            }
            for (key, value) in try value.mapping(allowed: ["bytes", "age"]) {
                if key == "bytes" {
                    evidenceBytes = try value.size()
                } else {
                    evidenceAge = try value.duration()
                }
            }
        }
    }
}

/// One place in the configuration; every error names the file, the line and the column.
private struct ConfigurationNode {
    let node: Node
    let file: RawPath

    init(_ node: Node, file: RawPath) {
        self.node = node
        self.file = file
    }

    func failure(_ message: String) -> CommandFailure {
        let place = node.mark.map { ":\($0.line):\($0.column)" } ?? ""
        return CommandFailure(ExitStatus.configuration, "\(file)\(place): \(message)")
    }

    func mapping(allowed: [String]) throws -> [(String, ConfigurationNode)] {
        guard let mapping = node.mapping else {
            throw failure("expected keys (\(allowed.joined(separator: ", ")))")
        }
        return try mapping.map { key, value in
            let keyNode = ConfigurationNode(key, file: file)
            guard let name = key.string, allowed.contains(name) else {
                let shown = escaped(Array((key.string ?? "?").utf8))
                throw keyNode.failure(
                    "unknown key '\(shown)'; known here: \(allowed.joined(separator: ", "))"
                )
            }
            return (name, ConfigurationNode(value, file: file))
        }
    }

    func elements() throws -> [ConfigurationNode] {
        guard let sequence = node.sequence else { throw failure("expected a list, as in [a, b]") }
        return sequence.map { ConfigurationNode($0, file: file) }
    }

    func string() throws -> String {
        guard let scalar = node.scalar else { throw failure("expected one value") }
        return scalar.string
    }

    func optionalString() throws -> String? {
        if node.null != nil { return nil }
        return try string()
    }

    func strings() throws -> [String] { try elements().map { try $0.string() } }

    func choice(_ choices: [String]) throws -> String {
        let value = try string()
        guard choices.contains(value) else { throw failure("expected \(choices.joined(separator: " or "))") }
        return value
    }

    func absolutePath() throws -> RawPath {
        let path = RawPath(try string())
        guard path.isAbsolute, !path.bytes.contains(0) else { throw failure("expected an absolute path") }
        return path.normalized
    }

    func duration() throws -> Int64 {
        guard let value = parseDuration(try string()) else {
            throw failure("expected a duration, as in 24h or '1d 12h' (systemd.time(7))")
        }
        return value
    }

    func size() throws -> UInt64 {
        guard let value = parseSize(try string()) else { throw failure("expected a size, as in 50MiB") }
        return value
    }
}

/// A time span as systemd.time(7) writes it (`24h`, `1d 12h`, `90s`, `5min`); a bare number is seconds.
///
/// In nanoseconds.
func parseDuration(_ text: String) -> Int64? {
    let second: Int64 = 1_000_000_000
    let units: [String: Int64] = [
        "": second, "s": second, "sec": second, "second": second, "seconds": second, "ms": second / 1_000,
        "msec": second / 1_000, "us": 1_000, "usec": 1_000, "m": 60 * second, "min": 60 * second,
        "minute": 60 * second, "minutes": 60 * second, "h": 3_600 * second, "hr": 3_600 * second,
        "hour": 3_600 * second, "hours": 3_600 * second, "d": 86_400 * second, "day": 86_400 * second,
        "days": 86_400 * second, "w": 604_800 * second, "week": 604_800 * second, "weeks": 604_800 * second,
        "M": 2_629_800 * second, "month": 2_629_800 * second, "months": 2_629_800 * second,
        "y": 31_557_600 * second, "year": 31_557_600 * second, "years": 31_557_600 * second,
    ]
    return sum(of: text, units: units)
}

/// A size in bytes with an optional unit from `K` to `T`.
///
/// All are powers of 1024, as are `KiB` and the like; those in `KB` and the like are powers of 1000.
func parseSize(_ text: String) -> UInt64? {
    var units: [String: Int64] = ["": 1, "B": 1]
    for (power, letter) in ["K", "M", "G", "T"].enumerated() {
        units[letter] = 1 << (10 * (Int64(power) + 1))
        units[letter + "iB"] = units[letter]
        units[letter + "B"] = (0...power).reduce(1) { value, _ in value * 1_000 }
    }
    return sum(of: text, units: units).map(UInt64.init)
}

/// Numbers with units, added up; nil for anything else, and for nothing.
private func sum(of text: String, units: [String: Int64]) -> Int64? {
    var total: Int64 = 0
    var rest = text.drop { $0 == " " }
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        rest = rest.dropFirst(digits.count).drop { $0 == " " }
        let unit = rest.prefix { $0.isASCII && $0.isLetter }
        guard let factor = units[String(unit)] else { return nil }
        rest = rest.dropFirst(unit.count).drop { $0 == " " }
        let (product, tooLarge) = number.multipliedReportingOverflow(by: factor)
        let (next, overflow) = total.addingReportingOverflow(product)
        guard !tooLarge, !overflow else { return nil }
        total = next
    }
    return total
}

/// A library's error on one line that is safe to print.
func oneLine(_ error: any Error) -> String {
    let text = String(describing: error)
    return escaped(Array(text.replacing("\n", with: " ").utf8))
}
