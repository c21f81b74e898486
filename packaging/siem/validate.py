#!/usr/bin/env python3
"""Validates what `millwarden history export` wrote, with libraries that are not ours.

validate.py ecs|ocsf|cef FILE PATHS: PATHS holds the base64 of each path that must be found, one a line.
Prints what is wrong and ends with 1, or says how much was right.
"""
import base64
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def lines(name):
    """The lines of a file: a newline in a name must not have made one of its own."""
    with open(name, "rb") as file:
        data = file.read()
    if not data.endswith(b"\n"):
        raise SystemExit(f"{name}: does not end with a newline")
    for number, line in enumerate(data[:-1].split(b"\n"), 1):
        if re.search(rb"[\x00-\x1f\x7f]", line):
            raise SystemExit(f"{name}:{number}: a raw control byte")
        yield number, line.decode("utf-8")


def own_path(own):
    """The exact bytes of the path among the own fields."""
    if "path_base64" in own:
        return base64.b64decode(own["path_base64"])
    return own["path"].encode() if "path" in own else None


def ecs(document):
    import jsonschema

    if not hasattr(ecs, "validator"):
        with open(os.path.join(HERE, "ecs-fields.json"), encoding="utf-8") as file:
            schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(schema)
        ecs.validator = jsonschema.Draft202012Validator(schema)
    problems = ["/".join(map(str, e.path)) + ": " + e.message[:200] for e in ecs.validator.iter_errors(document)]
    return problems, own_path(document["millwarden"])


def ocsf(event):
    import jsonschema
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
    from py_ocsf_models.events.findings.detection_finding import DetectionFinding

    if not hasattr(ocsf, "schemas"):
        ocsf.source = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.5.0"))
        ocsf.schemas = {}
    uid = event["class_uid"]
    profiles = tuple(event["metadata"]["profiles"])
    if (uid, profiles) not in ocsf.schemas:
        name = ocsf.source.lookup_class_name_from_uid(class_uid=uid)
        schema = ocsf.source.get_class_schema(class_name=name, profiles=list(profiles))
        ocsf.schemas[uid, profiles] = jsonschema.Draft202012Validator(schema)
    checker = ocsf.schemas[uid, profiles]
    problems = ["/".join(map(str, e.path)) + ": " + e.message[:200] for e in checker.iter_errors(event)]
    if event["type_uid"] != uid * 100 + event["activity_id"]:
        problems.append("type_uid is not class_uid * 100 + activity_id")
    if uid == 2004:
        try:
            # The model has only what its authors needed: the objects it lacks are not looked at here.
            DetectionFinding.model_validate(event)
        except ValueError as error:
            problems.append(f"py-ocsf-models: {error}")
    return problems, own_path(event["unmapped"]["millwarden"])


# The keys of the CEF dictionary that are used, and our own.
CEF_KEYS = re.compile(
    r"rt|externalId|dvchost|dvcpid|deviceExternalId|deviceProcessName|deviceFacility|cat|act|msg|reason|outcome"
    r"|start|end|suid|spid|sproc|fname|filePath|fsize|fileHash|fileType|filePermission|fileId"
    r"|fileModificationTime|oldFile(Path|Hash|Size|Type|Permission|Id|ModificationTime)"
    r"|cs[1-6](Label)?|cn[1-3](Label)?|millwarden[A-Za-z]+Base64"
)


def cef_text(value):
    """Takes CEF's escapes away, and then those of `MESSAGE`."""
    plain = re.sub(r"\\([\\=nr])", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value).encode()
    return re.sub(
        rb"\\(\\|x([0-9a-f]{2}))", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[2], 16)]), plain
    )


def cef(line):
    import pycef

    header = re.match(r"CEF:0\|" + r"((?:[^|\\]|\\[|\\])*)\|" * 6, line)
    if not header:
        return ["no header of CEF"], None
    problems = []
    if not re.fullmatch(r"[0-9]|10", header[6]):
        problems.append("severity is not 0 to 10")
    # Our own strict reading: a key stands at the beginning or behind a space, and its equals sign is not escaped.
    rest = line[header.end():]
    pairs = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", rest)
    fields = dict(zip(pairs[1::2], pairs[2::2]))
    if pairs[0] or len(fields) != len(pairs) // 2:
        problems.append("the extension is no list of keys, each once")
    for key, value in fields.items():
        if not CEF_KEYS.fullmatch(key):
            problems.append(f"unknown key {key}")
        if re.search(r"(?<!\\)(?:\\\\)*(=|\\(?![\\=nr]))", value):
            problems.append(f"{key} is not escaped")
    for key in [k for k in fields if k.endswith("Label")]:
        if key[:-5] not in fields:
            problems.append(f"{key} labels nothing")
    parsed = pycef.parse(line)
    if not parsed or parsed["DeviceVendor"] != "Millwarden" or parsed["DeviceEventClassID"] != header[4]:
        problems.append("pycef cannot read it")
    elif any(parsed.get(key) is None for key in ("rt", "externalId", "act", "msg")):
        problems.append("pycef does not find every key")
    path = cef_text(fields["filePath"]) if "filePath" in fields else None
    exact = fields.get("millwardenFilePathBase64")
    if exact is not None and base64.b64decode(exact.replace("\\=", "=")) != path:
        problems.append("the escaped path and its base64 differ")
    return problems, path


def main():
    form, name = sys.argv[1:3]
    wanted = set()
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="ascii") as file:
            wanted = {base64.b64decode(line) for line in file}
    bad = count = 0
    found = set()
    for number, line in lines(name):
        count += 1
        problems, path = cef(line) if form == "cef" else {"ecs": ecs, "ocsf": ocsf}[form](json.loads(line))
        if path is not None:
            found.add(path)
        for problem in problems:
            bad += 1
            print(f"{name}:{number}: {problem}")
    for path in wanted - found:
        bad += 1
        print(f"{name}: no event has the path {path!r}")
    if count == 0:
        bad += 1
        print(f"{name}: empty")
    if bad:
        raise SystemExit(1)
    print(f"{form}: {count} events of {os.path.basename(name)} are valid, {len(found)} paths are exact")


main()
