internal import CLinux
internal import CSystemd
internal import Host
package import Integrity
package import Warden

/// Sends finished entries to the systemd journal, each as one structured entry (sd_journal_sendv(3)).
///
/// libsystemd reports success when nobody listens, so the socket itself is asked before each entry and once more after
/// it: an entry that may have been lost is an error, and sent again.
package struct JournalPublisher: Publisher {
    /// Where the history lies whose entries are sent.
    private let stateDirectory: RawPath?
    /// journald's socket; another one only in tests.
    private let socket: String
    /// How long a journal that takes nothing is waited for, in milliseconds.
    private let patience: CInt

    package init(
        stateDirectory: RawPath? = nil,
        socket: String = "/run/systemd/journal/socket",
        patience: Int = 5_000
    ) {
        self.stateDirectory = stateDirectory
        self.socket = socket
        self.patience = CInt(clamping: patience)
    }

    package func publish(_ entry: Entry) throws(PublishError) {
        try probe(patience: patience)
        let result = send(journalFields(for: entry, stateDirectory: stateDirectory))
        guard result >= 0 else {
            throw PublishError(
                "the journal did not take entry \(entry.seq): \(Errno(-result)); it is sent again"
            )
        }
        // Whether it has room for another one now is the next entry's business.
        try probe(patience: nil)
    }

    private func probe(patience: CInt?) throws(PublishError) {
        do {
            try probeDatagramSocket(socket, patience: patience)
        } catch .again {
            throw PublishError(
                "the journal takes no entries: the queue of \(safe(socket)) is full; see `systemctl status systemd-journald`"
            )
        } catch {
            throw PublishError(
                "the journal does not listen at \(safe(socket)): \(error); see `systemctl status systemd-journald`"
            )
        }
    }

    /// Which entries the journal holds already, by their chain value and our own uid, which journald itself vouches for.
    ///
    /// Nil where no journal file can be read: an ordinary user may not.
    package func alreadyPublished(_ entries: [Entry]) -> Set<Int64>? {
        guard let reader = try? JournalReader(.local) else { return nil }
        var found: Set<Int64> = []
        for entry in entries {
            guard let isThere = reader.holds(chain: entry.chain, uid: getuid()) else { return nil }
            if isThere { found.insert(entry.seq) }
        }
        return found
    }
}

/// Hands the fields to journald: one `iovec` each, `NAME=` and the bytes.
private func send(_ fields: [JournalField]) -> CInt {
    // One allocation for all: the vectors point into it, and both live until the call is over.
    let pieces = fields.map { Array($0.name.utf8) + [UInt8(ascii: "=")] + $0.value }
    var bytes = pieces.flatMap { $0 }
    return unsafe bytes.withUnsafeMutableBytes { buffer in
        var vectors = unsafe [iovec]()
        var start = 0
        for piece in pieces {
            unsafe vectors.append(
                iovec(iov_base: buffer.baseAddress.map { unsafe $0 + start }, iov_len: piece.count)
            )
            start += piece.count
        }
        return unsafe sd_journal_sendv(vectors, CInt(vectors.count))
    }
}
