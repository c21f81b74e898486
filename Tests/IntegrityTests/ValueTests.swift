import Integrity
import TestSupport
import Testing

struct ValueTests {
    @Test func namesReadBack() {
        for value in FileType.allCases { #expect(FileType(name: value.name) == value) }
        for value in Severity.allCases { #expect(Severity(name: value.name) == value) }
        for value in Profile.allCases { #expect(Profile(name: value.name) == value) }
        for value in Keep.allCases { #expect(Keep(name: value.name) == value) }
        for value in ChangeKind.allCases { #expect(ChangeKind(name: value.name) == value) }
        for value in Verdict.allCases { #expect(Verdict(name: value.name) == value) }
        #expect(
            Severity(name: "Critical") == nil && Profile(name: "appendOnly") == nil
                && FileType(name: "") == nil
        )
    }

    @Test func attributeNamesAreTheClosedList() {
        let plain = "type digest size mode uid gid mtime ctime inode links flags target device names"
        for word in plain.split(separator: " ") {
            #expect(AttributeName(bytes: Array(word.utf8))?.bytes == Array(word.utf8))
        }
        #expect(AttributeName(bytes: Array("xattr:".utf8) + [0xFF]) == .xattr([0xFF]))
        #expect(AttributeName.xattr([0xFF]).bytes == Array("xattr:".utf8) + [0xFF])
        #expect(AttributeName(bytes: Array("btime".utf8)) == nil)
    }

    @Test func severities() {
        #expect(Severity.allCases.sorted() == [.low, .medium, .high, .critical])
        #expect(Severity.allCases.map(\.priority) == [5, 4, 3, 2])
        #expect(Severity.allCases.map(\.lowered) == [.low, .low, .medium, .high])
    }

    @Test(
        arguments: [("254:0", 254, 0), ("0:0", 0, 0), ("4294967295:4294967295", UInt32.max, .max)]
            as [(String, UInt32, UInt32)]
    )
    func deviceNumbers(text: String, major: UInt32, minor: UInt32) {
        #expect(DeviceNumber(text) == DeviceNumber(major: major, minor: minor))
        #expect(DeviceNumber(major: major, minor: minor).description == text)
    }

    @Test(arguments: ["", ":", "1", "1:", ":1", "1:2:3", "-1:0", "4294967296:0", "a:b"])
    func whatIsNoDeviceNumber(text: String) {
        #expect(DeviceNumber(text) == nil)
    }

    @Test func digests() {
        var random = SeededGenerator()
        let digest = random.digest()
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(Digest(digest.description) == digest)
        #expect(digest.description.hasPrefix("sha256:") && digest.description.utf8.count == 71)
        #expect(Digest(bytes: digest.bytes.dropLast()) == nil)
        #expect(Digest("sha256:" + hex(digest.bytes.dropLast())) == nil)
        #expect(Digest("md5:" + hex(digest.bytes)) == nil)
        #expect(Digest(hex(digest.bytes)) == nil)
        #expect(Digest(words: (0, 0, 0, 1)).bytes.last == 1)
    }

    @Test func flagsHaveANameEach() {
        #expect(FileFlags.settable.names.count == FileFlags.named.count)
        #expect(Set(FileFlags.named.map(\.name)).count == FileFlags.named.count)
        #expect(FileFlags([.immutable, .appendOnly]).names == ["immutable", "append-only"])
        // Bits that the kernel sets by itself: indexed directory, extents, inline data.
        #expect(FileFlags(rawValue: 0x1000 | 0x8_0000 | 0x1000_0000).isDisjoint(with: .settable))
    }
}
