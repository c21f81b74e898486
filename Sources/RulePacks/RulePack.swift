package import Integrity

/// The globs of one rule, read.
package struct RuleGlobs: Hashable, Sendable {
    package var watch: [Glob]
    package var except: [Glob]
    package var absent: [Glob]
}

/// One rule file: the rules of one toolchain, agent or part of the system.
package struct RulePack: Sendable {
    package let name: String
    package let title: String
    /// The pack is on where one of these exists; with none it always is.
    package let detect: [Glob]
    package let rules: [Rule]
    /// One for each rule.
    package let globs: [RuleGlobs]
    /// Where each rule begins.
    package let positions: [RulePosition]
    /// What the file is called in messages.
    package let file: String
    /// SHA-256 of the file's bytes.
    package let digest: Digest

    /// Reads a rule file.
    /// - Parameters:
    ///   - bytes: the file, UTF-8.
    ///   - file: what it is called in messages.
    ///   - digest: SHA-256 of the bytes.
    /// - Throws: all that is wrong with it; a file that is no YAML yields the first error only.
    package init(_ bytes: [UInt8], file: String, digest: Digest) throws(RulePackErrors) {
        var reader = RulePackReader(file: file)
        let content = reader.read(bytes)
        guard let content, reader.errors.isEmpty else {
            throw RulePackErrors(
                errors: reader.errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
            )
        }
        name = content.name
        title = content.title
        detect = content.detect
        rules = content.rules
        globs = content.globs
        positions = content.positions
        self.file = file
        self.digest = digest
    }
}
