import Integrity
import Testing

struct ELFDifferenceTests {
    private func summary(_ change: (inout ELFSummary) -> Void = { _ in }) -> ELFSummary {
        var summary = ELFSummary(is64Bit: true, isBigEndian: false, type: 3, machine: 62, entry: 0x1040)
        summary.needed = [Array("liba.so".utf8), Array("libb.so".utf8)]
        summary.parts = [
            .init(.header, size: 64, fingerprint: 1), .init(.programHeaders, size: 56, fingerprint: 2),
            .init(.section, name: Array(".text".utf8), size: 9, fingerprint: 3),
            .init(.section, name: Array(".data".utf8), size: 9, fingerprint: 4),
            .init(.section, name: Array(".data".utf8), size: 9, fingerprint: 5),
        ]
        change(&summary)
        return summary
    }

    @Test func equalFilesDoNotDiffer() {
        #expect(ELFDifference(before: summary(), after: summary()) == nil)
        #expect(ELFDifference(before: nil, after: nil) == nil)
    }

    @Test func anotherKindOfFileIsSaid() throws {
        let became = try #require(ELFDifference(before: nil, after: summary()))
        #expect(became.kind == .init(nil, Array("64-bit little-endian x86-64 shared object".utf8)))
        let ceased = try #require(ELFDifference(before: summary(), after: nil))
        #expect(ceased.kind?.after == nil && ceased.sections.isEmpty)
        let other = summary { ($0.is64Bit, $0.machine, $0.type) = (false, 999, 77) }
        let changed = try #require(ELFDifference(before: summary(), after: other))
        #expect(changed.kind?.after == Array("32-bit little-endian machine 999 file of type 77".utf8))
    }

    @Test func sectionsOfOneNameAreToldApart() throws {
        let changed = summary { $0.parts[4].fingerprint = 6 }
        #expect(
            ELFDifference(before: summary(), after: changed)?.sections
                == .init(changed: [Array(".data".utf8)])
        )
        let removed = summary { $0.parts.remove(at: 3) }
        let difference = try #require(ELFDifference(before: summary(), after: removed))
        #expect(difference.sections.removed == [Array(".data".utf8)])
    }

    /// The first library that has a symbol gives it: the order decides what runs.
    @Test func anotherOrderOfLibrariesIsADifference() throws {
        let reordered = summary { $0.needed.reverse() }
        let difference = try #require(ELFDifference(before: summary(), after: reordered))
        #expect(difference.needed == .init(isReordered: true))
        #expect(difference.sections.isEmpty && difference.others.isEmpty)
    }

    @Test func partsBesidesSectionsAreNamed() throws {
        let changed = summary {
            $0.parts[1].fingerprint = 9
            $0.parts.append(.init(.rest, size: 3, fingerprint: 1))
            $0.isPartial = true
        }
        let difference = try #require(ELFDifference(before: summary(), after: changed))
        #expect(difference.others == [.programHeaders, .rest])
        #expect(difference.isPartial)
    }
}
