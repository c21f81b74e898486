import Host
import Integrity
import TestSupport
import Testing

struct SHA256HasherTests {
    /// FIPS 180-2, appendix B, and the empty string.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func publishedValues(text: String, digits: String) {
        let hasher = SHA256Hasher()
        hasher.update(Array(text.utf8))
        #expect(hasher.finish().description == "sha256:" + digits)
        #expect(SHA256Hasher.digest(of: Array(text.utf8)).description == "sha256:" + digits)
    }

    @Test func aMillionLettersInPieces() {
        var random = SeededGenerator()
        let hasher = SHA256Hasher()
        var left = 1_000_000
        while left > 0 {
            let count = min(left, Int.random(in: 1...10_000, using: &random))
            hasher.update([UInt8](repeating: UInt8(ascii: "a"), count: count))
            left -= count
        }
        let expected = "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(hasher.finish().description == expected, "\(random)")
    }

    @Test func oneHasherServesManyValues() {
        let hasher = SHA256Hasher()
        let (one, both) = (SHA256Hasher.digest(of: [1]), SHA256Hasher.digest(of: [1, 2]))
        hasher.update([1])
        #expect(hasher.digestSoFar() == one)
        hasher.update(ArraySlice([2]))
        #expect(hasher.finish() == both)
        hasher.update([9])
        hasher.reset()
        hasher.reset()
        hasher.update([1, 2])
        #expect(hasher.finish() == both)
        #expect(hasher.finish() == SHA256Hasher.digest(of: []))
    }
}
