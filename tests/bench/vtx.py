# SPDX-License-Identifier: BSD-2-Clause
"""What exits cost on Intel VT-x, in Bochs, where one tick of the TSC is one instruction.

The guest tests/guest/exits.c measures them by its clock. Before and after each operation is a mark,
at which Bochs' debugger stops; between these it lists every instruction that is executed. The
shortest list of all rounds says how many of them are of a kind that costs more than others.
"""

import collections
import os
import re

import bochs
import figures
from machine import Failure
from rows import EXITS

# Bochs' name of the processor, and what is special about it.
MODELS = {
    "haswell": ("corei7_haswell_4770", "Haswell, which has virtual APICs"),
    "nehalem": ("corei5_lynnfield_750", "Nehalem: no unrestricted guest, no FSGSBASE"),
}
ROUNDS = 64
# Run to the first mark, list what comes until the second one.
COMMANDS = "c\ntrace on\nc\ntrace off\n"
# One instruction in that list: where, and what.
LINE = re.compile(r"^\(\d\)\.\[\d+\] \[0x[0-9a-f]+\] ([0-9a-f]{4}):([0-9a-f]{16}) "
                  r"\([^)]*\): (.*?) *;")
KERNEL = 1 << 63
COSTLY = {
    "VMREAD": r"vmread ",
    "VMWRITE": r"vmwrite ",
    "entries": r"vmresume|vmlaunch",
    "RDMSR": r"rdmsr",
    "WRMSR": r"wrmsr",
    "CR3": r"mov cr3,",
    "CR2": r"mov cr2,",
    "LGDT": r"lgdt ",
    "SWAPGS": r"swapgs",
    "SYSCALL": r"syscall",
    "SYSRET": r"sysret",
    "LOCK": r"lock |xchg .*\[",
}


def who(selector, address):
    """Who executes what is there: kernel, monitor or guest."""
    if address & KERNEL:
        return "kernel"
    return "monitor" if selector & 3 else "guest"


def events(listing):
    """(who, address, text) of each instruction in a listing, but for the guest's."""
    for match in re.finditer(LINE.pattern, listing, re.MULTILINE):
        owner, address = who(int(match[1], 16), int(match[2], 16)), int(match[2], 16)
        if owner != "guest":
            yield owner, address, match[3]


def count(listing):
    """How many instructions of each kind there are, and of whom."""
    counts = collections.Counter()
    for owner, _, text in events(listing):
        counts[owner] += 1
        counts.update(name for name, pattern in COSTLY.items() if re.match(pattern, text))
    return dict(counts)


def listings(file_name):
    """What the debugger has listed between the two marks of each round."""
    with open(file_name, encoding="utf-8", errors="replace") as file:
        parts = re.split(r"^\(\d\) Magic breakpoint$", file.read(), flags=re.MULTILINE)
    return parts[1::2]


def shortest(build, logs, model):
    """{exit: (instructions by the clock, the listing of its shortest round)} on this processor."""
    folder = os.path.join(logs, f"exits-{model}")
    output = bochs.run(folder, os.path.join(build, "kernel", "bulkhead.elf"),
                       os.path.join(build, "bench", "exits", "image.elf"), model, 1,
                       COMMANDS * (len(EXITS) * 2 * ROUNDS) + "c\nquit\n")
    listed = listings(os.path.join(folder, "output.txt"))
    if "bench: done" not in output or len(listed) != len(EXITS) * 2 * ROUNDS:
        raise Failure(f"no figures from Bochs: see {folder}")
    ticks = figures.printed(output)
    rounds = (listed[n:n + ROUNDS] for n in range(0, len(listed), 2 * ROUNDS))
    return {name: (ticks[name], min(lists, key=len)) for name, lists in zip(EXITS, rounds)}


def parallel(build, logs):
    """Exits per second of one and more VMs, whose processors Bochs lets advance together."""
    folder = os.path.join(logs, "parallel")
    output = bochs.run(folder, os.path.join(build, "kernel", "bulkhead.elf"),
                       os.path.join(build, "bench", "parallel.elf"), MODELS["haswell"][0], 4)
    if "bench: done" not in output:
        raise Failure(f"no figures from Bochs: see {folder}")
    return figures.printed(output)


def measure(build, logs):
    """vtx.MODEL.EXIT to instructions, and vtx.MODEL.EXIT.KIND to how many are of a kind."""
    measured = {}
    for name, (model, _) in MODELS.items():
        for exit_name, (ticks, listed) in shortest(build, logs, model).items():
            measured[f"vtx.{name}.{exit_name}"] = ticks
            measured |= {f"vtx.{name}.{exit_name}.{kind}": number
                         for kind, number in count(listed).items()}
    return measured
