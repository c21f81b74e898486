package import Integrity

/// What a process ran from one exec to the next.
package struct ProcessImage: Hashable, Sendable {
    /// Monotonic nanoseconds; 0 where it ran before anybody listened.
    package var since: UInt64
    /// What was read of it; nil where nothing was, or where it may have been another image's.
    package var facts: ProcessFacts?
    /// When reading began and ended.
    var read: ClosedRange<UInt64>?
    /// When its user changed last.
    var userSince: UInt64 = 0
}

/// One process, from its fork to some seconds after its end.
package struct KnownProcess: Hashable, Sendable {
    /// Names it for good; a pid names it as long as it lives.
    package let serial: UInt64
    package let pid: Int32
    /// Monotonic nanoseconds of its fork; 0 where nobody listened yet.
    package let born: UInt64
    package internal(set) var exited: UInt64?
    /// Oldest first, and never empty.
    package internal(set) var images: [ProcessImage]
    /// Executables of the parent, its parent and so on, as far as each is known.
    package internal(set) var parents: [[UInt8]] = []
    /// The parent's serial.
    var parent: UInt64?
    /// The parents were looked for.
    var hasParents = false

    /// Who it was between two moments: what all images that ran then agree on.
    ///
    /// A program that was replaced in between leaves nothing but what it shares with its successor.
    package func actor(between start: UInt64, and end: UInt64) -> Actor {
        var actor = Actor()
        actor.pid = Int64(pid)
        actor.parents = parents
        let ran = images.indices.filter { index in
            let until = index + 1 < images.count ? images[index + 1].since : .max
            return images[index].since < end && until > start
        }
        func agreed<Value: Equatable>(_ value: (ProcessFacts) -> Value?) -> Value? {
            guard let first = ran.first, let common = images[first].facts.flatMap(value),
                ran.allSatisfy({ images[$0].facts.flatMap(value) == common })
            else { return nil }
            return common
        }
        actor.exe = agreed { $0.exe }
        actor.cmdline = agreed { $0.cmdline } ?? []
        if ran.allSatisfy({ images[$0].userSince <= start }) { actor.uid = agreed { $0.uid }.map(Int64.init) }
        actor.loginuid = agreed { $0.loginuid }.map(Int64.init)
        actor.unit = agreed { $0.group }?.unit
        actor.container = agreed { $0.group }?.container
        return actor
    }
}

/// The processes of the host as the kernel's connector tells of them, and for some seconds those that ended: who a
/// writer was that is gone before anybody can look.
///
/// What it says of a process is of that process and no other of the same number; where that is not certain, it is not
/// said. Whatever is read in /proc is read for an event and doubted again when a later event tells that it may have been
/// too late. Memory is bounded.
package struct ProcessTable: Sendable {
    package struct Limits: Sendable {
        /// Those that live and those that are kept, each.
        package var processes = 32_768
        /// How long one is kept that ended, in nanoseconds.
        package var retention: UInt64 = 10_000_000_000
        /// Images of one process, the newest ones.
        package var images = 4
        package var parents = 16

        package init() {}
    }

    /// Reads /proc/PID now.
    package typealias Reader = (Int32) -> ProcessFacts?

    private let limits: Limits
    private let clock: @Sendable () -> UInt64
    private var living: [Int32: KnownProcess] = [:]
    /// Those that ended, by number, and in which order.
    private var ended: [Int32: [KnownProcess]] = [:]
    private var order: [(pid: Int32, serial: UInt64, exited: UInt64)] = []
    private var firstInOrder = 0
    private var pids: [UInt64: Int32] = [:]
    private var serials: UInt64 = 0
    /// Every event since then was seen.
    package private(set) var completeSince: UInt64
    /// How often events were lost.
    package private(set) var losses = 0

    package init(
        limits: Limits = Limits(),
        clock: @escaping @Sendable () -> UInt64 = SystemClock.monotonicTime
    ) {
        self.limits = limits
        self.clock = clock
        completeSince = clock()
    }

    package var count: Int { pids.count }

    // MARK: What happens

    /// Takes in one event, in the order in which the kernel told them.
    package mutating func note(_ event: ProcessEvent, read: Reader) {
        switch event.what {
        case .fork(let parent, let child): fork(parent, child, event.time)
        case .exec(let pid): exec(pid, event.time, read)
        case .user(let pid, let uid):
            guard let index = living[pid]?.images.indices.last else { return }
            living[pid]?.images[index].facts?.uid = uid
            living[pid]?.images[index].userSince = event.time
        case .exit(let pid):
            if living[pid] == nil { insert(pid, born: 0, image: ProcessImage(since: 0)) }
            end(pid, at: event.time)
        case .acknowledged: break
        }
        expire(event.time)
    }

    /// Events were lost: what is known of any process may be out of date.
    package mutating func noteLoss() {
        living = [:]
        ended = [:]
        order = []
        firstInOrder = 0
        pids = [:]
        losses += 1
        completeSince = clock()
    }

    private mutating func fork(_ parent: Int32, _ child: Int32, _ time: UInt64) {
        // The number was free, so that whoever had it is gone, whether or not the kernel has told so already.
        if living[child] != nil { end(child, at: time) }
        for index in ended[child, default: []].indices {
            ended[child]?[index].doubtReadings(since: time)
        }
        // One that was there before is looked at when it matters.
        if living[parent] == nil, parent > 0 { insert(parent, born: 0, image: ProcessImage(since: 0)) }
        insert(child, born: time, image: ProcessImage(since: time))
        let parent = living[parent]?.serial
        living[child]?.parent = parent
    }

    private mutating func exec(_ pid: Int32, _ time: UInt64, _ read: Reader) {
        if living[pid] == nil { insert(pid, born: 0, image: ProcessImage(since: 0)) }
        guard var process = living[pid] else { return }
        let image = reading(ProcessImage(since: time), of: pid, read)
        process.doubtReadings(since: time, asOf: image)
        process.images.append(image)
        if process.images.count > limits.images {
            process.images.removeFirst()
            // Of what ran before, nothing is known any more but that something did.
            process.images[0].facts = nil
            process.images[0].since = process.born
        }
        living[pid] = process
        findParents(of: pid, read)
    }

    private mutating func insert(_ pid: Int32, born: UInt64, image: ProcessImage) {
        guard living.count < limits.processes else {
            // More processes than any host of this kind has: start anew rather than know half of them.
            noteLoss()
            return
        }
        serials += 1
        living[pid] = KnownProcess(serial: serials, pid: pid, born: born, images: [image])
        pids[serials] = pid
    }

    private mutating func end(_ pid: Int32, at time: UInt64) {
        guard var process = living.removeValue(forKey: pid) else { return }
        process.exited = time
        ended[pid, default: []].append(process)
        order.append((pid, process.serial, time))
    }

    private mutating func expire(_ now: UInt64) {
        while firstInOrder < order.count {
            let oldest = order[firstInOrder]
            let isOld = oldest.exited + limits.retention < now
            guard isOld || order.count - firstInOrder > limits.processes else { break }
            // Whoever is dropped before its time takes the certainty with it that its number was had by one alone.
            if !isOld { completeSince = max(completeSince, oldest.exited) }
            firstInOrder += 1
            pids[oldest.serial] = nil
            ended[oldest.pid]?.removeAll { $0.serial == oldest.serial }
            if ended[oldest.pid]?.isEmpty == true { ended[oldest.pid] = nil }
        }
        if firstInOrder > 4_096, firstInOrder > order.count / 2 {
            order.removeFirst(firstInOrder)
            firstInOrder = 0
        }
    }

    // MARK: What is known

    /// Which process had a number at some moment between two.
    package enum Answer: Sendable, Equatable {
        case process(KnownProcess)
        /// More than one had it.
        case ambiguous
        /// Nothing was heard of it: it was there before anybody listened, and did nothing since.
        case unheard
        /// Events were lost at that time.
        case uncertain
    }

    package func find(_ pid: Int32, between start: UInt64, and end: UInt64) -> Answer {
        var found = ended[pid, default: []].filter { ($0.exited ?? .max) > start && $0.born < end }
        if let process = living[pid], process.born < end { found.append(process) }
        guard start >= completeSince else { return .uncertain }
        guard found.count < 2 else { return .ambiguous }
        return found.first.map(Answer.process) ?? .unheard
    }

    /// The same process as it is known now; nil where it was dropped.
    package func process(_ serial: UInt64) -> KnownProcess? {
        guard let pid = pids[serial] else { return nil }
        if let process = living[pid], process.serial == serial { return process }
        return ended[pid]?.first { $0.serial == serial }
    }

    /// Reads what is still to be read of a process that lives: one that was there before, or that forked without an exec.
    ///
    /// - Parameters:
    ///   - pid: The process.
    ///   - read: Reads it, and says nil unless it is certain to be that process.
    ///   - others: Reads its parents.
    /// - Returns: What is known then; nil where nothing can be read.
    package mutating func look(at pid: Int32, read: Reader, others: Reader) -> KnownProcess? {
        if let known = living[pid], known.images.last?.facts != nil { return known }
        let began = clock()
        guard let facts = read(pid) else { return living[pid] }
        let span = began...max(began, clock())
        if living[pid] == nil { insert(pid, born: 0, image: ProcessImage(since: 0)) }
        guard let index = living[pid]?.images.indices.last else { return nil }
        living[pid]?.images[index].facts = facts
        living[pid]?.images[index].read = span
        findParents(of: pid, others)
        return living[pid]
    }

    private func reading(_ image: ProcessImage, of pid: Int32, _ read: Reader) -> ProcessImage {
        var image = image
        let began = clock()
        image.facts = read(pid)
        image.read = began...max(began, clock())
        return image
    }

    // MARK: Parents

    /// The executables of the ancestors, at the time of the fork.
    private mutating func findParents(of pid: Int32, _ read: Reader) {
        guard let process = living[pid], !process.hasParents else { return }
        living[pid]?.hasParents = true
        var chain: [[UInt8]] = []
        var child = process
        while chain.count < limits.parents, let parent = parent(of: child, read) {
            guard let exe = parent.image(at: child.born)?.facts?.exe else { break }
            chain.append(exe)
            if parent.hasParents {
                chain += parent.parents.prefix(limits.parents - chain.count)
                break
            }
            child = parent
        }
        living[pid]?.parents = chain
    }

    /// The parent, read now where that was not done.
    private mutating func parent(of child: KnownProcess, _ read: Reader) -> KnownProcess? {
        if let serial = child.parent {
            guard let parent = process(serial) else { return nil }
            guard parent.exited == nil, parent.images.last?.facts == nil else { return parent }
            let began = clock()
            guard let facts = read(parent.pid), let index = living[parent.pid]?.images.indices.last else {
                return parent
            }
            living[parent.pid]?.images[index].facts = facts
            living[parent.pid]?.images[index].read = began...max(began, clock())
            return living[parent.pid]
        }
        // It was there before: its parent is what the kernel says, as long as it says so after that one was read as well.
        guard child.born == 0, child.exited == nil, let number = child.images.last?.facts?.parent, number > 0
        else {
            return nil
        }
        if let known = living[number], known.images.last?.facts != nil { return known }
        let began = clock()
        guard let facts = read(number), read(child.pid)?.parent == number else { return nil }
        if living[number] == nil { insert(number, born: 0, image: ProcessImage(since: 0)) }
        guard let index = living[number]?.images.indices.last else { return nil }
        living[number]?.images[index].facts = facts
        living[number]?.images[index].read = began...max(began, clock())
        return living[number]
    }
}

extension KnownProcess {
    /// What was read at or after a moment may be of whoever came then.
    mutating func doubtReadings(since time: UInt64) {
        for index in images.indices where images[index].read.map({ $0.upperBound >= time }) ?? false {
            images[index].facts = nil
        }
    }

    /// The image was replaced.
    ///
    /// The kernel tells so a moment after it did: what looks like the new one may be the new one.
    mutating func doubtReadings(since time: UInt64, asOf next: ProcessImage) {
        doubtReadings(since: time)
        guard let index = images.indices.last, let read = images[index].read, let facts = images[index].facts
        else {
            return
        }
        if facts.exe == next.facts?.exe || next.facts == nil, read.upperBound + replacing >= time {
            images[index].facts = nil
        }
    }

    /// What it ran at a moment; for one that was there before, what it runs.
    func image(at time: UInt64) -> ProcessImage? {
        time == 0 ? images.last : images.last { $0.since <= time }
    }
}

/// How long an exec may take at the most from the moment at which /proc shows the new program to its event.
private let replacing: UInt64 = 1_000_000_000
