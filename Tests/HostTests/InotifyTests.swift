import CLinux
import Integrity
import TestSupport
import Testing

@testable import Host

struct InotifyTests {
    let scratch: Scratch
    let inotify: Inotify

    init() throws {
        scratch = try Scratch()
        inotify = try Inotify()
    }

    private func events() throws -> [InotifyEvent] {
        let decoded = decodeInotify(try inotify.read())
        #expect(decoded.undecoded == 0)
        return decoded.events
    }

    @Test func theWatchIsOnTheOpenedInodeWhateverItsPathMeansNow() throws {
        let old = try scratch.make(directory: Array("d".utf8))
        let opened = try scratch.openDirectory(old)
        let aside = scratch.path.appending("aside")
        try scratch.rename(old, aside)
        _ = try scratch.make(directory: Array("d".utf8))

        let watch = try inotify.add(opened, mask: [.create, .onlyDirectory, .dontFollow])
        try scratch.write(old.appending("in the new one"))
        try scratch.write(aside.appending("in the opened one"))

        #expect(
            try events() == [
                InotifyEvent(watch: watch, mask: .create, name: Array("in the opened one".utf8))
            ]
        )
    }

    @Test func aHandleOfAnotherWorldIsRefused() throws {
        let handle = OwnedDescriptor(owning: -7)
        #expect(throws: Errno(EBADF)) { try inotify.add(handle, fallback: scratch.path, mask: .create) }
    }

    @Test func theFallbackIsWatchedWhereTheDescriptorHasNoPlaceInProc() throws {
        // No descriptor has this number, as if /proc were missing.
        let missing = OwnedDescriptor(owning: CInt.max)
        #expect(throws: Errno.noEntry) { try inotify.add(missing, mask: .create) }
        let watch = try inotify.add(missing, fallback: scratch.path, mask: .create)
        try scratch.write(scratch.path.appending("f"))
        #expect(try events() == [InotifyEvent(watch: watch, mask: .create, name: [102])])
    }

    @Test func whatIsMadeAfterTheWatchRaisesAnEventAndWhatWasThereIsListed() throws {
        let directory = try scratch.make(directory: Array("d".utf8))
        try scratch.write(directory.appending("before"))
        let opened = try scratch.openDirectory(directory)
        let watch = try inotify.add(opened, mask: [.create, .closeWrite])
        try scratch.write(directory.appending("between"))
        // Add, then list: a subdirectory is found by the one or by the other, never by neither.
        _ = try scratch.make(directory: Array("d/sub".utf8))
        #expect(
            try events() == [
                InotifyEvent(watch: watch, mask: .create, name: Array("between".utf8)),
                InotifyEvent(watch: watch, mask: .closeWrite, name: Array("between".utf8)),
                InotifyEvent(watch: watch, mask: [.create, .isDirectory], name: Array("sub".utf8)),
            ]
        )
    }

    @Test func bothHalvesOfARenameBearOneCookie() throws {
        let here = try scratch.make(directory: Array("here".utf8))
        let there = try scratch.make(directory: Array("there".utf8))
        try scratch.write(here.appending("a"))
        try scratch.write(here.appending("b"))
        let from = try inotify.add(try scratch.openDirectory(here), mask: [.movedFrom, .movedTo])
        let to = try inotify.add(try scratch.openDirectory(there), mask: [.movedFrom, .movedTo])
        try scratch.rename(here.appending("a"), there.appending("x"))
        try scratch.rename(here.appending("b"), there.appending("y"))
        let seen = try events()
        #expect(seen.map(\.watch) == [from, to, from, to])
        #expect(seen.map(\.mask) == [.movedFrom, .movedTo, .movedFrom, .movedTo])
        #expect(seen.map(\.name) == [[97], [120], [98], [121]])
        #expect(seen[0].cookie == seen[1].cookie && seen[2].cookie == seen[3].cookie)
        #expect(seen[0].cookie != seen[2].cookie && seen[0].cookie != 0)
    }

    @Test(arguments: [
        [UInt8](repeating: 10, count: 255), [UInt8](repeating: 0xFF, count: 255), [0xC3, 10, 27, 0xFE], [32],
        Array("\u{202E}gnp.exe".utf8), [UInt8](repeating: 97, count: 15), [UInt8](repeating: 97, count: 16),
    ])
    func namesComeAsTheyAre(name: [UInt8]) throws {
        try inotify.add(try scratch.openDirectory(scratch.path), mask: .create)
        try scratch.write(scratch.path.appending(name))
        #expect(try events().map(\.name) == [name])
    }

    @Test func removingTwiceIsRemovingOnce() throws {
        let watch = try inotify.add(try scratch.openDirectory(scratch.path), mask: .create)
        inotify.remove(watch)
        inotify.remove(watch)
        try scratch.write(scratch.path.appending("f"))
        #expect(try events() == [InotifyEvent(watch: watch, mask: .ignored)])
        #expect(try inotify.read() == [])
    }

    @Test func addingSaysWhyNot() throws {
        #expect(throws: Errno.noEntry) {
            try inotify.add(path: scratch.path.appending("missing"), mask: .create)
        }
        try scratch.write(scratch.path.appending("file"))
        #expect(throws: Errno.notDirectory) {
            try inotify.add(path: scratch.path.appending("file"), mask: [.create, .onlyDirectory])
        }
        try inotify.add(path: scratch.path, mask: .create)
        #expect(throws: Errno.exists) { try inotify.add(path: scratch.path, mask: [.create, .maskCreate]) }
    }

    @Test func aWatchOnAFileSeesAWriteThroughItsOtherName() throws {
        let file = scratch.path.appending("cc")
        try scratch.write(file)
        let watch = try inotify.add(path: file, mask: [.closeWrite, .attrib])
        let other = scratch.path.appending("other")
        try #require(unsafe link(text(file), text(other)) == 0)
        try scratch.write(other)
        #expect(try events().map(\.mask) == [.attrib, .closeWrite])
        #expect(watch > 0)
    }

    @Test func aFullQueueIsSeen() throws {
        let limit = try #require(maximumQueue(), "needs /proc/sys/fs/inotify/max_queued_events")
        guard limit <= 200_000 else { return }
        let (first, second) = (scratch.path.appending("1"), scratch.path.appending("2"))
        try scratch.write(first)
        try scratch.write(second)
        try inotify.add(try scratch.openDirectory(scratch.path), mask: .attrib)
        // In turns: the kernel merges an event with an equal one right before it.
        for _ in 0...limit / 2 + 10 {
            try scratch.change(mode: 0o600, of: first)
            try scratch.change(mode: 0o600, of: second)
        }
        var seen: [InotifyEvent] = []
        while case let bytes = try inotify.read(), !bytes.isEmpty {
            let decoded = decodeInotify(bytes)
            if decoded.hasGap { #expect(decoded.events.last?.mask == .queueOverflow) }
            seen += decoded.events
        }
        #expect(seen.last == InotifyEvent(watch: -1, mask: .queueOverflow))
        #expect(seen.count == limit + 1)
    }

    @Test func aReadThatIsTooSmallSaysSo() throws {
        try inotify.add(try scratch.openDirectory(scratch.path), mask: .create)
        try scratch.write(scratch.path.appending([UInt8](repeating: 97, count: 255)))
        #expect(inotify.queuedBytes == 272)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
        defer { unsafe buffer.deallocate() }
        #expect(throws: Errno.invalid) { unsafe try inotify.read(into: buffer) }
        #expect(try events().count == 1)
        #expect(inotify.queuedBytes == 0)
    }
}

/// How many events the kernel keeps for one instance.
private func maximumQueue() -> Int? {
    let number = unsafe mw_openat(AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events", O_RDONLY, 0)
    guard number >= 0 else { return nil }
    let file = OwnedDescriptor(owning: number)
    var buffer = [UInt8](repeating: 0, count: 32)
    let count = file.lend { unsafe read($0, &buffer, buffer.count) }
    return count > 0
        ? Int(buffer[..<count].filter { $0 != 10 }.map { String(UnicodeScalar($0)) }.joined()) : nil
}

struct InotifyDecoderTests {
    /// An event as the kernel lays it out.
    static func encode(_ event: InotifyEvent, padding: Int = 1) -> [UInt8] {
        var bytes: [UInt8] = []
        let length = event.name.isEmpty ? 0 : event.name.count + padding
        for word in [UInt32(bitPattern: event.watch), event.mask.rawValue, event.cookie, UInt32(length)] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: word.littleEndian >> (8 * UInt32($0))) }
        }
        return bytes + event.name + [UInt8](repeating: 0, count: length - event.name.count)
    }

    @Test func whatIsEncodedIsDecodedAndEveryCutIsSeen() {
        let events = [
            InotifyEvent(watch: 1, mask: .create, name: [97, 10, 0xFF]),
            InotifyEvent(watch: -1, mask: .queueOverflow),
            InotifyEvent(watch: 7, mask: [.movedFrom, .isDirectory], cookie: 0xFFFF_FFFF, name: [98]),
        ]
        let parts = events.map { Self.encode($0, padding: 5) }
        let whole = parts.flatMap { $0 }
        let decoded = decodeInotify(whole)
        #expect(decoded.events == events)
        #expect(decoded.undecoded == 0 && decoded.hasGap)
        let ends = [0, parts[0].count, parts[0].count + parts[1].count, whole.count]
        for cut in 0...whole.count {
            let decoded = decodeInotify(Array(whole[..<cut]))
            let count = ends.lastIndex { $0 <= cut } ?? 0
            #expect(decoded.events == Array(events[..<count]))
            #expect(decoded.undecoded == cut - ends[count])
        }
    }

    @Test func aLengthBeyondTheEndIsNotRead() {
        var bytes = Self.encode(InotifyEvent(watch: 1, mask: .create, name: [97]))
        bytes.replaceSubrange(12..<16, with: [0xFF, 0xFF, 0xFF, 0xFF])
        let decoded = decodeInotify(bytes)
        #expect(decoded.events.isEmpty)
        #expect(decoded.undecoded == bytes.count && decoded.hasGap)
    }

    @Test func randomBytesAreNeverMoreThanTheyAre() {
        var random = SeededGenerator()
        for _ in 0..<5_000 {
            var bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            // Otherwise nearly every length would reach beyond the end.
            if bytes.count > 16 { bytes.replaceSubrange(12..<16, with: [bytes[12] & 0x3F, 0, 0, 0]) }
            let decoded = decodeInotify(bytes)
            let used = bytes.count - decoded.undecoded
            let least = decoded.events.reduce(0) { $0 + 16 + $1.name.count }
            #expect(decoded.undecoded >= 0 && least <= used, "\(random)")
            #expect(decoded.events.allSatisfy { !$0.name.contains(0) }, "\(random)")
        }
    }
}
