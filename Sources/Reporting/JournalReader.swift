internal import CLinux
internal import CSystemd
internal import Host
package import Integrity

/// Which journal is read.
package enum JournalPlace: Hashable, Sendable, CustomStringConvertible {
    /// The journal of this host.
    case local
    /// A directory of `*.journal` files, as systemd-journal-remote(8) writes them.
    case directory(RawPath)

    package var description: String {
        switch self {
        case .local: "the journal of this host"
        case .directory(let path): path.description
        }
    }
}

/// Why a journal cannot be read.
package enum JournalReadError: Error, Equatable, CustomStringConvertible {
    case missing(RawPath)
    case permission(JournalPlace)
    case empty(JournalPlace)
    case io(JournalPlace, String)

    package var description: String {
        switch self {
        case .missing(let path): "there is no directory \(path); name the one that holds the *.journal files"
        case .permission(let place):
            "\(place) cannot be read: permission denied; become root or a member of the group systemd-journal"
        case .empty(let place): "\(place) has no journal file that can be read; see `journalctl --header`"
        case .io(let place, let reason): "\(place) cannot be read: \(reason)"
        }
    }
}

/// One entry as it stands in a journal: when it was filed there, and its fields, bounded.
package struct JournalRecord: Hashable, Sendable {
    /// `__REALTIME_TIMESTAMP`, by the clock of the host that wrote it.
    package var time: Timestamp
    package var fields: [JournalField]

    package init(time: Timestamp, fields: [JournalField]) {
        self.time = time
        self.fields = fields
    }
}

/// A journal, opened for reading (sd-journal(3)).
///
/// What it holds is not to be believed: any program may log with our names, and a host that forwards may send anything.
/// Fields are bounded in number and size here; `JournalRow` looks at what they say.
@safe package struct JournalReader: ~Copyable {
    /// The most that is kept of one field: a path has 4 KiB, an argument list is cut at 8 KiB when it is sent.
    package static let fieldLimit = 65_536
    /// The most fields that are looked at in one entry.
    package static let countLimit = 1_024

    // One owner, closed once: the pointer never leaves this type.
    private let journal: OpaquePointer
    private let place: JournalPlace
    /// Journal files of the directory that could not be opened.
    private let unopened: Int

    /// - Throws: `JournalReadError` where not a single file can be opened.
    package init(_ place: JournalPlace) throws(JournalReadError) {
        self.place = place
        unsafe journal = try JournalReader.openFiles(place)
        unsafe sd_journal_set_data_threshold(journal, JournalReader.fieldLimit + 128)
        unopened = JournalReader.filesThatDoNotOpen(place)
    }

    /// libsystemd passes over files that it cannot open, and says nothing; each is tried alone.
    private static func filesThatDoNotOpen(_ place: JournalPlace) -> Int {
        guard case .directory(let directory) = place, let names = try? HostFiles().names(in: directory) else {
            return 0
        }
        let files = names.filter { name in
            [".journal", ".journal~"].contains { name.suffix($0.utf8.count).elementsEqual($0.utf8) }
        }
        return files.count { !opens(directory.appending($0[...])) }
    }

    private static func opens(_ file: RawPath) -> Bool {
        let name = (file.bytes + [0]).map { CChar(bitPattern: $0) }
        return unsafe name.withUnsafeBufferPointer { buffer in
            var opened: OpaquePointer?
            var names: [UnsafePointer<CChar>?] = unsafe [buffer.baseAddress, nil]
            let result = unsafe sd_journal_open_files(&opened, &names, 0)
            if let opened = unsafe opened { unsafe sd_journal_close(opened) }
            return result >= 0
        }
    }

    /// The bytes of the files that are being read; libsystemd lets go of one that turns out to be damaged.
    private func usage() -> UInt64 {
        var bytes: UInt64 = 0
        return unsafe sd_journal_get_usage(journal, &bytes) >= 0 ? bytes : 0
    }

    /// Where no file could be opened, libsystemd succeeds all the same.
    private static func openFiles(_ place: JournalPlace) throws(JournalReadError) -> OpaquePointer {
        let opened = unsafe try open(place)
        var bytes: UInt64 = 0
        guard unsafe sd_journal_get_usage(opened, &bytes) >= 0, bytes > 0 else {
            unsafe sd_journal_close(opened)
            throw .empty(place)
        }
        return unsafe opened
    }

    private static func open(_ place: JournalPlace) throws(JournalReadError) -> OpaquePointer {
        var opened: OpaquePointer?
        let result: CInt
        switch place {
        case .local: result = unsafe sd_journal_open(&opened, CInt(SD_JOURNAL_LOCAL_ONLY))
        case .directory(let path):
            let name = (path.bytes + [0]).map { CChar(bitPattern: $0) }
            result = unsafe name.withUnsafeBufferPointer { buffer in
                unsafe buffer.baseAddress.map { unsafe sd_journal_open_directory(&opened, $0, 0) } ?? -EINVAL
            }
        }
        if result >= 0, let opened = unsafe opened { return unsafe opened }
        if case .directory(let path) = place, [ENOENT, ENOTDIR].contains(-result) { throw .missing(path) }
        if [EACCES, EPERM].contains(-result) { throw .permission(place) }
        throw .io(place, "\(Errno(-result))")
    }

    deinit { unsafe sd_journal_close(journal) }

    /// Visits the entries that carry our identifier, in the order of the journal, until `body` returns false.
    ///
    /// - Parameters:
    ///   - machineID: Only those of this host.
    ///   - since: Only those filed at this moment or later.
    ///   - body: Takes one entry; false ends the walk.
    /// - Returns: What could not be read.
    /// - Throws: What `body` throws.
    package func forEachRecord<E: Error>(
        machineID: String? = nil,
        since: Timestamp? = nil,
        _ body: (JournalRecord) throws(E) -> Bool
    ) throws(E) -> JournalPassage {
        unsafe sd_journal_flush_matches(journal)
        var passage = JournalPassage()
        passage.unopened = unopened
        let before = usage()
        guard match("SYSLOG_IDENTIFIER=millwarden"), machineID.map({ match("_MACHINE_ID=\($0)") }) ?? true,
            seek(since)
        else {
            passage.failure = .io(place, "the position cannot be set")
            return passage
        }
        while true {
            let result = unsafe sd_journal_next(journal)
            guard result > 0 else {
                if result < 0 { passage.failure = .io(place, "\(Errno(-result))") }
                if usage() < before { passage.failure = .io(place, "a journal file in it is damaged") }
                return passage
            }
            guard let record = record() else {
                passage.unreadable += 1
                continue
            }
            if let since, record.time < since { continue }
            guard try body(record) else { return passage }
        }
    }

    private func seek(_ since: Timestamp?) -> Bool {
        guard let since, since.seconds > 0 else { return unsafe sd_journal_seek_head(journal) >= 0 }
        let (scaled, overflow) = UInt64(since.seconds).multipliedReportingOverflow(by: 1_000_000)
        return unsafe sd_journal_seek_realtime_usec(journal, overflow ? .max : scaled) >= 0
    }

    private func record() -> JournalRecord? {
        var microseconds: UInt64 = 0
        guard unsafe sd_journal_get_realtime_usec(journal, &microseconds) >= 0 else { return nil }
        let time = Timestamp(
            seconds: Int64(microseconds / 1_000_000),
            nanoseconds: UInt32(microseconds % 1_000_000) * 1_000
        )
        var fields: [JournalField] = []
        var data: UnsafeRawPointer?
        var length = 0
        unsafe sd_journal_restart_data(journal)
        for _ in 0..<JournalReader.countLimit {
            let result = unsafe sd_journal_enumerate_data(journal, &data, &length)
            guard result >= 0 else { return nil }
            guard result > 0, let start = unsafe data else { break }
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
            guard let cut = unsafe bytes.prefix(64).firstIndex(of: UInt8(ascii: "=")),
                let name = unsafe String(validating: bytes[..<cut], as: UTF8.self), isWanted(name)
            else { continue }
            let value = unsafe Array(bytes[(cut + 1)...].prefix(JournalReader.fieldLimit))
            fields.append(JournalField(name, value))
        }
        return JournalRecord(time: time, fields: fields)
    }

    private func isWanted(_ name: String) -> Bool {
        name.hasPrefix("MILLWARDEN_")
            || ["MESSAGE", "MESSAGE_ID", "PRIORITY", "_UID", "_HOSTNAME", "_MACHINE_ID", "_TRANSPORT"]
                .contains(name)
    }

    /// One look-up in the index of each journal file; nil where it fails.
    func holds(chain: Digest, uid: uid_t) -> Bool? {
        unsafe sd_journal_flush_matches(journal)
        guard match("MILLWARDEN_CHAIN=\(chain)"), match("_UID=\(uid)"),
            unsafe sd_journal_seek_head(journal) >= 0
        else { return nil }
        let result = unsafe sd_journal_next(journal)
        return result < 0 ? nil : result > 0
    }

    private func match(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return unsafe bytes.withUnsafeBytes { unsafe sd_journal_add_match(journal, $0.baseAddress, $0.count) }
            >= 0
    }
}

/// What a walk through a journal could not read.
package struct JournalPassage: Equatable, Sendable {
    /// Entries whose fields could not be read.
    package var unreadable = 0
    /// Files that could not be opened.
    package var unopened = 0
    /// Why the walk ended before the end.
    package var failure: JournalReadError?

    package init() {}
}
