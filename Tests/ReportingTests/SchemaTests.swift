import Integrity
import Reporting
import TestSupport
import Testing

/// Every document against its JSON Schema, by a validator that is not ours.
struct SchemaTests {
    /// Reads `SCHEMA DOCUMENT` pairs from a list and prints what is wrong with each; also which keys no schema names.
    static let validator = """
        import json, os, sys, warnings
        warnings.simplefilter("ignore")
        from jsonschema import Draft202012Validator, RefResolver
        folder = sys.argv[1]
        schemas = {name: json.load(open(os.path.join(folder, name))) for name in os.listdir(folder)}
        store = {schema["$id"]: schema for schema in schemas.values()}

        def named(node, found):
            if isinstance(node, dict):
                found |= set(node.get("properties", {}))
                for value in node.values(): named(value, found)
            elif isinstance(node, list):
                for value in node: named(value, found)
            return found

        def used(node, found):
            if isinstance(node, dict):
                for key, value in node.items():
                    found.add(key)
                    if not key.startswith("xattrs"): used(value, found)
            elif isinstance(node, list):
                for value in node: used(value, found)
            return found

        keys = named(list(schemas.values()), set())
        for schema in schemas.values(): Draft202012Validator.check_schema(schema)
        for line in open(sys.argv[2]):
            name, document = line.split()
            data = json.load(open(document))
            schema = schemas[name]
            checker = Draft202012Validator(schema, resolver=RefResolver(schema["$id"], schema, store=store))
            for error in checker.iter_errors(data):
                print(name, os.path.basename(document), "/".join(map(str, error.path)), error.message[:200])
            for key in used(data, set()) - keys:
                print(name, os.path.basename(document), "key without schema:", key)
        """

    static let hasValidator = (try? run("python3", ["-c", "import jsonschema"]))?.status == .exited(0)

    static var documents: [(schema: String, json: JSON)] {
        let hostile = Hostile.names.map {
            Samples.finding(RawPath(bytes: [slash] + $0), .added) { $0.after = Samples.file() }
        }
        var documents: [(schema: String, json: JSON)] = [
            ("check.json", Samples.changedCheck.json), ("check.json", Samples.check().json),
            ("check.json", Samples.check(hostile, exit: 1).json),
            ("check.json", Samples.checkedElsewhere.json),
            ("baseline-create.json", Samples.created.json),
            ("baseline-create.json", Samples.createdElsewhere.json),
            ("baseline-diff.json", Samples.document(Samples.difference, Samples.differences)),
            ("baseline-diff.json", Samples.document(Samples.sameFiles, [])),
            ("baseline-export.json", Samples.exported.json),
            ("baseline-import.json", Samples.imported.json),
            ("baseline-import.json", Samples.importedBack.json),
            ("baseline-accept.json", Samples.accepted(isDryRun: false).json),
            ("baseline-accept.json", Samples.accepted(isDryRun: true).json),
            ("baseline-accept.json", Samples.acceptedScope(isDryRun: false).json),
            ("baseline-accept.json", Samples.acceptedScope(isDryRun: true).json),
            ("baseline-record.json", Samples.record.json),
            ("baseline-record.json", Samples.unexaminedRecord.json),
            ("doctor.json", HostSamples.doctor.json), ("doctor.json", HostSamples.fine.json),
            ("status.json", HostSamples.running.json), ("status.json", HostSamples.stopped.json),
            ("status.json", HostSamples.empty.json),
        ]
        documents += Samples.findings.map { ("finding.json", .object($0.members)) }
        documents += EvidenceSamples.findings.map { ("finding.json", .object($0.members)) }
        documents += EvidenceSamples.entries.map { ("history-entry.json", $0.json) }
        documents += (Samples.entries + Hostile.entries).map { ("history-entry.json", $0.json) }
        documents += (Samples.entries + Hostile.entries).compactMap { entry in
            JournalRow(JournalSamples.record(entry)).map { ("history-journal-row.json", $0.json) }
        }
        documents += JournalSamples.outcomes.map { ("history-journal.json", $0.json) }
        return documents
    }

    /// What the validator prints about these documents.
    private func complaints(about documents: [(schema: String, json: JSON)]) throws -> String {
        let scratch = try TemporaryDirectory()
        var list = ""
        for (position, document) in documents.enumerated() {
            let file = try scratch.write("\(position).json", document.json.pretty)
            list += "\(document.schema) \(file)\n"
        }
        let script = try scratch.write("validate.py", SchemaTests.validator)
        let work = try scratch.write("list", list)
        let schemas = RawPath(#filePath).parent.parent.parent.appending("docs/schema")
        let result = try run("python3", [script, schemas, work].map(\.description))
        #expect(result.status == .exited(0), "\(result)")
        return result.text
    }

    @Test(.enabled(if: hasValidator, "python3 with its module jsonschema is not installed"))
    func everyDocumentIsValid() throws {
        #expect(try complaints(about: SchemaTests.documents) == "")
    }

    /// The schemas refuse what is wrong; otherwise the test above would say nothing.
    @Test(.enabled(if: hasValidator, "python3 with its module jsonschema is not installed"))
    func schemasRefuseWhatIsWrong() throws {
        func changing(_ json: JSON, _ key: String, _ value: JSON?) -> JSON {
            guard case .object(var object) = json else { return json }
            object[key] = value
            return .object(object)
        }
        let check = Samples.changedCheck.json
        let finding = JSON.object(Samples.content.members)
        let entry = Samples.entry(1, .change(Samples.content)).json
        let wrong: [(schema: String, json: JSON)] = [
            ("check.json", changing(check, "schema", .string("millwarden.check/2"))),
            ("check.json", changing(check, "findings", nil)),
            ("check.json", changing(check, "findings", .array([changing(finding, "rule", nil)]))),
            ("check.json", changing(check, "started", .string("2026-03-01 10:00:00"))),
            ("finding.json", changing(finding, "change", .string("modified"))),
            ("finding.json", changing(finding, "attributes", .array([.string("checksum")]))),
            ("finding.json", changing(finding, "severity", .string("none"))),
            ("finding.json", changing(finding, "surprise", .bool(true))),
            ("history-entry.json", changing(entry, "verdict", nil)),
            ("history-entry.json", changing(entry, "chain", .string("abc"))),
            ("history-entry.json", changing(entry, "event", .string("alert"))),
            (
                "history-journal-row.json",
                changing(JournalSamples.content.json, "machine_id", .string("alpha"))
            ),
            ("history-journal-row.json", changing(JournalSamples.content.json, "surprise", .bool(true))),
            ("history-journal.json", changing(JournalSamples.outcomes[0].json, "ok", .bool(false))),
            ("baseline-record.json", changing(Samples.record.json, "racy", .null)),
            ("baseline-create.json", changing(Samples.created.json, "scope", .null)),
            ("check.json", changing(Samples.checkedElsewhere.json, "origin", .null)),
            ("baseline-diff.json", changing(Samples.document(Samples.difference, []), "before", .null)),
            (
                "baseline-diff.json",
                changing(Samples.document(Samples.difference, []), "items", .array([finding]))
            ),
            ("baseline-export.json", changing(Samples.exported.json, "key_file", nil)),
            ("baseline-import.json", changing(Samples.imported.json, "origin", .null)),
            ("baseline-import.json", changing(Samples.imported.json, "replaced", .string("3"))),
            ("doctor.json", changing(HostSamples.doctor.json, "level", .string("fatal"))),
            ("doctor.json", changing(HostSamples.doctor.json, "surprise", .null)),
            ("doctor.json", changing(HostSamples.doctor.json, "findings", .array([.null]))),
            ("status.json", changing(HostSamples.running.json, "running", .string("yes"))),
            ("status.json", changing(HostSamples.running.json, "service", .object(JSONObject()))),
            ("status.json", changing(HostSamples.running.json, "baseline", .object(JSONObject()))),
            (
                "baseline-accept.json",
                changing(Samples.accepted(isDryRun: true).json, "items", .array([finding]))
            ),
        ]
        let complaints = try complaints(about: wrong)
        for position in wrong.indices {
            #expect(
                complaints.contains(" \(position).json "),
                "\(wrong[position].schema) takes document \(position)"
            )
        }
    }
}
