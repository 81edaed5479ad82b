# SPDX-License-Identifier: BSD-2-Clause
"""What more VMs and more vCPUs cost: instructions for an exit of each, and memory.

The guest tests/guest/scale.c measures CPUID on all its processors at the same time; every vCPU of
every VM has a core of its own. The cores take turns under -icount, so that this shows paths that
grow, not cores that wait; that is parallel.c's.
"""

import os

from context import Context
from machine import COUNTED, Machine
from rows import SCALE, SCALE_VCPUS
from system import kib, report

RESULT = r"bench: cpuid (\d+) on {}\n"


def description(vms, vcpus):
    """VMs on the cores from 1 on; core 0 is the servers'."""
    text = "system: scale\nvms:\n"
    for vm in range(vms):
        cores = [1 + vm * vcpus + n for n in range(vcpus)]
        text += (f"  - name: v{vm + 1}\n    memory: 64M\n    kernel: scale.bzimage\n"
                 f"    vcpus: {vcpus}\n    cores: {cores}\n")
    return text


def exits(context, vms, vcpus, log):
    """The worst vCPU's median of all VMs."""
    boot = context.assembled(description(vms, vcpus), os.path.join(context.build, "guests"))
    with Machine(log, boot, memory=1024, accel=COUNTED, cores=1 + vms * vcpus) as machine:
        return max(int(machine.expect(RESULT.format(vcpus)).group(1)) for _ in range(vms))


def monitor_kib(context, vcpus):
    """What a VM takes beside its memory, by the report of its description."""
    file_name = os.path.join(context.logs, "scale.yaml")
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(description(1, vcpus))
    return kib(report(context.build, file_name, "guests"), "v1")


def measure(build, logs):
    context = Context(build, "bench-scale")
    figures = {f"scale.exit.{name}": exits(context, *setting,
                                           os.path.join(logs, f"scale-{name}.log"))
               for setting, name in SCALE.items()}
    return figures | {f"scale.kib.{vcpus}_vcpus": monitor_kib(context, vcpus)
                      for vcpus in SCALE_VCPUS}
