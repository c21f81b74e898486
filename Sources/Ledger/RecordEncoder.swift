package import Integrity

/// What stands in front of a record's state in the baseline file.
///
/// | bytes | field |
/// |---|---|
/// | 4 | the number of bytes that follow |
/// | 1 | `RecordFlags` |
/// | 2 | the rule, as its place in the manifest's list |
/// | 2 + n | the name with its length |
/// | [4 + n] | with the flag `via`: that link's path with its length |
/// | rest | the state, as `StateCodec` writes it |
package enum RecordEncoder {
    /// Appends one record of a directory's run.
    package static func append(
        name: ArraySlice<UInt8>,
        state: RecordedState,
        ruleIndex: UInt16,
        via: RawPath? = nil,
        presentAbsent: Bool = false,
        to output: inout [UInt8]
    ) {
        var isRacy = false
        if case .examined(_, true) = state { isRacy = true }
        let start = begin(name, isRacy, ruleIndex, via, presentAbsent, &output)
        StateCodec.append(state, to: &output)
        end(start, &output)
    }

    /// Appends one record of an examined path, without making a `RecordedState` first.
    package static func append(
        name: ArraySlice<UInt8>,
        attributes: borrowing Attributes,
        isRacy: Bool,
        ruleIndex: UInt16,
        via: RawPath? = nil,
        presentAbsent: Bool = false,
        to output: inout [UInt8]
    ) {
        let start = begin(name, isRacy, ruleIndex, via, presentAbsent, &output)
        StateCodec.append(attributes, to: &output)
        end(start, &output)
    }

    /// Copies a record of another baseline under this baseline's number of its rule: its bytes stay as they are.
    package static func append(_ view: RecordView, ruleIndex: UInt16, to output: inout [UInt8]) {
        let start = begin(view.name, view.isRacy, ruleIndex, view.via, view.isPresentAbsent, &output)
        output.append(contentsOf: view.state)
        end(start, &output)
    }

    private static func begin(
        _ name: ArraySlice<UInt8>,
        _ isRacy: Bool,
        _ ruleIndex: UInt16,
        _ via: RawPath?,
        _ presentAbsent: Bool,
        _ output: inout [UInt8]
    ) -> Int {
        let start = output.count
        var flags: RecordFlags = []
        if isRacy { flags.insert(.racy) }
        if via != nil { flags.insert(.via) }
        if presentAbsent { flags.insert(.presentAbsent) }
        // This runs for every file: one append for all numbers.
        unsafe withUnsafeTemporaryAllocation(byteCount: 9, alignment: 4) { header in
            unsafe header.storeBytes(of: 0, as: UInt32.self)
            unsafe header.storeBytes(of: flags.rawValue, toByteOffset: 4, as: UInt8.self)
            unsafe header.storeBytes(of: ruleIndex.littleEndian, toByteOffset: 5, as: UInt16.self)
            let length = UInt16(clamping: name.count).littleEndian
            unsafe header.storeBytes(of: length, toByteOffset: 7, as: UInt16.self)
            unsafe output.append(contentsOf: UnsafeRawBufferPointer(header))
        }
        output.append(contentsOf: name.prefix(Int(UInt16.max)))
        if let via { output.append(long: via.bytes) }
        return start
    }

    private static func end(_ start: Int, _ output: inout [UInt8]) {
        output.set(little: UInt32(output.count - start - 4), at: start)
    }
}

/// One bit each; the others are 0.
struct RecordFlags: OptionSet {
    let rawValue: UInt8

    /// The ctime lay so close to the examination that a later write could leave it unchanged.
    static let racy = RecordFlags(rawValue: 1)
    /// The path is the final target of a link and has its rule.
    static let via = RecordFlags(rawValue: 2)
    /// A rule says that the path should not exist; it did, and that was approved.
    static let presentAbsent = RecordFlags(rawValue: 4)

    static let known: RecordFlags = [.racy, .via, .presentAbsent]
}

/// Encoded records of one directory, ascending by name: what a walk's worker hands to the writer.
package struct EncodedRun: Sendable {
    package var directory: RawPath
    /// Records as `RecordEncoder` appends them.
    package var bytes: [UInt8]
    package var count: Int

    package init(directory: RawPath, bytes: [UInt8] = [], count: Int = 0) {
        self.directory = directory
        self.bytes = bytes
        self.count = count
    }

    /// Adds a record; for where speed does not matter.
    package mutating func append(_ record: Record, ruleIndex: UInt16, presentAbsent: Bool = false) {
        RecordEncoder.append(
            name: record.path.name,
            state: record.state,
            ruleIndex: ruleIndex,
            via: record.via,
            presentAbsent: presentAbsent,
            to: &bytes
        )
        count += 1
    }
}

extension [UInt8] {
    mutating func set(little value: UInt32, at position: Int) {
        for offset in 0..<4 {
            self[position + offset] = UInt8(truncatingIfNeeded: value >> UInt32(8 * offset))
        }
    }

    func little32(at position: Int) -> Int {
        Int(self[position]) | Int(self[position + 1]) << 8 | Int(self[position + 2]) << 16
            | Int(self[position + 3]) << 24
    }

    func little16(at position: Int) -> Int {
        Int(self[position]) | Int(self[position + 1]) << 8
    }
}

/// Where the parts of one encoded record lie.
struct RecordLayout {
    var flags: RecordFlags
    var ruleIndex: UInt16
    var name: Range<Int>
    /// The link's path, without its length.
    var via: Range<Int>
    var state: Range<Int>

    /// No record.
    static let none = RecordLayout()

    private init() {
        (flags, ruleIndex) = ([], 0)
        (name, via, state) = (0..<0, 0..<0, 0..<0)
    }

    /// Reads the record that begins at `position`; nil where it does not lie within `end` or is not well formed.
    init?(_ bytes: [UInt8], at position: Int, end: Int) {
        guard end - position >= 9 else { return nil }
        let recordEnd = position + 4 + bytes.little32(at: position)
        guard recordEnd <= end, recordEnd - position >= 9 else { return nil }
        flags = RecordFlags(rawValue: bytes[position + 4])
        ruleIndex = UInt16(truncatingIfNeeded: bytes.little16(at: position + 5))
        let nameEnd = position + 9 + bytes.little16(at: position + 7)
        guard nameEnd <= recordEnd, flags.isSubset(of: .known) else { return nil }
        name = position + 9..<nameEnd
        var stateStart = nameEnd
        via = nameEnd..<nameEnd
        if flags.contains(.via) {
            guard recordEnd - nameEnd >= 4 else { return nil }
            stateStart = nameEnd + 4 + bytes.little32(at: nameEnd)
            guard stateStart <= recordEnd else { return nil }
            via = nameEnd + 4..<stateStart
        }
        state = stateStart..<recordEnd
    }
}
