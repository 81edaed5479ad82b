#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_tidy.py BUILD-DIRECTORY: clang-tidy over all that boots, and the host tool.

The checks are in .clang-tidy.

What was found in order is remembered by the hash of everything the compiler reads for that file, so
that a second run only looks at what changed.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

import sources

TIDY = "clang-tidy-14"
# Not the tests: they run under sanitizers on every occasion, and would take twice as long as this.
SYSTEM = ("abi/", "kernel/", "lib/", "user/", "tools/")
# Options of gcc that clang does not know, if it is gcc that builds.
GCC_ONLY = ("-fanalyzer", "-fcall-used-")  # beginnings


def entries(build):
    """One compile command for each source file of ours; the first, if it is compiled twice."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    found = {}
    for entry in commands:
        name = os.path.relpath(entry["file"], sources.ROOT)
        if name.endswith(".c") and name.startswith(SYSTEM):
            found.setdefault(name, entry)
    return sorted(found.items())


def arguments(entry):
    """The compiler's options without output, input and what only gcc knows."""
    words = shlex.split(entry["command"])[1:]
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-c", "-MF", "-MT"):
            skip = True
        elif not word.startswith(GCC_ONLY) and word not in ("-MD", "-MMD"):
            kept.append(word)
    return kept


def fingerprint(name, entry, options):
    """Of the preprocessed text, the options and the list of checks."""
    text = subprocess.run(
        ["clang-14", "-E", *options, sources.absolute(name)], cwd=entry["directory"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    state = hashlib.sha256(text)
    # What comments silence is not in the preprocessed text.
    for part in (sources.read(name), sources.read(".clang-tidy"), " ".join(options)):
        state.update(part.encode())
    return state.hexdigest()


def check(item, cache):
    name, entry = item
    options = arguments(entry)
    stamp = os.path.join(cache, fingerprint(name, entry, options))
    if os.path.exists(stamp):
        return ""
    result = subprocess.run(
        [TIDY, "--quiet", sources.absolute(name), "--", *options], cwd=entry["directory"],
        capture_output=True, text=True)
    if result.returncode == 0:
        open(stamp, "w", encoding="utf-8").close()
        return ""
    text = re.sub(re.escape(sources.ROOT) + "/", "", result.stdout)
    return text or f"{name}: {result.stderr}"


def main():
    build = os.path.abspath(sys.argv[1])
    cache = os.path.join(build, "tidy-cache")
    os.makedirs(cache, exist_ok=True)
    items = entries(build)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = list(pool.map(lambda item: check(item, cache), items))
    # The same line of a header is found from many files.
    findings = list(dict.fromkeys(output for output in outputs if output))
    sources.report(findings, f"clang-tidy has nothing to say about {len(items)} files")


if __name__ == "__main__":
    main()
