import Host
import Integrity
import Synchronization
import TestSupport
import Testing

/// What happens between two calls of one examination.
struct ExamineRaceTests {
    let tree = MemoryTree()
    let start = ArraySlice("tool".utf8)

    private func examine(hint: FileType? = .file, options: ExamineOptions = ExamineOptions()) throws
        -> Examined?
    {
        var examiner = Examiner(tree: tree, clock: tree.clock)
        let root = try tree.openDirectory(.root)
        return try examiner.examine(start, in: root, hint: hint, options: options)
    }

    /// Changes the world once, before the first call of this kind.
    private func once(before call: MemoryTree.Call, _ change: @escaping @Sendable (inout MemoryWorld) -> Void)
    {
        let isDone = Mutex(false)
        tree.beforeEachCall { tree, seen, _ in
            guard seen == call else { return }
            let isFirst = isDone.withLock { done in
                defer { done = true }
                return !done
            }
            if isFirst { tree.change(change) }
        }
    }

    private func digest(_ text: String) -> ContentDigest {
        .digest(SHA256Hasher.digest(of: Array(text.utf8)))
    }

    @Test(arguments: ["longer than before", "short", "", "12345678"])
    func aWriteUnderTheReadingIsReadAgain(now: String) throws {
        tree.change { $0.write("/tool", "original") }
        once(before: .read) { $0.write("/tool", now) }
        let found = try #require(try examine())
        #expect(found.attributes.content == digest(now))
        #expect(found.attributes.size == UInt64(now.utf8.count))
        #expect(!found.isUnstable)
    }

    @Test func aFileThatGrewFromNothingIsReadAgain() throws {
        tree.change { $0.write("/tool", "") }
        once(before: .read) { $0.write("/tool", "now") }
        let found = try #require(try examine())
        #expect(found.attributes.content == digest("now") && found.attributes.size == 3 && !found.isUnstable)
    }

    @Test(arguments: MemoryTree.Call.allCases.filter { ![.list, .target, .openDirectory].contains($0) })
    func aReplacementIsNeverMixedWithTheOldFile(call: MemoryTree.Call) throws {
        tree.change {
            $0.write("/tool", "old", mode: 0o755)
            $0.write("/tool.new", "new one", mode: 0o4755)
        }
        let states = Set([digest("old"), digest("new one")])
        once(before: call) { $0.rename("/tool.new", to: "/tool") }
        let found = try #require(try examine())
        let content = try #require(found.attributes.content)
        #expect(states.contains(content))
        let isNew = content == digest("new one")
        #expect(found.attributes.mode == (isNew ? 0o4755 : 0o755))
        #expect(found.attributes.size == (isNew ? 7 : 3))
    }

    @Test func aChangedXattrUnderTheReadingIsSeen() throws {
        tree.change { $0.write("/tool", "x") }
        once(before: .read) { $0.setXattr("/tool", "security.capability", [1]) }
        #expect(try examine()?.attributes.xattrs.count == 1)
    }

    @Test(arguments: [FileType?.some(.file), nil])
    func aFileThatNeverStandsStillIsReportedAsItIs(hint: FileType?) throws {
        tree.change { $0.write("/tool", "0") }
        let count = Mutex(0)
        tree.beforeEachCall { tree, call, _ in
            guard call == .read else { return }
            let number = count.withLock { count in
                count += 1
                return count
            }
            tree.change { $0.write("/tool", String(number)) }
        }
        let found = try #require(try examine(hint: hint))
        #expect(found.isUnstable && found.isRacy)
        #expect(found.attributes.content == digest(String(Examiner<MemoryTree>.tries)))
    }

    @Test func aNameThatChangesItsTypeForEverIsReportedWithoutADigest() throws {
        tree.change { $0.write("/tool", "x") }
        tree.beforeEachCall { tree, call, _ in
            switch call {
            case .openFile: tree.change { $0.symlink("/tool", to: "elsewhere") }
            case .openPlace:
                tree.change {
                    $0.remove("/tool")
                    $0.write("/tool", "x")
                }
            default: break
            }
        }
        let found = try #require(try examine(hint: nil))
        #expect(found.isUnstable && found.isRacy)
        #expect(found.attributes.type == .file && found.attributes.content == .unhashed(.unstable))
    }

    @Test func aVanishedFileIsAbsent() throws {
        tree.change { $0.write("/tool", "x") }
        once(before: .openFile) { $0.remove("/tool") }
        #expect(try examine() == nil)
        tree.change { $0.write("/tool", "x") }
        once(before: .openFile) { $0.remove("/tool") }
        #expect(try examine(hint: nil) == nil)
    }

    @Test(arguments: [FileType.fifo, .socket, .characterDevice])
    func somethingPlantedInTheFilesPlaceIsToldAsWhatItIs(type: FileType) throws {
        tree.change { $0.write("/tool", "x") }
        once(before: .openFile) { $0.makeNode("/tool", type) }
        #expect(try examine()?.attributes.type == type)
        tree.change {
            $0.remove("/tool")
            $0.write("/tool", "x")
        }
        once(before: .openFile) { $0.makeNode("/tool", type) }
        #expect(try examine(hint: nil)?.attributes.type == type)
    }

    @Test func aDirectoryThatBecameALinkIsALink() throws {
        tree.change { $0.makeDirectory("/tool") }
        var examiner = Examiner(tree: tree, clock: tree.clock)
        let root = try tree.openDirectory(.root)
        once(before: .openDirectory) {
            $0.rename("/tool", to: "/moved")
            $0.symlink("/tool", to: "moved")
        }
        #expect(try examiner.examine(start, in: root, hint: .directory)?.attributes.type == .link)
    }

    @Test func aNameAddedDuringTheListingIsListedAgain() throws {
        tree.change { $0.write("/tool/a", "") }
        once(before: .xattrs) { $0.write("/tool/b", "") }
        let found = try #require(try examine(hint: .directory, options: ExamineOptions(names: true)))
        #expect(found.attributes.names == SHA256Hasher.digest(of: Array("a\0b\0".utf8)) && !found.isUnstable)
    }

    @Test func aDirectoryThatMayNotBeListedStillHasAttributes() throws {
        tree.change {
            $0.makeDirectory("/tool", mode: 0o711)
            $0.setXattr("/tool", "user.x", [1])
            $0.refuse("/tool", with: .access)
        }
        let found = try #require(try examine(hint: .directory))
        #expect(found.attributes.mode == 0o711 && found.attributes.xattrs.count == 1)
        #expect(throws: Failure(.open, Errno.access.code)) {
            try examine(hint: .directory, options: ExamineOptions(names: true))
        }
    }

    @Test(arguments: [FileType?.some(.file), nil])
    func aFileThatMayNotBeReadIsAFailure(hint: FileType?) throws {
        tree.change {
            $0.write("/tool", "x")
            $0.refuse("/tool", with: .access)
        }
        #expect(throws: Failure(.open, Errno.access.code)) { try examine(hint: hint) }
    }
}

/// Every call of an examination fails once, with every errno that could be taken for something else.
struct ExamineFaultTests {
    private static let errors: [Errno] = [
        .io, .access, .permission, .noEntry, .notDirectory, .tooManyLinks, .noDevice, .stale, .nameTooLong,
        .notSupported,
    ]

    @Test(arguments: ["/d/file", "/d/link", "/d/fifo", "/d", "/d/none"], errors)
    func aFailureIsNeverAWrongRecord(path: String, error: Errno) throws {
        let tree = MemoryTree()
        tree.change {
            $0.write("/d/file", "content")
            $0.setXattr("/d/file", "user.x", [1])
            $0.symlink("/d/link", to: "file")
            $0.makeNode("/d/fifo", .fifo)
        }
        let options = ExamineOptions(prefix: 3, names: true)
        var calm = Examiner(tree: tree, clock: tree.clock)
        let truth = try calm.examine(RawPath(path), options: options)
        for number in 1... {
            let faulty = FaultyTree(tree, failing: number, with: error)
            var examiner = Examiner(tree: faulty, clock: tree.clock)
            do throws(Failure) {
                let found = try examiner.examine(RawPath(path), options: options)
                // The very error that says so may hide a name; nothing may give it another record.
                #expect(found == truth || (found == nil && error.saysNothingIsThere), "call \(number)")
            } catch let failure {
                #expect(failure.errno == error.code, "call \(number)")
            }
            guard faulty.hasFailed else { break }
            // The same examiner goes on as if nothing had been.
            #expect(try examiner.examine(RawPath(path), options: options) == truth, "after call \(number)")
        }
    }
}

extension Errno {
    fileprivate var saysNothingIsThere: Bool {
        [.noEntry, .notDirectory, .nameTooLong, .tooManyLinks].contains(self)
    }
}
