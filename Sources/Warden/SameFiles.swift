package import Host
package import Integrity
package import Ledger

extension BaselineReader {
    /// How many records are asked about, spread over the whole baseline.
    private static var samples: Int { 256 }

    /// Whether a tree holds the very files that were recorded, rather than copies of them.
    ///
    /// A machine id is copied with an image, and a copy gets new inodes and birth times; so both have to agree: the
    /// machine's, and those of one record at least. Neither can be set by whoever may only write files.
    ///
    /// - Throws: `BaselineError` where a block of the baseline is damaged.
    package func records(filesOf host: HostIdentity, in tree: some FileTree) throws(BaselineError) -> Bool {
        guard !host.machineID.isEmpty, host.machineID == manifest.machineID else { return false }
        var examiner = Examiner(tree: tree, clock: { Timestamp(seconds: 0) })
        var cursor = makeCursor()
        let count = min(count, BaselineReader.samples)
        for sample in 0..<count {
            try cursor.seek(ordinal: sample * self.count / count)
            guard let record = try cursor.next()?.decode(), let recorded = record.state.attributes,
                let found = try? examiner.status(record.path)
            else { continue }
            if found.type == recorded.type, found.inode == recorded.inode, found.btime == recorded.btime {
                return true
            }
        }
        return false
    }
}
