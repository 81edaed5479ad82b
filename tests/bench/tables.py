# SPDX-License-Identifier: BSD-2-Clause
"""The tables of docs/performance.md, made from figures (run --json).

A table's place is between two comments, `<!-- table: NAME -->` and `<!-- end -->`; what is there is
replaced.
"""

import re

import listing
import rows

PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NONE = "-"

# Steps of an interrupt between vCPUs, in the order in which each side executes them.
SENDER = ["exit, message", "WRMSR, ICR, IRR, request",
          "signal: until the other core is interrupted", "the rest of it", "on to the next entry",
          "entry"]
RECEIVER = ["exit by the interrupt, or waking from idle; message", "requests, which event",
            "entry with injection"]
SENDER_MODES = ["kernel", "monitor", "kernel", "kernel", "monitor", "kernel"]
RECEIVER_MODES = ["kernel", "monitor", "kernel"]


class Unfit(Exception):
    """The figures are not those that a table needs."""


def number(value):
    """As the documents write it: 718, 16 448."""
    if not isinstance(value, int):
        return value
    return str(value) if abs(value) < 10000 else f"{value:,}".replace(",", " ")


def markdown(heading, lines):
    cells = [heading, ["---"] * len(heading), *lines]
    return "".join("| " + " | ".join(number(cell) for cell in line) + " |\n" for line in cells)


def against(figures, title, names, peers, prefix=""):
    """Lines of (name, row): figure, target, peers'."""
    return markdown(
        [title, "instructions", "target", *peers],
        [[row.title, figures[prefix + name], row.target or NONE,
          *(row.peers.get(peer, NONE) for peer in peers)] for name, row in names.items()])


def exits(figures):
    return against(figures, "exit, AMD-V", rows.AMD, rows.AMD_PEERS)


def split(figures):
    columns = {"entry": "entry", "kernel": "kernel", "switch": "world switch", "return": "return",
               "monitor": "monitor"}
    return markdown(
        ["exit, AMD-V", "all", *columns.values()],
        [[row.title, *(figures.get(f"split.{name}.{part}", 0) for part in ("all", *columns))]
         for name, row in rows.AMD.items()])


def costly(figures):
    kinds = [kind for kind in listing.COSTLY
             if any(f"costly.{name}.{kind}" in figures for name in rows.AMD)]
    return markdown(["exit, AMD-V", *kinds],
                    [[row.title, *(figures.get(f"costly.{name}.{kind}", 0) for kind in kinds)]
                     for name, row in rows.AMD.items()])


def vtx_exits(figures):
    columns = ["VMREAD", "VMWRITE", "RDMSR", "WRMSR", "CR3"]
    lines = []
    for name, row in rows.AMD.items():
        if name.startswith("exit.") and name not in APIC:
            haswell, peers = f"vtx.haswell.{name}", rows.VTX.get(name, {})
            lines.append([row.title, figures[haswell], figures[f"vtx.nehalem.{name}"],
                          row.target or NONE, *(peers.get(peer, NONE) for peer in rows.VTX_PEERS),
                          *(figures.get(f"{haswell}.{kind}", 0) for kind in columns)])
    return markdown(["exit, VT-x", "Haswell", "Nehalem", "target", *rows.VTX_PEERS,
                     *(f"{kind}{' loads' if kind == 'CR3' else ''}" for kind in columns)], lines)


APIC = ["exit.tpr", "exit.eoi", "exit.self_ipi", "exit.held_ipi", "exit.timer", "exit.wake_up"]


def apic(figures):
    """Those that a virtual APIC shortens: the exits are entries of the guest after it was left."""
    lines = []
    for name in APIC:
        line = [rows.AMD[name].title]
        for model in ("haswell", "nehalem"):
            line += [figures[f"vtx.{model}.{name}"],
                     figures.get(f"vtx.{model}.{name}.entries", 0)]
        lines.append(line + [figures[name]])
    return markdown(["x2APIC", "Haswell, virtual", "exits", "Nehalem, by the monitor", "exits",
                     "AMD-V, by the monitor"], lines)


def steps(figures, trip, side):
    """(mode, instructions) of the side's steps; that in which it interrupts the other is two."""
    found = {}
    for name, value in figures.items():
        if match := re.fullmatch(rf"{re.escape(trip)}\.{side}\.(\d+)_(\w+)", name):
            found[int(match[1])] = match[2], value
    divided, passed = [], 0
    interrupt = figures[f"{trip}.interrupt_after"] if side == "sender" else 0
    for n in sorted(found):
        mode, value = found[n]
        if passed < interrupt < passed + value:
            divided += [(mode, interrupt - passed), (mode, passed + value - interrupt)]
        else:
            divided.append((mode, value))
        passed += value
    return divided


def values_of(figures, trip, side, modes):
    """Of the steps, which must be those that the table has words for."""
    found = steps(figures, trip, side)
    if [mode for mode, _ in found] != modes:
        raise Unfit(f"{trip}: the {side}'s steps are {[mode for mode, _ in found]}; "
                    "tables.py has no words for them")
    return [value for _, value in found]


def interrupts(figures):
    trips = ["ipi.two_cores.busy", "ipi.two_cores.halted"]
    lines = []
    for side, labels, modes in (("sender", SENDER, SENDER_MODES),
                                ("receiver", RECEIVER, RECEIVER_MODES)):
        counts = [values_of(figures, trip, side, modes) for trip in trips]
        for label, mode, *values in zip(labels, modes, *counts):
            lines.append([label, f"{side}'s core, {mode}", *values])
    lines += [[f"**{what}**", "", *(f"**{number(figures[f'{trip}.{name}'])}**" for trip in trips)]
              for what, name in (("sender", "sender"), ("receiver", "receiver"),
                                 ("one way, in sequence", "one_way"))]
    return markdown(["step, on two cores", "by", "to a busy vCPU", "to a halted one"], lines)


def ipc(figures):
    return against(figures, "IPC, one core", rows.IPC, rows.IPC_PEERS)


def between_cores(figures):
    return markdown(["IPC, two cores", "by the first core", "by the second"],
                    [[title, *(figures[f"{name}.{who}"] for who in both)]
                     for name, (title, *both) in rows.CORES.items()])


def calls(figures):
    return markdown(["call", "instructions", "who uses it"],
                    [[title, figures[name], users] for name, (title, users) in rows.CALLS.items()])


def scaling(figures):
    return markdown(["each vCPU on a core of its own", "instructions for an exit (CPUID)"],
                    [[rows.scale_title(*setting), figures[f"scale.exit.{name}"]]
                     for setting, name in rows.SCALE.items()])


def parallel(figures):
    one = figures["parallel.exits.1"]
    return markdown(["VMs, each on a core of its own", "exits per second", "as a multiple of one",
                     "target"],
                    [[vms, figures[f"parallel.exits.{vms}"],
                      f"{figures[f'parallel.exits.{vms}'] / one:.2f}", target or NONE]
                     for vms, target in rows.PARALLEL.items()])


def boot(figures):
    def millions(value):
        return round(value / 10**6) if value else NONE

    return markdown(["from and to", "million instructions", "target"],
                    [[row.title, millions(figures[name]), millions(row.target)]
                     for name, row in rows.BOOT.items()])


def memory(figures):
    names = {"kernel": "kernel: program and data for up to 64 cores",
             "init": "init, which has ended: its objects", "bulkhead": "supervisor",
             "console": "console server",
             "sataserver": "disk server: 12 MiB of it for the controller, 2.5 of its own"}
    lines = [[title, figures[f"memory.{name}"]] for name, title in names.items()]
    for vcpus in rows.SCALE_VCPUS:
        lines.append([f"monitor, VCPUs, nested tables of a VM of 64 MiB with {vcpus} "
                      f"vCPU{'s'[:vcpus > 1]}", figures[f"scale.kib.{vcpus}_vcpus"]])
    return markdown(["memory beside guests' RAM and what they boot from", "KiB"], lines)


def kernel_size(figures):
    parts = ["text", "data", "bss"]
    return markdown(["kernel", *parts],
                    [[f"{variant} build, bytes", *(figures[f"size.{variant}.{part}"]
                                                   for part in parts)]
                     for variant in ("debug", "release")])


def kernel_lines(figures):
    common, svm, vmx, total = (figures[f"size.lines.{name}"]
                               for name in ("common", "svm", "vmx", "all"))
    return markdown(["lines of privileged code", "", "target"],
                    [["all of kernel/", total, rows.LINES_TARGET],
                     ["runs on a machine with AMD-V", common + svm, NONE],
                     ["runs on a machine with VT-x", common + vmx, NONE],
                     ["on either", common, NONE], ["for AMD-V alone", svm, NONE],
                     ["for VT-x alone", vmx, NONE]])


TABLES = {
    "exits": exits, "split": split, "costly": costly, "vtx": vtx_exits, "apic": apic,
    "interrupts": interrupts, "ipc": ipc, "cores": between_cores, "calls": calls,
    "scaling": scaling, "parallel": parallel, "boot": boot, "memory": memory, "size": kernel_size,
    "lines": kernel_lines,
}


def rewrite(text, figures):
    """The document with its tables made anew; each has one place."""
    places = [name for _, name, _ in PLACE.findall(text)]
    if sorted(places) != sorted(TABLES):
        raise Unfit("the document's tables are not those of tables.py: "
                    + ", ".join(sorted(set(places) ^ set(TABLES)) or ["some twice"]))
    try:
        return PLACE.sub(lambda place: place[1] + TABLES[place[2]](figures) + place[3], text)
    except KeyError as missing:
        raise Unfit(f"no figure for {missing.args[0]}") from None
