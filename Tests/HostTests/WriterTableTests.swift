import Integrity
import TestSupport
import Testing

@testable import Host

/// Who wrote to a path since it was examined last, deed by deed.
struct WriterTableTests {
    var table = WriterTable()
    let path: RawPath = "/usr/bin/cc"

    private func process(_ serial: UInt64) -> KnownProcess {
        KnownProcess(serial: serial, pid: Int32(serial), born: 0, images: [ProcessImage(since: 0)])
    }

    private mutating func note(
        _ serial: UInt64?,
        _ deed: WriterDeed,
        path: RawPath = "/usr/bin/cc",
        isNew: Bool = false,
        at time: UInt64 = 10
    ) {
        table.note(path, deed, isNew: isNew, by: serial.map(process), from: time, to: time + 1)
    }

    private func who(_ deeds: WriterDeed, asOf position: UInt64? = nil) -> [UInt64]? {
        table.writer(of: path, deeds, asOf: position ?? table.position).map {
            [$0.writer.serial, UInt64($0.others)]
        }
    }

    @Test mutating func theLastOneWhoWroteIsNamedAndTheOthersAreCounted() {
        #expect(who(.content) == nil)
        note(1, .content)
        #expect(who(.content) == [1, 0])
        note(2, .content)
        note(1, .content)
        note(3, .attributes)
        #expect(who(.content) == [1, 2])
        #expect(who(.attributes) == [3, 2])
        #expect(who(.name) == nil, "nobody renamed it")
        #expect(who([.content, .attributes]) == [3, 2])
    }

    @Test mutating func whoeverIsNotKnownIsNotReplacedByAnother() {
        note(1, .content)
        note(nil, .content)
        #expect(who(.content) == nil)
        note(2, .content)
        #expect(who(.content) == [2, 2])
    }

    @Test mutating func whatWasExaminedIsForgottenAndWhatCameSinceIsNot() {
        note(1, .content)
        let position = table.position
        note(2, .attributes)
        table.forget(path, upTo: position)
        #expect(who(.content) == nil)
        #expect(who(.attributes) == [2, 0])
        table.forget(path, upTo: table.position)
        #expect(table.count == 0 && !table.knows(path))
    }

    @Test mutating func oneWhoWritesWhileItIsExaminedMakesItUncertain() {
        note(1, .content)
        let position = table.position
        note(2, .content)
        #expect(who(.content, asOf: position) == nil)
        #expect(who(.content) == [2, 1])
    }

    @Test mutating func theOnlyWriterIsNamedThoughItsEventCameLate() {
        let position = table.position
        note(1, .content)
        #expect(who(.content, asOf: position) == [1, 0])
    }

    @Test mutating func afterALossNobodyIsNamedUntilEverythingWasExamined() {
        note(1, .content)
        table.noteLoss(at: 100)
        #expect(who(.content) == nil && table.losses == 1)
        table.forget(path, upTo: table.position)
        note(2, .content, at: 5_000_000_000)
        #expect(who(.content) == nil, "another's event may have been among those that were lost")
        table.forget(path, upTo: table.position)
        note(2, .content, at: 5_000_000_200)
        #expect(who(.content) == [2, 0])
    }

    @Test mutating func aFloodOfNewNamesDrivesOutNoOldOne() {
        note(1, .content)
        for number in 0..<20_000 {
            note(2, [.content, .name], path: RawPath("/usr/bin/\(number)"), isNew: true)
        }
        #expect(who(.content) == [1, 0])
        #expect(table.count <= 4_097 && table.losses == 0)
    }

    @Test mutating func aFloodOfOldNamesIsALoss() {
        for number in 0...16_384 { note(2, .content, path: RawPath("/usr/bin/\(number)")) }
        #expect(table.losses == 1 && table.count == 1)
        note(1, .content)
        #expect(who(.content) == nil)
    }

    @Test mutating func manyWritersAreCountedAndFewAreKept() {
        for serial: UInt64 in 1...3_000 { note(serial, .content) }
        #expect(who(.content) == [3_000, 1_023])
    }
}
