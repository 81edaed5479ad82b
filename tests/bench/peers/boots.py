# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's arguments for the machines that are compared. They boot from what make* have made."""

import os

# What no machine says while all is well.
CRASH = r"^panic|PANIC|Panic on CPU|assertion failed|its monitor stopped|Kernel panic"


def _folder(build):
    return os.path.join(build, "bench", "peers")


def drive(build, image):
    """The machine's disk."""
    file = os.path.join(_folder(build), image)
    return ["-drive", f"if=none,id=disk,format=raw,file={file}",
            "-device", "ide-hd,drive=disk,bus=ide.0"]


def ours(build, image):
    """A system of ours."""
    return ["-kernel", os.path.join(build, "kernel", "bulkhead.elf"),
            "-initrd", os.path.join(_folder(build), image)]


def debian(build, initrd, command_line):
    """Debian on the machine itself."""
    folder = _folder(build)
    return ["-kernel", os.path.join(folder, "vmlinuz"), "-initrd", os.path.join(folder, initrd),
            "-append", f"console=ttyS0 {command_line}"]


def xen(build, initrd, command_line):
    """
    Xen with Debian as its first domain. In this emulator it does without SMAP and SMEP, and must
    not sleep by MWAIT (docs/emulators.md, section 3).
    """
    folder = _folder(build)
    memory = "dom0_mem=512M,max:512M"
    domain = f"{os.path.join(folder, 'vmlinuz')} console=hvc0 {command_line}"
    return ["-kernel", os.path.join(folder, "xen"),
            "-append", f"console=com1 com1=115200,8n1 smap=0 smep=0 cpuidle=0 {memory}",
            "-initrd", f"{domain},{os.path.join(folder, initrd)}"]
