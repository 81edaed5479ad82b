#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each file names its licence, no path of one person's machine is anywhere, lines are tidy."""

import re

import sources

SPDX = "SPDX-" + "License-Identifier: BSD-2-Clause"
# Formats without comments, generated or verbatim texts; .reuse/dep5 covers them.
NO_SPDX = re.compile(
    r"\.json$|^LICENSES/|^\.reuse/|/corpus/|\.bin$|\.expected$|/rootfs/etc/(banner|passwd)$")
FOLDERS_OF_PEOPLE = "|".join(["work", "farm", "home", "root"])
MACHINE_PATH = re.compile(rf"(^|[^\w.$}}])/(?:{FOLDERS_OF_PEOPLE})/\w")
# In C, clang-format does not look at comments.
CODE = (".c", ".h", ".py", ".cmake", ".ld")
CODE_COLUMNS = 100
# Verbatim, or one long line by nature.
ANY_SHAPE = re.compile(r"^LICENSES/|/corpus/|\.bin$")


def check(name):
    text = sources.read(name)
    if SPDX not in text[:600] and not NO_SPDX.search(name):
        yield f"{name}: no '{SPDX}' in its first lines"
    if ANY_SHAPE.search(name):
        return
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at its end"
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: path of a particular machine: {line.strip()}"
        if line != line.rstrip():
            yield f"{name}:{number}: blanks at the end of the line"
        if "\t" in line:
            yield f"{name}:{number}: tab"
        if name.endswith(CODE) and len(line) > CODE_COLUMNS:
            yield f"{name}:{number}: {len(line)} columns"


names = sources.files()
sources.report([finding for name in names for finding in check(name)],
               f"{len(names)} files are tidy")
