# SPDX-License-Identifier: BSD-2-Clause
"""What IPC between two cores costs, in instructions, and which core executes them.

cores.c puts a mark before and after each operation. QEMU logs every instruction with its
processor, all processors taking turns under -icount. What most rounds cost counts: in some a
timer comes between.
"""

import collections
import os

from ipi import symbols
from listing import Program, record
from machine import Failure
from rows import CORES

ROUNDS = 8  # of each, in cores.c


def rounds(events, marks):
    """
    (first core's, second core's) instructions of each operation: of the core that has the marks
    those between them; of the other one all until the next operation begins, because the rest of
    what it does may come when the first has gone on.
    """
    places = [n for n, (_, mode, address) in enumerate(events)
              if mode == "monitor" and address in marks]
    begins, ends = places[::2], places[1::2]
    for begin, end, following in zip(begins, ends, begins[1:] + [len(events)]):
        first = events[begin][0]
        yield (sum(event[0] == first for event in events[begin + 1:end]),
               sum(event[0] != first for event in events[begin + 1:following]))


def usual(counts):
    return collections.Counter(counts).most_common(1)[0][0]


def measure(build, logs):
    """NAME.WHO to instructions."""
    elf = os.path.join(build, "bench", "cores.elf")
    events = record(build, elf, symbols(elf, ["measure"])["measure"],
                    os.path.join(logs, "cores.log"), r"bench: done", cores=2)
    counts = list(rounds(events, Program(elf).marks()))
    if len(counts) != ROUNDS * len(CORES):
        raise Failure(f"{len(counts)} operations between cores in QEMU's log")
    figures = {}
    for n, (name, (_, first, second)) in enumerate(CORES.items()):
        one, other = usual(counts[n * ROUNDS:(n + 1) * ROUNDS])
        figures |= {f"{name}.{first}": one, f"{name}.{second}": other}
    return figures
