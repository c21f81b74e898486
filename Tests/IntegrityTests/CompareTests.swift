import Integrity
import TestSupport
import Testing

struct CompareTests {
    private static let base: Attributes = {
        var attributes = Attributes(type: .file)
        attributes.content = .digest(Digest(words: (1, 1, 1, 1)))
        attributes.size = 10
        attributes.mode = 0o755
        attributes.mtime = Timestamp(seconds: 100)
        attributes.ctime = Timestamp(seconds: 100)
        attributes.btime = Timestamp(seconds: 50)
        attributes.inode = 7
        return attributes
    }()

    private func changing(_ change: (inout Attributes) -> Void) -> Attributes {
        var attributes = CompareTests.base
        attributes.ctime = Timestamp(seconds: 200)
        change(&attributes)
        return attributes
    }

    private func kind(
        _ after: Attributes?,
        _ profile: Profile,
        _ touches: Touches = .none,
        stable: Bool = true
    ) -> ChangeKind? {
        compare(
            recorded: CompareTests.base,
            observed: Observation(after, hasStableIdentity: stable),
            profile: profile,
            touches: touches
        )?.kind
    }

    private func kinds(_ after: Attributes) -> [ChangeKind?] {
        [.executable, .configuration, .content, .directory, .appendOnly, .writeOnce, .inventory, .ignore]
            .map { kind(after, $0) }
    }

    /// The table of profiles: executable, configuration, content, directory, append-only, write-once, inventory, ignore.
    @Test func whatCountsUnderWhichProfile() {
        let other = ContentDigest.digest(Digest(words: (2, 2, 2, 2)))
        #expect(
            kinds(changing { $0.content = other })
                == [.content, .content, .content, .touched, .content, .content, .content, nil]
        )
        #expect(
            kinds(changing { $0.mode = 0o777 })
                == [.metadata, .metadata, .touched, .metadata, .metadata, .metadata, .metadata, nil]
        )
        #expect(
            kinds(
                changing {
                    $0.xattrs = [
                        ExtendedAttribute(name: Array("user.a".utf8), value: Digest(words: (0, 0, 0, 0)))
                    ]
                }
            )
                == [.metadata, .metadata, .touched, .metadata, .metadata, .metadata, .metadata, nil]
        )
        #expect(
            kinds(changing { $0.flags = .immutable })
                == [.metadata, .metadata, .touched, .metadata, .metadata, .metadata, .metadata, nil]
        )
        #expect(
            kinds(changing { $0.links = 2 })
                == [.metadata, .metadata, .touched, .touched, .metadata, .metadata, .metadata, nil]
        )
        #expect(
            kinds(changing { $0.mtime = Timestamp(seconds: 90) })
                == [.metadata, .touched, .touched, .touched, .touched, .metadata, .touched, nil]
        )
        #expect(
            kinds(changing { $0.mtime = Timestamp(seconds: 110) })
                == [.touched, .touched, .touched, .touched, .touched, .touched, .touched, nil]
        )
        #expect(
            kinds(changing { $0.inode = 8 })
                == [.replaced, .touched, .touched, .touched, .replaced, .replaced, .touched, nil]
        )
        #expect(
            kinds(changing { $0.type = .link })
                == [.type, .type, .type, .type, .type, .type, .type, nil]
        )
        #expect(
            kinds(changing { _ in }) == [
                .touched, .touched, .touched, .touched, .touched, .touched, .touched, nil,
            ]
        )
        #expect(kinds(CompareTests.base) == Array(repeating: nil, count: 8))
    }

    @Test(arguments: Profile.allCases)
    func comingAndGoing(profile: Profile) {
        let isIgnored = profile == .ignore
        #expect(
            compare(recorded: nil, observed: Observation(CompareTests.base), profile: profile)?.kind
                == (isIgnored ? nil : .added)
        )
        #expect(kind(nil, profile) == (isIgnored ? nil : .removed))
        #expect(compare(recorded: nil, observed: .absent, profile: profile) == nil)
        let cameAndLeft = compare(
            recorded: nil,
            observed: .absent,
            profile: profile,
            touches: Touches(cameAndLeft: true)
        )
        #expect(cameAndLeft?.kind == (isIgnored ? nil : .transient))
    }

    /// Swap and restore: what stands equals the baseline, only ctime and the events tell.
    @Test func transientOrTouched() {
        let after = changing { _ in }
        #expect(kind(after, .executable, Touches(writes: 1)) == .transient)
        #expect(kind(after, .executable, Touches(leftAndCame: true)) == .transient)
        #expect(kind(after, .writeOnce, Touches(writes: 1)) == .transient)
        #expect(kind(after, .configuration, Touches(writes: 1)) == .touched)
        #expect(kind(after, .configuration, Touches(writes: 2)) == .transient)
        // Mtime was put back.
        #expect(kind(after, .configuration, Touches(writes: 1, attributes: true)) == .transient)
        // The same inode came back.
        #expect(kind(after, .configuration, Touches(leftAndCame: true)) == .transient)
        #expect(
            kind(changing { $0.inode = 9 }, .configuration, Touches(writes: 1, leftAndCame: true)) == .touched
        )
        #expect(kind(after, .executable, Touches(attributes: true)) == .touched)
        #expect(kind(after, .executable, Touches(gap: 3)) == .transient)
        #expect(kind(after, .configuration, Touches(gap: 3)) == .touched)
        #expect(kind(CompareTests.base, .executable, Touches(attributes: true)) == nil)
    }

    /// A file system that changes inodes by itself says nothing about replacement.
    @Test func identityIsNotJudgedWhereItIsNotStable() {
        #expect(kind(changing { $0.inode = 8 }, .executable, stable: false) == .touched)
        #expect(kind(changing { $0.btime = Timestamp(seconds: 51) }, .executable) == .replaced)
        #expect(kind(changing { $0.btime = nil }, .executable) == .touched)
    }

    @Test func whatTrustedXattrsSayIsRecordedAndNeverCounts() {
        let after = changing {
            $0.xattrs = [ExtendedAttribute(name: Array("trusted.a".utf8), value: Digest(words: (0, 0, 0, 0)))]
        }
        let change = compare(recorded: CompareTests.base, observed: Observation(after), profile: .executable)
        #expect(change == Change(.touched, [.xattr(Array("trusted.a".utf8))]))
    }

    @Test func growthUnderAppendOnly() {
        let recorded = Digest(words: (1, 1, 1, 1))
        let grown = changing {
            $0.size = 20
            $0.content = .digest(Digest(words: (3, 3, 3, 3)))
        }
        func isGrowth(_ after: Attributes, prefix: Digest?, _ profile: Profile = .appendOnly) -> Bool? {
            compare(
                recorded: CompareTests.base,
                observed: Observation(after, prefix: prefix),
                profile: profile
            )?.isGrowth
        }
        #expect(isGrowth(grown, prefix: recorded) == true)
        #expect(isGrowth(grown, prefix: Digest(words: (9, 9, 9, 9))) == false)
        #expect(isGrowth(grown, prefix: nil) == false)
        #expect(isGrowth(grown, prefix: recorded, .configuration) == false)
        var changes = [grown, grown, grown, grown]
        changes[0].mode = 0o777
        changes[1].inode = 8
        changes[2].uid = 5
        changes[3].size = 5
        for after in changes { #expect(isGrowth(after, prefix: recorded) == false) }
    }

    /// A directory's own times, size and link count are its entries' doing.
    @Test func directories() {
        var before = Attributes(type: .directory)
        before.names = Digest(words: (1, 1, 1, 1))
        var after = before
        (after.size, after.links) = (4_096, 9)
        (after.mtime, after.ctime) = (Timestamp(seconds: 5), Timestamp(seconds: 5))
        for profile in Profile.allCases {
            #expect(compare(recorded: before, observed: Observation(after), profile: profile) == nil)
        }
        after.names = Digest(words: (2, 2, 2, 2))
        #expect(
            compare(recorded: before, observed: Observation(after), profile: .directory)?.kind == .content
        )
        #expect(compare(recorded: before, observed: Observation(after), profile: .executable) == nil)
        after.mode = 0o777
        #expect(
            compare(recorded: before, observed: Observation(after), profile: .executable)?.kind == .metadata
        )
    }

    @Test func differencesComeInTheOrderOfTheInterface() {
        var before = CompareTests.base
        before.xattrs = [ExtendedAttribute(name: [2], value: Digest(words: (0, 0, 0, 0)))]
        var after = Attributes(type: .link)
        (after.uid, after.gid, after.links, after.inode) = (1, 1, 2, 8)
        after.flags = .immutable
        after.target = [1]
        after.node = DeviceNumber(major: 1, minor: 1)
        after.mode = 1
        after.xattrs = [ExtendedAttribute(name: [1], value: Digest(words: (0, 0, 0, 0)))]
        #expect(
            differences(before, after) == [
                .type, .digest, .size, .mode, .uid, .gid, .mtime, .inode, .links, .flags, .target, .device,
                .xattr([1]),
                .xattr([2]),
            ]
        )
    }

    /// Comparing never traps, nothing differs from itself, and ctime alone never counts.
    @Test func anyTwoStates() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let (one, other) = (random.attributes(), random.attributes())
            for profile in Profile.allCases {
                #expect(
                    compare(recorded: one, observed: Observation(one), profile: profile) == nil,
                    "\(random)"
                )
                _ = compare(recorded: one, observed: Observation(other), profile: profile)
                var later = one
                later.ctime = random.time()
                let change = compare(recorded: one, observed: Observation(later), profile: profile)
                #expect(change == nil || change?.kind == .touched, "\(random)")
            }
        }
    }

    /// Another machine's inode, birth time and change time say nothing; everything else counts as ever.
    @Test func aCopyHasAnIdentityOfItsOwn() {
        func kind(_ after: Attributes, _ profile: Profile = .executable) -> ChangeKind? {
            var observation = Observation(after)
            observation.isCopy = true
            return compare(recorded: CompareTests.base, observed: observation, profile: profile)?.kind
        }
        let copy = changing {
            $0.inode = 8
            $0.btime = Timestamp(seconds: 150)
        }
        #expect(self.kind(copy, .executable) == .replaced)
        #expect(kind(copy) == nil)
        var other = copy
        other.mode = 0o4755
        #expect(kind(other) == .metadata)
        other = copy
        other.content = .digest(Digest(words: (2, 2, 2, 2)))
        #expect(kind(other) == .content)
        other = copy
        other.mtime = Timestamp(seconds: 99)
        #expect(kind(other) == .metadata)
        other.mtime = Timestamp(seconds: 101)
        #expect(kind(other) == .touched)
    }

    /// A log that grew on another machine is told by its beginning alone.
    @Test func aCopiedLogMayGrow() {
        var observation = Observation(
            changing {
                $0.inode = 8
                $0.size = 20
                $0.content = .digest(Digest(words: (2, 2, 2, 2)))
            },
            prefix: Digest(words: (1, 1, 1, 1))
        )
        #expect(
            compare(recorded: CompareTests.base, observed: observation, profile: .appendOnly)?.isGrowth
                == false
        )
        observation.isCopy = true
        #expect(
            compare(recorded: CompareTests.base, observed: observation, profile: .appendOnly)?.isGrowth
                == true
        )
    }
}
