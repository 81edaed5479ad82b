#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_built.py BUILD-DIRECTORY: each source file is part of some program.

A test that no CMake file names is never run, and nothing else would say so. Fuzzers are left out:
other rules than CMake's own build them.
"""

import json
import os
import sys

import sources

EXCEPTIONS = ("tests/fuzz/",)


def main():
    with open(os.path.join(sys.argv[1], "compile_commands.json"), encoding="utf-8") as file:
        built = {os.path.realpath(os.path.join(entry["directory"], entry["file"]))
                 for entry in json.load(file)}
    names = [name for name in sources.files(".c", ".S") if not name.startswith(EXCEPTIONS)]
    findings = [f"{name} is not built" for name in names
                if os.path.realpath(sources.absolute(name)) not in built]
    sources.report(findings, f"{len(names)} source files are built")


if __name__ == "__main__":
    main()
