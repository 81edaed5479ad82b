#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guests that go wrong: run.py BUILD-DIRECTORY GUEST.

Each costs its own VM and no more, and is reported with the guest's registers by its monitor and in
one line by the supervisor.
"""

import os
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))

from machine import Failure, Machine  # noqa: E402

# What the monitor says of each.
REPORTS = {
    "triple-fault": "triple fault",
    "garbage": "triple fault",
    "unmapped": r"access to memory that is not there \(cause 30, d0000000\)",
}
DESCRIPTION = "system: {0}\nvms:\n  - name: {0}\n    memory: 64M\n    kernel: {0}.bzimage\n"


def make_image(build, guest):
    folder = os.path.join(build, "guests", guest)
    description = folder + ".yaml"
    with open(description, "w", encoding="utf-8") as file:
        file.write(DESCRIPTION.format(guest))
    subprocess.run([os.path.join(build, "tools", "bulkhead", "bulkhead"), "build", description,
                    "--artifacts", os.path.join(build, "guests"), "-o", folder], check=True)
    return os.path.join(folder, "image.elf")


def main():
    build, guest = os.path.abspath(sys.argv[1]), sys.argv[2]
    logs = os.path.join(build, "test-logs", "guest")
    os.makedirs(logs, exist_ok=True)
    boot = ["-kernel", os.path.join(build, "kernel", "bulkhead.elf"),
            "-initrd", make_image(build, guest)]
    try:
        with Machine(os.path.join(logs, guest + ".log"), boot, memory=512) as machine:
            machine.expect(r"^guest: about to go wrong$")
            machine.expect(rf"^vmm: {guest}: stopped: {REPORTS[guest]}", never="still alive")
            machine.expect(rf"^vmm: {guest}: rip [0-9a-f]{{16}} rflags ")
            machine.expect(rf"^vmm: {guest}: cr0 80000031 .* efer 500$")
            machine.expect(rf"^bulkhead\| vm '{guest}': crashed: reason 0x[0-9a-f]+, rip 0x")
            machine.expect(r"^bulkhead\| all virtual machines have ended")
    except Failure as failure:
        sys.exit(f"FAILED {guest}: {failure}")


main()
