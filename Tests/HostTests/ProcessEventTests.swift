import TestSupport
import Testing

@testable import Host

struct ProcessEventTests {
    /// Datagrams of Linux 6.18.
    static let captured: [(bytes: [UInt8], event: ProcessEvent)] = [
        (
            bytes(
                """
                4c000000030000000000000000000000010000000100000000000000010000002800000000000000000000001aff2c813b0f\
                0000000000000000000000000000000000000000000000000000
                """
            ), ProcessEvent(.acknowledged(0), at: 0x0F3B_812C_FF1A)
        ),
        (
            bytes(
                """
                4c0000000300000001000000000000000100000001000000010000000000000028000000010000000000000098b631813b0f\
                0000f01b0000f01b00002d1c00002d1c00000000000000000000
                """
            ), ProcessEvent(.fork(parent: 0x1BF0, child: 0x1C2D), at: 0x0F3B_8131_B698)
        ),
        (
            bytes(
                """
                4c000000030000000200000000000000010000000100000002000000000000002800000002000000000000004f1d38813b0f\
                00002d1c00002d1c000000000000000000000000000000000000
                """
            ), ProcessEvent(.exec(0x1C2D), at: 0x0F3B_8138_1D4F)
        ),
        (
            bytes(
                """
                4c0000000300000005000000000000000100000001000000050000000000000028000000000000800000000004f273813b0f\
                00002e1c00002e1c000000000000110000002d1c00002d1c0000
                """
            ), ProcessEvent(.exit(0x1C2E), at: 0x0F3B_8173_F204)
        ),
        (
            bytes(
                """
                4c0000000300000006000000000000000100000001000000060000000000000028000000040000000100000041a3d2a03b0f\
                0000351c0000351c0000feff0000feff00000000000000000000
                """
            ), ProcessEvent(.user(0x1C35, uid: 65_534), at: 0x0F3B_A0D2_A341)
        ),
    ]

    @Test(arguments: captured.indices) func whatTheKernelGaveIsDecoded(index: Int) {
        let (bytes, event) = Self.captured[index]
        let decoded = decodeProcessEvents(bytes[...])
        #expect(decoded.events == [event] && decoded.undecoded == 0)
    }

    @Test func severalMessagesInOneDatagramAreAllDecoded() {
        let decoded = decodeProcessEvents(Self.captured.flatMap(\.bytes)[...])
        #expect(decoded.events == Self.captured.map(\.event) && decoded.undecoded == 0)
    }

    @Test func everyCutIsSeen() {
        let all = Self.captured.flatMap(\.bytes)
        for cut in 0...all.count {
            let decoded = decodeProcessEvents(([0xAA] + all)[1..<1 + cut])
            #expect(decoded.events == Self.captured.prefix(cut / 76).map(\.event))
            #expect(decoded.undecoded == cut % 76)
        }
    }

    /// A message of the connector's whose parts are changed.
    private func changed(_ index: Int, _ change: (inout [UInt8]) -> Void) -> DecodedProcessEvents {
        var bytes = Self.captured[index].bytes
        change(&bytes)
        return decodeProcessEvents(bytes[...])
    }

    @Test func whatThreadsDoAndOtherConnectorsSayIsLeftOut() {
        #expect(changed(1) { $0[60] ^= 1 } == DecodedProcessEvents(), "the fork of a thread")
        #expect(changed(2) { $0[52] ^= 1 } == DecodedProcessEvents(), "a thread's own")
        #expect(changed(3) { $0[52] ^= 1 } == DecodedProcessEvents(), "the end of a thread")
        #expect(changed(4) { $0[52] ^= 1 } == DecodedProcessEvents(), "the user of a thread")
        #expect(changed(2) { $0[16] = 9 } == DecodedProcessEvents(), "another connector")
        #expect(changed(2) { $0[37] = 2 } == DecodedProcessEvents(), "a kind that nobody knows")
    }

    @Test func lengthsThatLieAreNotFollowed() {
        #expect(changed(2) { $0[0] = 15 }.undecoded == 76, "shorter than the header")
        #expect(changed(2) { $0[0] = 77 }.undecoded == 76, "longer than the datagram")
        #expect(changed(2) { $0[3] = 0xFF }.undecoded == 76, "much longer")
        #expect(changed(2) { $0[32] = 41 }.undecoded == 76, "an event longer than its message")
        #expect(changed(2) { $0[32] = 15 }.undecoded == 76, "an event without its numbers")
    }

    @Test func randomBytesNeverReadBeyondTheEnd() {
        var random = SeededGenerator()
        let all = Self.captured.flatMap(\.bytes)
        for round in 0..<20_000 {
            var noise = random.bytes(
                Int.random(in: 0...160, using: &random),
                mostlyFrom: [0, 1, 2, 4, 40, 76]
            )
            if round % 2 == 0 {
                noise = all
                for _ in 0..<4 {
                    noise[Int.random(in: noise.indices, using: &random)] = UInt8.random(
                        in: 0...255,
                        using: &random
                    )
                }
            }
            let decoded = decodeProcessEvents(noise[...])
            #expect(decoded.undecoded >= 0 && decoded.undecoded <= noise.count, "\(random)")
            #expect(decoded.events.count <= noise.count / 52, "\(random)")
        }
    }
}
