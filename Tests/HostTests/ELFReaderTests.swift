import Host
import Integrity
import TestSupport
import Testing

struct ELFReaderTests {
    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test(arguments: ELFImage.variants.indices)
    func bothClassesAndByteOrdersAreRead(variant: Int) throws {
        var image = ELFImage.variants[variant]
        (image.runPath, image.rpath, image.soname) = ("$ORIGIN/../lib", "/opt/old", "libx.so.1")
        image.audit = "libaudit.so"
        let bytes = image.bytes
        for step in [1, 7, 1_000_000] {
            let read = try #require(try summary(of: bytes, step: step))
            #expect(read.is64Bit == image.is64Bit && read.isBigEndian == image.isBigEndian)
            #expect((read.type, read.machine, read.entry) == (3, 62, 0x1000))
            #expect(text(read.interpreter) == "/lib64/ld-linux-x86-64.so.2")
            #expect(read.needed.map(text) == ["libc.so.6", "libm.so.6"])
            #expect(text(read.runPath) == "$ORIGIN/../lib")
            #expect(text(read.rpath) == "/opt/old")
            #expect(text(read.soname) == "libx.so.1")
            #expect(read.auditors.map(text) == ["libaudit.so"])
            #expect(read.buildID == Array(1...20))
            #expect(!read.isPartial)
            let names = read.parts.filter { $0.kind == .section }.map { text($0.name) }
            #expect(
                names == [
                    ".interp", ".note.gnu.build-id", ".dynstr", ".dynamic", ".text", ".rodata", ".bss",
                    ".shstrtab",
                ]
            )
            let covered = read.parts.filter { text($0.name) != ".bss" }.reduce(0) { $0 + $1.size }
            #expect(covered == UInt64(bytes.count), "every byte belongs to one part")
            #expect(ELFSummary(encoded: read.encoded) == read)
        }
    }

    /// Whatever byte changes, a part differs.
    @Test(arguments: ELFImage.variants.indices)
    func noByteChangesWithoutAPart(variant: Int) throws {
        let bytes = ELFImage.variants[variant].bytes
        let before = try #require(try summary(of: bytes))
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 0x55
            guard let after = try summary(of: changed) else {
                #expect(place < 6, "only the first six bytes make it another file")
                continue
            }
            let difference = try #require(
                ELFDifference(before: before, after: after),
                "byte \(place) changed without a trace"
            )
            let isNamed = !difference.sections.isEmpty || !difference.others.isEmpty
            #expect(isNamed || difference.isPartial, "byte \(place)")
        }
    }

    @Test func aChangeIsToldInTheWordsOfItsMakers() throws {
        let before = try summary(of: ELFImage().bytes)
        var image = ELFImage()
        image.needed = ["libevil.so", "libc.so.6"]
        image.runPath = "/tmp"
        image.interpreter = "/tmp/ld-linux-x86-64.so.2"
        image.buildID[0] = 99
        image.entry = 0x2000
        image.sections[0].bytes[3] = 0xCC
        image.sections.append((".evil", [1, 2, 3]))
        let difference = try #require(ELFDifference(before: before, after: try summary(of: image.bytes)))
        #expect(difference.needed.added.map(text) == ["libevil.so"])
        #expect(difference.needed.removed.map(text) == ["libm.so.6"])
        #expect(difference.runPath?.before == nil && text(difference.runPath?.after) == "/tmp")
        #expect(text(difference.interpreter?.after) == "/tmp/ld-linux-x86-64.so.2")
        #expect(
            text(difference.buildID?.before)?.hasPrefix("0102") == true
                && text(difference.buildID?.after)?.hasPrefix("6302") == true
        )
        #expect(text(difference.entry?.before) == "0x1000" && text(difference.entry?.after) == "0x2000")
        #expect(difference.sections.added.map(text) == [".evil"])
        let changed = difference.sections.changed.map(text)
        #expect(changed.contains(".text") && changed.contains(".dynamic") && !changed.contains(".rodata"))
        #expect(difference.kind == nil && !difference.isPartial)
    }

    /// The section table may be a decoy: the loader goes by the segments.
    @Test func whatNoSectionCoversIsAPart() throws {
        var image = ELFImage()
        let before = try summary(of: image.bytes)
        image.padding = [0, 0, 0xCC, 0, 0]
        let difference = try #require(ELFDifference(before: before, after: try summary(of: image.bytes)))
        #expect(difference.others == [.rest])
        #expect(difference.sections.isEmpty)
        let appended = try #require(
            ELFDifference(before: before, after: try summary(of: ELFImage().bytes + Array("evil".utf8)))
        )
        #expect(appended.others == [.rest])
    }

    @Test func whatIsNoELFFileHasNoSummary() throws {
        #expect(try summary(of: []) == nil)
        #expect(try summary(of: Array("#!/bin/sh\nexec true\n".utf8)) == nil)
        #expect(try summary(of: [0x7F, 0x45, 0x4C, 0x46, 3, 1] + [UInt8](repeating: 0, count: 100)) == nil)
        #expect(try summary(of: [0x7F, 0x45, 0x4C, 0x46, 2, 0] + [UInt8](repeating: 0, count: 100)) == nil)
    }

    @Test(arguments: ELFImage.variants.indices)
    func aFileCutOffAnywhereIsReadAsFarAsItGoes(variant: Int) throws {
        let bytes = ELFImage.variants[variant].bytes
        let whole = try #require(try summary(of: bytes))
        for length in 0..<bytes.count {
            let cut = try summary(of: Array(bytes[..<length]))
            if let cut {
                #expect(cut != whole)
                #expect(cut.isPartial, "length \(length)")
                #expect(ELFSummary(encoded: cut.encoded) == cut)
            }
            // The file was that long when its status was asked, and is shorter now.
            let shrunk = try summary(of: Array(bytes[..<length]), size: UInt64(bytes.count))
            #expect(shrunk?.isPartial ?? true)
        }
    }

    @Test func hostileBytesAreReadToAnEnd() throws {
        var random = SeededGenerator()
        for round in 0..<4_000 {
            var bytes = ELFImage.variants[round % 4].bytes
            for _ in 0...Int.random(in: 0...12, using: &random) {
                // Most of the decisions stand in the header and the tables.
                let place = Int.random(
                    in: 6..<(Bool.random(using: &random) ? 64 : bytes.count),
                    using: &random
                )
                let values: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)]
                bytes[place] = values.randomElement(using: &random) ?? 0
            }
            if let read = try summary(of: bytes) {
                #expect(ELFSummary(encoded: read.encoded) == read, "\(random)")
                let hashed = read.parts.filter { $0.fingerprint != 0 }.reduce(0) { $0 + Double($1.size) }
                #expect(hashed < 3 * Double(bytes.count) + 3e6, "\(random)")
            }
        }
    }

    /// 65,535 sections that all are the whole file: it is hashed about once, not as often.
    @Test func sectionsInOneAnotherCostNoMoreThanTheFile() throws {
        var bytes = ELFImage().bytes
        let table = bytes.count
        let content = 4 << 20
        bytes += [UInt8](repeating: 0, count: 64)
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        let section =
            little(0, 4) + little(1, 4) + little(0, 16) + little(0, 8) + little(content, 8) + little(0, 24)
        for _ in 0..<2_000 { bytes += section }
        bytes.replaceSubrange(40..<48, with: little(table, 8))
        bytes.replaceSubrange(60..<62, with: little(2_001, 2))
        bytes += [UInt8](repeating: 0x41, count: content)
        var count = 0
        let read = try ELFReader().summary(size: UInt64(bytes.count)) { (offset, wanted) throws(Errno) in
            let chunk = piece(of: bytes, at: offset, wanted)
            count += chunk.count
            return chunk
        }
        #expect(read?.isPartial == true)
        #expect(count < 3 * bytes.count)
    }

    @Test func errorsOfReadingArePassedOn() throws {
        let bytes = ELFImage().bytes
        var left = 0
        for allowed in 0..<1_000 {
            left = allowed
            do throws(Errno) {
                _ = try ELFReader().summary(size: UInt64(bytes.count)) { (offset, count) throws(Errno) in
                    guard left > 0 else { throw .io }
                    left -= 1
                    return piece(of: bytes, at: offset, count)
                }
                return
            } catch {
                #expect(error == .io)
            }
        }
        Issue.record("it never came to an end")
    }

    @Test func damagedSummariesAreRefusedOrMeanWhatTheySay() throws {
        let encoded = try #require(try summary(of: ELFImage().bytes)).encoded
        for length in encoded.indices { #expect(ELFSummary(encoded: Array(encoded[..<length])) == nil) }
        #expect(ELFSummary(encoded: encoded + [0]) == nil)
        var random = SeededGenerator()
        for _ in 0..<3_000 {
            var bytes = encoded
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[bytes.indices.randomElement(using: &random) ?? 0] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            if let read = ELFSummary(encoded: bytes) { #expect(read.encoded == bytes, "\(random)") }
        }
    }
}
