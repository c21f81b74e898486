package import Integrity
package import RulePacks
import Synchronization

/// What a walk does with what it comes across.
///
/// There is one visitor a worker, so that its buffers need no lock.
package protocol WalkVisitor: SendableMetatype {
    /// What goes to `emit`.
    associatedtype Output: Sendable

    /// Called with an opened directory before it is listed: the place to arm a watch (add the watch, then list).
    ///
    /// Called for every directory that is entered, also where nothing in it turns out to be selected.
    mutating func willList(_ directory: RawPath, _ descriptor: borrowing OwnedDescriptor)

    /// Examines the unit's entries. What it does not take becomes a unit of its own.
    mutating func visit(_ unit: inout WalkUnit, in descriptor: borrowing OwnedDescriptor) -> Output

    /// A directory in which something could be selected could not be opened or listed. Nothing else comes of it or of
    /// what is below.
    mutating func unlisted(_ directory: RawPath, _ failure: Failure) -> Output

    /// A directory on a file system that walks do not enter (`FileSystem.isOutOfBounds`).
    mutating func skipped(_ directory: RawPath, _ fileSystem: FileSystem) -> Output

    /// What an output holds on to, in bytes: it counts against `OrderedWalk.window`. Nil stands for 192 bytes an entry.
    static func size(of output: Output) -> Int?
}

extension WalkVisitor {
    package static func size(of output: Output) -> Int? { nil }
}

/// Stops a walk from another thread, from a visitor or from `emit`.
package final class WalkCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package func cancel() { flag.store(true, ordering: .relaxed) }

    package var isCancelled: Bool { flag.load(ordering: .relaxed) }
}

/// How a walk ended.
package enum WalkOutcome: Hashable, Sendable {
    /// Everything was emitted.
    case complete
    /// What was emitted is a beginning of it.
    case cancelled
}

/// A walk by several threads whose results come in directory-major order, in constant memory.
///
/// Work stands in one list in the order of its results. A worker takes the first that nobody has taken; a directory
/// that is listed puts its names and then its subdirectories right behind itself. Names go in units of at most
/// `unitSize` entries of one directory. The thread that calls `run` emits the finished beginning of the list and lets
/// go of it.
///
/// Links are never followed, and file systems that show no stored files are not entered. A directory that vanishes or
/// turns into something else between being seen and being opened is nothing: whoever removed it raised an event.
package struct OrderedWalk<Tree: FileTree, Matcher: PathMatcher>: Sendable {
    package var tree: Tree
    /// Copied for every worker; a state never leaves the copy that gave it.
    package var matcher: Matcher
    /// How many threads; 0 does everything on the caller's, one step after the other.
    package var workers: Int
    /// The most entries of a unit.
    package var unitSize = 256
    /// How many bytes of results may wait for an earlier one.
    package var window = 8 << 20

    package init(tree: Tree, matcher: Matcher, workers: Int) {
        self.tree = tree
        self.matcher = matcher
        self.workers = workers
    }

    /// Walks everything below a directory that rules select; the directory itself is an entry of its parent.
    /// - Parameters:
    ///   - start: absolute, normalized and without links.
    ///   - cancellation: asked between units and after every output.
    ///   - visitor: makes the visitor of a worker, given its number, on the worker's own thread.
    ///   - emit: called on the caller's thread, once for every output, in the order of the paths. An error ends the walk.
    /// - Returns: whether everything was emitted.
    /// - Throws: what `emit` throws.
    package func run<Visitor: WalkVisitor, E: Error>(
        from start: RawPath = .root,
        cancellation: WalkCancellation = WalkCancellation(),
        visitor: @escaping @Sendable (Int) -> Visitor,
        emit: (Visitor.Output) throws(E) -> Void
    ) throws(E) -> WalkOutcome {
        let plan = WalkPlan<Visitor.Output>(
            start: start,
            unitSize: unitSize,
            window: window,
            cancellation: cancellation
        )
        let threads = (0..<max(0, workers)).compactMap { number in
            // Fewer threads than asked for are slower, not wrong.
            try? OSThread(name: "mw-walk-\(number)") { [tree, matcher] in
                var worker = WalkWorker(tree: tree, matcher: matcher, visitor: visitor(number), plan: plan)
                while let task = plan.claim() { worker.work(on: task) }
            }
        }
        // Whatever way this ends: no worker outlives the call.
        defer {
            plan.stop()
            for thread in threads { thread.join() }
        }
        if threads.isEmpty {
            var worker = WalkWorker(tree: tree, matcher: matcher, visitor: visitor(0), plan: plan)
            while let task = plan.claim() {
                worker.work(on: task)
                try emitFinished(plan, cancellation, emit)
            }
        } else {
            while let outputs = plan.awaitFinished() { try emitAll(outputs, cancellation, emit) }
        }
        return plan.isComplete ? .complete : .cancelled
    }

    private func emitFinished<Output: Sendable, E: Error>(
        _ plan: WalkPlan<Output>,
        _ cancellation: WalkCancellation,
        _ emit: (Output) throws(E) -> Void
    ) throws(E) {
        try emitAll(plan.takeFinished(), cancellation, emit)
    }

    private func emitAll<Output: Sendable, E: Error>(
        _ outputs: [Output],
        _ cancellation: WalkCancellation,
        _ emit: (Output) throws(E) -> Void
    ) throws(E) {
        for output in outputs where !cancellation.isCancelled { try emit(output) }
    }
}
