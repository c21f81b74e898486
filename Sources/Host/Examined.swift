package import Integrity

/// What an examination looks at beyond the attributes of every record.
package struct ExamineOptions: Hashable, Sendable {
    /// Also hash the first so many bytes by themselves, to tell a file that only grew.
    package var prefix: UInt64?
    /// Also hash the sorted names of a directory.
    package var names: Bool
    /// Also bring along what is in a regular file.
    package var content: ContentWish?

    package init(prefix: UInt64? = nil, names: Bool = false, content: ContentWish? = nil) {
        self.prefix = prefix
        self.names = names
        self.content = content
    }
}

/// What an examination found at a name.
package struct Examined: Hashable, Sendable {
    package var attributes: Attributes
    /// The digest of the first bytes, as many as `ExamineOptions.prefix` asked for; nil where the file is shorter.
    package var prefix: Digest?
    /// What `ExamineOptions.content` asked for; nil where it did not, or the content is the known one.
    package var content: TakenContent?
    /// The ctime lies so close to the examination, or after it, that a later write could leave it unchanged.
    package var isRacy: Bool
    /// It changed under every try to examine it.
    ///
    /// The attributes are those seen last; the digest is that of the bytes as they were read, which may never have
    /// stood in the file together.
    package var isUnstable: Bool
    /// False on overlay and network file systems, where a file may change its inode by itself.
    package var hasStableIdentity: Bool

    package init(
        attributes: Attributes,
        prefix: Digest? = nil,
        content: TakenContent? = nil,
        isRacy: Bool = false,
        isUnstable: Bool = false,
        hasStableIdentity: Bool = true
    ) {
        self.attributes = attributes
        self.prefix = prefix
        self.content = content
        self.isRacy = isRacy
        self.isUnstable = isUnstable
        self.hasStableIdentity = hasStableIdentity
    }

    /// What the comparison takes.
    package var observation: Observation {
        Observation(attributes, prefix: prefix, hasStableIdentity: hasStableIdentity)
    }

    /// What a baseline keeps.
    package var recorded: RecordedState { .examined(attributes, isRacy: isRacy) }
}
