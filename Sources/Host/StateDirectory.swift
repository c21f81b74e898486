internal import CLinux
package import Integrity

/// The directory in which the program keeps what it knows.
package enum StateDirectory {
    /// Makes the directory with mode 0700, and its parents where they are missing.
    ///
    /// One that is there is left as it is.
    ///
    /// - Throws: `EACCES`, `EROFS`, `ENOTDIR`; `EPERM` where it belongs to somebody else, or where others may write in
    ///   it: whoever can exchange its files decides what the program believes.
    package static func prepare(_ path: RawPath) throws(Errno) {
        var made = path.isAbsolute ? RawPath.root : RawPath(".")
        for component in path.components {
            made = made.appending(component)
            let result = unsafe withCString(made.bytes[...]) { pointer in unsafe mkdir(pointer, 0o700) }
            if result != -Int(EEXIST) { try checked(result) }
        }
        let number = unsafe withCString(made.bytes[...]) { pointer in
            unsafe mw_openat(AT_FDCWD, pointer, O_PATH | O_DIRECTORY, 0)
        }
        let directory = OwnedDescriptor(owning: CInt(try checked(number)))
        let status = try KernelTree().status(of: directory)
        let isOurs = status.uid == geteuid() || (geteuid() != 0 && status.uid == 0)
        guard isOurs, status.mode & 0o022 == 0 else { throw .permission }
    }
}
