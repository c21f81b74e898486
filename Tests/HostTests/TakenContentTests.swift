import Host
import Integrity
import Synchronization
import TestSupport
import Testing

/// What an examination brings along besides attributes, and what happens when the file changes under it.
struct TakenContentTests {
    let tree = MemoryTree()

    /// Notes what it is given, and reads it to its end.
    final class Copier: ContentCopier {
        let copies = Mutex<[Digest: [UInt8]]>([:])

        func copy(_ digest: Digest, size: UInt64, now: Timestamp, _ read: PositionalRead) -> CopyOutcome {
            var bytes: [UInt8] = []
            while let piece = try? read(UInt64(bytes.count), 3), !piece.isEmpty { bytes += piece }
            guard SHA256Hasher.digest(of: bytes) == digest else { return .other }
            copies.withLock { $0[digest] = bytes }
            return .kept
        }
    }

    private func examine(_ wish: ContentWish, copier: (any ContentCopier)? = nil) throws -> Examined? {
        var examiner = Examiner(tree: tree, clock: tree.clock, copier: copier)
        var options = ExamineOptions()
        options.content = wish
        return try examiner.examine("/tool", options: options)
    }

    private func digest(_ text: String) -> Digest { SHA256Hasher.digest(of: Array(text.utf8)) }

    /// Changes the world before the n-th read.
    private func change(beforeRead number: Int, _ change: @escaping @Sendable (inout MemoryWorld) -> Void) {
        let reads = Mutex(0)
        tree.beforeEachCall { tree, seen, _ in
            guard seen == .read else { return }
            let read = reads.withLock { reads in
                reads += 1
                return reads
            }
            if read == number { tree.change(change) }
        }
    }

    @Test func theTextComesAlong() throws {
        tree.change { $0.write("/tool", "text\n") }
        #expect(try examine(ContentWish(text: true))?.content?.text == .text(Array("text\n".utf8)))
        #expect(try examine(ContentWish(text: true, known: digest("text\n")))?.content == nil)
        #expect(try examine(ContentWish(text: true, known: digest("other")))?.content != nil)
        let large = String(repeating: "x", count: ContentWish.textLimit + 1)
        tree.change { $0.write("/tool", large) }
        #expect(try examine(ContentWish(text: true))?.content?.text == .tooLarge)
        tree.change { $0.write("/tool", "") }
        #expect(try examine(ContentWish(text: true))?.content?.text == .text([]))
    }

    @Test func theSummaryAndTheCopyComeFromTheSameFile() throws {
        let image = ELFImage().bytes
        tree.change { $0.write("/tool", "plain") }
        #expect(try examine(ContentWish(elf: true))?.content == TakenContent())
        tree.change { $0.write("/tool", image) }
        let copier = Copier()
        let found = try #require(try examine(ContentWish(elf: true, copy: true), copier: copier))
        #expect(found.content?.elf?.needed.count == 2)
        #expect(found.content?.copy == .kept)
        #expect(copier.copies.withLock { $0 } == [SHA256Hasher.digest(of: image): image])
    }

    /// Between hashing and copying the attacker puts something else there: what is told, kept and compared is one state.
    @Test(arguments: [2, 3])
    func aChangeBetweenHashingAndTakingIsLookedAtAgain(read: Int) throws {
        tree.change { $0.write("/tool", "evil one") }
        change(beforeRead: read) { $0.write("/tool", "innocent") }
        let copier = Copier()
        let found = try #require(try examine(ContentWish(text: true, copy: true), copier: copier))
        let content = try #require(found.content)
        guard case .text(let text)? = content.text else {
            Issue.record("\(content)")
            return
        }
        #expect(found.attributes.content == .digest(SHA256Hasher.digest(of: text)))
        #expect(text == Array("innocent".utf8) && content.copy == .kept && !found.isUnstable)
        #expect(copier.copies.withLock { $0[digest("innocent")] } == text)
    }

    /// Put back by rename, it is out of the way: the descriptor still has it.
    @Test func aFileThatIsRenamedAwayIsStillCopied() throws {
        tree.change {
            $0.write("/tool", "evil one")
            $0.write("/kept", "original")
        }
        change(beforeRead: 2) { $0.rename("/kept", to: "/tool") }
        let copier = Copier()
        _ = try examine(ContentWish(copy: true), copier: copier)
        #expect(copier.copies.withLock { $0[digest("evil one")] } == Array("evil one".utf8))
    }

    @Test func aFileThatNeverStandsStillSaysSo() throws {
        tree.change { $0.write("/tool", "0") }
        let count = Mutex(0)
        tree.beforeEachCall { tree, seen, _ in
            guard seen == .read else { return }
            let number = count.withLock { count in
                count += 1
                return count
            }
            tree.change { $0.write("/tool", "\(number % 10)") }
        }
        let found = try #require(try examine(ContentWish(text: true)))
        #expect(found.isUnstable && found.content?.text == .other)
    }
}
