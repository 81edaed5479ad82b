#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The counted comparison: what is read of a guest's console, and what the table says of it."""

import contextlib
import io
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, *folder) for folder in (("bench", "peers"), ("system",))]

import counted  # noqa: E402
from machine import Failure  # noqa: E402

CONSOLE = """\
(XEN) d1v0 says something, and bench: work.cpuid 1 is not at its line's beginning
bench: seconds to init 1.497012
bench: work.cpuid 452
bench: work.compute 1000
bench: work.compute.part 25
bench: work.touch 2000
bench: work.chase 3000
bench: work.xz 4000
bench: done
"""


def measured(**changed):
    """All systems alike but for what is named system_row."""
    figures = {f"{system}.{row}": 1000 for system in counted.SYSTEMS for row in counted.ROWS}
    return figures | {name.replace("_", "."): value for name, value in changed.items()}


def lines(figures):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        counted.table(figures)
    return output.getvalue().splitlines()[1:]


class Counted(unittest.TestCase):
    def test_figures_of_a_console(self):
        self.assertEqual(counted.figures(CONSOLE), {
            "boot": 1497012000, "cpuid": 452, "compute": 1000, "touch": 2000, "chase": 3000,
            "xz": 4000})

    def test_each_missing_figure_is_named(self):
        for row in counted.ROWS:
            said = "seconds to init" if row == "boot" else f"work.{row} "
            console = "".join(line for line in CONSOLE.splitlines(True)
                              if not line.startswith(f"bench: {said}"))
            with self.assertRaisesRegex(Failure, f"no figure for {row}$"):
                counted.figures(console)

    def test_each_system_boots_its_own_way(self):
        boots = [" ".join(boot) for boot, _ in counted.machines("/build").values()]
        self.assertEqual(list(counted.machines("/build")), list(counted.SYSTEMS))
        self.assertEqual(len(set(boots)), len(boots))

    def test_ratios_are_to_native(self):
        rows = dict(zip(counted.ROWS, lines(measured(kvm_xz=1500))))
        self.assertRegex(rows["xz"], r" 1\.000 +1\.500 +1\.000$")
        self.assertRegex(rows["cpuid"], r" - +- +-$")

    def test_peers_that_are_faster_are_named(self):
        rows = dict(zip(counted.ROWS, lines(measured(ours_compute=1001, kvm_compute=1001))))
        self.assertTrue(rows["compute"].endswith("Xen faster"))
        rows = dict(zip(counted.ROWS, lines(measured(ours_compute=1001))))
        self.assertTrue(rows["compute"].endswith("KVM and Xen faster"))
        self.assertNotIn("faster", rows["xz"])


unittest.main()
