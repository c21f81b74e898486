import Integrity
import TestSupport
import Testing

@testable import Host

struct FanotifyEventTests {
    /// What Linux 6.18 gave for `echo x > a; mkdir sub; mv a b; chmod 600 b; rm b; chmod 700 .` in a marked directory of
    /// an ext4 file system: with both halves of the rename and `FAN_RENAME`, and a descriptor of the first writer only.
    static let captured: [UInt8] = bytes(
        """
        40000000030018000a01000000000000ffffffff2d1c000002002000827c1e8a37283296080000000100000002ac670070cc1a31\
        61000000040008000500000040000000030018000001004000000000ffffffff2e1c000002002000827c1e8a3728329608000000\
        0100000002ac670070cc1a317375620004000800ffffffff60000000030018000000001000000000ffffffff2f1c00000a002000\
        827c1e8a37283296080000000100000002ac670070cc1a31610000000c002000827c1e8a37283296080000000100000002ac6700\
        70cc1a316200000004000800ffffffff40000000030018004000000000000000ffffffff2f1c000002002000827c1e8a37283296\
        080000000100000002ac670070cc1a316100000004000800ffffffff40000000030018008000000000000000ffffffff2f1c0000\
        02002000827c1e8a37283296080000000100000002ac670070cc1a316200000004000800ffffffff400000000300180004000000\
        00000000ffffffff301c000002002000827c1e8a37283296080000000100000002ac670070cc1a316200000004000800ffffffff\
        40000000030018000002000000000000ffffffff311c000002002000827c1e8a37283296080000000100000002ac670070cc1a31\
        6200000004000800ffffffff40000000030018000400004000000000ffffffff321c000002002000827c1e8a3728329608000000\
        0100000002ac670070cc1a312e00000004000800ffffffff
        """
    )

    private static let directory = FileHandle(
        fileSystem: 0x9632_2837_8A1E_7C82,
        type: 1,
        bytes: [0x02, 0xAC, 0x67, 0x00, 0x70, 0xCC, 0x1A, 0x31]
    )

    private static func event(_ mask: FanotifyMask, _ pid: Int32, _ name: String, pidfd: Int32? = nil)
        -> FanotifyEvent
    {
        let place = DirectoryName(directory: directory, name: Array(name.utf8))
        return FanotifyEvent(mask: mask, pid: pid, place: place, pidfd: pidfd)
    }

    static var expected: [FanotifyEvent] {
        var rename = FanotifyEvent(mask: .rename, pid: 0x1C2F)
        rename.from = DirectoryName(directory: directory, name: Array("a".utf8))
        rename.to = DirectoryName(directory: directory, name: Array("b".utf8))
        return [
            event([.create, .modify, .closeWrite], 0x1C2D, "a", pidfd: 5),
            event([.create, .onDirectory], 0x1C2E, "sub"),
            rename,
            event(.movedFrom, 0x1C2F, "a"),
            event(.movedTo, 0x1C2F, "b"),
            event(.attrib, 0x1C30, "b"),
            event(.delete, 0x1C31, "b"),
            // The directory itself.
            event([.attrib, .onDirectory], 0x1C32, ""),
        ]
    }

    @Test func whatTheKernelGaveIsDecoded() {
        let decoded = decodeFanotify(Self.captured[...])
        #expect(decoded.events == Self.expected)
        #expect(decoded.undecoded == 0 && !decoded.hasGap)
    }

    @Test func everyCutIsSeenAndNothingBeforeItIsLost() {
        var ends = [0]
        for event in Self.expected { ends.append((ends.last ?? 0) + (event.from == nil ? 64 : 96)) }
        for cut in 0...Self.captured.count {
            // In the middle of other bytes: nothing may be taken from behind the slice.
            let slice = ([0xAA] + Self.captured)[1..<1 + cut]
            let decoded = decodeFanotify(slice)
            let whole = ends.count { $0 <= cut } - 1
            #expect(decoded.events == Array(Self.expected.prefix(whole)))
            #expect(decoded.undecoded == cut - ends[whole] && decoded.hasGap == (decoded.undecoded > 0))
        }
    }

    @Test func anEventWithoutRecordsIsAnEvent() {
        // What tells that the queue was full: no process, no place.
        let overflow = bytes("18000000030018000040000000000000ffffffff00000000")
        let decoded = decodeFanotify(overflow[...])
        #expect(decoded.events == [FanotifyEvent(mask: .queueOverflow, pid: 0)])
        #expect(decoded.hasGap)
    }

    @Test(arguments: [
        ("a length of nothing", "00000000030018000200000000000000ffffffff2d1c0000"),
        ("a length that ends in the header", "10000000030018000200000000000000ffffffff2d1c0000"),
        ("another version", "18000000040018000200000000000000ffffffff2d1c0000"),
        ("a header that reaches beyond the event", "18000000030019000200000000000000ffffffff2d1c0000"),
        ("a header that is too short", "18000000030017000200000000000000ffffffff2d1c0000"),
    ])
    func whatIsNoEventStopsThere(what: String, hex: String) {
        let decoded = decodeFanotify(bytes(hex)[...])
        #expect(decoded.events.isEmpty && decoded.undecoded == 24, "\(what)")
    }

    @Test(arguments: [
        ("of no length", "0400000000000000"), ("longer than the event", "04000900ffffffff"),
        ("of a kind nobody knows", "63000800ffffffff"), ("cut in its handle", "02000800ffffffff"),
        ("without a process", "04000800ffffffff"), ("without a descriptor", "04000800feffffff"),
    ])
    func aBrokenRecordSaysNothing(what: String, hex: String) {
        let record = bytes(hex)
        let decoded = decodeFanotify(
            (bytes("20000000030018000200000000000000ffffffff2d1c0000") + record)[...]
        )
        #expect(decoded.events == [FanotifyEvent(mask: .modify, pid: 0x1C2D)], "\(what)")
        #expect(decoded.undecoded == 0)
    }

    @Test func aNameWithoutAnEndIsNone() {
        var captured = Array(Self.captured.prefix(64))
        for index in 52..<56 { captured[index] = 0x61 }
        #expect(decodeFanotify(captured[...]).events.map(\.place) == [nil])
    }

    @Test func theMountIsTold() {
        let record = bytes("07001000000000000123456789abcdef")
        let decoded = decodeFanotify(
            (bytes("28000000030018000000000000000000ffffffff2d1c0000") + record)[...]
        )
        #expect(decoded.events.map(\.mount) == [0xEFCD_AB89_6745_2301])
    }

    @Test func randomBytesNeverReadBeyondTheEnd() {
        var random = SeededGenerator()
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...160, using: &random)
            let noise = random.bytes(count, mostlyFrom: [0, 0, 3, 24, 2, 4, 8, 10, 12, 32, 64, 0xFF])
            check(noise, random)
        }
        for _ in 0..<20_000 {
            var damaged = Self.captured
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            check(damaged, random)
        }
    }

    private func check(_ bytes: [UInt8], _ random: SeededGenerator) {
        let decoded = decodeFanotify(bytes[...])
        #expect(decoded.undecoded >= 0 && decoded.undecoded <= bytes.count, "\(random)")
        #expect(decoded.events.count <= bytes.count / 24, "\(random)")
        for event in decoded.events {
            for name in [event.place, event.from, event.to].compactMap({ $0 }) {
                #expect(!name.name.contains(0) && name.name.count < bytes.count, "\(random)")
            }
        }
    }
}

/// Bytes from pairs of hexadecimal digits.
func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
