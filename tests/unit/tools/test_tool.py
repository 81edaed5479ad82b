#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The host tool as its users call it: test_tool.py BUILD-DIRECTORY [UNITTEST-ARG...].

What is said about each description in disk-cases/, checked with the options in its second line, is
compared with the file beside it that ends in .expected; UPDATE=1 in the environment writes these.
"""

import filecmp
import glob
import os
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = ""
UUID = "01234567-89ab-cdef-0123-456789abcdef"
UUID_2 = "89abcdef-0123-4567-89ab-cdef01234567"


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def make_kernel(path):
    """What passes for a bzImage."""
    write(path, bytes(0x202) + b"HdrS" + bytes(4096 - 0x206))


def partition(image, program, *arguments, script=""):
    subprocess.run([program, *arguments, image], input=script, text=True, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_disks():
    """The images that disk-cases/ name, in the current folder."""
    for name in ("gpt.img", "copy.img", "mbr.img", "damaged.img", "empty.img", "large.img"):
        with open(name, "wb") as file:
            file.truncate(16 << 20)
    for name in ("gpt.img", "copy.img", "damaged.img"):
        partition(name, "/sbin/sgdisk", "-n1:0:+1M", "-c1:home", f"-u1:{UUID}", "-n2:0:+1M",
                  "-c2:twin", f"-u2:{UUID_2}", "-n3:0:+1M", "-c3:twin")
    with open("damaged.img", "r+b") as file:
        file.seek(512)
        file.write(b"damaged")
    partition("mbr.img", "/sbin/sfdisk",
              script="label: dos\nlabel-id: 0x1234abcd\n1: size=1M\n2: size=8M, type=5\n5: size=1M\n")
    subprocess.run(["/sbin/parted", "-s", "large.img", "mklabel", "gpt", "mkpart", "large", "1M",
                    "2M"], check=True, stderr=subprocess.DEVNULL, env={**os.environ, "PARTED_SECTOR_SIZE": "4096"})


def tool(*arguments, environment=None):
    return subprocess.run([os.path.join(BUILD, "tools", "bulkhead", "bulkhead"), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env=environment)


class InFolder(unittest.TestCase):
    """In an empty folder with a kernel in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        make_kernel("vmlinuz")


class Disks(InFolder):
    """check --disk"""

    def judge(self, path):
        options = text_of(path).splitlines()[1].removeprefix("# ").split()
        result = tool("check", "--artifacts", ".", *options, path)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, int(": error: " in result.stderr), result.stderr)
        return result.stderr.replace(HERE + "/disk-cases/", "")

    def test_cases(self):
        make_disks()
        paths = sorted(glob.glob(os.path.join(HERE, "disk-cases", "*.yaml")))
        self.assertGreater(len(paths), 10)
        for path in paths:
            with self.subTest(os.path.basename(path)):
                expected = path.removesuffix(".yaml") + ".expected"
                said = self.judge(path)
                if os.environ.get("UPDATE") and said:
                    write(expected, said.encode())
                self.assertEqual(said, text_of(expected) if os.path.exists(expected) else "")

    def test_unreadable(self):
        for disk in ("nothing.img", "X=nothing.img", "."):
            result = tool("check", "--artifacts", ".", "--disk", disk,
                          os.path.join(HERE, "disk-cases", "label-missing.yaml"))
            self.assertEqual(result.returncode, 3)
            self.assertIn(disk.removeprefix("X=") + ": ", result.stderr)


DESCRIPTION = """system: test
vms:
  - name: linux
    memory: 64M
    kernel: vmlinuz
"""


class Build(InFolder):
    """build"""

    def test_reproducible(self):
        """The same bytes, whatever the folders are called, the clock says and the files' dates."""
        for folder, date in (("first", 1), ("second-one", 1000000000)):
            os.mkdir(folder)
            make_kernel(f"{folder}/vmlinuz")
            write(f"{folder}/system.yaml", DESCRIPTION.encode())
            for name in ("vmlinuz", "system.yaml"):
                os.utime(f"{folder}/{name}", (date, date))
            result = tool("build", "--iso", "-o", f"{folder}/out", f"{folder}/system.yaml")
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.assertEqual(sorted(os.listdir(f"{folder}/out")), ["image.elf", "image.iso"])
            # FAT has even seconds.
            time.sleep(2)
        for name in ("image.elf", "image.iso"):
            self.assertTrue(
                filecmp.cmp(f"first/out/{name}", f"second-one/out/{name}", shallow=False), name)

    def test_iso_tools_missing(self):
        write("system.yaml", DESCRIPTION.encode())
        result = tool("build", "--iso", "-o", "out", "system.yaml", environment={"PATH": "."})
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stderr, "^bulkhead: grub-mkimage: No such file")


def main():
    global BUILD
    if len(sys.argv) < 2:
        sys.exit("usage: test_tool.py BUILD-DIRECTORY [UNITTEST-ARG...]")
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()


if __name__ == "__main__":
    main()
