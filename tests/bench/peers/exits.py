# SPDX-License-Identifier: BSD-2-Clause
"""The guest that measures its exits (tests/guest/exits.c) on ours and on KVM, in instructions.

On AMD-V in QEMU under -icount, on VT-x in Bochs; KVM's host is Debian, its device model QEMU.
"""

import itertools
import os

import bochs
import boots
import figures
import rows
import vtx
from machine import COUNTED, Failure, Machine

# KVM's guest has no virtio console.
EXITS = [name for name in rows.EXITS if name != "exit.kick"]
KVM_TEST = "bulkhead.test=exits"
OURS_IMAGE = os.path.join("exits", "image.elf")


def found(output):
    measured = figures.printed(output)
    if missing := [name for name in EXITS if name not in measured]:
        raise Failure(f"no figure for {', '.join(missing)}")
    return {name: measured[name] for name in EXITS}


def in_qemu(boot, log):
    with Machine(log, boot, memory=1536, accel=COUNTED) as machine:
        machine.expect(r"^bench: done$", never=boots.CRASH)
        return found(machine.output)


def in_bochs(folder, kernel, module, linux=None):
    model, _ = vtx.MODELS["haswell"]
    return found(bochs.run(folder, kernel, module, model, 1, linux=linux))


def measure(build, logs):
    """Vendor to system to exit to instructions."""
    peers = os.path.join(build, "bench", "peers")
    return {
        "AMD-V": {
            "ours": in_qemu(boots.ours(build, os.path.join(os.pardir, OURS_IMAGE)),
                            os.path.join(logs, "exits-ours.log")),
            "KVM": in_qemu(boots.debian(build, "kvm.cpio.gz", f"quiet {KVM_TEST}"),
                           os.path.join(logs, "exits-kvm.log")),
        },
        "VT-x": {
            "ours": in_bochs(os.path.join(logs, "exits-ours-vtx"),
                             os.path.join(build, "kernel", "bulkhead.elf"),
                             os.path.join(build, "bench", OURS_IMAGE)),
            "KVM": in_bochs(os.path.join(logs, "exits-kvm-vtx"), os.path.join(peers, "vmlinuz"),
                            os.path.join(peers, "kvm-vtx.cpio.gz"),
                            f"console=ttyS0 quiet {KVM_TEST}"),
        },
    }


def table(measured):
    cell = ("{:54}" + " {:>11} {:>6} {:>8}" * len(measured)).format
    titles = ((f"ours, {vendor}", "KVM", "KVM:ours") for vendor in measured)
    print(cell("the same guest's exits, instructions", *itertools.chain(*titles)))
    for name in EXITS:
        columns = []
        for systems in measured.values():
            ours, kvm = systems["ours"][name], systems["KVM"][name]
            columns += [ours, kvm, f"{kvm / ours:.1f}"]
        print(cell(rows.AMD[name].title, *columns))
