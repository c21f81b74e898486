import CLinux
import CSystemd
import Integrity
import Reporting
import TestSupport
import Testing
import Warden

/// What happens when the journal is not there.
struct JournalAbsenceTests {
    private let entry = Samples.entry(1, .change(Samples.content))

    @Test func noSocketIsAnError() throws {
        let scratch = try TemporaryDirectory()
        let path = scratch.appending("socket").description
        let error = #expect(throws: PublishError.self) { try JournalPublisher(socket: path).publish(entry) }
        #expect(error?.description.contains("does not listen") == true)
        #expect(error?.description.contains("no such file or directory") == true)
    }

    @Test func aSocketThatNobodyHoldsIsAnError() throws {
        let scratch = try TemporaryDirectory()
        let path = scratch.appending("socket").description
        close(try boundSocket(path))
        let error = #expect(throws: PublishError.self) { try JournalPublisher(socket: path).publish(entry) }
        #expect(error?.description.contains("connection refused") == true)
    }

    @Test func aFullQueueIsAnErrorAfterTheWait() throws {
        let scratch = try TemporaryDirectory()
        let path = scratch.appending("socket").description
        let receiver = try boundSocket(path)
        defer { close(receiver) }
        let sender = try fillingSocket(path)
        defer { close(sender) }
        let publisher = JournalPublisher(socket: path, patience: 1)
        let error = #expect(throws: PublishError.self) { try publisher.publish(entry) }
        #expect(error?.description.contains("queue") == true)
    }

    @Test func aPathTooLongForASocketIsAnError() {
        let publisher = JournalPublisher(socket: "/" + String(repeating: "x", count: 200))
        #expect(throws: PublishError.self) { try publisher.publish(entry) }
    }
}

/// A datagram socket bound to a path.
func boundSocket(_ path: String) throws -> CInt {
    let number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    try #require(number >= 0)
    let result = unsafe withAddress(path) { unsafe bind(number, __CONST_SOCKADDR_ARG(__sockaddr__: $0), $1) }
    try #require(result == 0)
    return number
}

/// Sends to a bound socket until its queue is full.
private func fillingSocket(_ path: String) throws -> CInt {
    let number = try #require(connectedSocket(path))
    var sent = 0
    while unsafe send(number, "x", 1, 0) == 1 {
        sent += 1
        try #require(sent < 1_000_000)
    }
    return number
}

/// A non-blocking datagram socket connected to a path; nil where nobody listens there.
private func connectedSocket(_ path: String) -> CInt? {
    let flags = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let number = socket(AF_UNIX, flags, 0)
    guard number >= 0 else { return nil }
    let result = unsafe withAddress(path) {
        unsafe connect(number, __CONST_SOCKADDR_ARG(__sockaddr__: $0), $1)
    }
    if result == 0 { return number }
    close(number)
    return nil
}

private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) {
        unsafe $0.copyBytes(from: Array(path.utf8).prefix(107))
    }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
    }
}

private let canReadJournal: Bool = {
    guard isRoot, let number = connectedSocket("/run/systemd/journal/socket") else { return false }
    close(number)
    return true
}()

/// With a true journald: what is sent is read back, field by field.
@Suite(
    .serialized,
    .enabled(
        if: canReadJournal,
        "needs root, and a systemd-journald at /run/systemd/journal/socket"
    )
)
struct JournalTests {
    /// An entry with a chain value that no other run has.
    private func unique(_ event: Event) -> Entry {
        var entry = Samples.entry(7, event)
        entry.chain = Digest(words: (.random(in: .min ... .max), .random(in: .min ... .max), 1, 2))
        return entry
    }

    @Test func aHostileEntryArrivesByteForByte() throws {
        for name in Hostile.names {
            let entry = unique(.change(Hostile.finding(name, .moved)))
            try JournalPublisher().publish(entry)
            let found = try #require(readBack(entry.chain), "the entry did not arrive")
            for field in journalFields(for: entry) {
                #expect(found[field.name] == [field.value], "\(field.name)")
            }
        }
    }

    @Test func everyKindOfEntryArrives() throws {
        for sample in Samples.entries {
            let entry = unique(sample.event)
            try JournalPublisher().publish(entry)
            let found = try #require(readBack(entry.chain), "the entry did not arrive")
            for (name, fields) in Dictionary(grouping: journalFields(for: entry), by: \.name) {
                #expect(Set(found[name] ?? []) == Set(fields.map(\.value)), "\(name)")
            }
        }
    }

    /// Larger than a datagram: libsystemd hands it over as a sealed memory file.
    @Test func aHugePathArrivesWhole() throws {
        var finding = Samples.added
        finding.path = RawPath(bytes: [slash] + Array(repeating: 0xFE, count: 400_000))
        let entry = unique(.change(finding))
        try JournalPublisher().publish(entry)
        let found = try #require(readBack(entry.chain), "the entry did not arrive")
        #expect(found["MILLWARDEN_PATH"] == [finding.path.bytes])
    }

    @Test func whatWasPublishedIsFoundAgain() throws {
        let publisher = JournalPublisher()
        var sent = unique(.change(Samples.content))
        sent.seq = 1
        var unsent = unique(.change(Samples.content))
        unsent.seq = 2
        try publisher.publish(sent)
        _ = try #require(readBack(sent.chain), "the entry did not arrive")
        #expect(publisher.alreadyPublished([sent, unsent]) == [1])
        #expect(publisher.alreadyPublished([]) == [])
    }

    /// The fields of the entry with this chain value, tried for ten seconds: journald files an entry a moment after it
    /// took it, and sd_journal_wait(3) may miss that moment.
    private func readBack(_ chain: Digest) -> [String: [[UInt8]]]? {
        var opened: OpaquePointer?
        guard unsafe sd_journal_open(&opened, CInt(SD_JOURNAL_LOCAL_ONLY)) >= 0, let journal = unsafe opened
        else { return nil }
        defer { unsafe sd_journal_close(journal) }
        unsafe sd_journal_set_data_threshold(journal, 0)
        let match = "MILLWARDEN_CHAIN=\(chain)"
        guard unsafe sd_journal_add_match(journal, match, match.utf8.count) >= 0 else { return nil }
        for _ in 0..<200 {
            if unsafe sd_journal_seek_head(journal) >= 0, unsafe sd_journal_next(journal) > 0 {
                return unsafe fields(journal)
            }
            unsafe sd_journal_wait(journal, 50_000)
        }
        return nil
    }

    private func fields(_ journal: OpaquePointer) -> [String: [[UInt8]]] {
        var found: [String: [[UInt8]]] = [:]
        unsafe sd_journal_restart_data(journal)
        var data: UnsafeRawPointer?
        var length = 0
        while unsafe sd_journal_enumerate_data(journal, &data, &length) > 0 {
            let bytes = unsafe Array(UnsafeRawBufferPointer(start: data, count: length))
            guard let cut = bytes.firstIndex(of: UInt8(ascii: "=")),
                let name = String(validating: bytes[..<cut], as: UTF8.self)
            else { continue }
            found[name, default: []].append(Array(bytes[(cut + 1)...]))
        }
        return found
    }
}
