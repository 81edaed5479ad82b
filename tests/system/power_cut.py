# SPDX-License-Identifier: BSD-2-Clause
"""Cuts of the power while a guest synchronises files, and what must be there after each.

The guest's side is tools/guest/rootfs/tests/synchronise. It is told one number at a time, so what
it has said is durable may depend on no later flush of its own.
"""

import os
import random
import tempfile

import disks
from machine import Failure

SLOTS = 64
PLACE_BYTES = 65536
CRASH_OR_ERROR = r"I/O error|EXT4-fs error|Kernel panic|BUG:|Oops:|its monitor stopped|crashed:"


def line(number):
    return b"%07d\n" % number


def content(number):
    """Of the file of an odd number."""
    size = number * 7919 % 60000 + 1
    return (line(number) * (size // 8 + 1))[:size]


def synchronise(machine, drive, number):
    machine.send(f"{number:07}\n")
    machine.expect(rf"^bulkhead-test: synchronised {number:07}$", never=CRASH_OR_ERROR)
    drive.acknowledge(number)


def cut_often(machine, drive, number, cuts):
    """Yields what so many power cuts leave; the guest begins with the number after this one.

    Half of them come when the guest has just been told that something is durable, the others amid
    its requests.
    """
    drive.acknowledge(number)
    machine.send("/tests/synchronise\n")
    machine.expect(r"^bulkhead-test: synchronising$")
    for _ in range(cuts):
        for _ in range(random.randrange(4)):
            number += 1
            synchronise(machine, drive, number)
        number += 1
        if random.randrange(2):
            synchronise(machine, drive, number)
            yield drive.cut_now()
        else:
            drive.cut_after(random.randrange(40))
            synchronise(machine, drive, number)
            yield drive.next_cut()


def check_place(found, done):
    """The last even number, or the next one, line by line."""
    last = done - done % 2
    good = {line(last), line(last + 2)} if done % 2 else {line(last)}
    lines = {found[at:at + 8] for at in range(0, len(found), 8)}
    if len(found) != PLACE_BYTES or not lines <= good:
        raise Failure(f"after {done} the file in place has {len(found)} bytes and lines of "
                      f"{sorted(lines - good)[:4]}")


def check_files(folder, done):
    """All that was acknowledged is in the folder; what the guest was at work on need not be."""
    odd = range(max(1, done - 2 * SLOTS + 3) | 1, done + 1, 2)
    for number in odd:
        with open(os.path.join(folder, f"file-{number // 2 % SLOTS}"), "rb") as file:
            found = file.read()
        if found != content(number):
            raise Failure(f"after {done}, what was synchronised as {number} has {len(found)} bytes "
                          f"that begin with {found[:16]!r}")
    with open(os.path.join(folder, "place"), "rb") as file:
        check_place(file.read(), done)


def check_cut(disk, cut):
    """The disk becomes what the cut has left: it recovers, and has what was acknowledged."""
    disk.write(0, cut.image)
    partition = disk.recover(0)
    with tempfile.TemporaryDirectory() as folder:
        disks.run("debugfs", "-R", f"rdump / {folder}", partition)
        try:
            check_files(folder, cut.acknowledged)
        except FileNotFoundError as error:
            raise Failure(f"after {cut.acknowledged}: {error}") from error
