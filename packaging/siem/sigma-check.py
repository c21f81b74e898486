#!/usr/bin/env python3
"""Validates the Sigma rules with every validator of pySigma, and converts them for Elasticsearch and Splunk.

Also asks whether each field is one that the program sends, and whether each rule matches a golden journal entry and
not all of them: rules and program must not drift apart.
"""
import os
import re
import sys

from sigma.backends.elasticsearch import LuceneBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.plugins import InstalledSigmaPlugins
from sigma.rule import SigmaDetectionItem
from sigma.validation import SigmaValidator

# These two fetch the lists of MITRE from the network when they run; everything else works from the package.
EXCLUDED = {"attacktag", "d3_fendtag"}


def sent_fields():
    """The names of the fields, where the program puts an entry together."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(root, "Sources/Reporting/JournalFields.swift"), encoding="utf-8") as file:
        return set(re.findall(r'add\(\s*"([A-Z_]+)"', file.read()))


def golden_entries():
    """The golden journal entries, which the tests compare with what is sent."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(root, "Tests/ReportingTests/Golden/journal.txt"), encoding="utf-8") as file:
        return [dict(line.split("=", 1) for line in block.splitlines()) for block in file.read().split("\n\n")]


def matches(rule, entry):
    """What the rules here need of Sigma: one selection, all of its fields, one of each field's values."""
    for detection in rule.detection.detections.values():
        for item in items(detection):
            if any(modifier.__name__ == "SigmaExistsModifier" for modifier in item.modifiers):
                # No golden entry has an optional field that a rule only asks the presence of.
                continue
            if entry.get(item.field) not in {str(value) for value in item.value}:
                return False
    return True


def items(detection):
    for item in detection.detection_items:
        if isinstance(item, SigmaDetectionItem):
            yield item
        else:
            yield from items(item)


def main():
    folder = sys.argv[1]
    rules = SigmaCollection.load_ruleset([folder], collect_errors=True)
    problems = [str(error) for rule in rules for error in rule.errors]
    validators = InstalledSigmaPlugins.autodiscover().validators
    checker = SigmaValidator({v for name, v in validators.items() if name not in EXCLUDED})
    for rule in rules:
        problems += [str(issue) for issue in checker.validate_rule(rule)]
    problems += [str(issue) for issue in checker.finalize()]
    sent = sent_fields()
    for rule in rules:
        for detection in rule.detection.detections.values():
            for item in items(detection):
                if item.field not in sent:
                    problems.append(f"{rule.title}: no journal entry has a field {item.field}")
    entries = golden_entries()
    for rule in rules:
        count = sum(matches(rule, entry) for entry in entries)
        if not 0 < count < len(entries):
            problems.append(f"{rule.title}: matches {count} of {len(entries)} golden entries")
        elif "--verbose" in sys.argv:
            print(f"{rule.title}: matches {count} of {len(entries)} golden entries")
    for backend in (LuceneBackend(), SplunkBackend()):
        for rule in rules:
            queries = backend.convert_rule(rule)
            if len(queries) != 1 or "millwarden" not in queries[0]:
                problems.append(f"{rule.title}: {type(backend).__name__} makes {queries}")
            elif "--verbose" in sys.argv:
                print(f"{type(backend).__name__}: {queries[0]}")
    for problem in problems:
        print(problem)
    if problems or not len(rules):
        raise SystemExit(1)
    print(f"{len(rules)} rules pass {len(checker.validators)} validators of pySigma, convert for Lucene and Splunk,"
          " and match what they are for")


main()
