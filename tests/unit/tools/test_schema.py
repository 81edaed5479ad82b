#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The JSON Schema that `bulkhead schema` prints, beside the other two that say what the language
is: the manual, and the parser with its wrong files.
test_schema.py BUILD-DIRECTORY [UNITTEST-ARG...]
"""

import glob
import json
import os
import re
import subprocess
import sys
import unittest

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = ""
# The wrong files whose mistake a schema cannot know: sizes and times as numbers, several values
# together, files, and what YAML has taken away before (repeated keys, aliases).
BEYOND = set("""
    alias bad-size-overflow budget-over-period budget-small budgets cmdline-control cores-many
    disk-two-writers disk-whole-and-part disk-writer-and-reader disks-too-many duplicate-key
    file-is-a-folder file-missing images-too-large initrd-huge kernel-huge kernel-not-linux
    machine-cores machine-memory memory-large memory-odd memory-small name-bulkhead name-console
    name-sataserver nul period-long period-small same-names watchdog-small
""".split())


class Loader(yaml.SafeLoader):
    """YAML 1.2 (core schema), as editors read it: `yes` is a text."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
        ("bool", "^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", "^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("int", "^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")):
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))


def load(path):
    """The file's one document; None if it is no YAML, or several."""
    with open(path, "rb") as file:
        try:
            return yaml.load(file, Loader)
        except (yaml.YAMLError, UnicodeDecodeError, ValueError):
            return None


def schema():
    said = subprocess.run([os.path.join(BUILD, "tools", "bulkhead", "bulkhead"), "schema"],
                          stdout=subprocess.PIPE, check=True)
    return json.loads(said.stdout)


def maps(properties, heading="system"):
    """All maps of keys, by what the manual calls them."""
    yield heading, properties
    for name, value in properties.items():
        inner = value.get("properties") or value.get("items", {}).get("properties")
        if inner:
            yield from maps(inner, {"vms": "vm", "disks": "disk"}.get(name, name))


class Schema(unittest.TestCase):
    """What it accepts"""

    def setUp(self):
        self.schema = schema()
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def test_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_defaults(self):
        for heading, properties in maps(self.schema["properties"]):
            for key, about in properties.items():
                if "default" in about:
                    with self.subTest(f"{heading}: {key}"):
                        jsonschema.Draft202012Validator(about).validate(about["default"])

    def test_good(self):
        paths = glob.glob(os.path.join(ROOT, "systems", "*", "system.yaml"))
        paths += glob.glob(os.path.join(ROOT, "tests", "bench", "**", "*.yaml"), recursive=True)
        paths += [path for path in glob.glob(os.path.join(ROOT, "tests", "unit", "tools", "*cases",
                                                          "*.yaml"))
                  if not os.path.exists(path.removesuffix("yaml") + "expected")]
        self.assertGreater(len(paths), 12)
        for path in paths:
            with self.subTest(os.path.relpath(path, ROOT)):
                self.validator.validate(load(path))

    def test_wrong(self):
        accepted = set()
        for path in glob.glob(os.path.join(ROOT, "tests", "unit", "tools", "cases", "*.expected")):
            document = load(path.removesuffix("expected") + "yaml")
            if document is not None and self.validator.is_valid(document):
                accepted.add(os.path.basename(path).removesuffix(".expected"))
        self.assertEqual(accepted, BEYOND)


class Manual(unittest.TestCase):
    """docs/system-description.md has the same keys, in the same order, with what they accept and
    what holds without them.
    """

    TABLE = re.compile(r"^### (.*)\n(?:(?!#).*\n)*?\| key .*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
    ABOUT = re.compile(r".* \((?P<accepted>[^()]*); (?:default: )?(?P<absent>[^()]*)\)")

    @staticmethod
    def plain(text):
        return re.sub(r"[`*]", "", text).strip()

    def documented(self):
        with open(os.path.join(ROOT, "docs", "system-description.md"), encoding="utf-8") as file:
            text = file.read()
        return {heading.lower(): [[self.plain(cell) for cell in row.strip("|").split(" | ")]
                                  for row in rows.splitlines()]
                for heading, rows in self.TABLE.findall(text)}

    def test_keys(self):
        documented = self.documented()
        described = dict(maps(schema()["properties"]))
        self.assertEqual(sorted(documented), sorted(described))
        for heading, properties in described.items():
            self.assertEqual([row[0] for row in documented[heading]], list(properties), heading)
            for (key, value, default), about in zip(documented[heading], properties.values()):
                with self.subTest(f"{heading}: {key}"):
                    match = self.ABOUT.fullmatch(about["description"])
                    self.assertEqual(default, match["absent"])
                    self.assertTrue(value.startswith(match["accepted"]),
                                    f"{value!r} does not begin with {match['accepted']!r}")


def main():
    global BUILD
    if len(sys.argv) < 2:
        sys.exit("usage: test_schema.py BUILD-DIRECTORY [UNITTEST-ARG...]")
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()


if __name__ == "__main__":
    main()
