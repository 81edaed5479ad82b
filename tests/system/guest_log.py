# SPDX-License-Identifier: BSD-2-Clause
"""Which warnings a guest's kernel prints that the same kernel does not print on the bare machine.

Logs are the output of `dmesg -r` with a mark before each line (tools/guest/rootfs/tests/log).
"""

import re

MARK = "bulkhead-log: "
WARNING_LEVEL = 4
# Said at a lower level, but just as bad.
SUSPICIOUS = re.compile(
    r"\bunstable\b|clocksource.*watchdog|BUG:|WARNING:|Call Trace|unchecked MSR|lockup"
    r"|\bstall|firmware bug|\[Firmware|not responding|timed out|spurious|\berror\b|\bfailed\b",
    re.IGNORECASE)


def warnings(text):
    """The normalised warning lines of a marked log, in order, with the original of each."""
    found = {}
    for line in text.splitlines():
        match = re.search(re.escape(MARK) + r"<(\d+)>\[ *[\d.]+\] ?(.*)", line)
        if not match:
            continue
        level, message = int(match.group(1)) & 7, match.group(2).strip()
        if message and (level <= WARNING_LEVEL or SUSPICIOUS.search(message)):
            found.setdefault(normalise(message), message)
    return found


def normalise(message):
    """Without what differs from run to run and machine to machine: numbers."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]*\d[0-9a-f]*\b", "N", message.lower())


def only_in_guest(guest, native):
    """The original lines of warnings that only the guest's log has."""
    known = warnings(native)
    return [original for line, original in warnings(guest).items() if line not in known]


def has_log(text):
    return MARK in text
