internal import Host
internal import Integrity

/// The hash tree over a baseline's blocks, as RFC 6962, section 2.1, builds it.
///
/// Leaves, nodes and the manifest begin with different bytes, so that none can pass for another.
enum Merkle {
    /// What the digest of each kind of input begins with.
    enum Domain: UInt8 {
        case leaf = 0
        case node = 1
        case manifest = 2
    }

    static func leaf(_ bytes: ArraySlice<UInt8>, _ domain: Domain = .leaf, with hasher: SHA256Hasher)
        -> Digest
    {
        hasher.update([domain.rawValue])
        hasher.update(bytes)
        return hasher.finish()
    }

    static func node(_ left: Digest, _ right: Digest, with hasher: SHA256Hasher) -> Digest {
        hasher.update([Domain.node.rawValue] + left.bytes + right.bytes)
        return hasher.finish()
    }

    /// The root over leaf digests; SHA-256 of nothing where there are none.
    static func root(_ leaves: ArraySlice<Digest>, with hasher: SHA256Hasher) -> Digest {
        guard let first = leaves.first else { return hasher.finish() }
        guard leaves.count > 1 else { return first }
        // The left part is the largest power of two that is smaller than the number of leaves.
        var half = 1
        while half * 2 < leaves.count { half *= 2 }
        let cut = leaves.startIndex + half
        let left = root(leaves[..<cut], with: hasher)
        let right = root(leaves[cut...], with: hasher)
        return node(left, right, with: hasher)
    }
}
