package import Integrity

/// One record where it lies in its block: looking at it allocates nothing.
package struct RecordView: Sendable {
    private let block: LoadedBlock
    /// Shared by all records of a run.
    package let directory: RawPath
    /// Its place among all records of the baseline, from 0.
    package let ordinal: Int
    private let layout: RecordLayout

    init(block: LoadedBlock, directory: RawPath, ordinal: Int, layout: RecordLayout) {
        (self.block, self.directory, self.ordinal, self.layout) = (block, directory, ordinal, layout)
    }

    package var name: ArraySlice<UInt8> { block.bytes[layout.name] }
    package var path: RawPath { name.isEmpty ? directory : directory.appending(name) }
    package var ruleIndex: UInt16 { layout.ruleIndex }
    package var isRacy: Bool { layout.flags.contains(.racy) }
    /// A rule says that the path should not exist; it did, and that was approved.
    package var isPresentAbsent: Bool { layout.flags.contains(.presentAbsent) }
    package var via: RawPath? {
        layout.flags.contains(.via) ? RawPath(bytes: Array(block.bytes[layout.via])) : nil
    }

    /// The state as `StateCodec` wrote it.
    package var state: ArraySlice<UInt8> { block.bytes[layout.state] }

    /// True where the recorded state is these bytes: nothing at all differs.
    package func hasState(_ encoded: ArraySlice<UInt8>) -> Bool { compareNames(state, encoded) == 0 }

    /// Less than, equal to or greater than 0 as this record's name sorts before, with or behind the other.
    package func compareName(_ other: ArraySlice<UInt8>) -> Int { compareNames(name, other) }

    /// An absolute directory without `.` and `..`, and a single component in it: nothing leads out of the tree that is
    /// examined.
    private var isWellNamed: Bool {
        guard directory.isAbsolute, directory.normalized == directory, !directory.bytes.contains(0) else {
            return false
        }
        if name.isEmpty { return directory.isRoot }
        return !name.contains { $0 == slash || $0 == 0 } && !name.elementsEqual(".".utf8)
            && !name.elementsEqual("..".utf8)
    }

    func precedes(_ other: RecordView) -> Bool {
        compareKeys(directory.bytes[...], name, other.directory.bytes[...], other.name) < 0
    }

    /// The whole record.
    /// - Throws: `BaselineError.damaged` where it was written wrongly.
    package func decode() throws(BaselineError) -> Record {
        guard isWellNamed else {
            throw .damaged(block.path, part: "record \(ordinal), whose name no file can have")
        }
        var reader = ByteReader(block.bytes, from: layout.state.lowerBound, to: layout.state.upperBound)
        guard let state = StateCodec.decode(&reader, isRacy: isRacy), reader.isAtEnd,
            Int(ruleIndex) < block.rules.count
        else { throw .damaged(block.path, part: "record \(ordinal) in block \(block.index)") }
        return Record(path: path, state: state, rule: block.rules[Int(ruleIndex)], via: via)
    }
}
