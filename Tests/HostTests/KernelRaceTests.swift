import CLinux
import Host
import Integrity
import Synchronization
import TestSupport
import Testing

/// A real file that somebody changes between any two system calls of its examination.
struct KernelRaceTests {
    enum Deed: CaseIterable {
        case grow, shrink, empty, replace, plantFifo, plantLink, plantDirectory, remove
    }

    private static let old = [UInt8](repeating: 1, count: 100_000)
    private static let new = [UInt8](repeating: 2, count: 70_000)

    let directory: TemporaryDirectory
    let path: RawPath
    let spare: RawPath

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.appending("tool")
        spare = directory.appending("spare")
    }

    @Test(arguments: Deed.allCases, [FileType?.some(.file), nil])
    func theRecordIsOfBeforeOrOfAfter(deed: Deed, hint: FileType?) throws {
        for number in 1... {
            try clear()
            try path.write(Self.old)
            let isDone = Mutex(false)
            let trouble = Mutex<(any Error)?>(nil)
            let tree = FaultyTree(KernelTree()) { call in
                guard call == number else { return }
                isDone.withLock { $0 = true }
                do { try perform(deed) } catch { trouble.withLock { $0 = error } }
            }
            let found = try inTime(120) { try examine(tree, hint) }
            #expect(trouble.withLock { $0 } == nil)
            #expect(isTrue(found, after: deed), "call \(number)")
            #expect(found?.isUnstable != true, "one change is no unrest")
            guard isDone.withLock({ $0 }) else { break }
        }
    }

    private func examine(_ tree: some FileTree, _ hint: FileType?) throws -> Examined? {
        var examiner = Examiner(tree: tree, clock: { SystemClock.now() })
        let parent = try KernelTree().openDirectory(directory.path)
        return try examiner.examine(path.name, in: parent, hint: hint)
    }

    private func perform(_ deed: Deed) throws {
        switch deed {
        case .grow: try path.append(Self.new)
        case .shrink: try unsafe path.call { unsafe truncate($0, 70_000) }
        case .empty: try path.write([])
        case .replace:
            try spare.write(Self.new)
            try moveSpare()
        case .plantFifo:
            try unsafe spare.call { unsafe mkfifo($0, 0o600) }
            try moveSpare()
        case .plantLink:
            try directory.symlink("spare", to: "/etc/passwd")
            try moveSpare()
        case .plantDirectory:
            try unsafe path.call { unsafe unlink($0) }
            try unsafe path.call { unsafe mkdir($0, 0o700) }
        case .remove: try unsafe path.call { unsafe unlink($0) }
        }
    }

    private func moveSpare() throws {
        let target = path
        try unsafe spare.call { from in
            unsafe target.bytes.withTerminator { unsafe mw_renameat2(AT_FDCWD, from, AT_FDCWD, $0, 0) }
        }
    }

    private func clear() throws {
        _ = try? unsafe path.call { unsafe unlink($0) }
        _ = try? unsafe path.call { unsafe rmdir($0) }
    }

    /// Size, content and type belong together, and to one of the two states that there were.
    private func isTrue(_ found: Examined?, after deed: Deed) -> Bool {
        guard let found else { return deed == .remove || deed == .plantDirectory }
        if isFile(found, Self.old) { return true }
        switch deed {
        case .grow: return isFile(found, Self.old + Self.new)
        case .shrink: return isFile(found, Array(Self.old.prefix(70_000)))
        case .empty: return isFile(found, [])
        case .replace: return isFile(found, Self.new)
        case .plantFifo: return found.attributes.type == .fifo && found.attributes.content == nil
        case .plantLink: return found.attributes.target == Array("/etc/passwd".utf8)
        case .plantDirectory: return found.attributes.type == .directory && found.attributes.content == nil
        case .remove: return false
        }
    }

    private func isFile(_ found: Examined, _ bytes: [UInt8]) -> Bool {
        found.attributes.type == .file && found.attributes.size == UInt64(bytes.count)
            && found.attributes.content == .digest(SHA256Hasher.digest(of: bytes))
    }
}
