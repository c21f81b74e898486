/// A place in a rule file.
package struct RulePosition: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    /// From 1.
    package var line: Int
    /// In Unicode scalars, from 1.
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(file):\(line):\(column)" }
}

/// Why a rule file cannot be used; prints `FILE:LINE:COLUMN: message; next step`.
package struct RulePackError: Error, Hashable, Sendable, CustomStringConvertible {
    package var position: RulePosition
    /// The reason and the next step.
    package var message: String

    package init(position: RulePosition, message: String) {
        self.position = position
        self.message = message
    }

    package var file: String { position.file }
    package var line: Int { position.line }
    package var column: Int { position.column }

    package var description: String { "\(position): \(message)" }
}

/// Everything that is wrong with a rule file, in the order of its lines; never empty.
package struct RulePackErrors: Error, Hashable, Sendable, CustomStringConvertible {
    package var errors: [RulePackError]

    package init(errors: [RulePackError]) {
        self.errors = errors
    }

    /// One a line.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// The known word nearest to a mistyped one, where one is near: at most two letters off, and at most a third.
func nearest(_ word: String, among known: some Sequence<String>) -> String? {
    let letters = Array(word.utf8.prefix(64))
    var best: (word: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(letters, Array(candidate.utf8))
        if distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    guard let best, best.distance <= 2, best.distance * 3 <= max(letters.count, best.word.utf8.count) else {
        return nil
    }
    return best.word
}

/// Levenshtein's, with a swap of neighbours counted once.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var before: [Int] = []
    var previous = Array(0...right.count)
    for (row, byte) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(
                previous[column] + (byte == other ? 0 : 1),
                previous[column + 1] + 1,
                current[column] + 1
            )
            if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                cost = min(cost, before[column - 1] + 1)
            }
            current.append(cost)
        }
        (before, previous) = (previous, current)
    }
    return previous[right.count]
}
