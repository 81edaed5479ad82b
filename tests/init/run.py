#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py BUILD-DIRECTORY WAY: init and what may be wrong around it, in QEMU.

A monitor gone bad (bad_monitor.c): whatever it does, the supervisor says what happened, the system
comes to its end, and the emulator is asked to leave. A wrong boot image, or a machine that is too
small: init says so and starts nothing.
"""

import os
import re
import shutil
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))

from machine import Failure, Machine  # noqa: E402

STOPPED = r"vm 'bad': its monitor stopped: "
EXPECTED = {
    "page-fault": STOPPED + r"page fault at rip 0x4\w+, address 0x10$",
    "write-text": STOPPED + r"page fault at rip 0x4\w+, address 0x4\w+$",
    "run-data": STOPPED + r"page fault at rip (0x4\w+), address \1$",
    "exception": STOPPED + r"exception 6 at rip 0x4\w+, error code 0x0$",
    "bad-system-call": STOPPED + r"unknown system call$",
    "bad-capability": STOPPED + r"capability fault at rip 0x4\w+, cptr 0x100$",
    "flood": r"vm 'bad': its monitor sends nonsense$",
    "reboots": r"vm 'bad': starting, run 2$",
    "snoop": r"vm 'bad': powered off$",
}
# Ways in which nothing is started, and what init says then.
REFUSED = {
    "no-plan": r"there is no boot plan behind the program$",
    "other-version": r"boot plan refused: header: made by a tool of another version$",
    "wrong-plan": r"boot plan refused: header: wrong number of slots$",
    "missing-core":
        r"'bad\.[^']*' needs core 3, and this machine has 3 cores, numbered from 0$",
    "little-memory":
        r"not enough memory: \d+ of 32 objects 'bad\.ram' of 2\^21 bytes do not fit$",
}
STOPPED_LINE = r"^\[bulkhead\] stopped$"
PLAN_MAGIC = b"blk.plan"
# Where one is added to a byte of struct plan_header.
DAMAGE = {"other-version": 8, "wrong-plan": 12}
FAR_CORE = "    vcpus: 2\n    cores: [1, 3]\n"

LEAVING = r"^bulkhead\| all virtual machines have ended; leaving$"
EXIT_STATUS = 1  # what QEMU makes of a 0 at its debug port

DESCRIPTION = """system: bad
at-end: exit
vms:
  - name: bad
    memory: 64M
    kernel: kernel
"""


def tool(build, *arguments):
    return subprocess.run([os.path.join(build, "tools", "bulkhead", "bulkhead"), *arguments],
                          check=True, stdout=subprocess.PIPE, text=True).stdout


def make_image(build, folder, way, more=""):
    """The image of the description, with more keys for the VM; beside it is the description."""
    components = os.path.join(folder, "components")
    os.makedirs(components, exist_ok=True)
    for program in ("init.elf", "supervisor.elf", "console.elf", "sataserver.elf"):
        shutil.copy(os.path.join(build, "user", program), components)
    shutil.copy(os.path.join(build, "bad-monitors", f"bad-monitor-{way}.elf"),
                os.path.join(components, "vmm.elf"))
    # No monitor here reads it, but the tool wants to see a kernel.
    with open(os.path.join(folder, "kernel"), "wb") as kernel:
        kernel.write(bytes(0x202) + b"HdrS" + bytes(0x200))
    description = os.path.join(folder, "system.yaml")
    with open(description, "w", encoding="utf-8") as file:
        file.write(DESCRIPTION + more)
    tool(build, "build", description, "-o", folder, "--components", components)
    return os.path.join(folder, "image.elf")


def damage(image, offset):
    """Adds one to a byte of the plan's header."""
    with open(image, "rb") as file:
        data = bytearray(file.read())
    plan = data.index(PLAN_MAGIC)
    while plan % 4096:  # the same bytes inside init's code
        plan = data.index(PLAN_MAGIC, plan + 1)
    data[plan + offset] += 1
    with open(image, "wb") as file:
        file.write(data)


def machine_for(build, folder, image, memory=256, cores=1):
    boot = ["-kernel", os.path.join(build, "kernel", "bulkhead.elf"), "-initrd", image]
    return Machine(os.path.join(folder, "console.log"), boot, memory=memory, cores=cores)


def run_refused(build, folder, way):
    memory, cores = 256, 1
    image = make_image(build, folder, "exception", FAR_CORE if way == "missing-core" else "")
    if way == "no-plan":
        image = os.path.join(build, "user", "init.elf")
    elif way in DAMAGE:
        damage(image, DAMAGE[way])
    elif way == "little-memory":
        memory = 64
    elif way == "missing-core":  # one less than the tool says
        said = tool(build, "machine", os.path.join(folder, "system.yaml"))
        cores = int(re.search(r"^cores: (\d+)$", said, re.MULTILINE).group(1)) - 1
    with machine_for(build, folder, image, memory, cores) as machine:
        machine.expect(r"^\[bulkhead\] " + REFUSED[way], never=r"PANIC|panic:|starting")
        machine.expect(STOPPED_LINE)


def run_bad_monitor(build, folder, way):
    image = make_image(build, folder, way)
    with machine_for(build, folder, image) as machine:
        machine.expect(r"^bulkhead\| " + EXPECTED[way], never=r"PANIC|panic:|snoop:")
        machine.expect(LEAVING)
        status = machine.expect_end()
    if status != EXIT_STATUS:
        raise Failure(f"QEMU ended with status {status}, not {EXIT_STATUS}")
    lines = len(re.findall(r"sends nonsense", machine.output))
    if way == "flood" and lines != 1:
        raise Failure(f"{lines} lines about the flood, not one")


def main():
    build, way = os.path.abspath(sys.argv[1]), sys.argv[2]
    folder = os.path.join(build, "test-logs", "init", way)
    os.makedirs(folder, exist_ok=True)
    try:
        if way in REFUSED:
            run_refused(build, folder, way)
        else:
            run_bad_monitor(build, folder, way)
    except Failure as failure:
        print(f"{way}: {failure}")
        sys.exit(1)
    print(f"{way}: as expected")


if __name__ == "__main__":
    main()
