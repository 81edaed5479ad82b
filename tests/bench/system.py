# SPDX-License-Identifier: BSD-2-Clause
"""What a system costs before and beside its guests: instructions to boot, memory."""

import json
import os
import re
import subprocess

from context import CRASH, SOURCE, Context, boot_to_shell, description
from machine import COUNTED
from size import sections


def boot(build):
    """The way of systems/linux to its guest's shell, where a tick of the TSC is an instruction."""
    context = Context(build, "bench-boot")
    text = description("linux").rstrip("\n") + "\n    statistics: true\n"
    with context.system(boot=context.assembled(text), accel=COUNTED) as machine:
        shell = boot_to_shell(machine)
        started = float(re.search(r"\[ *([\d.]+)\] Run /init as init process",
                                  shell.check("dmesg")).group(1))
        machine.send("poweroff\n")
        first = int(machine.expect(r"since the TSC was (\d+):", never=CRASH).group(1))
        initial, entry = map(int, re.search(
            r"initial task begins when the TSC is (\d+); it was (\d+) at", machine.output).groups())
    return {"boot.kernel": initial - entry, "boot.guest": first - entry,
            "boot.guest_init": round(started * 1e9)}


def report(build, description, artifacts="guest"):
    """Who has what, by the host tool."""
    tool = os.path.join(build, "tools", "bulkhead", "bulkhead")
    return json.loads(subprocess.run([tool, "report", "--json", "--artifacts",
                                      os.path.join(build, artifacts), description], check=True,
                                     stdout=subprocess.PIPE, text=True).stdout)


def kib(said, component):
    """What the component takes, beside guests' memory and what they boot from."""
    return sum(row["count"] * row["bytes_each"] for row in said["objects"]
               if row["owner"] == component and row["type"] != "pages of the boot image"
               and not row["object"].endswith((".ram", ".ram-high"))) + 1023 >> 10


def memory(build):
    """KiB that each part of systems/two takes."""
    said = report(build, os.path.join(SOURCE, "systems", "two", "system.yaml"))
    return {"memory.kernel": sum(sections(build, "debug").values()) >> 10} | {
        f"memory.{row['component']}": kib(said, row["component"]) for row in said["components"]}
