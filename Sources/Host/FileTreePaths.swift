package import Integrity

extension FileTree {
    /// Opens a directory by its path to look names up in it, also where it may be passed but not listed.
    ///
    /// - Throws: As `openDirectory`; what may not be read comes as a place, in which nothing can be listed.
    package func openToLook(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try openDirectory(path)
        } catch {
            guard error == .access else { throw error }
            return try openPlace(path)
        }
    }

    /// Opens the place at an absolute path, component by component and without following a link.
    ///
    /// Needs only the right to pass through the directories.
    ///
    /// - Throws: `ENOENT`; `ENOTDIR` where a directory is missing or a link stands in its place; `EACCES`.
    package func openPlace(_ path: RawPath) throws(Errno) -> OwnedDescriptor {
        var current = try openDirectory(.root)
        for component in path.normalized.components {
            current = try openPlace(component, in: current)
        }
        return current
    }
}

extension RawPath {
    /// The name to ask the parent for: `.` for the root, which is its own parent.
    package var nameInParent: ArraySlice<UInt8> { isRoot ? [UInt8(ascii: ".")] : name }
}
