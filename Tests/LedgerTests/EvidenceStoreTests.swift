import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

/// The store of altered files.
struct EvidenceStoreTests {
    let state: TemporaryDirectory

    init() throws {
        state = try TemporaryDirectory()
        try setMode(0o700, of: state.path)
    }

    private var folder: RawPath { state.appending("evidence").appending("sha256") }

    private func store(_ bytes: UInt64 = 1 << 20, age: Int64 = 86_400_000_000_000) -> EvidenceStore {
        EvidenceStore(stateDirectory: state.path, limits: EvidenceLimits(bytes: bytes, age: age))
    }

    private func digest(_ content: [UInt8]) -> Digest { SHA256Hasher.digest(of: content) }

    @discardableResult
    private func keep(_ content: [UInt8], in store: EvidenceStore, as digest: Digest? = nil, size: Int? = nil)
        -> CopyOutcome
    {
        store.copy(
            digest ?? self.digest(content),
            size: UInt64(size ?? content.count),
            now: SystemClock.now()
        ) { (offset, count) throws(Errno) in
            // A few bytes at a time, as a slow disk gives them.
            Array(content.dropFirst(Int(offset)).prefix(min(count, 1_000)))
        }
    }

    private func age(_ content: [UInt8], seconds: Int) throws {
        let path = EvidenceStore.path(of: digest(content), stateDirectory: state.path)
        let moment = timespec(tv_sec: Int(SystemClock.now().seconds) - seconds, tv_nsec: 0)
        try unsafe path.call { unsafe utimensat(AT_FDCWD, $0, [moment, moment], 0) }
    }

    @Test func aCopyIsTheFileUnderItsDigest() throws {
        let content = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        #expect(keep(content, in: store()) == .kept)
        let path = EvidenceStore.path(of: digest(content), stateDirectory: state.path)
        #expect(try path.contents() == content)
        #expect(try LedgerFile.status(path)?.st_mode ?? 0 == S_IFREG | 0o600, "nobody runs it by mistake")
        #expect(try names(in: folder) == [hex(digest(content).bytes)], "nothing else is left")
        var read: [UInt8] = []
        try store().read(digest(content)) { read += $0 }
        #expect(read == content)
        #expect(store().has(digest(content)) && !store().has(digest([1])))
        #expect(keep(content, in: store()) == .kept, "once more costs nothing")
        let usage = store().usage()
        #expect(usage.files == 1 && usage.bytes == 10_000 && usage.oldest != nil)
    }

    @Test func whatIsNoLongerWhatWasHashedIsNotKept() throws {
        #expect(keep([1, 2, 3], in: store(), as: digest([9])) == .other)
        #expect(keep([1, 2, 3], in: store(), as: digest([1, 2, 3]), size: 2) == .other, "it grew")
        #expect(keep([1, 2], in: store(), as: digest([1, 2]), size: 3) == .other, "it shrank")
        #expect(try names(in: folder).isEmpty)
    }

    @Test func aFileThatNeverEndsIsNotCopiedToTheEnd() throws {
        var reads = 0
        let outcome = store().copy(digest([1]), size: 5_000, now: SystemClock.now()) {
            (offset, count) throws(Errno) in
            reads += 1
            return [UInt8](repeating: 1, count: min(count, 1_000))
        }
        #expect(outcome == .other && reads < 10)
        #expect(try names(in: folder).isEmpty)
    }

    @Test func theOldestMakesRoomForTheNewest() throws {
        let contents = (0..<4).map { [UInt8](repeating: UInt8($0), count: 1_000) }
        let small = store(3_000)
        for (place, content) in contents.dropLast().enumerated() {
            #expect(keep(content, in: small) == .kept)
            try age(content, seconds: 100 - place)
        }
        #expect(keep(contents[3], in: small) == .kept)
        #expect(!small.has(digest(contents[0])))
        for content in contents.dropFirst() { #expect(small.has(digest(content))) }
        #expect(small.usage().bytes == 3_000)
        #expect(keep([UInt8](repeating: 9, count: 3_001), in: small) == .failed(tooLarge))
        #expect(small.usage().files == 3, "what cannot fit removes nothing")
    }

    private let tooLarge = "it is larger than `retention: evidence: bytes:` allows"

    @Test func whatIsTooOldGoes() throws {
        let store = store(age: 1_000_000_000_000)
        keep([1], in: store)
        keep([2], in: store)
        try age([1], seconds: 1_001)
        try age([2], seconds: 900)
        store.prune(now: SystemClock.now())
        #expect(!store.has(digest([1])) && store.has(digest([2])))
        try folder.appending(".new.1.2").write([1])
        try folder.appending(".new.3.4").write([1])
        let moment = timespec(tv_sec: Int(SystemClock.now().seconds) - 4_000, tv_nsec: 0)
        try unsafe folder.appending(".new.1.2").call {
            unsafe utimensat(AT_FDCWD, $0, [moment, moment], 0)
        }
        store.prune(now: SystemClock.now())
        #expect(try names(in: folder) == [".new.3.4", hex(digest([2]).bytes)], "one may still be written")
    }

    /// Neither a name nor a directory that somebody planted leads a copy elsewhere.
    @Test func linksAreNotFollowed() throws {
        let target = try state.write("target", "mine")
        keep([1], in: store())
        try state.symlink("evidence/sha256/" + hex(digest([2]).bytes), to: target)
        #expect(keep([2], in: store()) == .kept || !store().has(digest([2])))
        #expect(try target.contents() == Array("mine".utf8))
        #expect(throws: KeptError.self) { try store().read(digest([2])) { _ in } }

        let other = try TemporaryDirectory()
        try setMode(0o700, of: other.path)
        try other.symlink("evidence", to: state.path)
        let led = EvidenceStore(stateDirectory: other.path)
        guard case .failed = keep([3], in: led) else {
            Issue.record("a link was followed")
            return
        }
    }

    @Test func aDamagedCopyIsNotHandedOut() throws {
        keep(Array("implant".utf8), in: store())
        let path = EvidenceStore.path(of: digest(Array("implant".utf8)), stateDirectory: state.path)
        try path.write(Array("impland".utf8))
        #expect(throws: KeptError.damaged(path, part: "its content")) {
            try store().read(digest(Array("implant".utf8))) { _ in }
        }
        #expect(throws: KeptError.missing(EvidenceStore.path(of: digest([7]), stateDirectory: state.path))) {
            try store().read(digest([7])) { _ in }
        }
    }

    @Test func errorsOfReadingLeaveNothing() throws {
        let outcome = store().copy(digest([1]), size: 1, now: SystemClock.now()) { (_, _) throws(Errno) in
            throw .io
        }
        #expect(outcome == .failed("it cannot be read again: \(Errno.io)"))
        #expect(try names(in: folder).isEmpty)
    }

    @Test(.enabled(if: FullDisk.isPossible, "mounting a tmpfs takes root and a kernel that lets it"))
    func aDiskThatIsAlmostFullIsLeftToTheHistory() throws {
        let disk = try FullDisk()
        let outcome = keep([1], in: EvidenceStore(stateDirectory: disk.path))
        #expect(outcome == .failed("the disk has no room for it"))
    }
}
