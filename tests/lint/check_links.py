#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Links between documents lead somewhere, and so do the paths that they name in `code`."""

import os
import re

import sources

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TOP = ("abi/", "kernel/", "lib/", "user/", "tools/", "systems/", "tests/", "docs/", "cmake/")
# Made by the build.
GENERATED = ("abi/gen/", "kernel/gen/")
PATH = re.compile(r"`([\w./-]+)`")


def anchors(name):
    """As the usual Markdown renderers make them from headings."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", sources.read(name))):
        text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(text.replace(" ", "-"))
    return found


def check_link(name, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    file = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
    if not os.path.exists(sources.absolute(file)):
        return f"no such file: {target}"
    if anchor and file.endswith(".md") and anchor not in anchors(file):
        return f"no such heading: {target}"
    return None


def check(name):
    text = FENCE.sub("", sources.read(name))
    for target in LINK.findall(text):
        if wrong := check_link(name, target):
            yield f"{name}: {wrong}"
    for path in PATH.findall(text):
        if path.startswith(GENERATED):
            continue
        if path.startswith(TOP) and not os.path.exists(sources.absolute(path)):
            yield f"{name}: names `{path}`, which does not exist"


names = sources.files(".md")
sources.report([finding for name in names for finding in check(name)],
               f"the links in {len(names)} documents lead somewhere")
