# SPDX-License-Identifier: BSD-2-Clause
"""How much kernel there is: its program and data in debug and release builds, its lines of code.

Lines are what cloc counts as code in C files, headers and assembler of kernel/. On a machine of one
vendor the other one's folder below kernel/x86/virt is never run.
"""

import json
import os
import subprocess

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VARIANTS = {"debug": "OFF", "release": "ON"}
SECTIONS = ["text", "data", "bss"]
LANGUAGES = ["C", "C/C++ Header", "Assembly"]
VENDORS = {"svm": "x86/virt/svm/", "vmx": "x86/virt/vmx/"}


def sections(build, variant):
    """The kernel's bytes; the release build's kernel is made for it, which takes some seconds."""
    if variant == "release":
        build = os.path.join(build, "variants", "release")
        subprocess.run(["cmake", "-G", "Ninja", "-S", SOURCE, "-B", build,
                        "-DBULKHEAD_RELEASE=ON"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", build, "--quiet", "kernel"], check=True,
                       stdout=subprocess.DEVNULL)
    listed = subprocess.run(["size", os.path.join(build, "kernel", "bulkhead.elf64")], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.splitlines()[1].split()
    return {f"size.{variant}.{section}": int(count) for section, count in zip(SECTIONS, listed)}


def lines():
    folder = os.path.join(SOURCE, "kernel")
    listed = json.loads(subprocess.run(
        ["cloc", "--json", "--by-file", "--quiet", "--include-lang=" + ",".join(LANGUAGES), folder],
        check=True, stdout=subprocess.PIPE, text=True).stdout)
    codes = {os.path.relpath(name, folder): row["code"] for name, row in listed.items()
             if name not in ("header", "SUM")}
    figures = {f"size.lines.{vendor}": sum(code for name, code in codes.items()
                                           if name.startswith(place))
               for vendor, place in VENDORS.items()}
    total = sum(codes.values())
    return figures | {"size.lines.all": total,
                      "size.lines.common": total - sum(figures.values())}


def measure(build):
    return sections(build, "debug") | sections(build, "release") | lines()
