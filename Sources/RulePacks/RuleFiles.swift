/// One entry of a directory of rules, as it was read.
package struct RuleFile: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case bytes([UInt8])
        /// A link to `/dev/null`: turns off the files of the same name in earlier places.
        case off
    }

    package var name: [UInt8]
    package var content: Content

    package init(name: [UInt8], content: Content) {
        self.name = name
        self.content = content
    }
}

/// Which rule files are in effect, of several places that may hold files of the same names.
package struct RuleFilesInEffect: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var name: [UInt8]
        /// The index of the place it lies in, which is its precedence too.
        package var place: Int
        package var bytes: [UInt8]
    }

    /// A file that has no effect.
    package struct Hidden: Hashable, Sendable {
        package var name: [UInt8]
        package var place: Int
        /// The place of the file, or the link to `/dev/null`, that stands before it.
        package var by: Int
        package var isTurnedOff: Bool

        package init(name: [UInt8], place: Int, by: Int, isTurnedOff: Bool) {
            self.name = name
            self.place = place
            self.by = by
            self.isTurnedOff = isTurnedOff
        }
    }

    /// By place, then by the bytes of the name.
    package var files: [Entry] = []
    package var hidden: [Hidden] = []

    /// Chooses among the files of the places in the configured order; a later one hides an earlier one of its name.
    ///
    /// Only `*.yaml` and `*.yml` count, and no names with a leading dot (what editors leave behind).
    package init(_ places: [[RuleFile]]) {
        var last: [[UInt8]: (place: Int, isOff: Bool)] = [:]
        for (place, files) in places.enumerated() {
            for file in files where RuleFilesInEffect.counts(file.name) {
                last[file.name] = (place, file.content == .off)
            }
        }
        for (place, files) in places.enumerated() {
            let counted = files.filter { RuleFilesInEffect.counts($0.name) }
            for file in counted.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
                guard case .bytes(let bytes) = file.content, let winner = last[file.name] else { continue }
                if winner.place == place {
                    self.files.append(Entry(name: file.name, place: place, bytes: bytes))
                } else {
                    hidden.append(
                        Hidden(name: file.name, place: place, by: winner.place, isTurnedOff: winner.isOff)
                    )
                }
            }
        }
    }

    /// Whether a name in a directory of rules is that of a rule file.
    package static func counts(_ name: some Collection<UInt8>) -> Bool {
        guard name.first != UInt8(ascii: ".") else { return false }
        return [".yaml", ".yml"].contains { ending in
            name.count > ending.utf8.count && name.suffix(ending.utf8.count).elementsEqual(ending.utf8)
        }
    }
}
