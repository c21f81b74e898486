package import Integrity
package import Ledger

/// Compares two baselines record by record, in constant memory.
package struct BaselineComparison: Sendable {
    let before: BaselineReader
    let after: BaselineReader
    /// Attributes that do not count.
    package let ignored: Set<AttributeName>
    /// Both were made of the same files, so that inode, birth time and change time tell something.
    package let isOfSameFiles: Bool

    /// - Parameters:
    ///   - before: What is compared with.
    ///   - after: What is compared.
    ///   - ignored: Attributes that do not count.
    /// - Throws: `BaselineError` where a block of either is damaged.
    package init(_ before: BaselineReader, _ after: BaselineReader, ignoring ignored: Set<AttributeName> = [])
        throws(BaselineError)
    {
        (self.before, self.after) = (before, after)
        isOfSameFiles = try areOfSameFiles(before, after)
        self.ignored = isOfSameFiles ? ignored : ignored.union([.inode, .ctime])
    }

    /// Visits every path whose records differ, in the order of the baselines.
    ///
    /// - Returns: How many there are of each kind.
    /// - Throws: `BaselineError` where a block of either is damaged; what `body` throws.
    @discardableResult
    package func run(_ body: (BaselineDifference) throws -> Void = { _ in }) throws -> DifferenceSummary {
        var summary = DifferenceSummary()
        var pairs = try BaselinePairs(before, after)
        while let (left, right) = try pairs.next() {
            summary.paths += 1
            // The same bytes: nothing at all differs.
            if let left, let right, right.hasState(left.state) { continue }
            guard let difference = difference(try left?.decode(), try right?.decode()) else { continue }
            summary.count(difference)
            try body(difference)
        }
        return summary
    }

    private func difference(_ left: Record?, _ right: Record?) -> BaselineDifference? {
        guard let left else { return right.map { BaselineDifference(.added, before: nil, after: $0) } }
        guard let right else { return BaselineDifference(.removed, before: left, after: nil) }
        switch (left.state, right.state) {
        case (.examined(let old, _), .examined(let new, _)):
            let attributes = counted(old, new)
            guard !attributes.isEmpty else { return nil }
            var difference = BaselineDifference(.touched, before: left, after: right)
            difference.attributes = attributes
            if let kind = ChangeKind(counting: attributes.filter { $0 != .mtime && $0 != .ctime }) {
                difference.kind = .change(kind)
            }
            return difference
        case (.unexamined, .unexamined): return nil
        default: return BaselineDifference(.unexamined, before: left, after: right)
        }
    }

    private func counted(_ old: Attributes, _ new: Attributes) -> [AttributeName] {
        var names = differences(old, new)
        let isDirectory = old.type == .directory && new.type == .directory
        if names.isEmpty, !isDirectory, old.ctime != new.ctime { names = [.ctime] }
        return names.filter { !ignored.contains($0) }
    }
}

/// Whether two baselines were made of the same files: on one machine, and one file at least has kept its identity.
private func areOfSameFiles(_ before: BaselineReader, _ after: BaselineReader) throws(BaselineError) -> Bool {
    let machine = before.manifest.machineID
    guard !machine.isEmpty, machine == after.manifest.machineID else { return false }
    var pairs = try BaselinePairs(before, after)
    while let (left, right) = try pairs.next() {
        guard let old = try left?.decode().state.attributes, let new = try right?.decode().state.attributes
        else {
            continue
        }
        if old.type == new.type, old.inode == new.inode, old.btime == new.btime { return true }
    }
    return false
}
