# SPDX-License-Identifier: BSD-2-Clause
"""Disk images for the emulated machines: made, looked at and damaged from outside."""

import hashlib
import json
import os
import subprocess

from machine import Failure

MAKE_DISK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/guest/make-disk")
PARTITION_MIB = 32
MIB = 1 << 20
MBR_MIB = 8
TOOLS = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin",
             PARTITION_MIB=str(PARTITION_MIB))


def run(*command, text=None, good=(0,)):
    """Runs a tool; returns its output."""
    made = subprocess.run(command, env=TOOLS, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if made.returncode not in good:
        raise Failure(f"{' '.join(command)}: {made.stdout}")
    return made.stdout


class Disk:
    """
    An image with a partition for each label, the first at 1 MiB: of PARTITION_MIB and empty, unless
    the folder contents has something for that label (see make-disk).
    """

    def __init__(self, path, serial, labels, contents):
        self.path = path
        self.serial = serial
        self.labels = labels
        if os.path.exists(path):
            os.remove(path)
        if labels:
            run("env", f"CONTENTS={contents}", MAKE_DISK, path, *labels)

    def arguments(self, port=0):
        """QEMU's, for the disk at a port of the machine's own controller."""
        name = f"disk{port}"
        return ["-drive", f"if=none,id={name},format=raw,discard=unmap,file={self.path}",
                "-device", f"ide-hd,drive={name},bus=ide.{port},serial={self.serial}"]

    def failing_arguments(self, **sectors):
        """The same, but this sector fails when it is read, or that one when it is written."""
        errors = [{"event": "none", "iotype": kind, "sector": sector, "errno": 5, "once": False}
                  for kind, sector in sectors.items()]
        node = {"driver": "raw", "node-name": "disk0",
                "file": {"driver": "blkdebug", "inject-error": errors,
                         "image": {"driver": "file", "filename": self.path}}}
        return ["-blockdev", json.dumps(node), "-device",
                f"ide-hd,drive=disk0,bus=ide.0,serial={self.serial},rerror=report,werror=report"]

    def start(self, number):
        """Of a partition, in bytes."""
        return (1 + number * PARTITION_MIB) * MIB

    def sectors(self, _number):
        """Of a partition."""
        return PARTITION_MIB * MIB // 512

    def make_mbr(self):
        """One primary partition and, in an extended one, a logical one: number 5."""
        with open(self.path, "wb") as file:
            file.truncate(MBR_MIB * MIB)
        run("sfdisk", "--quiet", self.path,
            text="label: dos\nstart=2048, size=2048\nstart=4096, size=10240, type=5\n"
                 "start=6144, size=6144\n")

    def logical_start(self):
        """Of partition 5, in bytes."""
        return 6144 * 512

    def read(self, offset, length):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def damage(self, offset):
        """Turns the bits of a byte."""
        byte = self.read(offset, 1)
        self.write(offset, bytes([byte[0] ^ 0xff]))

    def write(self, offset, content):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(content)

    def _others(self, number):
        """The ranges of the image that are not this partition."""
        end = self.start(number) + PARTITION_MIB * MIB
        return [(0, self.start(number)), (end, os.path.getsize(self.path) - end)]

    def fill_others(self, number, text):
        """All other partitions, and the room before the first, full of this text."""
        line = (text + b"\n") * (65536 // (len(text) + 1) + 1)
        first, last = 34 * 512, self.start(len(self.labels))
        for offset in range(first, last, 65536):
            count = min(65536, last - offset)
            inside = offset < self.start(number + 1) and offset + count > self.start(number)
            if not inside:
                self.write(offset, line[:count])

    def hash_others(self, number):
        found = hashlib.sha256()
        for offset, length in self._others(number):
            found.update(self.read(offset, length))
        return found.hexdigest()

    def hash(self):
        return hashlib.sha256(self.read(0, os.path.getsize(self.path))).hexdigest()

    def _place(self, number):
        return f"{self.path}?offset={self.start(number)}"

    def put_file(self, number, name, content):
        source = self.path + ".file"
        with open(source, "w", encoding="utf-8") as file:
            file.write(content + "\n")
        run("debugfs", "-w", "-R", f"write {source} {name}", self._place(number))

    def check_file_system(self, number):
        """It is in order."""
        run("e2fsck", "-f", "-n", self._place(number))

    def recover(self, number):
        """A copy of the partition, in order after its journal was replayed; the disk stays."""
        copy = self.path + ".partition"
        with open(copy, "wb") as file:
            file.write(self.read(self.start(number), PARTITION_MIB * MIB))
        run("e2fsck", "-p", copy, good=(0, 1))
        run("e2fsck", "-f", "-n", copy)
        return copy
