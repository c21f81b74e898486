/// Evidence as JSON: the member `evidence` of a finding.
///
/// What is written reads back equal.
extension FileEvidence {
    package var json: JSON {
        var object = JSONObject()
        if let diff { object.append("diff", diff.json) }
        if let elf { object.append("elf", elf.json) }
        if let copy { object.append("copy", .string(copy.description)) }
        if !missing.isEmpty { object.append("missing", .array(missing.map(JSON.string))) }
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object else { return nil }
        self.init(
            diff: object["diff"].flatMap(TextDifference.init(json:)),
            elf: object["elf"].flatMap(ELFDifference.init(json:)),
            copy: object["copy"]?.text.flatMap { Digest($0) },
            missing: (object["missing"]?.elements ?? []).compactMap(\.text)
        )
    }
}

extension TextDifference {
    package var json: JSON {
        var object = JSONObject()
        object.append("text", .string(text))
        object.append("added", .int(Int64(added)))
        object.append("removed", .int(Int64(removed)))
        object.append("masked", .int(Int64(masked)))
        object.append("cut", .bool(isCut))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object, let text = object["text"]?.text, let added = object["added"]?.integer,
            let removed = object["removed"]?.integer, let masked = object["masked"]?.integer
        else { return nil }
        self.init(
            text: text,
            added: Int(added),
            removed: Int(removed),
            masked: Int(masked),
            isCut: object["cut"] == .bool(true)
        )
    }
}

extension ELFSummary.Part.Kind {
    /// The word in JSON.
    package var name: String {
        switch self {
        case .header: "header"
        case .programHeaders: "program-headers"
        case .sectionHeaders: "section-headers"
        case .section: "section"
        case .rest: "rest"
        }
    }
}

extension ELFDifference {
    private static var pairs: [(name: String, path: WritableKeyPath<ELFDifference, Pair?>)] {
        [
            ("kind", \.kind), ("interpreter", \.interpreter), ("runpath", \.runPath), ("rpath", \.rpath),
            ("soname", \.soname), ("build_id", \.buildID), ("entry", \.entry),
        ]
    }
    private static var lists: [(name: String, path: WritableKeyPath<ELFDifference, Names>)] {
        [
            ("sections", \.sections), ("needed", \.needed), ("auditors", \.auditors), ("filters", \.filters),
        ]
    }

    /// Only what differs has a member.
    package var json: JSON {
        var object = JSONObject()
        for (name, path) in ELFDifference.pairs {
            guard let pair = self[keyPath: path] else { continue }
            var values = JSONObject()
            values.append(bytes: pair.before, as: "before")
            values.append(bytes: pair.after, as: "after")
            object.append(name, .object(values))
        }
        for (name, path) in ELFDifference.lists where !self[keyPath: path].isEmpty {
            let names = self[keyPath: path]
            var values = JSONObject()
            values.append(list: names.added, as: "added")
            values.append(list: names.removed, as: "removed")
            values.append(list: names.changed, as: "changed")
            values.append("reordered", .bool(names.isReordered))
            object.append(name, .object(values))
        }
        if !others.isEmpty { object.append("parts", .array(others.map { .string($0.name) })) }
        object.append("partial", .bool(isPartial))
        return .object(object)
    }

    package init?(json: JSON) {
        guard let object = json.object else { return nil }
        self.init()
        for (name, path) in ELFDifference.pairs {
            guard let values = object[name]?.object else { continue }
            self[keyPath: path] = Pair(values.bytes("before"), values.bytes("after"))
        }
        for (name, path) in ELFDifference.lists {
            guard let values = object[name]?.object else { continue }
            self[keyPath: path] = Names(
                added: values.list("added") ?? [],
                removed: values.list("removed") ?? [],
                changed: values.list("changed") ?? [],
                isReordered: values["reordered"] == .bool(true)
            )
        }
        let words = Set((object["parts"]?.elements ?? []).compactMap(\.text))
        others = ELFSummary.Part.Kind.allCases.filter { words.contains($0.name) }
        isPartial = object["partial"] == .bool(true)
    }
}
