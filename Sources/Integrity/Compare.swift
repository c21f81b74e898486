/// What stands at a path now.
package struct Observation: Hashable, Sendable {
    /// Nil where the name does not exist.
    package var attributes: Attributes?
    /// Under `append-only`, the digest of the first bytes, as many as were recorded.
    package var prefix: Digest?
    /// False on overlay and network file systems, where a file may change its inode by itself.
    package var hasStableIdentity: Bool
    /// The recorded file was another one, of which this is a copy: inode, birth time and change time are its own and
    /// are not compared.
    package var isCopy = false

    package init(_ attributes: Attributes?, prefix: Digest? = nil, hasStableIdentity: Bool = true) {
        self.attributes = attributes
        self.prefix = prefix
        self.hasStableIdentity = hasStableIdentity
    }

    package static let absent = Observation(nil)
}

/// Compares what was recorded of a path with what stands there, under the rule's profile and in the light of
/// what the event source saw.
///
/// Nil where nothing differs and nothing happened.
///
/// A pure function: the one comparison of the program, for `check`, `watch` and every other command.
package func compare(
    recorded: Attributes?,
    observed: Observation,
    profile: Profile,
    touches: Touches = .none
) -> Change? {
    guard profile != .ignore else { return nil }
    switch (recorded, observed.attributes) {
    case (nil, nil): return touches.cameAndLeft ? Change(.transient) : nil
    case (nil, .some): return Change(.added)
    case (.some, nil): return Change(.removed)
    case (.some(let before), .some(let after)):
        return compare(before, after, observed, profile: profile, touches: touches)
    }
}

private func compare(
    _ before: Attributes,
    _ after: Attributes,
    _ observed: Observation,
    profile: Profile,
    touches: Touches
) -> Change? {
    let hasIdentity = observed.hasStableIdentity && !observed.isCopy
    let all = differences(before, after).filter { $0 != .inode || hasIdentity }
    let counted = all.filter { counts($0, before, after, profile) }
    if before.type != after.type { return Change(.type, all, counted: counted) }
    let isGrowth =
        profile == .appendOnly
        && continues(before, after, prefix: observed.prefix, isCopy: observed.isCopy)

    if let kind = ChangeKind(counting: counted) {
        return Change(kind, all, counted: counted, isGrowth: kind == .content && isGrowth)
    }
    // A directory's own times move with every entry; what happened to its name is told by its entries.
    if before.type == .directory { return nil }
    return passing(before, after, observed, all, profile, touches)
}

/// Nothing that counts differs: a swap-and-restore, a harmless touch, or nothing at all.
private func passing(
    _ before: Attributes,
    _ after: Attributes,
    _ observed: Observation,
    _ all: [AttributeName],
    _ profile: Profile,
    _ touches: Touches
) -> Change? {
    let ctimeMoved = before.ctime != after.ctime && !observed.isCopy
    let attributes = all.isEmpty && ctimeMoved ? [.ctime] : all
    let isTransient: Bool
    if profile.isStrict {
        isTransient = touches.writes > 0 || touches.leftAndCame
    } else {
        // The same inode back under its name was moved away and returned; another one was written anew.
        let cameBack = touches.leftAndCame && before.inode == after.inode && before.btime == after.btime
        let mtimePutBack = touches.writes > 0 && before.mtime == after.mtime && touches.attributes
        isTransient = touches.writes > 1 || cameBack || mtimePutBack
    }
    if isTransient { return Change(.transient, attributes) }
    if touches.gap != nil, profile == .executable, all.isEmpty, ctimeMoved {
        return Change(.transient, attributes)
    }
    // Under a profile that does not look at the inode, a file written anew has every reason to differ in its times.
    if ctimeMoved || !all.isEmpty { return Change(.touched, attributes) }
    return nil
}

/// Every attribute that differs, but for ctime, in the order of the interface.
///
/// A directory's times, size and link count are its entries' doing and are left out.
package func differences(_ before: Attributes, _ after: Attributes) -> [AttributeName] {
    var names: [AttributeName] = []
    let isDirectory = before.type == .directory && after.type == .directory
    if before.type != after.type { names.append(.type) }
    if before.content != after.content { names.append(.digest) }
    if !isDirectory && before.size != after.size { names.append(.size) }
    if before.mode != after.mode { names.append(.mode) }
    if before.uid != after.uid { names.append(.uid) }
    if before.gid != after.gid { names.append(.gid) }
    if !isDirectory && before.mtime != after.mtime { names.append(.mtime) }
    if before.inode != after.inode || differ(before.btime, after.btime) { names.append(.inode) }
    if !isDirectory && before.links != after.links { names.append(.links) }
    if before.flags != after.flags { names.append(.flags) }
    if before.target != after.target { names.append(.target) }
    if before.node != after.node { names.append(.device) }
    if let old = before.names, let new = after.names, old != new { names.append(.names) }
    for name in Set((before.xattrs + after.xattrs).map(\.name)).sorted(by: {
        $0.lexicographicallyPrecedes($1)
    }) {
        let old = before.xattrs.first { $0.name == name }
        let new = after.xattrs.first { $0.name == name }
        if old != new { names.append(.xattr(name)) }
    }
    return names
}

/// A birth time that one look could not see says nothing.
private func differ(_ before: Timestamp?, _ after: Timestamp?) -> Bool {
    guard let before, let after else { return false }
    return before != after
}

private func counts(_ name: AttributeName, _ before: Attributes, _ after: Attributes, _ profile: Profile)
    -> Bool
{
    switch name {
    case .type: profile != .ignore
    case .names: profile == .directory
    case .digest, .size, .target, .device:
        // A link's size is the length of its target; one difference is enough to tell.
        profile.countsContent
    case .mode, .uid, .gid, .flags: profile.countsMetadata
    case .xattr(let xattr): profile.countsMetadata && ExtendedAttribute.counts(name: xattr)
    case .mtime: profile.isStrict && after.mtime < before.mtime
    case .links: profile.countsLinks
    case .inode: profile.countsReplacement
    case .ctime: false
    }
}

extension ChangeKind {
    /// What a difference in these attributes is; nil where there is none.
    package init?(counting attributes: [AttributeName]) {
        if attributes.isEmpty { return nil }
        if attributes.contains(.type) {
            self = .type
        } else if attributes.contains(where: \.isContent) {
            self = .content
        } else {
            self = attributes.contains { $0 != .inode } ? .metadata : .replaced
        }
    }
}

/// True where a file is the one that was seen before, and only bytes were added behind those that it held.
///
/// - Parameters:
///   - before: As it was.
///   - after: As it is, under this or another name.
///   - prefix: The digest of its first bytes now, as many as it held.
///   - isCopy: It was seen on another disk: its inode says nothing.
/// - Returns: False also where something else that counts differs.
package func continues(_ before: Attributes, _ after: Attributes, prefix: Digest?, isCopy: Bool = false)
    -> Bool
{
    guard before.type == .file, after.size >= before.size, let prefix else { return false }
    return before.content == .digest(prefix) && (before.inode == after.inode || isCopy)
        && before.mode == after.mode && before.uid == after.uid && before.gid == after.gid
        && before.xattrs == after.xattrs && before.flags == after.flags && before.links == after.links
}

extension AttributeName {
    /// Belongs to the kind `content` rather than `metadata`.
    package var isContent: Bool {
        switch self {
        case .digest, .size, .target, .device, .names: true
        default: false
        }
    }
}

extension ExtendedAttribute {
    /// `trusted.*` is recorded where it can be seen, and never counts: an ordinary user does not see it.
    package static func counts(name: [UInt8]) -> Bool { !name.starts(with: "trusted.".utf8) }
}
