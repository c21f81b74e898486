import Integrity

/// Where a process belongs: its systemd unit and its container, told from the path of its control group.
///
/// Whoever owns a group may make others below it and name them as he likes, so that the outermost name that is a unit
/// counts: that one only systemd can make.
package struct ControlGroup: Hashable, Sendable {
    /// `ci.service`, `session-3.scope`.
    package var unit: String?
    /// The container's id, or its name where the manager goes by names.
    package var container: String?

    package init(unit: String?, container: String?) {
        self.unit = unit
        self.container = container
    }

    /// From the text of /proc/PID/cgroup (cgroups(7)).
    ///
    /// Systemd's own hierarchy counts, the unified one or `name=systemd`; where both say nothing, any other one, for the
    /// sake of containers of a host without systemd.
    package init(_ text: ArraySlice<UInt8>) {
        var paths: [(rank: Int, path: ArraySlice<UInt8>)] = []
        for line in text.split(separator: 0x0A, maxSplits: 32) {
            let fields = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let rank = fields[1].isEmpty ? 0 : fields[1].elementsEqual("name=systemd".utf8) ? 1 : 2
            paths.append((rank, fields[2]))
        }
        for (_, path) in paths.sorted(by: { $0.rank < $1.rank }) {
            self.init(path: path)
            if unit != nil || container != nil { return }
        }
        self.init(unit: nil, container: nil)
    }

    /// From the path of one group.
    init(path: ArraySlice<UInt8>) {
        let names = path.prefix(4_096).split(separator: 0x2F)
        unit = names.first { !$0.hasSuffix(".slice") && isUnit($0) }.flatMap(text)
        container = nil
        var parent: ArraySlice<UInt8>?
        // The innermost one: a container may run in another.
        for name in names {
            container = containerName(name, below: parent) ?? container
            parent = name
        }
    }
}

/// A unit that holds processes and is no slice.
private func isUnit(_ name: ArraySlice<UInt8>) -> Bool {
    [".service", ".scope", ".mount", ".socket", ".swap"].contains {
        name.hasSuffix($0) && name.count > $0.count
    }
}

/// What engines name a container's own group.
private func containerName(_ name: ArraySlice<UInt8>, below parent: ArraySlice<UInt8>?) -> String? {
    // docker-ID.scope, cri-containerd-ID.scope, libpod-ID.scope, crio-ID.scope, nerdctl-ID.scope, and without the suffix
    // where systemd does not keep the groups. conmon's group, libpod-conmon-ID, is the monitor's and not the container's.
    let bare = name.hasSuffix(".scope") ? name.dropLast(6) : name
    for engine in ["docker-", "cri-containerd-", "libpod-", "crio-", "nerdctl-"] where bare.hasPrefix(engine)
    {
        let id = bare.dropFirst(engine.utf8.count)
        if isIdentifier(id) { return text(id) }
    }
    if bare.hasPrefix("lxc.payload.") { return text(bare.dropFirst(12)) }
    // machine-NAME.scope of machined, systemd-nspawn@NAME.service.
    if name.hasSuffix(".scope"), bare.hasPrefix("machine-") {
        return unescaped(bare.dropFirst(8)).flatMap(text)
    }
    if name.hasPrefix("systemd-nspawn@"), name.hasSuffix(".service") {
        return unescaped(name.dropFirst(15).dropLast(8)).flatMap(text)
    }
    // SLICE:cri-containerd:ID, where containerd is told that systemd keeps the groups and is not told so itself.
    let parts = name.split(separator: 0x3A, omittingEmptySubsequences: false)
    if parts.count == 3, isIdentifier(parts[2]) { return text(parts[2]) }
    guard let parent else { return nil }
    // /docker/ID, /containerd/ID, /kubepods/…/podUID/ID, /lxc/NAME.
    if isIdentifier(name) { return text(name) }
    return parent.elementsEqual("lxc".utf8) ? text(name) : nil
}

/// 64 digits of a SHA-256, as engines make ids.
private func isIdentifier(_ name: ArraySlice<UInt8>) -> Bool {
    name.count == 64
        && name.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
}

/// The name of a unit's instance: systemd writes odd bytes as `\xnn` and a slash as `-` (systemd-escape(1)).
private func unescaped(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var bytes: [UInt8] = []
    var rest = name
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "\\") else {
            bytes.append(byte)
            continue
        }
        guard rest.first == UInt8(ascii: "x"),
            let digits = String(validating: rest.dropFirst().prefix(2), as: UTF8.self),
            digits.utf8.count == 2, let value = UInt8(digits, radix: 16)
        else { return nil }
        bytes.append(value)
        rest = rest.dropFirst(3)
    }
    return bytes[...]
}

/// A name of a group as text, bounded, without anything that could do harm where it is shown; nil for none.
private func text(_ name: ArraySlice<UInt8>) -> String? {
    name.isEmpty ? nil : escaped(name.prefix(255))
}

extension ArraySlice<UInt8> {
    fileprivate func hasPrefix(_ text: String) -> Bool { starts(with: text.utf8) }
    fileprivate func hasSuffix(_ text: String) -> Bool { reversed().starts(with: text.utf8.reversed()) }
}
