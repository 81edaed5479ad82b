#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Dependencies point one way: says which include lines, and which assembly, break the map.

The map (docs/architecture.md): abi and lib stand alone; the kernel and the user programs know only
those two and themselves; programs know libraries, not one another; what is private (_priv.h) stays
in its folder; the parts of the kernel that also compile for the host reach no privileged
instruction, and nobody but the backends themselves names VT-x's or AMD-V's folder.
"""

import os
import re
import sys

import sources

# The first row whose prefix fits a file says what it may include, by prefix.
MAP = [
    ("abi/", ["abi/"]),
    ("lib/", ["lib/", "abi/"]),
    ("kernel/", ["kernel/", "abi/", "lib/"]),
    ("user/", ["user/", "abi/", "lib/", "sel4/"]),
    # The host tool lays out what init, the monitor and the servers read.
    ("tools/", ["tools/", "abi/", "lib/", "user/init/", "user/vmm/config.h", "user/libserver/"]),
    ("tests/", [""]),
]
COMPILER_HEADERS = {
    "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdalign.h", "stdnoreturn.h", "limits.h",
    "cpuid.h"}
FREESTANDING = ("abi/", "lib/", "kernel/", "user/")
HOST_TOO = ("kernel/object/", "kernel/sched/", "kernel/api/", "kernel/vspace/")
# A user program is a folder with a program in it; everything else below user/ is a library.
USER_LIBRARIES = ("user/lib", "user/start/")
# Interfaces between two programs: who may read the other's header, and why.
BETWEEN_PROGRAMS = {
    ("user/supervisor/", "user/vmm/config.h"): "the supervisor starts monitors and hears them",
}
# Made by the build, so not among the sources.
GENERATED = re.compile(r"abi/gen/\w+\.h|kernel/gen/\w+\.h|user/vmm/dsdt\.inc")
BACKEND = re.compile(r"kernel/x86/virt/(svm|vmx)/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
ASSEMBLY = re.compile(r"\b(?:__asm__|asm)\b\s*(?:volatile|__volatile__|goto)?\s*\(")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def includes(name):
    """(line number, quote, included path) of each include line."""
    text = sources.read(name)
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def folder(name):
    return os.path.dirname(name) + "/"


def program_of(name):
    """The user program a file belongs to, or None for libraries."""
    if name.startswith("user/") and name.count("/") >= 2 and not name.startswith(USER_LIBRARIES):
        return "/".join(name.split("/")[:2]) + "/"
    return None


def check_line(name, quote, included, known):
    """What is wrong with one include line, or None."""
    if quote == "<":
        if (name.startswith(FREESTANDING) and included not in COMPILER_HEADERS
                and not included.startswith("sel4/")):
            return f"freestanding code includes <{included}>"
        return None
    if (included not in known and not included.startswith("sel4/")
            and not GENERATED.fullmatch(included)):
        return f'"{included}" is not a path from the root of the source tree'
    for prefix, allowed in MAP:
        if name.startswith(prefix):
            if not included.startswith(tuple(allowed)):
                return f'{prefix} may not reach "{included}"'
            break
    if included.endswith("_priv.h") and folder(included) != folder(name):
        if not name.startswith("tests/"):
            return f'"{included}" is private to its folder'
    return check_program(name, included) or check_backend(name, included)


def check_program(name, included):
    mine, other = program_of(name), program_of(included)
    if mine and other and mine != other and (mine, included) not in BETWEEN_PROGRAMS:
        return f'the program {mine} reaches into another one: "{included}"'
    return None


def check_backend(name, included):
    match = BACKEND.match(included)
    if match and not name.startswith(("kernel/x86/virt/", "tests/")):
        return f'only kernel/x86/virt may name a backend: "{included}"'
    return None


def privileged_headers(name, graph, assembly, seen):
    """Headers below kernel/x86 with assembly in them that name reaches."""
    for included in graph.get(name, ()):
        if included in seen:
            continue
        seen.add(included)
        if included.startswith("kernel/x86/") and included in assembly:
            yield included
        else:
            yield from privileged_headers(included, graph, assembly, seen)


def host_part(name):
    """The text that the host compiles: without comments and what BULKHEAD_HOST leaves out."""
    text = COMMENT.sub(" ", sources.read(name))
    text = re.sub(r"#ifndef BULKHEAD_HOST\b(?:(?!#(?:if|else|endif)).)*", "", text, flags=re.DOTALL)
    other_half = r"(#ifdef BULKHEAD_HOST\b(?:(?!#(?:if|else|endif)).)*)#else(?:(?!#(?:if|endif)).)*"
    return re.sub(other_half, r"\1", text, flags=re.DOTALL)


def main():
    names = sources.files(".c", ".h", ".S")
    known = set(sources.files(".c", ".h", ".S", ".def"))
    findings, graph = [], {}
    for name in names:
        for line, quote, included in includes(name):
            graph.setdefault(name, []).append(included)
            if wrong := check_line(name, quote, included, known):
                findings.append(f"{name}:{line}: {wrong}")
    assembly = {name for name in names if ASSEMBLY.search(host_part(name))}
    for name in names:
        if name.startswith(HOST_TOO):
            if name in assembly or name.endswith(".S"):
                findings.append(f"{name}: assembly in a folder that compiles for the host, too")
            for header in privileged_headers(name, graph, assembly, set()):
                findings.append(f"{name}: reaches assembly in {header}")
    sources.report(findings, f"{sum(map(len, graph.values()))} include lines follow the map")


if __name__ == "__main__":
    sys.exit(main())
