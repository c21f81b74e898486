package import Integrity

/// Where finished entries go after they are durable: the journal, or standard output.
///
/// `Reporting` provides them.
package protocol Publisher: Sendable {
    /// Hands one entry over. Called from the outbox's own thread, in the order of `seq`; may take its time.
    func publish(_ entry: Entry) throws(PublishError)

    /// Which of these entries arrived earlier, by their chain value; nil where it cannot be found out.
    func alreadyPublished(_ entries: [Entry]) -> Set<Int64>?
}

/// The entry was not handed over and has to be sent again.
package struct PublishError: Error, Equatable, CustomStringConvertible {
    /// One sentence: what does not answer, and why.
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
