# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of whole systems share: where things are, machines that boot, guests' shells."""

import os
import shutil
import subprocess
import sys

import disks
from machine import ESCAPE, Failure, Machine, Shell

# What no test wants to see: our kernel, a monitor or the guest's kernel in trouble.
CRASH = (r"^panic|PANIC|assertion failed|its monitor stopped|crashed:|could not be started"
         r"|Kernel panic|BUG:|Oops:|Call Trace|unchecked MSR")

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# See tests/monitor/crash_port.c.
CRASH_MONITOR = "printf U | dd of=/dev/port bs=1 seek=1520 2>/dev/null"
# For a VM with several CPUs that QEMU runs in parallel: without the self tests of Linux's ciphers,
# for which it patches code while other CPUs run that (docs/emulators.md, section 3).
CONSOLE = "console=hvc0 earlyprintk=ttyS0"
COMMAND_LINE = f'"{CONSOLE}"'
PARALLEL_COMMAND_LINE = f'"{CONSOLE} cryptomgr.notests"'


def description(system):
    """The text that describes a system of systems/."""
    with open(os.path.join(SOURCE, "systems", system, "system.yaml"), encoding="utf-8") as file:
        return file.read()


class Context:
    """Where things are, and machines that boot the system under test."""

    def __init__(self, build, name):
        self.build = build
        self.name = name
        self.logs = os.path.join(build, "test-logs", "system")
        os.makedirs(self.logs, exist_ok=True)

    def path(self, *parts):
        path = os.path.join(self.build, *parts)
        if not os.path.exists(path):
            raise Failure(f"{os.path.join(*parts)} is not built (./bulkhead build systems/linux)")
        return path

    def log(self, suffix=""):
        return os.path.join(self.logs, f"{self.name}{suffix}.log")

    def direct(self, system="linux"):
        """Boot by multiboot 1, as QEMU does it."""
        return ["-kernel", self.path("kernel", "bulkhead.elf"),
                "-initrd", self.path("systems", system, "image.elf")]

    def described(self, vcpus, cores):
        """Boot systems/linux with other numbers of vCPUs and cores for them."""
        text = description("linux").replace(COMMAND_LINE, PARALLEL_COMMAND_LINE)
        return self.assembled(text.rstrip("\n") + f"\n    vcpus: {vcpus}\n    cores: {cores}\n")

    def loaded(self):
        """Boot systems/two with programs to work with, and two vCPUs for the second VM, too."""
        text = description("two").replace("initrd: initramfs.cpio.gz", "initrd: load.cpio.gz")
        text = text.replace(COMMAND_LINE, PARALLEL_COMMAND_LINE)
        return self.assembled(text.replace("    cores: [2]", "    vcpus: 2\n    cores: [1, 2]"))

    def assembled(self, text, artifacts=None, components=None):
        """Boot the system that the text describes.

        artifacts, components: where its images and programs are.
        """
        folder = self.log("-image").removesuffix(".log")
        os.makedirs(folder, exist_ok=True)
        file_name = os.path.join(folder, "system.yaml")
        with open(file_name, "w", encoding="utf-8") as file:
            file.write(text)
        made = subprocess.run(
            [self.path("tools", "bulkhead", "bulkhead"), "build", "-o", folder, file_name,
             *(["--artifacts", artifacts] if artifacts else []),
             *(["--components", components] if components else [])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            raise Failure(f"bulkhead build: {made.stdout}")
        return ["-kernel", self.path("kernel", "bulkhead.elf"),
                "-initrd", os.path.join(folder, "image.elf")]

    def crashable(self):
        """The programs, with a monitor that its guest can crash (CRASH_MONITOR)."""
        components = self.log("-components").removesuffix(".log")
        shutil.rmtree(components, ignore_errors=True)
        shutil.copytree(self.path("user"), components, ignore=lambda folder, names: [
            name for name in names if not name.endswith(".elf")])
        shutil.copy(self.path("monitors", "vmm-crashable.elf"),
                    os.path.join(components, "vmm.elf"))
        return components

    def disk(self, labels, serial="TEST", name="disk"):
        """A disk that was just made, with a file system on a partition for each label."""
        return disks.Disk(self.log(f"-{name}").removesuffix(".log") + ".img", serial, labels,
                          self.path("guest"))

    def iso(self, stick=False):
        """Boot by multiboot 2, from an image that GRUB is on: as a CD or as a USB stick."""
        folder = self.log("-iso").removesuffix(".log")
        made = subprocess.run(
            [self.path("tools", "bulkhead", "bulkhead"), "build", "--iso", "-o", folder,
             os.path.join(SOURCE, "systems", "linux", "system.yaml")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            raise Failure(f"bulkhead build --iso: {made.stdout}")
        image = os.path.join(folder, "image.iso")
        if not stick:
            return ["-cdrom", image]
        return ["-drive", f"if=none,id=stick,format=raw,readonly=on,file={image}",
                "-device", "qemu-xhci", "-device", "usb-storage,drive=stick"]

    def uefi_firmware(self):
        folder = "/usr/share/OVMF"
        if not os.path.exists(f"{folder}/OVMF_CODE_4M.fd"):
            print("skipped: no OVMF on this machine")
            sys.exit(77)
        variables = self.log("-variables") + ".fd"
        shutil.copy(f"{folder}/OVMF_VARS_4M.fd", variables)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={folder}/OVMF_CODE_4M.fd",
                "-drive", f"if=pflash,format=raw,file={variables}"]

    def system(self, boot=None, **options):
        return Machine(self.log(), boot or self.direct(), **options)

    def native(self, command_line):
        """
        The guest's kernel and initramfs on the bare emulated machine, with both consoles. (QEMU
        then keeps Ctrl-A for itself.)
        """
        return Machine(
            self.log("-native"),
            ["-kernel", self.path("guest", "vmlinuz"),
             "-initrd", self.path("guest", "initramfs.cpio.gz"), "-append", command_line,
             "-device", "virtio-serial-pci,max_ports=1,disable-legacy=on",
             "-device", "virtconsole,chardev=terminal"],
            memory=512,
            serial=["-chardev", "stdio,id=terminal,mux=on", "-serial", "chardev:terminal"])


def boot_to_shell(machine):
    shell = Shell(machine)
    shell.wait(never=CRASH)
    return shell


def switch(machine, key, name):
    """Gives the keyboard to another VM."""
    machine.send(ESCAPE + key)
    machine.expect(rf"^\[console\] the keyboard goes to {name}$")


def switch_to_shell(machine, key, name):
    """The shell of another VM, which has the keyboard then."""
    switch(machine, key, name)
    shell = Shell(machine)
    machine.send("\n")
    shell.wait(never=CRASH)
    return shell
