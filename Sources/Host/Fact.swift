/// Something that was found out about the host, or why it could not be: what is not known is never guessed.
package enum Fact<Value: Hashable & Sendable>: Hashable, Sendable {
    case known(Value)
    /// The reason, as one sentence's second half: `permission denied (EACCES)`.
    case unknown(String)

    package var value: Value? {
        guard case .known(let value) = self else { return nil }
        return value
    }

    /// Asks; an errno becomes the reason.
    package init(_ ask: () throws(Errno) -> Value) {
        do {
            self = .known(try ask())
        } catch {
            self = .unknown("\(error)")
        }
    }

    package func map<Other>(_ transform: (Value) -> Fact<Other>) -> Fact<Other> {
        switch self {
        case .known(let value): transform(value)
        case .unknown(let reason): .unknown(reason)
        }
    }
}
