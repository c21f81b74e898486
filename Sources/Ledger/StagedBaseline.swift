internal import CLinux
package import Integrity
internal import Synchronization

/// A copy of a baseline under a temporary name, removed with the last reference unless it was renamed.
package final class StagedBaseline: Sendable {
    package let path: RawPath
    private let file: LedgerFile
    private let isKept = Mutex(false)

    init(copyOf source: RawPath, at path: RawPath, mode: UInt32) throws(BaselineError) {
        self.path = path
        let input: LedgerFile
        do { input = try LedgerFile(reading: source) } catch { throw BaselineError(source, error) }
        let status: stat
        do { status = try input.status() } catch { throw BaselineError(source, error) }
        // Anything else might never end.
        guard status.isRegular else { throw .notABaseline(source) }
        do {
            file = try LedgerFile(creating: path, mode: mode)
            _ = try file.lock(isWaiting: false)
        } catch {
            throw .io(path, operation: error.operation, errno: error.errno)
        }
        do {
            try file.copy(input)
        } catch {
            try? LedgerFile.remove(path)
            throw .io(path, operation: error.operation, errno: error.errno)
        }
    }

    deinit {
        if !isKept.withLock({ $0 }) { try? LedgerFile.remove(path) }
    }

    func keep() { isKept.withLock { $0 = true } }
}
