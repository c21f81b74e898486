import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

@Suite struct MerkleTests {
    /// The tree of RFC 6962, section 2.1, written out by hand for up to seven leaves.
    @Test func rootsAreThoseOfTheRFC() {
        func leaf(_ value: UInt8) -> Digest { SHA256Hasher.digest(of: [0, value]) }
        func node(_ left: Digest, _ right: Digest) -> Digest {
            SHA256Hasher.digest(of: [1] + left.bytes + right.bytes)
        }
        let leaves = (0..<7).map { leaf($0) }
        let pairs = [node(leaves[0], leaves[1]), node(leaves[2], leaves[3]), node(leaves[4], leaves[5])]
        let four = node(pairs[0], pairs[1])
        let expected = [
            SHA256Hasher.digest(of: []), leaves[0], pairs[0], node(pairs[0], leaves[2]), four,
            node(four, leaves[4]),
            node(four, pairs[2]), node(four, node(pairs[2], leaves[6])),
        ]
        let hasher = SHA256Hasher()
        for count in 0...7 {
            #expect(Merkle.root(leaves[..<count], with: hasher) == expected[count], "\(count) leaves")
        }
        #expect(Merkle.leaf([9][...], with: hasher) == leaf(9))
        #expect(Merkle.leaf([9][...], .manifest, with: hasher) == SHA256Hasher.digest(of: [2, 9]))
    }

    /// FIPS 180-4's example.
    @Test func digestsAreThoseOfSHA256() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(hex(SHA256Hasher.digest(of: Array("abc".utf8)).bytes) == expected)
    }
}
