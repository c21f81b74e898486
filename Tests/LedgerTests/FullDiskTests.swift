import CLinux
import Host
import Integrity
import TestSupport
import Testing

@testable import Ledger

/// A file system that really is full: a tmpfs of half a megabyte.
@Suite(.enabled(if: FullDisk.isPossible, "mounting a tmpfs takes root and a kernel that lets it"))
struct FullDiskTests {
    let disk: FullDisk

    init() throws {
        disk = try FullDisk()
    }

    @Test func theHistoryGoesOnOnceThereIsRoom() throws {
        let history = try History.open(at: disk.path, access: .readWrite)
        var written = 0
        var failure: HistoryError?
        var event = finding("/usr/bin/cc")
        event.tags = (0..<200).map { "tag.\($0)" }
        while failure == nil, written < 5_000 {
            do {
                try history.append(.change(event), at: noon)
                written += 1
            } catch {
                failure = error
            }
        }
        #expect(failure == .full(history.path))
        #expect(try history.entries().count == written)
        // It stays readable, also for those who come now.
        #expect(try History.open(at: disk.path, access: .readOnly).entries().count == written)
        try disk.grow()
        #expect(try history.append(stop(), at: noon).seq == Int64(written + 1))
        guard case .intact(written + 1, _) = try history.verify() else {
            Issue.record("\(try history.verify())")
            return
        }
    }

    @Test func aBaselineThatDoesNotFitLeavesNoFile() throws {
        let path = disk.path.appending("new")
        do {
            let writer = try BaselineWriter(to: path, rules: someRules)
            let records = (0..<5_000).map { record(RawPath("/a/" + String(10_000 + $0))) }
            #expect(throws: BaselineError.io(path, operation: "write", errno: .noSpace)) {
                for run in runs(records, rules: someRules) { try writer.append(run) }
            }
        }
        #expect(try names(in: disk.path).isEmpty)
    }

    @Test func aKeyThatDoesNotFitLeavesNoFile() throws {
        try disk.fill()
        let path = disk.path.appending("a.key")
        #expect(throws: KeyError.io(path, operation: "write", errno: .noSpace)) {
            try SigningKey.generate().save(path)
        }
        #expect(try names(in: disk.path) == ["filler"])
    }

    @Test func aHistoryThatDoesNotFitLeavesNoFile() throws {
        try disk.fill()
        let path = disk.path.appending("history.db")
        #expect(throws: HistoryError.full(path)) { try History.open(at: disk.path, access: .readWrite) }
        #expect(try names(in: disk.path) == ["filler"])
    }
}

/// A small tmpfs, unmounted with the last reference.
final class FullDisk: Sendable {
    private let directory: TemporaryDirectory
    let path: RawPath

    init() throws {
        directory = try TemporaryDirectory()
        path = try directory.makeDirectory("disk")
        try mountSmall(path, "size=512k,mode=700")
    }

    deinit { _ = try? run("/bin/umount", ["-l", jsonText(path.bytes).text]) }

    /// Takes all the room there is.
    func fill() throws {
        let filler = path.appending("filler")
        do {
            while true { try filler.append([UInt8](repeating: 0x55, count: 4_096)) }
        } catch {
            guard error == .noSpace else { throw error }
        }
    }

    func grow() throws { try mountSmall(path, "remount,size=16m") }

    static let isPossible: Bool = {
        guard isRoot else { return false }
        return (try? FullDisk()) != nil
    }()
}

private func mountSmall(_ path: RawPath, _ options: String) throws {
    let result = try run("/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", jsonText(path.bytes).text])
    guard result.status == .exited(0) else { throw Errno(EPERM) }
}
