package import Integrity

/// Somebody who may know why a path changed: windows, manifests, package transactions, records of build tools.
///
/// A witness gathers and never judges: `judge` does. It is asked on the thread of the pipeline, about differences only,
/// and must answer from memory or from small local reads.
package protocol Witness: Sendable {
    /// What it knows about one difference.
    func testify(to subject: Subject, _ occasion: Occasion) -> Testimony
}

/// How a difference came to be known.
package struct Occasion: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// The kernel told, while it happened.
        case event
        /// A walk met it; it may have happened at any time since the last one.
        case walk
    }

    package var source: Source
    /// When the path was examined.
    package var time: Timestamp
    /// The same by the boot clock, in nanoseconds.
    package var bootTime: Int64

    package init(source: Source, time: Timestamp, bootTime: Int64) {
        self.source = source
        self.time = time
        self.bootTime = bootTime
    }
}

package struct Testimony: Hashable, Sendable {
    package var evidence: Evidence
    /// The witness is still reading what it needs to answer: the path is to be examined again a little later.
    ///
    /// Whoever says so bounds how long.
    package var isPending = false

    package init(_ evidence: Evidence = .none, isPending: Bool = false) {
        self.evidence = evidence
        self.isPending = isPending
    }
}

/// All of them, as one, with the clocks that they are told the time by.
package struct Witnesses: Sendable {
    package var all: [any Witness]
    package var clock: @Sendable () -> Timestamp
    /// Boot time in nanoseconds.
    package var bootClock: @Sendable () -> Int64

    package init(
        _ all: [any Witness],
        clock: @escaping @Sendable () -> Timestamp,
        bootClock: @escaping @Sendable () -> Int64
    ) {
        self.all = all
        self.clock = clock
        self.bootClock = bootClock
    }

    /// Nobody knows anything.
    package static var none: Witnesses {
        Witnesses([], clock: { Timestamp(seconds: 0) }, bootClock: { 0 })
    }

    func testify(to subject: Subject, _ source: Occasion.Source) -> Testimony {
        var testimony = Testimony()
        guard !all.isEmpty else { return testimony }
        let occasion = Occasion(source: source, time: clock(), bootTime: bootClock())
        for witness in all {
            let next = witness.testify(to: subject, occasion)
            testimony.evidence.add(next.evidence)
            testimony.isPending = testimony.isPending || next.isPending
        }
        return testimony
    }
}

/// Assesses a subject, and again with what the witnesses know where something is wrong with it.
///
/// - Returns: The finding, and whether a witness wants to be asked again before it is told.
func assess(_ subject: Subject, asking witnesses: Witnesses, _ source: Occasion.Source)
    -> (finding: Finding?, isPending: Bool)
{
    let finding = assess(subject)
    guard let finding, finding.verdict == .unauthorized, !witnesses.all.isEmpty else {
        return (finding, false)
    }
    let testimony = witnesses.testify(to: subject, source)
    return (assess(subject, evidence: testimony.evidence), testimony.isPending)
}
