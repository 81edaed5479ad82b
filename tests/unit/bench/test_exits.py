#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Of two consoles' figures of exits, the table of both (tests/bench/peers/exits.py)."""

import contextlib
import io
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, *folder)
                for folder in (("bench", "peers"), ("bench",), ("system",))]

import exits  # noqa: E402
import rows  # noqa: E402
from machine import Failure  # noqa: E402

CONSOLE = "".join(f"bench: {name} {number}\n" for number, name in enumerate(exits.EXITS, 1))


class Exits(unittest.TestCase):
    def test_a_figure_for_each_exit(self):
        self.assertEqual(exits.found("bench: exit.kick 7\n" + CONSOLE),
                         {name: number for number, name in enumerate(exits.EXITS, 1)})

    def test_a_missing_figure_is_named(self):
        with self.assertRaisesRegex(Failure, "no figure for exit.cpuid$"):
            exits.found(CONSOLE.replace("exit.cpuid ", "exit.cpuid_"))

    def test_ratios_stand_beside_their_systems(self):
        figures = exits.found(CONSOLE)
        slow = {name: 3 * number for name, number in figures.items()}
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exits.table({"AMD-V": {"ours": figures, "KVM": slow},
                         "VT-x": {"ours": slow, "KVM": figures}})
        lines = output.getvalue().splitlines()
        self.assertRegex(lines[0], r"ours, AMD-V +KVM +KVM:ours +ours, VT-x +KVM +KVM:ours$")
        for line, name in zip(lines[1:], exits.EXITS, strict=True):
            number = figures[name]
            self.assertTrue(line.startswith(rows.AMD[name].title))
            self.assertRegex(line, rf" {number} +{3 * number} +3\.0 +{3 * number} +{number} +0\.3$")


unittest.main()
