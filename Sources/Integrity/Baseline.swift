/// What was in scope when a baseline was approved: part of what its signature covers.
package struct Scope: Hashable, Sendable {
    /// SHA-256 over every rule file in force, in order of precedence.
    package var rules: Digest
    /// The packs that were on, sorted.
    package var packs: [String]
    /// The homes that `~/` stood for, sorted.
    package var homes: [RawPath]
    /// What decides which paths these rules select, so that the same question can be asked when the rules have changed;
    /// nil in a file that was written before formats kept it.
    package var definition: [ScopeRule]?

    package init(rules: Digest, packs: [String], homes: [RawPath], definition: [ScopeRule]? = nil) {
        self.rules = rules
        self.packs = packs
        self.homes = homes
        self.definition = definition
    }
}

/// Of one rule, all that decides which paths it selects and what counts on them.
///
/// Rules stand in the order in which they were in force. The globs are bytes: `~/` is written out, links in front of
/// the first wildcard are resolved.
package struct ScopeRule: Hashable, Sendable {
    package var id: RuleID
    package var pack: String
    /// The place of the pack's file among the configured ones: the higher one decides.
    package var precedence: UInt16
    package var severity: Severity
    package var profile: Profile
    package var watch: [[UInt8]]
    package var absent: [[UInt8]]
    package var except: [[UInt8]]

    package init(
        id: RuleID,
        pack: String,
        precedence: UInt16,
        severity: Severity,
        profile: Profile,
        watch: [[UInt8]] = [],
        absent: [[UInt8]] = [],
        except: [[UInt8]] = []
    ) {
        self.id = id
        self.pack = pack
        self.precedence = precedence
        self.severity = severity
        self.profile = profile
        self.watch = watch
        self.absent = absent
        self.except = except
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
