# SPDX-License-Identifier: BSD-2-Clause
"""What a disk request costs, in instructions: who executes them, and how often a guest is left.

measure-disk does its random requests, a fixed number for each figure, in a guest of ours and on the
machine itself. Meanwhile QEMU logs each instruction, as for ipi.py. When the emulated drive answers
is not the same in each run, so that the figures differ a little.
"""

import collections
import os
import tempfile

import boots
from ipi import LINE, Qmp, mode_of, symbols, watch
from machine import COUNTED, Machine

# Of measure_disk.c, whose figures of time rounds.py takes.
TITLES = {
    f"disk.{kind}.{size}.{depth}": f"{kind}, {order} {title}, {depth} at a time"
    for size, order, title in (("128k", "sequential", "128 KiB"), ("1m", "sequential", "1 MiB"),
                               ("4k", "random", "4 KiB"))
    for kind in ("read", "write") for depth in (1, 8, 32)
}
REQUESTS = 64  # as the guest's script disk asks for
ROWS = [f"disk.{kind}.4k.{depth}" for kind in ("read", "write") for depth in (1, 8, 32)]
# Functions of measure-disk: a figure's requests come after the first and before the second.
BEGIN, END = "ticks_for_request", "print_ticks"
SERVER_CORE = 0


def who(processor, mode):
    """Our user programs are told apart by the processor that they are on."""
    return "server" if mode == "monitor" and processor == SERVER_CORE else mode


def count(lines, begin, end):
    """For one request: the instructions of each, and exits."""
    found, last, running = collections.Counter(), {}, False
    for match in filter(None, map(LINE.match, lines)):
        processor, mode, address = int(match[1]), mode_of(int(match[3], 16)), int(match[2], 16)
        running |= address == begin
        if running and address == end:
            break
        if running:
            found[who(processor, mode)] += 1
            found["exits"] += last.get(processor) == "guest" and mode != "guest"
            last[processor] = mode
    return {name: number / REQUESTS for name, number in found.items()}


def watch_row(machine, qmp, row, places, folder):
    """What is executed while the guest makes one figure."""
    file = os.path.join(folder, row)
    machine.expect(rf"^bench: ready for {row}\n")
    watch(machine, qmp, file, "\n", rf"^bench: {row} \d+\n")
    with open(file, encoding="utf-8", errors="replace") as lines:
        found = count(lines, places[BEGIN], places[END])
    os.remove(file)
    return found


def run(build, boot, log, cores):
    """Row to figures of one machine."""
    places = symbols(os.path.join(build, "bench", "measure-disk"), [BEGIN, END])
    with tempfile.TemporaryDirectory() as folder:
        control = os.path.join(folder, "qmp")
        with Machine(log, [*boot, "-qmp", f"unix:{control},server=on,wait=off"],
                     accel=COUNTED, cores=cores) as machine:
            machine.expect("^bulkhead-test: begin disk\n")
            qmp = Qmp(control)
            return {row: watch_row(machine, qmp, row, places, folder) for row in ROWS}


def measure(build, logs):
    """Row to the figures of ours and of the machine itself."""
    ours = [*boots.ours(build, "disk/image.elf"), *boots.drive(build, "ours.img")]
    native = [*boots.debian(build, "disk.cpio.gz", "bulkhead.test=disk"),
              *boots.drive(build, "debian.img")]
    watched = {"ours": run(build, ours, os.path.join(logs, "disk-ours.log"), 2),
               "native": run(build, native, os.path.join(logs, "disk-native.log"), 1)}
    return {row: {system: figures[row] for system, figures in watched.items()} for row in ROWS}


def instructions(figures):
    return sum(number for name, number in figures.items() if name != "exits")


def table(rows):
    parts = ("guest", "monitor", "server", "kernel")
    cell = ("{:40}" + " {:>8}" * 8).format
    print(cell("instructions for a request", *parts, "all", "native", "native:all", "exits"))
    for row, figures in rows.items():
        ours, native = instructions(figures["ours"]), instructions(figures["native"])
        print(cell(TITLES[row], *(round(figures["ours"][part]) for part in parts), round(ours),
                   round(native), f"{native / ours:.2f}", f"{figures['ours']['exits']:.2f}"))
