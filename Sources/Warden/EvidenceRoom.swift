package import Host
package import Integrity
package import Ledger
import Synchronization

/// Where evidence comes from and goes to: the contents that the baseline in force keeps, and the store for altered files.
///
/// Evidence explains a finding and decides nothing: where it cannot be had, the finding says why and stands.
package struct EvidenceRoom: Sendable {
    /// Nil where no copies are made.
    package let store: EvidenceStore?
    private let kept: KeptReader?
    /// Why the approved contents cannot be read.
    package let trouble: String?

    /// Nothing is kept and nothing is told.
    package static let none = EvidenceRoom(store: nil, kept: nil, trouble: nil, isInUse: false)
    private let isInUse: Bool

    private init(store: EvidenceStore?, kept: KeptReader?, trouble: String?, isInUse: Bool) {
        (self.store, self.kept, self.trouble, self.isInUse) = (store, kept, trouble, isInUse)
    }

    /// - Parameters:
    ///   - stateDirectory: Where both lie.
    ///   - contents: The digest in the manifest of the baseline in force; nil where it keeps nothing.
    ///   - limits: How much of altered files is kept, and how long.
    ///   - savesCopies: False where nothing may be written, or another system is looked at.
    package init(
        stateDirectory: RawPath,
        contents: Digest?,
        limits: EvidenceLimits,
        savesCopies: Bool = true
    ) {
        var (kept, trouble): (KeptReader?, String?)
        if let contents {
            do throws(KeptError) {
                kept = try KeptReader(stateDirectory: stateDirectory, index: contents)
            } catch {
                trouble = "\(error)"
            }
        }
        self.init(
            store: savesCopies ? EvidenceStore(stateDirectory: stateDirectory, limits: limits) : nil,
            kept: kept,
            trouble: trouble,
            isInUse: true
        )
    }

    /// What an examination is to bring along of files under a rule that may differ from their records, whichever they
    /// are.
    package func wish(under rule: Rule) -> ContentWish? {
        guard isInUse else { return nil }
        let wish = ContentWish(
            text: rule.keep == .text,
            elf: rule.profile.isStrict,
            copy: rule.keep == .copy && store != nil
        )
        return wish.text || wish.elf || wish.copy ? wish : nil
    }

    /// What an examination is to bring along of a file that may differ from its record.
    ///
    /// - Parameters:
    ///   - rule: The one that decides for the path.
    ///   - known: The approved content; nil where the record has none, or there is no record.
    /// - Returns: Nil where nothing is.
    package func wish(under rule: Rule, known: Digest?) -> ContentWish? {
        wish(under: rule)?.about(known)
    }

    /// The evidence of one path; nil where the rule asks for none, or there is nothing to say.
    ///
    /// - Parameters:
    ///   - rule: The one that decides for the path.
    ///   - recorded: The approved state.
    ///   - observed: What stands there now.
    ///   - content: What the examination brought along.
    /// - Returns: The evidence; nil also where the content is the approved one.
    package func evidence(
        under rule: Rule,
        recorded: Attributes?,
        observed: Attributes?,
        content: TakenContent?
    ) -> FileEvidence? {
        guard isInUse, recorded?.type == .file || observed?.type == .file,
            recorded?.content != observed?.content
        else { return nil }
        var evidence = FileEvidence()
        if rule.keep == .text { addDiff(recorded, observed, content?.text, to: &evidence) }
        if rule.profile.isStrict, let recorded, observed?.type == .file, let content {
            addELF(recorded, content.elf, to: &evidence)
        }
        switch content?.copy {
        case .kept: evidence.copy = observed?.digest
        case .failed(let reason): evidence.missing.append("the altered file was not saved: \(reason)")
        case .other: evidence.missing.append("the altered file was not saved: it went on changing")
        case nil: break
        }
        return evidence.isEmpty ? nil : evidence
    }

    private func addDiff(
        _ recorded: Attributes?,
        _ observed: Attributes?,
        _ text: TakenText?,
        to evidence: inout FileEvidence
    ) {
        var before: [UInt8] = []
        if let digest = recorded?.digest {
            do throws(KeptError) {
                guard let content = try kept?.content(KeptKey(.text, digest)) else {
                    evidence.missing.append("no diff: \(trouble ?? "the approved text was not kept")")
                    return
                }
                before = content
            } catch {
                evidence.missing.append("no diff: \(error)")
                return
            }
        }
        let after: [UInt8]
        switch text {
        case .text(let bytes): after = bytes
        case .tooLarge:
            evidence.missing.append("no diff: the file is larger than \(ContentWish.textLimit >> 10) KiB")
            return
        case .other:
            evidence.missing.append("no diff: the file went on changing")
            return
        case nil:
            // Gone, or something else than a file.
            guard observed?.type != .file else { return }
            after = []
        }
        guard !isBinary(before), !isBinary(after) else {
            evidence.missing.append("no diff: it is not text")
            return
        }
        evidence.diff = unifiedDiff(before, after)
    }

    private func addELF(_ recorded: Attributes, _ after: ELFSummary?, to evidence: inout FileEvidence) {
        guard let digest = recorded.digest else { return }
        do throws(KeptError) {
            guard let kept else {
                if after != nil, let trouble { evidence.missing.append("no ELF difference: \(trouble)") }
                return
            }
            let before = try kept.content(KeptKey(.elf, digest)).flatMap { ELFSummary(encoded: $0) }
            evidence.elf = ELFDifference(before: before, after: after)
        } catch {
            evidence.missing.append("no ELF difference: \(error)")
        }
    }
}

extension ContentWish {
    /// The same about one file; nil where nothing is left to bring along.
    ///
    /// An ELF file that was not there before has nothing to differ from.
    func about(_ known: Digest?) -> ContentWish? {
        var wish = self
        wish.known = known
        wish.elf = elf && known != nil
        return wish.text || wish.elf || wish.copy ? wish : nil
    }

    /// What is kept of a file that is being approved.
    package static func approval(under rule: Rule) -> ContentWish? {
        let wish = ContentWish(text: rule.keep == .text, elf: rule.profile.isStrict)
        return wish.text || wish.elf ? wish : nil
    }
}

extension Attributes {
    /// The digest of a file's content, where it has one.
    var digest: Digest? {
        guard case .digest(let digest)? = content else { return nil }
        return digest
    }
}

extension KeptWriter {
    /// Keeps what was brought along of a file that is being approved.
    package func add(_ examined: Examined) {
        guard let digest = examined.attributes.digest, let content = examined.content else { return }
        if case .text(let bytes)? = content.text, !isBinary(bytes) { add(KeptKey(.text, digest), bytes) }
        if let elf = content.elf { add(KeptKey(.elf, digest), elf.encoded) }
    }
}

/// How much evidence one survey may hold in memory: whoever changes everything at once does not get to fill it.
final class EvidenceBudget: Sendable {
    private let left = Mutex(32 << 20)

    /// The evidence, or where there is no room for it, the word that there is none.
    func admit(_ evidence: FileEvidence?) -> FileEvidence? {
        guard var evidence else { return nil }
        let fits = left.withLock { left in
            guard left >= evidence.weight else { return false }
            left -= evidence.weight
            return true
        }
        if fits { return evidence }
        evidence.diff = nil
        evidence.elf = nil
        evidence.missing.append("too much changed at once to show how; look at the path by itself")
        return evidence
    }
}
