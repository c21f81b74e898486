/// What is kept of a change besides its attributes, for whoever has to find out what was done.
package struct FileEvidence: Hashable, Sendable {
    /// How the text differs from the approved one.
    package var diff: TextDifference?
    /// How the ELF file differs from the approved one.
    package var elf: ELFDifference?
    /// The altered file was saved under this digest.
    package var copy: Digest?
    /// Why something that the rule asks for is not here, one sentence each.
    package var missing: [String]

    package init(
        diff: TextDifference? = nil,
        elf: ELFDifference? = nil,
        copy: Digest? = nil,
        missing: [String] = []
    ) {
        self.diff = diff
        self.elf = elf
        self.copy = copy
        self.missing = missing
    }

    package var isEmpty: Bool { diff == nil && elf == nil && copy == nil && missing.isEmpty }

    /// About how many bytes it takes in memory and in a row.
    package var weight: Int {
        let lists = elf.map { [$0.sections, $0.needed, $0.auditors, $0.filters] } ?? []
        let names = lists.flatMap { $0.added + $0.removed + $0.changed }.reduce(0) { $0 + $1.count + 16 }
        return 256 + names + (diff?.text.utf8.count ?? 0)
    }
}
