import Integrity
import TestSupport
import Testing

struct RecordCodecTests {
    private func encode(_ state: RecordedState) -> [UInt8] {
        var bytes: [UInt8] = []
        StateCodec.append(state, to: &bytes)
        return bytes
    }

    private func decode(_ bytes: [UInt8], isRacy: Bool = false) -> (state: RecordedState, used: Int)? {
        var reader = ByteReader(bytes)
        return StateCodec.decode(&reader, isRacy: isRacy).map { ($0, reader.position) }
    }

    @Test func statesReadBack() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let isRacy = Bool.random(using: &random)
            let state = RecordedState.examined(random.attributes(), isRacy: isRacy)
            let bytes = encode(state)
            #expect(decode(bytes, isRacy: isRacy)?.state == state, "\(random)")
            #expect(decode(bytes, isRacy: isRacy)?.used == bytes.count, "\(random)")
        }
        for operation in Failure.Operation.allCases {
            for errno in [Int32.min, -1, 0, 13, .max] {
                let state = RecordedState.unexamined(Failure(operation, errno))
                #expect(decode(encode(state))?.state == state)
            }
        }
    }

    @Test func equalStatesHaveEqualBytesAndOthersDoNot() {
        var random = SeededGenerator()
        for _ in 0..<300 {
            let (one, other) = (random.attributes(), random.attributes())
            let equal = encode(.examined(one, isRacy: true)) == encode(.examined(one, isRacy: false))
            #expect(equal, "\(random)")
            let same = encode(.examined(one, isRacy: false)) == encode(.examined(other, isRacy: false))
            #expect(same == (one == other), "\(random)")
        }
    }

    @Test func aCutOffStateIsRefused() {
        var random = SeededGenerator()
        for _ in 0..<30 {
            let bytes = encode(.examined(random.attributes(), isRacy: false))
            for length in 0..<bytes.count {
                #expect(decode(Array(bytes[..<length])) == nil, "\(random), length \(length)")
            }
        }
        let failure = encode(.unexamined(Failure(.read, 5)))
        for length in 0..<failure.count { #expect(decode(Array(failure[..<length])) == nil) }
    }

    /// What is read is what would be written: no two byte strings stand for one state.
    @Test func damagedStatesAreRefusedOrMeanWhatTheySay() {
        var random = SeededGenerator()
        for _ in 0..<3_000 {
            var bytes = encode(.examined(random.attributes(), isRacy: false))
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let place = bytes.indices.randomElement(using: &random) ?? 0
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            if let (state, used) = decode(bytes) {
                #expect(encode(state) == Array(bytes[..<used]), "\(random)")
            }
            let noise = [UInt8.random(in: 0...3, using: &random)] + random.bytes(upTo: 200)
            if let (state, used) = decode(noise) {
                #expect(encode(state) == Array(noise[..<used]), "\(random)")
            }
        }
    }

    /// The part that one statx(2) tells ends behind btime.
    @Test func statusIsTheFirstPart() {
        var attributes = Attributes(type: .file)
        let without = encode(.examined(attributes, isRacy: false))
        attributes.btime = Timestamp(seconds: 1)
        let with = encode(.examined(attributes, isRacy: false))
        #expect(StateCodec.statusLength(of: without[...]) == 57)
        #expect(StateCodec.statusLength(of: with[...]) == 69)
        attributes.device = DeviceNumber(major: 9, minor: 9)
        attributes.flags = .immutable
        attributes.content = .unhashed(.unreadable)
        attributes.target = [1]
        #expect(encode(.examined(attributes, isRacy: false))[..<69] == with[..<69])
        #expect(StateCodec.statusLength(of: encode(.unexamined(Failure(.open, 2)))[...]) == nil)
        #expect(StateCodec.statusLength(of: []) == nil)
        // A slice does not begin at 0.
        #expect(StateCodec.statusLength(of: ([7] + with)[1...]) == 69)
    }

    /// Byte for byte, so that a change of the format cannot pass unseen.
    @Test func theLayoutIsTheDocumentedOne() {
        var attributes = Attributes(type: .link)
        (attributes.mode, attributes.uid, attributes.gid, attributes.links) = (0o777, 1, 2, 3)
        (attributes.size, attributes.inode) = (4, 5)
        attributes.mtime = Timestamp(seconds: -1, nanoseconds: 6)
        attributes.ctime = Timestamp(seconds: 7, nanoseconds: 8)
        attributes.device = DeviceNumber(major: 254, minor: 1)
        attributes.flags = .immutable
        attributes.target = [0x61, 0xFF]
        let expected =
            "01 03 ff01 01000000 02000000 03000000 0400000000000000 0500000000000000 "
            + "ffffffffffffffff 06000000 0700000000000000 08000000 00 fe000000 01000000 10000000 00 00 "
            + "01 0200 61ff 0000 00"
        #expect(hex(encode(.examined(attributes, isRacy: false))) == expected.filter { $0 != " " })
        #expect(hex(encode(.unexamined(Failure(.open, 13)))) == "02010d000000")
    }

    @Test func theReaderNeverGoesBeyondItsEnd() {
        var reader = ByteReader([1, 2, 3, 4], from: 1, to: 3)
        #expect(reader.little() == UInt16(0x0302))
        #expect(reader.isAtEnd && reader.byte() == nil && reader.take(1) == nil)
        #expect(reader.take(0) == [])
        #expect(reader.take(-1) == nil)
        var short = ByteReader([5, 0, 1], to: 99)
        #expect(short.lengthAndBytes() == nil)
        var optional = ByteReader([2])
        #expect(optional.optional { $0.byte() } == nil)
    }
}
