import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

/// The contents that a baseline keeps beside itself.
struct KeptContentsTests {
    let state: TemporaryDirectory

    init() throws {
        state = try TemporaryDirectory()
        try setMode(0o700, of: state.path)
    }

    private let texts = ["", "a\n", String(repeating: "registry=https://example\n", count: 2_000)]

    private func key(_ text: String) -> KeptKey { KeptKey(.text, SHA256Hasher.digest(of: Array(text.utf8))) }

    private func write() throws -> Digest {
        let writer = try KeptWriter(stateDirectory: state.path)
        for text in texts { writer.add(key(text), Array(text.utf8)) }
        writer.add(KeptKey(.elf, SHA256Hasher.digest(of: [1])), [7, 8, 9])
        return try #require(try writer.place())
    }

    private func file(_ digest: Digest) -> RawPath {
        state.appending("evidence").appending(KeptFormat.name(digest).bytes)
    }

    @Test func whatIsKeptReadsBack() throws {
        let digest = try write()
        let reader = try KeptReader(stateDirectory: state.path, index: digest)
        for text in texts { #expect(try reader.content(key(text)) == Array(text.utf8)) }
        #expect(try reader.content(KeptKey(.elf, SHA256Hasher.digest(of: [1]))) == [7, 8, 9])
        #expect(try reader.content(KeptKey(.text, SHA256Hasher.digest(of: [1]))) == nil)
        #expect(Set(reader.keys).count == texts.count + 1)
        let status = try #require(try LedgerFile.status(file(digest)))
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(status.st_size < 2_000, "it is compressed")
        #expect(try LedgerFile.status(state.appending("evidence"))?.st_mode ?? 0 & 0o777 == 0o40700)
    }

    @Test func theSameContentsMakeTheSameFileInAnyOrder() throws {
        let digest = try write()
        let writer = try KeptWriter(stateDirectory: state.path)
        writer.add(KeptKey(.elf, SHA256Hasher.digest(of: [1])), [7, 8, 9])
        for text in texts + texts { writer.add(key(text), Array(text.utf8)) }
        let other = try #require(try writer.place())
        let reader = try KeptReader(stateDirectory: state.path, index: other)
        #expect(try reader.content(key("a\n")) == Array("a\n".utf8))
        #expect(other != digest, "the offsets differ with the order")
        KeptWriter.prune(stateDirectory: state.path, keeping: other)
        #expect(try names(in: state.appending("evidence")) == [KeptFormat.name(other).description])
        // Written once more, it is there already.
        let again = try KeptWriter(stateDirectory: state.path)
        again.add(KeptKey(.elf, SHA256Hasher.digest(of: [1])), [7, 8, 9])
        for text in texts { again.add(key(text), Array(text.utf8)) }
        #expect(try again.place() == other)
    }

    @Test func aWriterThatKeepsNothingLeavesNothing() throws {
        do {
            let writer = try KeptWriter(stateDirectory: state.path)
            #expect(try writer.place() == nil)
            let large = try KeptWriter(stateDirectory: state.path)
            let bytes = [UInt8](repeating: 1, count: KeptWriter.contentLimit + 1)
            large.add(KeptKey(.text, SHA256Hasher.digest(of: bytes)), bytes)
            #expect(try large.place() == nil)
        }
        #expect(try names(in: state.appending("evidence")).isEmpty)
    }

    @Test func whatIsStillInForceIsTakenOver() throws {
        let old = try KeptReader(stateDirectory: state.path, index: try write())
        let writer = try KeptWriter(stateDirectory: state.path)
        writer.add([key("a\n"), KeptKey(.text, SHA256Hasher.digest(of: [99]))], from: old)
        let reader = try KeptReader(stateDirectory: state.path, index: try #require(try writer.place()))
        #expect(reader.keys == [key("a\n")])
        #expect(try reader.content(key("a\n")) == Array("a\n".utf8))
    }

    @Test func aFileCutOffAnywhereIsRefused() throws {
        let digest = try write()
        let whole = try file(digest).contents()
        for length in whole.indices {
            try file(digest).write(Array(whole[..<length]))
            #expect(throws: KeptError.self) { try KeptReader(stateDirectory: state.path, index: digest) }
        }
    }

    /// Whatever byte is changed: the index is refused, or the content.
    @Test func noChangedByteIsBelieved() throws {
        let digest = try write()
        let whole = try file(digest).contents()
        let keys = texts.map(key) + [KeptKey(.elf, SHA256Hasher.digest(of: [1]))]
        let contents = texts.map { Array($0.utf8) } + [[7, 8, 9]]
        for place in whole.indices {
            var bytes = whole
            bytes[place] ^= 0x10
            try file(digest).write(bytes)
            var refusals = 0
            do {
                let reader = try KeptReader(stateDirectory: state.path, index: digest)
                for (key, content) in zip(keys, contents) {
                    do { #expect(try reader.content(key) == content) } catch { refusals += 1 }
                }
            } catch {
                refusals += 1
            }
            #expect(refusals > 0, "byte \(place)")
        }
    }

    /// Another file in its place, however well made, has another digest than the signed manifest names.
    @Test func anotherFileInItsPlaceIsRefused() throws {
        let digest = try write()
        let writer = try KeptWriter(stateDirectory: state.path)
        writer.add(key("a\n"), Array("forged\n".utf8))
        let forged = try #require(try writer.place())
        try file(digest).write(try file(forged).contents())
        #expect(throws: KeptError.damaged(file(digest), part: "its footer")) {
            try KeptReader(stateDirectory: state.path, index: digest)
        }
        // Where the index itself is forged, the content still has to have its digest.
        let reader = try KeptReader(stateDirectory: state.path, index: forged)
        #expect(throws: KeptError.self) { try reader.content(key("a\n")) }
    }

    @Test func linksAreNotFollowed() throws {
        let digest = try write()
        let real = state.appending("elsewhere")
        try real.write(try file(digest).contents())
        try LedgerFile.remove(file(digest))
        try state.symlink("evidence/" + KeptFormat.name(digest).description, to: real)
        #expect(throws: KeptError.self) { try KeptReader(stateDirectory: state.path, index: digest) }
    }

    @Test func aDirectoryThatIsNotOursIsNotUsed() throws {
        let other = try state.makeDirectory("other")
        try state.symlink("evidence", to: other)
        #expect(throws: BaselineError.self) { try KeptWriter(stateDirectory: state.path) }
        try LedgerFile.remove(state.appending("evidence"))
        try state.makeDirectory("evidence")
        try setMode(0o755, of: state.appending("evidence"))
        #expect(throws: BaselineError.io(state.appending("evidence"), operation: "open", errno: .permission))
        {
            try KeptWriter(stateDirectory: state.path)
        }
        #expect(throws: KeptError.self) { try KeptReader(stateDirectory: state.path, index: digestOf("x")) }
    }

    @Test func missingContentsSaySo() throws {
        let path = file(digestOf("x"))
        #expect(throws: KeptError.missing(path)) {
            try KeptReader(stateDirectory: state.path, index: digestOf("x"))
        }
    }

    private func digestOf(_ text: String) -> Digest { SHA256Hasher.digest(of: Array(text.utf8)) }
}
