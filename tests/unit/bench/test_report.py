#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The bench's figures: how they are put together, and the tables and pictures made of them."""

import os
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(SOURCE, "tests", "bench"), os.path.join(SOURCE, "tests", "system")]

import cores  # noqa: E402
import figures  # noqa: E402
import plots  # noqa: E402
import rows  # noqa: E402
import tables  # noqa: E402

KEPT = figures.load(os.path.join(SOURCE, "docs", "figures", "figures.json"))
PLACES = "\n".join(f"{name}\n<!-- table: {name} -->\nold\n<!-- end -->\n" for name in tables.TABLES)


class Figures(unittest.TestCase):
    def test_groups_are_replaced(self):
        """Steps that are no more go; what was not measured stays."""
        old = {"ipi.a.sender.1_kernel": 1, "ipi.a.sender.2_monitor": 2, "boot.kernel": 3}
        fresh = {"ipi.a.sender.1_kernel": 9}
        self.assertEqual(figures.merge(old, fresh), {"boot.kernel": 3, "ipi.a.sender.1_kernel": 9})

    def test_references_are_of_figures(self):
        self.assertLessEqual(set(rows.references()), set(KEPT))
        self.assertEqual(rows.references()["exit.cpuid"]["target"], 450)

    def test_all_rows_are_kept(self):
        for emulator in ("qemu", "bochs"):
            for name in rows.expected(emulator):
                self.assertIn(name, KEPT)


class Tables(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual([tables.number(value) for value in (0, 9999, 10000, 1234567, "x")],
                         ["0", "9999", "10 000", "1 234 567", "x"])

    def test_all_are_made(self):
        made = tables.rewrite(PLACES, KEPT | {"exit.cpuid": 123456})
        self.assertNotIn("old", made)
        self.assertIn("| CPUID | 123 456 | 450 | 3142 | 6243 |", made)
        self.assertEqual(tables.rewrite(made, KEPT | {"exit.cpuid": 123456}), made)

    def test_places_must_fit(self):
        for text in (PLACES.replace("table: exits", "table: exit"), PLACES + PLACES,
                     PLACES.replace("<!-- table: boot -->", "")):
            with self.assertRaises(tables.Unfit):
                tables.rewrite(text, KEPT)

    def test_missing_figure(self):
        with self.assertRaisesRegex(tables.Unfit, "exit.cpuid"):
            tables.rewrite(PLACES, {name: value for name, value in KEPT.items()
                                    if name != "exit.cpuid"})

    def test_other_steps(self):
        """A path whose steps have other owners must not get the old ones' words."""
        with self.assertRaisesRegex(tables.Unfit, "ipi.two_cores.busy: the sender's steps"):
            tables.rewrite(PLACES, KEPT | {"ipi.two_cores.busy.sender.6_monitor": 7})


class Cores(unittest.TestCase):
    def test_rounds(self):
        """The first core's between its marks; of the other also what comes after them."""
        mark = (0, "monitor", 1)
        log = [mark, (0, "kernel", 2), (1, "kernel", 3), (0, "monitor", 2), mark,
               (0, "monitor", 2), (1, "monitor", 3), mark, (0, "kernel", 1), mark]
        self.assertEqual(list(cores.rounds(log, {1})), [(2, 2), (1, 0)])

    def test_usual(self):
        self.assertEqual(cores.usual([(1, 2), (9, 2), (1, 2)]), (1, 2))


@unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot (bench --report installs it)")
class Pictures(unittest.TestCase):
    def test_reproducible(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, draw in plots.PLOTS.items():
                pictures = []
                for n in range(2):
                    path = os.path.join(folder, f"{name}-{n}.svg")
                    draw(KEPT, path)
                    with open(path, "rb") as file:
                        pictures.append(file.read())
                self.assertEqual(*pictures)
                xml.etree.ElementTree.fromstring(pictures[0])


unittest.main()
