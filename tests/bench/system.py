# SPDX-License-Identifier: BSD-2-Clause
"""What a system costs before and beside its guests: instructions to boot, memory."""

import json
import os
import re
import subprocess

from context import CRASH, SOURCE, Context, boot_to_shell, description
from machine import COUNTED

# Name: what it is, in instructions.
BOOT_ROWS = {
    "boot.kernel": "kernel entry to initial task",
    "boot.guest": "kernel entry to the guest's first instruction",
    "boot.guest_init": "guest's first instruction to its /init",
}


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


def kernel_kib(build):
    sections = subprocess.run(["size", os.path.join(build, "kernel", "bulkhead.elf")], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.splitlines()[1].split()
    return int(sections[3]) >> 10


def memory(build):
    """KiB that each part of systems/two takes, beside guests' memory and what they boot from."""
    tool = os.path.join(build, "tools", "bulkhead", "bulkhead")
    report = json.loads(subprocess.run(
        [tool, "report", "--json", os.path.join(SOURCE, "systems", "two", "system.yaml")],
        check=True, stdout=subprocess.PIPE, text=True).stdout)
    figures = {"memory.kernel": kernel_kib(build)}
    for component in report["components"]:
        name = component["component"]
        figures["memory." + name] = sum(
            row["count"] * row["bytes_each"] for row in report["objects"]
            if row["owner"] == name and row["type"] != "pages of the boot image"
            and not row["object"].endswith((".ram", ".ram-high"))) + 1023 >> 10
    return figures


def measure(build):
    return boot(build) | memory(build)


def show(measured):
    cell = "{:44} {:>8}".format
    print(cell("booting systems/linux", "thousand instructions"))
    for name, title in BOOT_ROWS.items():
        print(cell(title, measured[name] // 1000))
    print()
    print(cell("memory of systems/two beyond its guests'", "KiB"))
    for name, kib in measured.items():
        if name.startswith("memory."):
            print(cell(name.removeprefix("memory."), kib))
