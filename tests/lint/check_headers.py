#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_headers.py BUILD-DIRECTORY: each header compiles on its own, with its part's flags."""

import concurrent.futures
import os
import subprocess
import sys

import sources

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
KERNEL = ["-std=gnu17", "-ffreestanding", "-mcmodel=kernel", "-fno-pic", "-mgeneral-regs-only"]
USER = ["-std=gnu17", "-ffreestanding", "-mgeneral-regs-only"]
HOST = ["-std=gnu17", "-DBULKHEAD_HOST=1"]
FLAGS = [("kernel/", KERNEL), ("user/", USER), ("abi/", USER), ("lib/", USER), ("", HOST)]
# Not C to be read on its own, and what reads it instead.
EXCEPTIONS = {}


def compile_alone(name, build):
    flags = next(flags for prefix, flags in FLAGS if name.startswith(prefix))
    return subprocess.run(
        ["gcc", "-fsyntax-only", "-x", "c", *flags, *WARNINGS, "-DBULKHEAD_DEBUG=1",
         "-I", sources.ROOT, "-I", os.path.join(build, "generated"),
         "-I", sources.absolute("user/libsel4/include"), "-"],
        input=f'#include "{name}"\n', capture_output=True, text=True, cwd=sources.ROOT).stderr


def main():
    build = os.path.abspath(sys.argv[1])
    names = [name for name in sources.files(".h") if name not in EXCEPTIONS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = pool.map(lambda name: compile_alone(name, build), names)
    findings = [f"{name} does not compile alone:\n{error}"
                for name, error in zip(names, errors) if error]
    sources.report(findings, f"{len(names)} headers compile alone")


if __name__ == "__main__":
    main()
