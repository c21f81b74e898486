package import Integrity

/// A place in the records of a baseline, between two of them.
package struct BaselineCursor: Sendable {
    private let reader: BaselineReader
    /// The ordinal of the record that `next` gives.
    package private(set) var ordinal = 0
    /// The block that is being read; nil before the first and after the last.
    private var block: LoadedBlock?
    private var nextBlock = 0
    private var position = 0
    private var runEnd = 0
    private var directory = RawPath.root
    /// The directory that was sought last, and whether the open run belongs to it.
    private var sought = RawPath.root
    private var isInSought = false
    /// The record that `advance` moved onto.
    private var layout = RecordLayout.none

    init(_ reader: BaselineReader) {
        self.reader = reader
    }

    /// The next record, nil behind the last.
    /// - Throws: `BaselineError.damaged` where a block's bytes are not those that were signed.
    package mutating func next() throws(BaselineError) -> RecordView? {
        guard let block = try openRecord() else { return nil }
        guard let layout = RecordLayout(block.bytes, at: position, end: runEnd) else { throw damaged(block) }
        let view = RecordView(block: block, directory: directory, ordinal: ordinal, layout: layout)
        position = layout.state.upperBound
        ordinal += 1
        return view
    }

    // MARK: Record by record, without a value for each

    /// Moves onto the next record of the directory that was sought last.
    ///
    /// False, without moving, where the next record stands elsewhere or there is none.
    package mutating func advance() throws(BaselineError) -> Bool {
        guard let block = try openRecord(), isInSought else { return false }
        guard let next = RecordLayout(block.bytes, at: position, end: runEnd) else { throw damaged(block) }
        layout = next
        position = next.state.upperBound
        ordinal += 1
        return true
    }

    /// The record that `advance` moved onto.
    package var current: RecordView? {
        block.map { RecordView(block: $0, directory: directory, ordinal: ordinal - 1, layout: layout) }
    }

    /// Less than, equal to or greater than 0 as the current record's name sorts before, with or behind the other.
    package func compareName(_ other: ArraySlice<UInt8>) -> Int {
        block.map { compareBytes($0.bytes, layout.name, other) } ?? 0
    }

    /// True where the current record's state is these bytes: nothing at all differs.
    package func hasState(_ encoded: [UInt8]) -> Bool {
        block.map { compareBytes($0.bytes, layout.state, encoded[...]) == 0 } ?? false
    }

    /// True where the current record is not racy, and its state begins as these bytes do, as far as one statx(2) tells.
    package func hasStatus(_ encoded: [UInt8]) -> Bool {
        guard let block, !layout.flags.contains(.racy),
            let length = StateCodec.statusLength(of: block.bytes[layout.state]), length <= encoded.count
        else { return false }
        let start = layout.state.lowerBound
        return compareBytes(block.bytes, start..<start + length, encoded[..<length]) == 0
    }

    // MARK: Moving

    /// Moves to the first record of a directory, or to the first one behind where it would stand; with `name`, behind
    /// that name.
    package mutating func seek(directory: RawPath, after name: ArraySlice<UInt8>? = nil) throws(BaselineError)
    {
        try seek(directory, name ?? [], isBehind: name != nil)
    }

    /// Moves to the record of that name in that directory, or to the first one behind where it would stand.
    package mutating func seek(directory: RawPath, to name: ArraySlice<UInt8>) throws(BaselineError) {
        try seek(directory, name, isBehind: false)
    }

    /// Moves to the record with this ordinal; behind the last where there is none.
    package mutating func seek(ordinal target: Int) throws(BaselineError) {
        guard target < reader.count else { return moveToEnd() }
        let target = max(target, 0)
        try enter(reader.blocks.partitioningIndex { $0.firstOrdinal > target } - 1)
        while ordinal < target,
            let block = try openRun(skipping: { _, count, first in first + count <= target })
        {
            while ordinal < target, position < runEnd { try skipRecord(block) }
        }
    }

    private mutating func seek(_ target: RawPath, _ name: ArraySlice<UInt8>, isBehind: Bool)
        throws(BaselineError)
    {
        let wanted = target.bytes[...]
        sought = target
        let index = reader.blocks.partitioningIndex { block in
            compareKeys(block.directory.bytes[...], block.name[...], wanted, name) > 0
        }
        try enter(max(index - 1, 0))
        while true {
            guard
                let block = try openRun(skipping: { directory, _, _ in
                    compareDirectories(directory, wanted) < 0
                })
            else { return }
            guard directory == target else { return }
            while position < runEnd {
                guard let layout = RecordLayout(block.bytes, at: position, end: runEnd) else {
                    throw damaged(block)
                }
                let order = compareNames(block.bytes[layout.name], name)
                if order > 0 || (order == 0 && !isBehind) { return }
                position = layout.state.upperBound
                ordinal += 1
            }
        }
    }

    /// Goes to the beginning of a block, without reading it again if it is the one at hand.
    private mutating func enter(_ index: Int) throws(BaselineError) {
        guard index < reader.blocks.count else { return moveToEnd() }
        // A copy of its own: two threads that count their references in one object hinder each other.
        if block?.index != index { block = LoadedBlock(copying: try reader.block(index)) }
        (nextBlock, position, runEnd) = (index + 1, 0, 0)
        ordinal = reader.blocks[index].firstOrdinal
    }

    private mutating func moveToEnd() {
        (block, position, runEnd) = (nil, 0, 0)
        (nextBlock, ordinal) = (reader.blocks.count, reader.count)
    }

    /// The block that holds the next record, with the cursor inside its run; nil at the end.
    private mutating func openRecord() throws(BaselineError) -> LoadedBlock? {
        if position < runEnd, let block { return block }
        return try openRun { _, _, _ in false }
    }

    /// Stands inside a run with records left, skipping whole runs for which `skipping` is true: it is asked with the
    /// run's directory, its number of records and its first ordinal.
    private mutating func openRun(
        skipping: (ArraySlice<UInt8>, Int, Int) -> Bool
    ) throws(BaselineError) -> LoadedBlock? {
        while true {
            if let block {
                if position < runEnd { return block }
                if position < block.bytes.count {
                    try readRunHeader(block, skipping)
                    continue
                }
            }
            guard nextBlock < reader.blocks.count else {
                moveToEnd()
                return nil
            }
            try enter(nextBlock)
        }
    }

    private mutating func readRunHeader(
        _ block: LoadedBlock,
        _ skipping: (ArraySlice<UInt8>, Int, Int) -> Bool
    ) throws(BaselineError) {
        let bytes = block.bytes
        guard bytes.count - position >= 4 else { throw damaged(block) }
        let header = position + 4 + bytes.little32(at: position)
        guard bytes.count - header >= 8 else { throw damaged(block) }
        let (count, length) = (bytes.little32(at: header), bytes.little32(at: header + 4))
        guard bytes.count - header - 8 >= length, length > 0 else { throw damaged(block) }
        let path = bytes[position + 4..<header]
        runEnd = header + 8 + length
        if skipping(path, count, ordinal) {
            position = runEnd
            ordinal += count
        } else {
            position = header + 8
            directory = RawPath(bytes: Array(path))
            isInSought = directory == sought
        }
    }

    private mutating func skipRecord(_ block: LoadedBlock) throws(BaselineError) {
        guard let layout = RecordLayout(block.bytes, at: position, end: runEnd) else { throw damaged(block) }
        position = layout.state.upperBound
        ordinal += 1
    }

    /// The block has the right digest, so that it was written like this.
    private func damaged(_ block: LoadedBlock) -> BaselineError {
        .damaged(reader.path, part: "block \(block.index), whose records cannot be read")
    }
}

extension Array {
    /// The first index whose element satisfies `isBehind`, in an array in which all that do stand at the end.
    fileprivate func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
