internal import CLinux

/// One open descriptor with one owner: it cannot be copied, leaked or closed twice.
///
/// A negative number is a handle of a tree that lives in memory; there is nothing to close.
package struct OwnedDescriptor: ~Copyable, Sendable {
    private let number: CInt

    /// Takes over the number; nobody else may close it.
    package init(owning number: CInt) {
        self.number = number
    }

    /// Lends the number to one system call, for the length of `body`.
    package borrowing func lend<R, E: Error>(_ body: (CInt) throws(E) -> R) throws(E) -> R {
        try body(number)
    }

    /// Linux frees the slot even when close(2) reports EINTR, so it is never retried.
    deinit {
        if number >= 0 { _ = close(number) }
    }
}
