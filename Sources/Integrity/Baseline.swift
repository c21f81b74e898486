/// What was in scope when a baseline was approved: part of what its signature covers.
package struct Scope: Hashable, Sendable {
    /// SHA-256 over every rule file in force, in order of precedence.
    package var rules: Digest
    /// The packs that were on, sorted.
    package var packs: [String]
    /// The homes that `~/` stood for, sorted.
    package var homes: [RawPath]

    package init(rules: Digest, packs: [String], homes: [RawPath]) {
        self.rules = rules
        self.packs = packs
        self.homes = homes
    }
}

/// What identifies one approved baseline.
package struct BaselineSummary: Hashable, Sendable {
    /// Counts up from 1 with every approval; a lower one than the history knows is a rollback.
    package var generation: Int64
    package var created: Timestamp
    /// The number of records.
    package var entries: Int
    /// The root of the Merkle tree over the file's blocks.
    package var root: Digest
    /// The identifier of the key that signed the root, `ed25519:` and the SHA-256 of the public key in hexadecimal.
    package var signedBy: String

    package init(generation: Int64, created: Timestamp, entries: Int, root: Digest, signedBy: String) {
        self.generation = generation
        self.created = created
        self.entries = entries
        self.root = root
        self.signedBy = signedBy
    }
}
