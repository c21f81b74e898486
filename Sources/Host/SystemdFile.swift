package import Integrity

/// One assignment in a file of systemd.syntax(7).
package struct SystemdSetting: Hashable, Sendable {
    /// `Service`; empty before the first heading.
    package var section: String
    package var key: String
    package var value: String
    package var file: RawPath
    package var line: Int

    package init(section: String, key: String, value: String, file: RawPath, line: Int) {
        self.section = section
        self.key = key
        self.value = value
        self.file = file
        self.line = line
    }
}

/// What a file of systemd and its drop-ins say together.
package struct SystemdFile: Hashable, Sendable {
    /// The main file; nil where there is none.
    package var file: RawPath?
    /// It is a link to /dev/null, or empty: `systemctl mask`.
    package var isMasked = false
    /// Of the main file and every drop-in, in the order in which they count.
    package var settings: [SystemdSetting] = []
    /// Files that could not be read, with the reason.
    package var unreadable: [RawPath: String] = [:]

    package init() {}

    /// The last assignment of a key that holds one value; nil where there is none, or where it was emptied.
    package func setting(_ section: String, _ key: String) -> SystemdSetting? {
        let last = settings.last { $0.section == section && $0.key == key }
        return last?.value.isEmpty == false ? last : nil
    }

    /// The assignments of a key that holds a list: an empty one takes back those before it.
    package func list(_ section: String, _ key: String) -> [SystemdSetting] {
        let all = settings.filter { $0.section == section && $0.key == key }
        guard let cleared = all.lastIndex(where: \.value.isEmpty) else { return all }
        return Array(all[(cleared + 1)...])
    }
}

extension SystemdFile {
    /// Where units are looked for, the decisive place first (systemd.unit(5)).
    static let unitPlaces: [RawPath] = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system", "/lib/systemd/system",
    ]

    static let configurationPlaces: [RawPath] = [
        "/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd",
    ]

    /// A unit as it is installed, with the drop-ins of its name and of its kind.
    package static func unit(_ name: String, from files: HostFiles) -> SystemdFile {
        let kind = name.split(separator: ".").last.map(String.init) ?? name
        return gather(name, dropIns: [kind + ".d", name + ".d"], in: unitPlaces, files)
    }

    /// A configuration such as `journald.conf`.
    package static func configuration(_ name: String, from files: HostFiles) -> SystemdFile {
        gather(name, dropIns: [name + ".d"], in: configurationPlaces, files)
    }

    private static func gather(
        _ name: String,
        dropIns: [String],
        in places: [RawPath],
        _ files: HostFiles
    ) -> SystemdFile {
        var result = SystemdFile()
        for place in places {
            let path = place.appending(name)
            guard let bytes = result.read(path, files) else {
                if result.unreadable[path] != nil { break }
                continue
            }
            result.file = path
            result.isMasked = bytes.isEmpty
            result.settings = parse(bytes, file: path)
            break
        }
        for path in result.dropIns(dropIns, in: places, files) {
            guard let bytes = result.read(path, files) else { continue }
            result.settings += parse(bytes, file: path)
        }
        return result
    }

    /// Drop-ins by their names, wherever they lie; the decisive place hides those of the same name.
    private mutating func dropIns(_ folders: [String], in places: [RawPath], _ files: HostFiles) -> [RawPath]
    {
        var found: [[UInt8]: RawPath] = [:]
        for folder in folders {
            // A drop-in for this very unit hides one for its kind.
            for place in places.reversed() {
                let directory = place.appending(folder)
                do {
                    for name in try files.names(in: directory, limit: 4_096)
                    where name.suffix(5).elementsEqual(".conf".utf8) {
                        found[name] = directory.appending(name)
                    }
                } catch {
                    if !error.isAbsence { unreadable[directory] = "\(error)" }
                }
            }
        }
        return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    private mutating func read(_ path: RawPath, _ files: HostFiles) -> [UInt8]? {
        do {
            return try files.read(path)
        } catch {
            if !error.isAbsence { unreadable[path] = "\(error)" }
            return nil
        }
    }

    /// Reads systemd.syntax(7): headings, assignments, remarks, and lines that a backslash continues.
    ///
    /// What is none of these is left out, as systemd does. Bytes that are not UTF-8 come escaped.
    static func parse(_ bytes: [UInt8], file: RawPath) -> [SystemdSetting] {
        var settings: [SystemdSetting] = []
        var section = ""
        var pending: (line: Int, bytes: [UInt8])?
        let split = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, raw) in split.enumerated() {
            var line = trimmed(raw)
            // A remark between continued lines does not end them.
            if line.first == UInt8(ascii: "#") || line.first == UInt8(ascii: ";") { continue }
            let isContinued = line.last == UInt8(ascii: "\\")
            if isContinued { line.removeLast() }
            let start = pending?.line ?? index + 1
            let whole = (pending.map { $0.bytes + [0x20] } ?? []) + line
            if isContinued && index < split.count - 1 {
                pending = (start, whole)
                continue
            }
            pending = nil
            take(trimmed(whole), &section, &settings, file, start)
        }
        return settings
    }

    private static func take(
        _ line: [UInt8],
        _ section: inout String,
        _ settings: inout [SystemdSetting],
        _ file: RawPath,
        _ number: Int
    ) {
        if line.first == UInt8(ascii: "["), line.last == UInt8(ascii: "]") {
            section = text(line.dropFirst().dropLast())
        } else if let sign = line.firstIndex(of: UInt8(ascii: "=")), sign > 0 {
            settings.append(
                SystemdSetting(
                    section: section,
                    key: text(trimmed(line[..<sign])),
                    value: text(trimmed(line[(sign + 1)...])),
                    file: file,
                    line: number
                )
            )
        }
    }

    private static func text(_ bytes: some RandomAccessCollection<UInt8>) -> String {
        String(validating: bytes, as: UTF8.self) ?? escaped(bytes)
    }
}

/// A switch as systemd.syntax(7) writes it; nil for anything else.
package func systemdSwitch(_ value: String) -> Bool? {
    switch value.lowercased() {
    case "1", "yes", "y", "true", "t", "on": true
    case "0", "no", "n", "false", "f", "off": false
    default: nil
    }
}
