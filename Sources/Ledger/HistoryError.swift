package import Integrity

/// Why the history cannot be read or written.
package enum HistoryError: Error, Equatable, CustomStringConvertible {
    case missing(RawPath)
    /// It is no database, a damaged one, or one of another program.
    case damaged(RawPath, reason: String)
    case newerFormat(RawPath)
    case full(RawPath)
    case readOnly(RawPath)
    case permission(RawPath)
    /// Another process kept it locked for longer than the time-out.
    case busy(RawPath)
    /// The file at this name is no longer the one that was opened.
    case replaced(RawPath)
    /// SQLite opens names of UTF-8 only.
    case unusablePath(RawPath)
    /// What was asked for contradicts what is there: no open gap of that number, no change of that row.
    case refused(String)
    case io(RawPath, reason: String)

    package var description: String {
        switch self {
        case .missing(let path):
            "no history at \(path); it is made with the first `millwarden baseline create`"
        case .damaged(let path, let reason):
            "the history \(path) is damaged: \(reason); keep the file as evidence, move it away, and restore a copy"
        case .newerFormat(let path):
            "the history \(path) was written by a newer version; upgrade this program first"
        case .full(let path):
            "no space left to write the history \(path); free some, nothing was half written"
        case .readOnly(let path):
            "the history \(path) cannot be written: the file or its file system is read-only; remount it, or "
                + "name another place with --state-dir"
        case .permission(let path):
            "no permission to open the history \(path); run as the owner of its directory"
        case .busy(let path):
            "the history \(path) is locked by another process for too long; see which with `fuser`, then try again"
        case .replaced(let path):
            "the history \(path) was replaced or removed while it was in use; find out who did, then restart"
        case .unusablePath(let path):
            "the history cannot live at \(path): the name is not UTF-8; name another place with --state-dir"
        case .refused(let reason): reason
        case .io(let path, let reason): "cannot read or write the history \(path): \(reason); check the disk"
        }
    }
}
