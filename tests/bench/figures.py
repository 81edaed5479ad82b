# SPDX-License-Identifier: BSD-2-Clause
"""Figures by name, as `run --json` prints them and docs/figures/figures.json keeps them."""

import json
import re

import rows


def printed(output):
    """Those that a benchmark program has said."""
    return {name: int(value) for name, value in
            re.findall(r"bench: (\S+) (\d+)$", output, re.MULTILINE)}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["figures"]


def text(figures):
    return json.dumps({"figures": figures, "references": rows.references()}, indent=1) + "\n"


def group(name):
    return name.rsplit(".", 1)[0]


def merge(old, fresh):
    """
    Both, sorted; what is in a group that has fresh figures, and is not among these, is no more:
    steps of a path that has become shorter.
    """
    groups = {group(name) for name in fresh}
    both = {name: value for name, value in old.items() if group(name) not in groups} | fresh
    return {name: both[name] for name in sorted(both)}
