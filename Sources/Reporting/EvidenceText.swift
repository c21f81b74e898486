package import Integrity

/// Where the copy of an altered file lies, as far as whoever shows a finding knows.
package enum CopyPlace: Hashable, Sendable {
    case there(RawPath)
    /// It was removed: too old, or too many came after it.
    case removed
}

/// How much is shown of a difference of text.
enum DiffDetail {
    /// How many lines, and how to see them.
    case counts
    case whole
}

extension TextPage {
    /// What is kept of a change besides its attributes.
    mutating func evidence(_ evidence: FileEvidence, _ detail: DiffDetail, copy place: CopyPlace? = nil) {
        if let elf = evidence.elf {
            for (label, words) in elfLines(elf) { pair(label, words, indent: 4, column: 9) }
        }
        if let diff = evidence.diff {
            pair("text", diffText(diff), indent: 4, column: 9)
            if detail == .whole { lines(of: diff) }
        }
        if let copy = evidence.copy {
            sentence("the altered file was saved as", indent: 4)
            switch place {
            case .there(let path): name(path, indent: 6)
            case .removed:
                name("evidence/sha256/\(hex(copy.bytes))", indent: 6)
                sentence("and is there no more: `retention: evidence:` says what is kept", indent: 4)
            case nil: name("evidence/sha256/\(hex(copy.bytes))", indent: 6)
            }
        }
        for sentence in evidence.missing { pair("missing", safe(sentence), indent: 4, column: 9) }
    }

    private mutating func lines(of diff: TextDifference) {
        blank()
        for line in diff.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let paint: Paint? =
                switch line.first {
                case "+": .good
                case "-": .bad
                case "@": .faint
                default: nil
                }
            name(safeLine(line), indent: 2, paint: paint)
        }
    }

    /// The text was escaped when it was made; a history that somebody else wrote is not believed.
    private func safeLine(_ line: Substring) -> String {
        escaped(Array(line.utf8)).replacing(#"\\"#, with: #"\"#)
    }
}

/// `2 lines added, 1 removed, 1 with secrets masked`.
func diffText(_ diff: TextDifference) -> String {
    var words = ["\(counted(diff.added, "line")) added", "\(diff.removed) removed"]
    if diff.masked > 0 { words.append("\(diff.masked) with secrets masked") }
    if diff.isCut { words.append("too much to keep all of it") }
    return words.joined(separator: ", ")
}

/// What differs between two ELF files, one label and its words a line, worst first.
func elfLines(_ elf: ELFDifference) -> [(label: String, words: String)] {
    var lines: [(String, String)] = []
    func add(_ label: String, _ pair: ELFDifference.Pair?) {
        guard let pair else { return }
        let words = [pair.before, pair.after].map { $0.map { escaped($0) } ?? "none" }
        lines.append((label, words.joined(separator: " -> ")))
    }
    func add(_ label: String, _ names: ELFDifference.Names) {
        guard !names.isEmpty else { return }
        var words = names.added.map { "+\(escaped($0))" } + names.removed.map { "-\(escaped($0))" }
        words += names.changed.map { escaped($0) }
        if names.isReordered { words.append("the same, in another order") }
        lines.append((label, words.joined(separator: ", ")))
    }
    add("format", elf.kind.map { .init($0.before ?? noELF, $0.after ?? noELF) })
    add("loader", elf.interpreter)
    add("needs", elf.needed)
    add("audits", elf.auditors)
    add("filters", elf.filters)
    add("run path", elf.runPath)
    add("rpath", elf.rpath)
    add("soname", elf.soname)
    add("build id", elf.buildID)
    add("entry", elf.entry)
    add("sections", elf.sections)
    if !elf.others.isEmpty {
        let words = elf.others.map { kind in
            switch kind {
            case .header: "the ELF header"
            case .programHeaders: "the table of segments"
            case .sectionHeaders: "the table of sections"
            case .section: "sections"
            case .rest: "bytes outside of all sections"
            }
        }
        lines.append(("also", words.joined(separator: ", ")))
    }
    if elf.isPartial { lines.append(("", "one of the two is damaged or too large: more may differ")) }
    return lines
}

private let noELF = Array("no ELF file".utf8)

/// The same in one line, for the journal; cut at 2 KiB.
func elfText(_ elf: ELFDifference) -> String {
    let text = elfLines(elf).map { $0.label.isEmpty ? $0.words : "\($0.label): \($0.words)" }
        .joined(separator: "; ")
    return text.utf8.count <= 2_048 ? text : String(text.prefix(2_048)) + "…"
}
