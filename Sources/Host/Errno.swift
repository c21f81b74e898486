internal import CLinux

/// A Linux error number, as errno(3) lists them.
package struct Errno: Error, Hashable, Sendable {
    package let code: Int32

    package init(_ code: Int32) {
        self.code = code
    }

    /// The calling thread's `errno`.
    ///
    /// Call it on the very next line after the system call, before anything can overwrite it.
    package static var current: Errno { Errno(mw_errno()) }

    package static let permission = Errno(EPERM)
    package static let noEntry = Errno(ENOENT)
    package static let io = Errno(EIO)
    package static let cancelled = Errno(ECANCELED)
    package static let interrupted = Errno(EINTR)
    package static let again = Errno(EAGAIN)
    package static let access = Errno(EACCES)
    package static let exists = Errno(EEXIST)
    package static let notDirectory = Errno(ENOTDIR)
    package static let isDirectory = Errno(EISDIR)
    package static let invalid = Errno(EINVAL)
    package static let noSpace = Errno(ENOSPC)
    package static let nameTooLong = Errno(ENAMETOOLONG)
    package static let tooManyLinks = Errno(ELOOP)
    package static let noData = Errno(ENODATA)
    package static let notSupported = Errno(EOPNOTSUPP)
    package static let noSystemCall = Errno(ENOSYS)
    package static let notTTY = Errno(ENOTTY)
    package static let range = Errno(ERANGE)
    package static let noDevice = Errno(ENXIO)
    package static let stale = Errno(ESTALE)
    package static let readOnly = Errno(EROFS)
    package static let quota = Errno(EDQUOT)
    package static let tooLarge = Errno(EFBIG)

    /// The name does not exist: it, or a directory on the way, is missing or no directory.
    package var isAbsence: Bool { self == .noEntry || self == .notDirectory }

    /// `EACCES`; a number where libc has no name for it.
    package var name: String {
        guard let text = unsafe mw_errno_name(code) else { return "errno \(code)" }
        return unsafe String(cString: text)
    }

    /// `permission denied`, in lower case.
    package var message: String {
        guard let text = unsafe mw_errno_text(code) else { return "unknown error \(code)" }
        let sentence = unsafe String(cString: text)
        // "Input/output error" reads better in the middle of a sentence in lower case; "RPC struct is bad" does not.
        guard sentence.dropFirst().first?.isLowercase == true else { return sentence }
        return sentence.prefix(1).lowercased() + sentence.dropFirst()
    }
}

extension Errno: CustomStringConvertible {
    package var description: String { "\(message) (\(name))" }
}

/// Calls `body` until it is not interrupted, and turns -1 into the error.
@discardableResult
func retrying<Value: SignedInteger>(_ body: () -> Value) throws(Errno) -> Value {
    while true {
        let result = body()
        if result >= 0 { return result }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}
