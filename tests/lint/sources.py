# SPDX-License-Identifier: BSD-2-Clause
"""The project's files, for the checks beside this file."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*suffixes):
    """Paths from the root of what git tracks or would track, that end in one of the suffixes."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return sorted(name for name in set(listed.split("\0"))
                  if name and name.endswith(suffixes or ("",)) and os.path.isfile(absolute(name)))


def absolute(name):
    return os.path.join(ROOT, name)


def read(name):
    with open(absolute(name), encoding="utf-8", errors="replace") as file:
        return file.read()


def report(findings, what):
    """Prints the findings, or what was found in order, and ends the program."""
    for finding in findings:
        print(finding)
    if findings:
        sys.exit(f"{len(findings)} findings")
    print(what)
