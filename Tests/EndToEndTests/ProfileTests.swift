import CLinux
import Host
import Integrity
import TestSupport
import Testing

/// What counts differs from profile to profile; the same actions under each.
@Suite struct ProfileTests {
    private let world: Millwarden
    private let place: RawPath

    init() throws {
        world = try Millwarden()
        place = world.path.appending("place")
        try place.makeDirectory()
        try place.appending("file").write(Array("one\n".utf8))
        try place.appending("file").setModified(Millwarden.modified)
    }

    private var file: RawPath { place.appending("file") }

    /// One rule of the profile over `place`, a baseline, and the service.
    private func watch(_ profile: String) throws -> Daemon {
        try world.home.write(
            "rules.yaml",
            """
            pack: profiles
            title: One profile
            rules:
              - id: profiles.one
                title: One
                reason: To see what counts.
                severity: high
                profile: \(profile)
                watch: ['\(world.glob(place))/**']
            \(world.marksRule)

            """
        )
        try world.createBaseline()
        return try world.watch()
    }

    @Test func aLogMayGrowAndNothingElse() throws {
        let daemon = try watch("append-only")
        try file.append(Array("two\n".utf8))
        try world.mark(daemon)
        #expect(
            daemon.entries.filter(\.isFinding).allSatisfy { $0.verdict == "expected" },
            "\(daemon.entries.listing)"
        )
        try world.expect(0, "check")
        try file.write(Array("ONE\ntwo\nthree\n".utf8))
        let entry = try daemon.entry("the rewrite") { $0.isFinding && $0.verdict == "unauthorized" }
        #expect(entry.path == file && entry.change == "content", "\(entry)")
        try daemon.terminate()
        try world.expect(4, "check")
    }

    /// As logrotate(8) does it: nothing that was observed is lost.
    @Test func aLogMayBeRotatedByRename() throws {
        let daemon = try watch("append-only")
        try file.append(Array("two\n".utf8))
        try world.mark(daemon)
        let old = place.appending("file.1")
        try daemon.paused {
            try file.rename(to: old)
            try file.write(Array("begun anew\n".utf8))
        }
        #expect(try daemon.change("added", on: old).verdict == "expected")
        try world.mark(daemon)
        try file.append(Array("more\n".utf8))
        try world.mark(daemon)
        #expect(
            daemon.entries.filter(\.isFinding).allSatisfy { $0.verdict == "expected" },
            "\(daemon.entries.listing)"
        )
        try world.expect(0, "check")
        // Without the service as well, and once more.
        try daemon.terminate()
        try old.rename(to: place.appending("file.2"))
        try file.rename(to: old)
        try file.write(Array("the third\n".utf8))
        try world.expect(0, "check")
        // Thrown away, it is lost, whether a record named it or not.
        try place.appending("file.2").delete()
        let lost = try world.document(2, "check")
        #expect(lost.findings.contains { $0.path == place.appending("file.2") && $0.change == "removed" })
        try world.expect(2, "check")
    }

    /// What has grown is what was last observed: cutting it back to the baseline is no return to anything approved.
    @Test func aLogThatIsCutBackIsAChange() throws {
        let daemon = try watch("append-only")
        try file.append(Array("two\n".utf8))
        try world.mark(daemon)
        try file.truncate(to: 4)
        let entry = try daemon.entry("the cut") { $0.isFinding && $0.verdict == "unauthorized" }
        #expect(entry.path == file, "\(entry)")
        try daemon.terminate()
        try world.expect(4, "check")
    }

    @Test func whatIsWrittenOnceMayBeJoinedByOthers() throws {
        let daemon = try watch("write-once")
        try place.appending("new").write([1])
        let added = try daemon.change("added", on: place.appending("new"))
        #expect(added.verdict == "expected", "\(added)")
        try world.expect(0, "check")
        try file.append([1])
        #expect(try daemon.change("content", on: file).verdict == "unauthorized")
        try file.delete()
        #expect(try daemon.change("removed", on: file).verdict == "unauthorized")
        try daemon.terminate()
        try world.expect(2, "check")
    }

    @Test func onlyBytesCountAsContent() throws {
        let daemon = try watch("content")
        try file.setMode(0o600)
        try file.setModified(timespec(tv_sec: 1, tv_nsec: 0))
        try file.link(to: world.outside.appending("file"))
        try world.mark(daemon)
        #expect(
            daemon.entries.filter(\.isFinding).allSatisfy { $0.verdict == "expected" },
            "\(daemon.entries.listing)"
        )
        try world.expect(0, "check")
        try file.append([1])
        #expect(try daemon.change("content", on: file).verdict == "unauthorized")
        try daemon.terminate()
        try world.expect(4, "check")
    }

    @Test func metadataOfAConfigurationFileCounts() throws {
        let daemon = try watch("configuration")
        try file.setMode(0o666)
        let entry = try daemon.change("metadata", on: file)
        #expect(entry.attributes.contains("mode"), "\(entry)")
        try file.link(to: world.outside.appending("file"))
        try world.mark(daemon)
        try daemon.terminate()
        #expect(daemon.entries.changes(on: file).count == 1, "\(daemon.entries.listing)")
    }

    /// Two write cycles that end equal are one too many, even here.
    @Test func aConfigurationFileSwappedAndRestoredIsTransient() throws {
        let daemon = try watch("configuration")
        try daemon.paused {
            try file.write(Array("two\n".utf8))
            try file.write(Array("one\n".utf8))
        }
        let entry = try daemon.entry("the swap") { $0.isFinding && $0.path == file }
        // The kernel merges equal events; what is left of two cycles are two closings.
        #expect(entry.change == "transient" && entry.verdict == "unauthorized", "\(entry)")
        try daemon.terminate()
    }

    @Test func theSeverityOfAnInventoryIsLow() throws {
        let daemon = try watch("inventory")
        try file.append([1])
        #expect(try daemon.change("content", on: file).severity == "low")
        try daemon.terminate()
        try world.expect(4, "check")
        try world.expect(0, "check", "--fail-on", "medium")
    }

    @Test func theNamesInADirectoryCountAndItsFilesDoNot() throws {
        try world.home.write(
            "rules.yaml",
            """
            pack: profiles
            title: A directory
            rules:
              - id: profiles.names
                title: Names
                reason: What is searched in order.
                severity: high
                profile: directory
                watch: ['\(world.glob(place))']
            \(world.marksRule)

            """
        )
        try world.createBaseline()
        let daemon = try world.watch()
        try file.append([1])
        try world.mark(daemon)
        #expect(daemon.entries.filter(\.isFinding).isEmpty, "\(daemon.entries.listing)")
        try place.appending("new").write([1])
        let entry = try daemon.entry("the new name") { $0.isFinding && $0.path == place }
        #expect(entry.change == "content" && entry.attributes.contains("names"), "\(entry)")
        try place.appending("new").delete()
        try daemon.entry("that it is gone") { $0.event == "resolved" && $0.resolves == entry.seq }
        try daemon.terminate()
    }
}
