import CLinux

/// Random numbers that a failure can be repeated with: SplitMix64 from a seed.
///
/// Name the seed where an expectation fails: `#expect(…, "\(random)")`. `MILLWARDEN_SEED` sets it for a run.
package struct SeededGenerator: RandomNumberGenerator, Sendable, CustomStringConvertible {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// From `MILLWARDEN_SEED`, or from a seed that nobody chose.
    package init() {
        let chosen = environmentVariable("MILLWARDEN_SEED").flatMap { UInt64($0) }
        self.init(seed: chosen ?? UInt64.random(in: .min ... .max))
    }

    package var description: String { "repeat with MILLWARDEN_SEED=\(seed)" }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Bytes of which many come from `alphabet`, so that a decoder gets further than its first check.
    package mutating func bytes(_ count: Int, mostlyFrom alphabet: [UInt8]) -> [UInt8] {
        (0..<count).map { _ in
            let isAny = alphabet.isEmpty || Int.random(in: 0..<8, using: &self) == 0
            return isAny
                ? UInt8.random(in: 0...255, using: &self)
                : alphabet[Int.random(in: 0..<alphabet.count, using: &self)]
        }
    }
}

/// A variable of the environment; nil where it is not set or not UTF-8.
package func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(validatingCString: value)
}

/// True where the tests run as root.
package var isRoot: Bool { geteuid() == 0 }
