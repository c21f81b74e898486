/// The bits of inotify(7), by the kernel's names.
package struct WatchMask: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    // What can happen.
    package static let access = WatchMask(rawValue: 0x0000_0001)
    package static let modify = WatchMask(rawValue: 0x0000_0002)
    package static let attrib = WatchMask(rawValue: 0x0000_0004)
    package static let closeWrite = WatchMask(rawValue: 0x0000_0008)
    package static let closeNoWrite = WatchMask(rawValue: 0x0000_0010)
    package static let open = WatchMask(rawValue: 0x0000_0020)
    package static let movedFrom = WatchMask(rawValue: 0x0000_0040)
    package static let movedTo = WatchMask(rawValue: 0x0000_0080)
    package static let create = WatchMask(rawValue: 0x0000_0100)
    package static let delete = WatchMask(rawValue: 0x0000_0200)
    package static let deleteSelf = WatchMask(rawValue: 0x0000_0400)
    package static let moveSelf = WatchMask(rawValue: 0x0000_0800)

    // What the kernel adds unasked.
    package static let unmount = WatchMask(rawValue: 0x0000_2000)
    /// The queue was full and events were lost.
    package static let queueOverflow = WatchMask(rawValue: 0x0000_4000)
    /// The watch is gone: removed, or its inode or file system is.
    package static let ignored = WatchMask(rawValue: 0x0000_8000)
    package static let isDirectory = WatchMask(rawValue: 0x4000_0000)

    // How to watch.
    package static let onlyDirectory = WatchMask(rawValue: 0x0100_0000)
    package static let dontFollow = WatchMask(rawValue: 0x0200_0000)
    package static let excludeUnlinked = WatchMask(rawValue: 0x0400_0000)
    /// Fail with `EEXIST` instead of changing the mask of a watch that the inode already has.
    package static let maskCreate = WatchMask(rawValue: 0x1000_0000)
    /// Add to the mask that the inode's watch already has.
    package static let maskAdd = WatchMask(rawValue: 0x2000_0000)
    package static let oneShot = WatchMask(rawValue: 0x8000_0000)
}

/// One event as the kernel queued it.
package struct InotifyEvent: Hashable, Sendable {
    /// The watch that `Inotify.add` gave; -1 with `queueOverflow`.
    package var watch: Int32
    package var mask: WatchMask
    /// Joins the two halves of a rename; 0 for everything else.
    package var cookie: UInt32
    /// The name in the watched directory, without the NULs that pad it; empty for the watched inode itself.
    package var name: [UInt8]

    package init(watch: Int32, mask: WatchMask, cookie: UInt32 = 0, name: [UInt8] = []) {
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name
    }
}

/// What a buffer from the kernel held.
package struct DecodedInotify: Equatable, Sendable {
    package var events: [InotifyEvent] = []
    /// How many bytes at the end form no event: 0 for what a kernel gave.
    ///
    /// Anything else means that events were lost.
    package var undecoded = 0

    package init() {}

    /// Something happened that no event here tells of.
    package var hasGap: Bool { undecoded > 0 || events.contains { $0.mask.contains(.queueOverflow) } }
}

/// Decodes what read(2) gave of an inotify descriptor: `struct inotify_event` and a name, again and again.
///
/// Whatever the bytes are, nothing is read beyond them; what follows the last whole event is counted, not guessed.
/// - SeeAlso: inotify(7), "Reading events from an inotify file descriptor".
package func decodeInotify(_ bytes: [UInt8]) -> DecodedInotify {
    var decoded = DecodedInotify()
    var position = 0
    while bytes.count - position >= inotifyHeaderSize {
        let length = Int(nativeWord(bytes, at: position + 12))
        let start = position + inotifyHeaderSize
        guard length <= bytes.count - start else { break }
        let padded = bytes[start..<start + length]
        decoded.events.append(
            InotifyEvent(
                watch: Int32(bitPattern: nativeWord(bytes, at: position)),
                mask: WatchMask(rawValue: nativeWord(bytes, at: position + 4)),
                cookie: nativeWord(bytes, at: position + 8),
                name: Array(padded.prefix { $0 != 0 })
            )
        )
        position = start + length
    }
    decoded.undecoded = bytes.count - position
    return decoded
}

/// Watch, mask, cookie and length, 32 bits each.
private let inotifyHeaderSize = 16

/// Four bytes in the order of this machine; the caller has checked that they are there.
private func nativeWord(_ bytes: [UInt8], at position: Int) -> UInt32 {
    let little =
        UInt32(bytes[position]) | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2]) << 16
        | UInt32(bytes[position + 3]) << 24
    // Turns the bytes round on a big-endian machine and does nothing on the others.
    return UInt32(littleEndian: little)
}
