/// The bits of fanotify(7) that are used here, by the kernel's names.
package struct FanotifyMask: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static let modify = FanotifyMask(rawValue: 0x0000_0002)
    package static let attrib = FanotifyMask(rawValue: 0x0000_0004)
    package static let closeWrite = FanotifyMask(rawValue: 0x0000_0008)
    package static let movedFrom = FanotifyMask(rawValue: 0x0000_0040)
    package static let movedTo = FanotifyMask(rawValue: 0x0000_0080)
    package static let create = FanotifyMask(rawValue: 0x0000_0100)
    package static let delete = FanotifyMask(rawValue: 0x0000_0200)
    /// The queue was full and events were lost.
    package static let queueOverflow = FanotifyMask(rawValue: 0x0000_4000)
    /// Of what lies in a marked directory, not of the directory alone.
    package static let eventOnChild = FanotifyMask(rawValue: 0x0800_0000)
    package static let rename = FanotifyMask(rawValue: 0x1000_0000)
    /// Asked for, it means directories too; told, that it is one.
    package static let onDirectory = FanotifyMask(rawValue: 0x4000_0000)
}

/// What names an inode as long as its file system stands (open_by_handle_at(2)).
package struct FileHandle: Hashable, Sendable {
    /// `f_fsid` of statfs(2).
    package var fileSystem: UInt64
    package var type: Int32
    package var bytes: [UInt8]

    package init(fileSystem: UInt64, type: Int32, bytes: [UInt8]) {
        self.fileSystem = fileSystem
        self.type = type
        self.bytes = bytes
    }
}

/// A name in a directory; empty for what happened to the directory as such, which the kernel calls `.`.
package struct DirectoryName: Hashable, Sendable {
    package var directory: FileHandle
    package var name: [UInt8]

    package init(directory: FileHandle, name: [UInt8]) {
        self.directory = directory
        self.name = name
    }
}

/// One event as the kernel queued it, for a group that reports identities (`FAN_REPORT_FID` and its like).
package struct FanotifyEvent: Hashable, Sendable {
    package var mask: FanotifyMask
    /// The process, in the reader's PID namespace; 0 where it is outside of it.
    package var pid: Int32
    /// Where it happened.
    package var place: DirectoryName?
    /// Both ends of a rename (`FAN_RENAME`).
    package var from: DirectoryName?
    package var to: DirectoryName?
    /// The inode it happened to, where the group reports it.
    package var object: FileHandle?
    /// A descriptor of the process, which whoever decodes has to close; nil where the process was gone already.
    package var pidfd: Int32?
    /// The mount, for events of mounts.
    package var mount: UInt64?

    package init(mask: FanotifyMask, pid: Int32, place: DirectoryName? = nil, pidfd: Int32? = nil) {
        self.mask = mask
        self.pid = pid
        self.place = place
        self.pidfd = pidfd
    }
}

/// What a buffer from the kernel held.
package struct DecodedFanotify: Equatable, Sendable {
    package var events: [FanotifyEvent] = []
    /// How many bytes at the end form no event: 0 for what a kernel gave.
    package var undecoded = 0

    package init() {}

    /// Something happened that no event here tells of.
    package var hasGap: Bool { undecoded > 0 || events.contains { $0.mask.contains(.queueOverflow) } }
}

/// Decodes what read(2) gave of a fanotify descriptor: `struct fanotify_event_metadata` and its information records,
/// again and again.
///
/// Whatever the bytes are, nothing is read beyond them; what follows the last whole event is counted, not guessed. A
/// record of a kind that is not known is skipped, one that is not whole ends the event it stands in.
/// - SeeAlso: fanotify(7), "Reading fanotify events".
package func decodeFanotify(_ bytes: ArraySlice<UInt8>) -> DecodedFanotify {
    var decoded = DecodedFanotify()
    var rest = bytes
    while let (event, length) = decodeEvent(rest) {
        decoded.events.append(event)
        rest = rest.dropFirst(length)
    }
    decoded.undecoded = rest.count
    return decoded
}

/// `FANOTIFY_METADATA_VERSION`: the layout has not changed since Linux 2.6.39.
private let metadataVersion: UInt8 = 3
private let metadataSize = 24

/// `FAN_EVENT_INFO_TYPE_…`.
private enum InfoType {
    static let object: UInt8 = 1
    static let directoryAndName: UInt8 = 2
    static let directory: UInt8 = 3
    static let pidfd: UInt8 = 4
    static let mount: UInt8 = 7
    static let oldName: UInt8 = 10
    static let newName: UInt8 = 12
}

private func decodeEvent(_ bytes: ArraySlice<UInt8>) -> (FanotifyEvent, length: Int)? {
    let fields = NativeBytes(bytes)
    guard let total = fields.u32(0), let version = fields.u8(4), version == metadataVersion,
        let head = fields.u16(6), let mask = fields.u64(8), let pid = fields.i32(20),
        let whole = fields.slice(0, Int(total)), Int(head) >= metadataSize, Int(head) <= whole.count
    else { return nil }
    var event = FanotifyEvent(mask: FanotifyMask(rawValue: mask), pid: pid)
    var infos = whole.dropFirst(Int(head))
    while let length = event.take(infos) { infos = infos.dropFirst(length) }
    return (event, whole.count)
}

extension FanotifyEvent {
    /// Takes in one information record and gives its length; nil where none is left.
    fileprivate mutating func take(_ infos: ArraySlice<UInt8>) -> Int? {
        let fields = NativeBytes(infos)
        guard let type = fields.u8(0), let length = fields.u16(2), length >= 4,
            let record = fields.slice(0, Int(length))
        else { return nil }
        let body = NativeBytes(record)
        switch type {
        case InfoType.object: object = decodeHandle(body)?.0
        case InfoType.directoryAndName: place = decodeName(body)
        // Without a name it happened to the directory itself.
        case InfoType.directory: place = decodeHandle(body).map { DirectoryName(directory: $0.0, name: []) }
        case InfoType.oldName: from = decodeName(body)
        case InfoType.newName: to = decodeName(body)
        // -1 says that the process is gone, -2 that no descriptor could be made.
        case InfoType.pidfd: pidfd = body.i32(4).flatMap { $0 >= 0 ? $0 : nil }
        // The number stands at the next multiple of 8.
        case InfoType.mount: mount = body.u64(8)
        default: break
        }
        return record.count
    }
}

/// The handle of a record, and where in the record it ends.
private func decodeHandle(_ record: NativeBytes) -> (FileHandle, end: Int)? {
    guard let system = record.u64(4), let size = record.u32(12), let type = record.i32(16),
        let bytes = record.slice(20, Int(size))
    else { return nil }
    return (FileHandle(fileSystem: system, type: type, bytes: Array(bytes)), 20 + bytes.count)
}

private func decodeName(_ record: NativeBytes) -> DirectoryName? {
    guard let (directory, end) = decodeHandle(record),
        let rest = record.slice(end, record.bytes.count - end), let stop = rest.firstIndex(of: 0)
    else { return nil }
    let name = rest[..<stop]
    return DirectoryName(directory: directory, name: name.elementsEqual(".".utf8) ? [] : Array(name))
}
