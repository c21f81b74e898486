#!/usr/bin/env python3
"""Parses every sample, and asks whether each field it names is one that the program sends.

check-samples.py FOLDER. Prints what is wrong and ends with 1, or says what was read.
"""
import configparser
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

import yaml

# Fields of the interface that this version does not send yet.
RESERVED = {"MILLWARDEN_BUILD"}
JOURNALD = {"_HOSTNAME", "_MACHINE_ID", "_BOOT_ID", "_UID"}


def sent_fields(root):
    """The names of the fields, where the program puts an entry together."""
    text = (root / "Sources/Reporting/JournalFields.swift").read_text(encoding="utf-8")
    return set(re.findall(r'add\(\s*"([A-Z_]+)"', text)) | {"MILLWARDEN_PATH"}


def shape(node, *keys):
    """The value under these keys; a sample without it is wrong."""
    for key in keys:
        node = node[key]
    return node


def main():
    folder = pathlib.Path(sys.argv[1])
    sent = sent_fields(folder.resolve().parent.parent)
    problems = []

    vector = yaml.safe_load((folder / "vector/millwarden.yaml").read_text())
    for kind in ("transforms", "sinks"):
        for name, part in vector[kind].items():
            for source in part["inputs"]:
                if source not in vector["sources"] and source not in vector["transforms"]:
                    problems.append(f"vector: {name} reads from {source}, which is not there")
    if shape(vector, "sources", "millwarden", "include_matches") != {"SYSLOG_IDENTIFIER": ["millwarden"], "_UID": ["0"]}:
        problems.append("vector: other entries than Millwarden's own are read")

    fluent = yaml.safe_load((folder / "fluent-bit/millwarden.yaml").read_text())
    source = shape(fluent, "pipeline", "inputs", 0)
    if source["systemd_filter"] != ["SYSLOG_IDENTIFIER=millwarden", "_UID=0"] or source["systemd_filter_type"] != "and":
        problems.append("fluent-bit: other entries than Millwarden's own are read")
    for part in fluent["pipeline"]["filters"] + fluent["pipeline"]["outputs"]:
        if part["match"] != source["tag"]:
            problems.append(f"fluent-bit: {part['name']} matches nothing")

    filebeat = yaml.safe_load((folder / "elastic/filebeat.yml").read_text())
    if filebeat["filebeat.inputs"][0]["include_matches.match"] != ["SYSLOG_IDENTIFIER=millwarden", "_UID=0"]:
        problems.append("elastic: other entries than Millwarden's own are read")
    pipeline = json.loads((folder / "elastic/ingest-pipeline.json").read_text())
    template = json.loads((folder / "elastic/index-template.json").read_text())
    own = shape(template, "template", "mappings", "properties", "millwarden", "properties")
    renamed = [p["rename"]["target_field"] for p in pipeline["processors"] if "rename" in p]
    if renamed != ["millwarden." + name for name in own]:
        problems.append("elastic: the pipeline and the template name other fields")
    for name in sent - {f"MILLWARDEN_{name.upper()}" for name in own}:
        if name.startswith("MILLWARDEN_"):
            problems.append(f"elastic: {name} is not mapped")

    # configparser knows the two Splunk files: stanzas, and keys with one value.
    for name in ("inputs.conf", "props.conf"):
        parser = configparser.RawConfigParser(strict=True, delimiters=("=",), comment_prefixes=("#",))
        parser.optionxform = str
        parser.read_string((folder / "splunk" / name).read_text())
        if name == "inputs.conf":
            listed = set(parser["journald://millwarden"]["journalctl-include-fields"].split(","))
            for field in sent - listed - {"MESSAGE"}:
                problems.append(f"splunk: {field} is not among the fields")
            if parser["journald://millwarden"]["sourcetype"] != "millwarden:journal":
                problems.append("splunk: inputs.conf and props.conf name other source types")

    rules = ElementTree.parse(folder / "wazuh/millwarden_rules.xml").getroot()
    seen = {rule.get("id") for rule in rules.iter("rule")}
    if len(seen) != len(list(rules.iter("rule"))):
        problems.append("wazuh: an identifier is used twice")
    for rule in rules.iter("rule"):
        for parent in rule.findall("if_sid"):
            if parent.text not in seen:
                problems.append(f"wazuh: rule {rule.get('id')} hangs on {parent.text}, which is not there")
    ElementTree.parse(folder / "wazuh/ossec.conf")

    names = 0
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".conf", ".yaml", ".yml", ".json", ".xml"}):
        text = path.read_text(encoding="utf-8")
        used = set(re.findall(r"\bMILLWARDEN_[A-Z_]*[A-Z]\b", text))
        used |= {n.upper() for n in re.findall(r"\bmillwarden_[a-z_]*[a-z]\b", text) if "journald.custom." + n in text}
        names += len(used)
        for name in used - sent - RESERVED:
            problems.append(f"{path.relative_to(folder)}: no journal entry has a field {name}")
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(1)
    print(f"the samples for six collectors parse; {names} mentions of fields, each one that is sent")


main()
