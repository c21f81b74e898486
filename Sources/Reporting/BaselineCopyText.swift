package import Integrity

extension ExportReport {
    /// The report of `baseline export` for a person: what was written, and what has to be kept with it.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(
            "EXPORTED: baseline \(baseline.generation) with \(counted(baseline.entries, "record"))",
            paint: .good
        )
        page.blank()
        page.name(file, label: padded("written to", 13))
        page.key(baseline.signedBy)
        page.name(baseline.root.description, label: padded("root", 7))
        page.blank()
        page.sentence("NEXT", paint: .heading)
        page.sentence(
            "Keep it off this host, and with it the public key that verifies it:",
            indent: 2
        )
        page.name(keyFile, indent: 4)
        return page.text
    }

    /// `millwarden.baseline-export/1`; `docs/schema/baseline-export.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.baseline-export/1"))
        object.append(bytes: file.bytes, as: "file")
        object.append(bytes: keyFile.bytes, as: "key_file")
        object.append("baseline", .object(baseline.members))
        return .object(object)
    }
}

extension ImportReport {
    /// The report of `baseline import` for a person.
    package func text(_ style: TextStyle = .plain) -> String {
        var page = TextPage(style)
        page.sentence(
            "IMPORTED: baseline \(baseline.generation) with \(counted(baseline.entries, "record"))",
            paint: .good
        )
        page.blank()
        page.name(file, label: padded("read from", 13))
        page.pair("made on", hostText(origin) + (isOwn ? ", this machine" : ""))
        page.pair("made", baseline.created.utc)
        page.key(baseline.signedBy)
        if origin.trustedKey != nil { page.pair("", "which is trusted from now on") }
        page.name(baseline.root.description, label: padded("root", 7))
        page.pair("packs", scope.packs.isEmpty ? "none" : scope.packs.map(safe).joined(separator: ", "))
        if let replaced {
            page.pair("replaces", "baseline \(replaced.generation) of \(replaced.created.utc)")
            if replaced.generation > baseline.generation {
                page.blank()
                page.sentence(
                    "WARNING: the baseline that it replaces has the higher generation; what was approved there "
                        + "counts no more",
                    paint: .warning
                )
            }
        }
        nextSteps(&page)
        return page.text
    }

    private func nextSteps(_ page: inout TextPage) {
        page.blank()
        page.sentence("NEXT", paint: .heading)
        page.sentence("Compare this host with it:", indent: 2)
        page.command("millwarden check")
        guard isCopy else { return }
        page.sentence(
            "The inodes, birth times and change times in it are those of the files it was made of, and are not "
                + "compared. Once the check is clean, a baseline of this host's own has them too:",
            indent: 2
        )
        page.command("millwarden baseline create --force")
    }

    /// `millwarden.baseline-import/1`; `docs/schema/baseline-import.json` describes it.
    package var json: JSON {
        var object = JSONObject()
        object.append("schema", .string("millwarden.baseline-import/1"))
        object.append(bytes: file.bytes, as: "file")
        object.append("baseline", .object(baseline.members))
        object.append("origin", .object(origin.members))
        object.append("scope", scope.json)
        object.append("host", .string(host.name))
        object.append("machine_id", .string(host.machineID))
        object.append("copy", .bool(isCopy))
        object.append("replaced", replaced.map { .object($0.members) } ?? .null)
        return .object(object)
    }
}
