package import Integrity

/// What a person configured of packs: `rules: {packs: {on: […], off: […]}}`.
package struct PackChoice: Hashable, Sendable {
    package var on: [String]
    package var off: [String]

    package init(on: [String] = [], off: [String] = []) {
        self.on = on
        self.off = off
    }
}

/// Why packs cannot be chosen as configured.
package enum PackSelectionError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknown(name: String, nearest: String?)
    case onAndOff(name: String)

    package var description: String {
        switch self {
        case .unknown(let name, let near?):
            "no rule pack is named `\(escaped(name.utf8))`; did you mean `\(near)`?"
        case .unknown(let name, nil):
            "no rule pack is named `\(escaped(name.utf8))`; `millwarden rules list` names them all"
        case .onAndOff(let name): "the rule pack `\(name)` is configured both on and off; keep one of them"
        }
    }
}

/// Whether a pack is on, and why.
package struct PackState: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case configuredOn
        case configuredOff
        /// It has no `detect`.
        case always
        /// This glob of `detect` found something.
        case detected(String)
        /// The baseline was made with it: a pack once on stays on.
        case inBaseline
        case notDetected
    }

    package var name: String
    package var file: String
    package var reason: Reason

    package init(name: String, file: String, reason: Reason) {
        self.name = name
        self.file = file
        self.reason = reason
    }

    package var isOn: Bool {
        switch reason {
        case .configuredOn, .always, .detected, .inBaseline: true
        case .configuredOff, .notDetected: false
        }
    }

    /// Decides for each pack.
    /// - Parameters:
    ///   - packs: all packs that were read.
    ///   - choice: what is configured; it outweighs everything else.
    ///   - baseline: the packs that the baseline was made with.
    ///   - homes: what `~/` stands for.
    ///   - exists: whether a glob, its `~/` expanded, matches anything on this host.
    /// - Returns: one state for each pack, in their order.
    /// - Throws: a configured name that no pack has, or that is both on and off.
    package static func all(
        of packs: [RulePack],
        choice: PackChoice,
        baseline: [String],
        homes: [RawPath],
        exists: (Glob) -> Bool
    ) throws(PackSelectionError) -> [PackState] {
        let names = Set(packs.map(\.name))
        for name in choice.on + choice.off where !names.contains(name) {
            throw .unknown(name: name, nearest: nearest(name, among: names.sorted()))
        }
        if let both = choice.on.first(where: choice.off.contains) { throw .onAndOff(name: both) }
        return packs.map { pack in
            PackState(name: pack.name, file: pack.file, reason: reason(pack, choice, baseline, homes, exists))
        }
    }

    private static func reason(
        _ pack: RulePack,
        _ choice: PackChoice,
        _ baseline: [String],
        _ homes: [RawPath],
        _ exists: (Glob) -> Bool
    ) -> Reason {
        if choice.off.contains(pack.name) { return .configuredOff }
        if choice.on.contains(pack.name) { return .configuredOn }
        if pack.detect.isEmpty { return .always }
        for glob in pack.detect where glob.atHome(homes).contains(where: exists) {
            return .detected(glob.text)
        }
        return baseline.contains(pack.name) ? .inBaseline : .notDetected
    }
}

extension PackState.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .configuredOn: "switched on in the configuration"
        case .configuredOff: "switched off in the configuration"
        case .always: "on everywhere"
        case .detected(let glob): "\(glob) exists"
        case .inBaseline: "the baseline was made with it"
        case .notDetected: "nothing that it looks for exists"
        }
    }
}
