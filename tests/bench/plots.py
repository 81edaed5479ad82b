# SPDX-License-Identifier: BSD-2-Clause
"""Figures as pictures, drawn by gnuplot: lying bars, the shortest on top, each with its number.

The same figures give the same bytes. White behind everything, so that dark viewers show it, too.
"""

import subprocess

import rows

WIDTH = 1000
ROW_HEIGHT = 22  # pixels, of a bar
OURS = "Bulkhead"
COLOURS = {OURS: "#1b6ca8", "target": "#9aa5b1", "KVM": "#d1495b", "Xen": "#edae49",
           "seL4": "#66a182", "seL4, one core": "#a8cbb7",
           "entry": "#8d96a3", "kernel": "#1b6ca8", "world switch": "#edae49",
           "return": "#c5ccd6", "monitor": "#66a182"}
LICENCE = "<!-- SPDX-" + "License-Identifier: BSD-2-Clause -->\n"


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def head(title, axis, note, nr_bars, tics, right):
    height = nr_bars * ROW_HEIGHT + len(tics) * ROW_HEIGHT // 2 + 160
    return [
        f"set terminal svg noenhanced size {WIDTH},{height} background rgb 'white' "
        "font 'sans-serif,13'",
        f"set title {quote(title)} font 'sans-serif,16'",
        f"set xlabel {quote(axis)}", "set bmargin 5",
        f"set label {quote(note)} at screen 0.98,0.03 right textcolor rgb '#555555'",
        f"set xrange [0:{right}]", f"set yrange [{-nr_bars - len(tics) / 2}:0.5]",
        "set ytics (" + ", ".join(f"{quote(text)} {place}" for text, place in tics) + ")",
        "set ytics scale 0", "set xtics nomirror", "set grid xtics lc rgb '#dddddd'",
        "set border 3 lc rgb '#555555'", "set style fill solid noborder",
        "set key outside right top vertical Left reverse",
    ]


def draw(lines, path):
    made = subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", capture_output=True,
                          text=True, check=False)
    if made.returncode or made.stderr:
        raise RuntimeError(f"gnuplot: {made.stderr}")
    text = "\n".join(line.rstrip() for line in made.stdout.expandtabs().splitlines()) + "\n"
    first, _, rest = text.partition("?>\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(first + "?>\n" + LICENCE + rest)


def boxes(name, lines):
    return [f"${name} << END", *lines, "END"]


def grouped(path, title, note, groups):
    """groups: (label, {series: value}), each with a bar for every series that it has."""
    groups = sorted(groups, key=lambda group: group[1][OURS])
    series = [name for name in COLOURS if any(name in values for _, values in groups)]
    data, tics, place = {name: [] for name in series}, [], 0.0
    for label, values in groups:
        top = place
        for name in series:
            if name in values:
                data[name].append((values[name], place - 0.5))
                place -= 1
        tics.append((label, (top + place) / 2))
        place -= 0.5
    longest = max(value for points in data.values() for value, _ in points)
    lines = head(title, "instructions, from the first one to the next: less is better", note,
                 sum(len(points) for points in data.values()), tics, longest * 1.1)
    for n, points in enumerate(data.values()):
        lines += boxes(f"S{n}", [f"{value} {y}" for value, y in points])
    bars = [f"$S{n} using ($1/2.0):2:(0):1:($2-0.45):($2+0.45) with boxxyerror "
            f"lc rgb '{COLOURS[name]}' title {quote(name)}" for n, name in enumerate(series)]
    texts = [f"$S{n} using 1:2:(sprintf('%d', $1)) with labels left offset 0.4,0 notitle"
             for n in range(len(series))]
    draw([*lines, "plot " + ", \\\n".join(bars + texts)], path)


def stacked(path, title, note, parts, bars):
    """bars: (label, [value of each part])."""
    bars = sorted(bars, key=lambda bar: sum(bar[1]))
    tics = [(label, -1.5 * n - 0.5) for n, (label, _) in enumerate(bars)]
    lines = head(title, "instructions", note, len(bars), tics,
                 max(sum(values) for _, values in bars) * 1.1)
    plots = []
    for n, part in enumerate(parts):
        points = [(sum(values[:n]), sum(values[:n + 1]), y)
                  for (_, values), (_, y) in zip(bars, tics)]
        lines += boxes(f"P{n}", [f"{low} {high} {y}" for low, high, y in points])
        plots.append(f"$P{n} using (($1+$2)/2.0):3:1:2:($3-0.45):($3+0.45) with boxxyerror "
                     f"lc rgb '{COLOURS[part]}' title {quote(part)}")
    lines += boxes("ALL", [f"{sum(values)} {y}" for (_, values), (_, y) in zip(bars, tics)])
    plots.append("$ALL using 1:2:(sprintf('%d', $1)) with labels left offset 0.4,0 notitle")
    draw([*lines, "plot " + ", \\\n".join(plots)], path)


def with_others(value, target, peers):
    return {OURS: value} | ({"target": target} if target else {}) | peers


def amd_exits(figures, path):
    grouped(path, "A guest's exit and return, AMD-V",
            "QEMU counts. KVM's are of bench --peers, Xen's were taken once, by hand.",
            [(row.title, with_others(figures[name], row.target, row.peers))
             for name, row in rows.AMD.items() if row.peers])


def vtx_exits(figures, path):
    grouped(path, "A guest's exit and return, VT-x (Haswell)",
            "Bochs counts. KVM's are of bench --peers, seL4's were taken once, by hand.",
            [(rows.AMD[name].title,
              with_others(figures[f"vtx.haswell.{name}"], rows.AMD[name].target, peers))
             for name, peers in rows.VTX.items()])


def split(figures, path):
    parts = {"entry": "entry", "kernel": "kernel", "world switch": "switch", "return": "return",
             "monitor": "monitor"}
    stacked(path, "Who executes the instructions of an exit, AMD-V",
            "Entry and return: the kernel's stubs for system calls. QEMU lists each instruction.",
            list(parts), [(row.title, [figures.get(f"split.{name}.{part}", 0)
                                       for part in parts.values()])
                          for name, row in rows.AMD.items() if f"split.{name}.all" in figures
                          and figures[f"split.{name}.all"]])


def ipc(figures, path):
    grouped(path, "IPC on one core",
            "QEMU counts. seL4's were taken once, by hand, in the same emulator.",
            [(row.title, with_others(figures[name], row.target, row.peers))
             for name, row in rows.IPC.items()])


PLOTS = {"exits": amd_exits, "exits-vtx": vtx_exits, "split": split, "ipc": ipc}
