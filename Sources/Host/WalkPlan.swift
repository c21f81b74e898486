import Integrity

/// The list of a walk's work in the order of its results.
///
/// Every element is waiting, claimed by a worker, or finished. Waiting work is kept in lumps, all names of a directory
/// and all its subdirectories, of which claiming breaks off the first piece: the list is as long as the work under way,
/// not as the directory.
final class WalkPlan<Output: Sendable>: Sendable {
    /// What a worker has to do.
    enum Task {
        /// `parentDevice` is nil for the start.
        case directory(WalkNode<Output>, RawPath, parentDevice: DeviceNumber?)
        case entries(WalkNode<Output>, WalkListing, Range<Int>)
    }

    /// What a thread that waited is told.
    private enum Answer<Value> {
        case more(Value)
        case end

        var value: Value? {
            guard case .more(let value) = self else { return nil }
            return value
        }
    }

    private struct State {
        /// The first element; nil where everything was taken.
        var head: WalkNode<Output>?
        var waiting = 1
        var claimed = 0
        /// Workers that wait.
        var idle = 0
        /// What finished elements hold, those being emitted included.
        var heldBytes = 0
        /// What was taken last; it is let go when more is taken.
        var emittingBytes = 0
        var isStopped = false

        var isDone: Bool { waiting == 0 && claimed == 0 }

        /// `node` stands in the list, or the list was taken down.
        mutating func insert(_ work: WalkNode<Output>.Work, behind node: WalkNode<Output>) {
            let added = WalkNode<Output>(work)
            added.next = node.next
            node.next = added
            waiting += 1
        }
    }

    // The two conditions of the monitor.
    private static var workers: Int { 0 }
    private static var emitter: Int { 1 }
    /// The least that a finished element counts: it bounds the length of the list.
    private static var smallestSize: Int { 4_096 }

    private let unitSize: Int
    private let window: Int
    private let cancellation: WalkCancellation
    private let monitor: Monitor<State>

    init(start: RawPath, unitSize: Int, window: Int, cancellation: WalkCancellation) {
        self.unitSize = max(1, unitSize)
        self.window = window
        self.cancellation = cancellation
        let first = WalkNode<Output>(.directory(start, parentDevice: nil))
        monitor = Monitor(State(head: first), conditions: 2)
    }

    deinit {
        // One after the other: releasing a long chain by its head would recurse.
        monitor.withLock { state in
            while let node = state.head {
                state.head = node.next
                node.next = nil
            }
        }
    }

    // MARK: The workers' side

    /// Takes the first work that nobody has taken; waits for some.
    ///
    /// Nil where there will be none.
    func claim() -> Task? {
        var isIdle = false
        let answer = monitor.await(on: Self.workers) { state -> Answer<Task>? in
            if isIdle { state.idle -= 1 }
            isIdle = false
            if state.isStopped || state.isDone || cancellation.isCancelled {
                // The emitter may wait for results that no longer come.
                monitor.notify(Self.emitter)
                return .end
            }
            // Whoever takes the head always gets on; the others wait for room.
            let hasRoom = state.heldBytes < window || state.head?.isWaiting == true
            if hasRoom, let task = claimFirst(&state) { return .more(task) }
            state.idle += 1
            isIdle = true
            // What is finished at the head may be what everybody waits for.
            if state.head?.isFinished == true { monitor.notify(Self.emitter) }
            return nil
        }
        return answer.value
    }

    private func claimFirst(_ state: inout State) -> Task? {
        guard state.waiting > 0 else { return nil }
        var previous: WalkNode<Output>?
        var candidate = state.head
        while let node = candidate, !node.isWaiting {
            previous = node
            candidate = node.next
        }
        guard let lump = candidate else { return nil }
        switch lump.work {
        case .directory(let path, let device):
            return .directory(take(lump, &state), path, parentDevice: device)
        case .entries(let listing, let range):
            let cut = min(range.lowerBound + unitSize, range.upperBound)
            let rest = cut..<range.upperBound
            let node =
                rest.isEmpty ? take(lump, &state) : breakOff(lump, .entries(listing, rest), previous, &state)
            return .entries(node, listing, range.lowerBound..<cut)
        case .subdirectories(var rest):
            guard let path = rest.next() else { return nil }
            let node =
                rest.isEmpty ? take(lump, &state) : breakOff(lump, .subdirectories(rest), previous, &state)
            return .directory(node, path, parentDevice: rest.device)
        case .claimed, .finished:
            return nil
        }
    }

    /// Claims all of it.
    private func take(_ lump: WalkNode<Output>, _ state: inout State) -> WalkNode<Output> {
        lump.work = .claimed
        state.waiting -= 1
        state.claimed += 1
        return lump
    }

    /// Claims the first piece of it, which gets an element of its own right before the rest.
    private func breakOff(
        _ lump: WalkNode<Output>,
        _ rest: WalkNode<Output>.Work,
        _ previous: WalkNode<Output>?,
        _ state: inout State
    ) -> WalkNode<Output> {
        let piece = WalkNode<Output>(.claimed)
        piece.next = lump
        lump.work = rest
        if let previous { previous.next = piece } else { state.head = piece }
        state.claimed += 1
        return piece
    }

    /// Puts what a directory holds behind the element that was claimed for it.
    /// - Returns: the directory's first unit, which is the work of that same element.
    func publish(
        _ listing: WalkListing,
        _ subdirectories: WalkSubdirectories,
        behind node: WalkNode<Output>
    ) -> Range<Int> {
        let count = listing.selected.count
        let first = 0..<min(unitSize, count)
        let rest = first.upperBound..<count
        if rest.isEmpty && subdirectories.isEmpty { return first }
        monitor.withLock { state in
            // The one put there last stands first.
            if !subdirectories.isEmpty { state.insert(.subdirectories(subdirectories), behind: node) }
            if !rest.isEmpty { state.insert(.entries(listing, rest), behind: node) }
        }
        monitor.notify(Self.workers)
        return first
    }

    /// Puts entries of the listing right behind a claimed element.
    func put(_ range: Range<Int>, of listing: WalkListing, behind node: WalkNode<Output>) {
        monitor.withLock { state in state.insert(.entries(listing, range), behind: node) }
        monitor.notify(Self.workers)
    }

    /// Hands in the result of a claimed element; nil where it has none.
    func finish(_ node: WalkNode<Output>, _ output: Output?, size: Int) {
        let counted = max(size, Self.smallestSize)
        let isLast = monitor.withLock { state in
            node.work = .finished(output, size: counted)
            state.claimed -= 1
            state.heldBytes += counted
            if isReady(state) { monitor.notify(Self.emitter) }
            return state.isDone
        }
        if isLast { monitor.notify(Self.workers) }
    }

    // MARK: The emitter's side

    /// Waking the emitter for every unit would cost more than it is worth, unless somebody waits for it.
    private func isReady(_ state: State) -> Bool {
        guard state.head?.isFinished == true else { return false }
        return state.idle > 0 || state.isDone || state.heldBytes - state.emittingBytes >= window / 16
    }

    /// Waits for the next results in order; nil where there will be none.
    func awaitFinished() -> [Output]? {
        let answer = monitor.await(on: Self.emitter) { state -> Answer<[Output]>? in
            letGo(&state)
            if state.isStopped || state.head == nil || cancellation.isCancelled { return .end }
            guard isReady(state) else { return nil }
            return .more(takeFinished(&state))
        }
        return answer.value
    }

    /// What is finished at the head, without waiting.
    func takeFinished() -> [Output] {
        monitor.withLock { state in
            letGo(&state)
            return takeFinished(&state)
        }
    }

    /// What was taken before has been emitted: there is room for as much.
    private func letGo(_ state: inout State) {
        guard state.emittingBytes > 0 else { return }
        state.heldBytes -= state.emittingBytes
        state.emittingBytes = 0
        monitor.notify(Self.workers)
    }

    private func takeFinished(_ state: inout State) -> [Output] {
        var outputs: [Output] = []
        while let node = state.head, case .finished(let output, let size) = node.work {
            if let output { outputs.append(output) }
            state.emittingBytes += size
            state.head = node.next
        }
        // The new head may be what a worker waits for room to take.
        monitor.notify(Self.workers)
        return outputs
    }

    /// No more work is given out, nobody waits any longer.
    func stop() {
        monitor.withLock { state in state.isStopped = true }
        monitor.notify(Self.workers)
        monitor.notify(Self.emitter)
    }

    var isCancelled: Bool { cancellation.isCancelled }

    /// True where all work was done and all of it taken.
    var isComplete: Bool {
        monitor.withLock { state in state.head == nil && state.isDone && !cancellation.isCancelled }
    }
}

/// An element of the list.
final class WalkNode<Output: Sendable>: @unchecked Sendable {
    // Sendable: both variables are touched only under the lock of the plan that made it.
    enum Work {
        case directory(RawPath, parentDevice: DeviceNumber?)
        case entries(WalkListing, Range<Int>)
        case subdirectories(WalkSubdirectories)
        case claimed
        case finished(Output?, size: Int)
    }

    var work: Work
    var next: WalkNode?

    init(_ work: Work) {
        self.work = work
    }

    var isWaiting: Bool {
        switch work {
        case .directory, .entries, .subdirectories: true
        case .claimed, .finished: false
        }
    }

    var isFinished: Bool {
        guard case .finished = work else { return false }
        return true
    }
}
