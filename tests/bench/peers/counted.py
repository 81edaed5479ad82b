# SPDX-License-Identifier: BSD-2-Clause
"""One Linux guest on ours, on KVM, on Xen and on the machine itself, in instructions.

The same kernel, RAM disk and program (measure_work.c) each time, with one processor and 512 MiB,
one after the other under -icount, where a tick of the TSC is an instruction: what the whole machine
executes meanwhile, the host's part included. A TLB miss costs nothing there.
"""

import os
import re

import boots
from machine import COUNTED, Failure, Machine

ROWS = {
    "boot": "guest kernel's start to its /init",
    "cpuid": "exit: CPUID",
    "compute": "integers and branches: sorting",
    "touch": "first write to 65 536 pages",
    "chase": "1 048 576 steps from page to page",
    "xz": "xz of 2 MB",
}
SYSTEMS = {"ours": "ours", "kvm": "KVM", "xen": "Xen", "native": "native"}
PEERS = ("kvm", "xen")


def machines(build):
    """System to QEMU's arguments and memory in MiB."""
    work = "bulkhead.test=work"
    return {
        "ours": (boots.ours(build, "work/image.elf"), 2048),
        "kvm": (boots.debian(build, "kvm.cpio.gz", "quiet bulkhead.test=kvm"), 1536),
        "xen": (boots.xen(build, "xen.cpio.gz", "quiet bulkhead.test=xen"), 1536),
        "native": (boots.debian(build, "work.cpio.gz", f"quiet {work}"), 512),
    }


def figures(output):
    """Row to instructions, of what a guest has said."""
    found = {name: int(ticks) for name, ticks in
             re.findall(r"^bench: work\.(\w+) (\d+)$", output, re.M)}
    # The kernel's clock counts nanoseconds, and one of them is a tick.
    if started := re.search(r"^bench: seconds to init ([\d.]+)$", output, re.M):
        found["boot"] = round(float(started[1]) * 1e9)
    if missing := [row for row in ROWS if row not in found]:
        raise Failure(f"no figure for {', '.join(missing)}")
    return found


def run(boot, memory, log):
    with Machine(log, boot, memory=memory, accel=COUNTED) as machine:
        machine.expect(r"^bench: done$", never=boots.CRASH)
        return figures(machine.output)


def measure(build, logs):
    """SYSTEM.ROW to instructions."""
    measured = {}
    for system, (boot, memory) in machines(build).items():
        found = run(boot, memory, os.path.join(logs, f"counted-{system}.log"))
        measured |= {f"{system}.{row}": value for row, value in found.items()}
    return measured


def ratio(measured, row, system):
    """To native, where a CPUID leaves nothing."""
    if row == "cpuid":
        return "-"
    return f"{measured[f'{system}.{row}'] / measured[f'native.{row}']:.3f}"


def slower(measured, row):
    """The peers that are faster than ours."""
    return [peer for peer in PEERS if measured[f"ours.{row}"] > measured[f"{peer}.{row}"]]


def table(measured):
    cell = ("{:36}" + " {:>12}" * 4 + " {:>8}" * 3 + "  {}").format
    print(cell("the same guest, instructions", *SYSTEMS.values(),
               "ours:nat", "KVM:nat", "Xen:nat", "").rstrip())
    for row, title in ROWS.items():
        ratios = (ratio(measured, row, system) for system in SYSTEMS if system != "native")
        faster = " and ".join(SYSTEMS[peer] for peer in slower(measured, row))
        print(cell(title, *(measured[f"{system}.{row}"] for system in SYSTEMS), *ratios,
                   faster and f"{faster} faster").rstrip())
