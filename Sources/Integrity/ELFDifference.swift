/// What differs between two ELF files, in the terms of those who build them.
package struct ELFDifference: Hashable, Sendable {
    /// One value on both sides; nil where a side has none.
    package struct Pair: Hashable, Sendable {
        package var before: [UInt8]?
        package var after: [UInt8]?

        package init(_ before: [UInt8]?, _ after: [UInt8]?) {
            self.before = before
            self.after = after
        }
    }

    /// Names that are on one side only, or on both with other content.
    package struct Names: Hashable, Sendable {
        package var added: [[UInt8]]
        package var removed: [[UInt8]]
        package var changed: [[UInt8]]
        /// The same names in another order.
        package var isReordered: Bool

        package init(
            added: [[UInt8]] = [],
            removed: [[UInt8]] = [],
            changed: [[UInt8]] = [],
            isReordered: Bool = false
        ) {
            self.added = added
            self.removed = removed
            self.changed = changed
            self.isReordered = isReordered
        }

        package var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty && !isReordered }
    }

    /// 64-bit or 32-bit, byte order, processor and type: as words; nil where a side is no ELF file.
    package var kind: Pair?
    package var sections = Names()
    /// Of the parts besides sections, those that differ.
    package var others: [ELFSummary.Part.Kind] = []
    package var needed = Names()
    package var auditors = Names()
    package var filters = Names()
    package var interpreter: Pair?
    package var runPath: Pair?
    package var rpath: Pair?
    package var soname: Pair?
    /// In hexadecimal.
    package var buildID: Pair?
    /// Addresses, as `0x401000`.
    package var entry: Pair?
    /// One of the two summaries lacks something: what is not named here may differ as well.
    package var isPartial = false

    package init() {}
}

extension ELFDifference {
    /// Compares two summaries; nil on one side for a file that is no ELF file.
    ///
    /// A pure function; nil where nothing that is kept differs, and where neither side is an ELF file.
    package init?(before: ELFSummary?, after: ELFSummary?) {
        guard before != nil || after != nil, before != after else { return nil }
        self.init()
        kind = ELFDifference.pair(before?.kind.utf8, after?.kind.utf8)
        isPartial = before?.isPartial == true || after?.isPartial == true
        guard let before, let after else { return }
        sections = ELFDifference.sections(before.parts, after.parts)
        others = ELFSummary.Part.Kind.allCases.filter { kind in
            guard kind != .section else { return false }
            let matches = { (part: ELFSummary.Part) in part.kind == kind }
            return before.parts.first(where: matches) != after.parts.first(where: matches)
        }
        needed = ELFDifference.lists(before.needed, after.needed)
        auditors = ELFDifference.lists(before.auditors, after.auditors)
        filters = ELFDifference.lists(before.filters, after.filters)
        interpreter = ELFDifference.pair(before.interpreter, after.interpreter)
        runPath = ELFDifference.pair(before.runPath, after.runPath)
        rpath = ELFDifference.pair(before.rpath, after.rpath)
        soname = ELFDifference.pair(before.soname, after.soname)
        buildID = ELFDifference.pair(
            before.buildID.map { hex($0).utf8 },
            after.buildID.map { hex($0).utf8 }
        )
        let addresses = [before.entry, after.entry].map { Array("0x\(String($0, radix: 16))".utf8) }
        entry = ELFDifference.pair(addresses[0], addresses[1])
        limit()
    }

    /// A list names so many at the most, each with so many bytes: a finding has a bound, whatever the file says.
    package static let listed = 64
    private static let nameLimit = 256

    private mutating func limit() {
        for list in [\ELFDifference.sections, \.needed, \.auditors, \.filters] {
            for names in [\Names.added, \.removed, \.changed] {
                let all = self[keyPath: list][keyPath: names]
                let shown = all.prefix(ELFDifference.listed).map { Array($0.prefix(ELFDifference.nameLimit)) }
                if shown != all { isPartial = true }
                self[keyPath: list][keyPath: names] = shown
            }
        }
    }

    private static func pair(_ before: (some Collection<UInt8>)?, _ after: (some Collection<UInt8>)?) -> Pair?
    {
        let pair = Pair(before.map { Array($0) }, after.map { Array($0) })
        return pair.before == pair.after ? nil : pair
    }

    private static func lists(_ before: [[UInt8]], _ after: [[UInt8]]) -> Names {
        let (old, new) = (Set(before), Set(after))
        var names = Names(
            added: after.filter { !old.contains($0) },
            removed: before.filter { !new.contains($0) }
        )
        names.isReordered = names.isEmpty && before != after
        return names
    }

    /// Sections of one name are compared in their order.
    private static func sections(_ before: [ELFSummary.Part], _ after: [ELFSummary.Part]) -> Names {
        struct Key: Hashable {
            var name: [UInt8]
            var occurrence: Int
        }
        func keyed(_ parts: [ELFSummary.Part]) -> [(key: Key, part: ELFSummary.Part)] {
            var seen: [[UInt8]: Int] = [:]
            return parts.filter { $0.kind == .section }.map { part in
                defer { seen[part.name, default: 0] += 1 }
                return (Key(name: part.name, occurrence: seen[part.name, default: 0]), part)
            }
        }
        let (old, new) = (keyed(before), keyed(after))
        let oldParts = Dictionary(old.map { ($0.key, $0.part) }, uniquingKeysWith: { first, _ in first })
        let newKeys = Set(new.map(\.key))
        var names = Names(removed: old.filter { !newKeys.contains($0.key) }.map(\.key.name))
        for (key, part) in new {
            guard let oldPart = oldParts[key] else {
                names.added.append(key.name)
                continue
            }
            if oldPart != part { names.changed.append(key.name) }
        }
        return names
    }
}
