# SPDX-License-Identifier: BSD-2-Clause
"""Ours beside KVM and beside no virtualisation at all, free running.

Two emulated machines with three processors each are up at the same time: one runs our system with a
guest of two virtual CPUs, the other Debian with KVM and the very same guest. The measuring programs
(measure*.c) run in both guests and in Debian itself, in turns, ROUNDS times; the other machine
stands still then, clock and all. Times of an emulator mean nothing, so that what is printed are
medians of the rounds' ratios. docs/performance.md says what they tell.
"""

import contextlib
import glob
import os
import re
import statistics
import sys
import tempfile

import boots
import disk
from ipi import Qmp
from machine import PARALLEL, Failure, Machine

ROUNDS = int(os.environ.get("ROUNDS", "5"))

# Of measure.c.
PROCESSOR_ROWS = {
    "cpuid.one": "CPUID, one vCPU",
    "cpuid.two": "CPUID, two vCPUs together",
    "ipi": "IPI to a busy vCPU and its answer",
    "wake": "waking a sleeping vCPU, and back",
    "xz.one": "xz on one vCPU",
    "xz.two": "xz on two vCPUs",
}
# Of measure_work.c.
WORK_ROWS = {
    "work.compute.part": "integers and branches: sorting",
    "work.touch": "first write to 65 536 pages",
    "work.chase.part": "65 536 steps from page to page",
}
# What measures, its arguments in a guest and without one, and its rows.
PROGRAMS = [
    ("measure", "0 1 /tmp/input", "1 2 /tmp/input", PROCESSOR_ROWS),
    ("measure-work", "0", "1", WORK_ROWS),
    ("measure-disk", "0 /dev/vda", "1 /dev/sda1", disk.TITLES),
]
SCALING_ROWS = {
    "exits per second": ("cpuid.one", "cpuid.two"),
    "xz": ("xz.one", "xz.two"),
}
SYSTEMS = ("ours", "KVM", "native")
PROCESSORS = 3


def controlled(control):
    """A name, so that QEMU's threads can be told apart, and a control socket."""
    return ["-name", "peer,debug-threads=on", "-qmp", f"unix:{control},server=on,wait=off"]


@contextlib.contextmanager
def standing_still(control):
    """
    The other machine while one is measured: idle ones tick, too, Debian's three processors and the
    two of its guest 250 times a second each, on real processors that the measured one wants.
    """
    control.execute("stop")
    yield
    control.execute("cont")


def pin(machine):
    """
    Emulated processors on real ones, in turns: 1 and 2 on different ones. Where both share one for
    a while, who waits for the other spins until the real one's scheduler takes it away:
    milliseconds.
    """
    available = sorted(os.sched_getaffinity(0))
    pinned = 0
    for task in glob.glob(f"/proc/{machine.process.pid}/task/*"):
        with open(os.path.join(task, "comm"), encoding="utf-8") as file:
            if found := re.match(r"CPU (\d+)/TCG", file.read()):
                real = available[int(found[1]) % len(available)]
                os.sched_setaffinity(int(os.path.basename(task)), {real})
                pinned += 1
    if pinned != PROCESSORS:
        raise Failure(f"QEMU has {pinned} threads for {PROCESSORS} emulated processors")


def ours(build, log, control):
    boot = [*controlled(control), *boots.ours(build, "image.elf"), *boots.drive(build, "ours.img")]
    return Machine(log, boot, accel=PARALLEL, cores=PROCESSORS)


def debian(build, log, control):
    """
    Debian as a host. Its timer ticks always: QEMU now and then delivers an interrupt only with the
    next one (docs/emulators.md, section 3), and waiting for that must have an end.
    """
    boot = [*controlled(control), *boots.drive(build, "debian.img"),
            *boots.debian(build, "host.cpio.gz", "nohz=off highres=off bulkhead.test=host")]
    return Machine(log, boot, memory=3072, accel=PARALLEL, cores=PROCESSORS)


def ask(machine, request, rows):
    """The figures of one run of a measuring program: name to ticks."""
    machine.send(request + "\n")
    begin = machine.position
    machine.expect(r"^bench: done$", never=boots.CRASH)
    figures = {name: int(value) for name, value in
               re.findall(r"^bench: (\S+) (\d+)$", machine.output[begin:machine.position], re.M)}
    if missing := [name for name in rows if name not in figures]:
        raise Failure(f"{request}: no figure for {', '.join(missing)}")
    return figures


def one_round(bulkhead, host, bulkhead_control, host_control):
    """
    The figures of the three systems, of which each has its turn with each program, so that the
    times that are compared are not far apart.
    """
    figures = {system: {} for system in SYSTEMS}
    for program, arguments, native_arguments, rows in PROGRAMS:
        in_guest = f"/bin/{program} {arguments}"
        with standing_still(host_control):
            figures["ours"] |= ask(bulkhead, in_guest, rows)
        with standing_still(bulkhead_control):
            figures["KVM"] |= ask(host, f"/tests/in-kvm {in_guest}", rows)
            figures["native"] |= ask(host, f"/bin/{program} {native_arguments}", rows)
    return figures


def measure(build, logs):
    """A list of rounds."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        controls = [os.path.join(folder, name) for name in ("ours", "debian")]
        with (ours(build, os.path.join(logs, "peers-ours.log"), controls[0]) as bulkhead,
              debian(build, os.path.join(logs, "peers-debian.log"), controls[1]) as host):
            for machine in (bulkhead, host):
                machine.expect(r"^bench: ready$", never=boots.CRASH)
                pin(machine)
            control = [Qmp(path) for path in controls]
            for number in range(ROUNDS):
                print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
                rounds.append(one_round(bulkhead, host, *control))
    return rounds


def ratio(rounds, above, below):
    """
    Median over the rounds of one (system, row) as a multiple of another; and the extremes. A CPUID
    that does not leave a guest says nothing.
    """
    if any(system == "native" and row.startswith("cpuid") for system, row in (above, below)):
        return "-"
    ratios = [figures[above[0]][above[1]] / figures[below[0]][below[1]] for figures in rounds]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def table(rounds):
    cell = "{:40} {:>21} {:>21} {:>21}".format
    print(f"medians of {len(rounds)} rounds (least-greatest)\n")
    print(cell("times", "ours : KVM", "ours : native", "KVM : native"))
    for row, title in (PROCESSOR_ROWS | WORK_ROWS).items():
        pairs = [("ours", "KVM"), ("ours", "native"), ("KVM", "native")]
        print(cell(title, *(ratio(rounds, (above, row), (below, row)) for above, below in pairs)))
    print()
    print(cell("work on two as a multiple of one", *SYSTEMS))
    for title, (one, two) in SCALING_ROWS.items():
        print(cell(title, *(ratio(rounds, (system, one), (system, two)) for system in SYSTEMS)))
    print()
    print(cell("bytes per second as a part of native", "ours", "KVM", ""))
    for row, title in disk.TITLES.items():
        print(cell(title, *(ratio(rounds, ("native", row), (system, row))
                            for system in SYSTEMS[:2]), "").rstrip())
