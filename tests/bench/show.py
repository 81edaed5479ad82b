# SPDX-License-Identifier: BSD-2-Clause
"""The bench's figures as tables for a terminal. A part that was not measured has no table."""

import listing
import rows
import vtx

WIDTH = 55


def line(title, *cells):
    print((f"{title:{WIDTH}}" + "".join(f" {cell:>{max(8, len(str(cell)))}}"
                                        for cell in cells)).rstrip())


def table(measured, heading, table_rows):
    """Rows of (title, names); a heading and at least one figure, or nothing."""
    lines = [(title, [measured.get(name, "-") for name in names]) for title, names in table_rows]
    if any(cell != "-" for _, cells in lines for cell in cells):
        line(*heading)
        for title, cells in lines:
            line(title, *cells)
        print()


def verdict(value, target):
    return "over target" if target and value != "-" and value > target else ""


def against(measured, heading, table_rows, peers, prefix=""):
    """Figures beside target and others'."""
    if not any(prefix + name in measured for name in table_rows):
        return
    line(heading, "measured", "target", *peers)
    for name, row in table_rows.items():
        value = measured.get(prefix + name, "-")
        line(row.title, value, row.target or "",
             *(f"{row.peers.get(peer, ''):>{len(peer)}}" for peer in peers),
             verdict(value, row.target))
    print()


def split(measured):
    titles = {name: row.title for name, row in (rows.AMD | rows.IPC).items()}
    table(measured, ("of these, instructions, median of rounds", "all", *listing.PARTS),
          [(title, [f"split.{name}.{part}" for part in ("all", *listing.PARTS)])
           for name, title in titles.items()])
    kinds = [kind for kind in listing.COSTLY
             if any(f"costly.{name}.{kind}" in measured for name in titles)]
    table(measured, ("costly ones among them", *kinds),
          [(title, [f"costly.{name}.{kind}" for kind in kinds]) for name, title in titles.items()])


def interrupts(measured):
    table(measured, ("interrupt from vCPU to vCPU", "sender", "receiver", "one way"),
          [(title, [f"{name}.{what}" for what in ("sender", "receiver", "one_way")])
           for name, title in rows.IPI.items() if name not in measured])
    table(measured, ("", "ticks"),
          [(title, [name]) for name, title in rows.IPI.items() if name in measured])


def system(measured):
    table(measured, ("exits while all vCPUs make them", "each"),
          [(rows.scale_title(*setting), [f"scale.exit.{name}"])
           for setting, name in rows.SCALE.items()])
    table(measured, ("booting systems/linux", "instructions"),
          [(row.title, [name]) for name, row in rows.BOOT.items()])
    table(measured, ("memory beside guests'", "KiB"),
          [(f"systems/two: {name.removeprefix('memory.')}", [name])
           for name in measured if name.startswith("memory.")]
          + [(f"a VM with {vcpus} vCPU{'s'[:vcpus > 1]}", [f"scale.kib.{vcpus}_vcpus"])
             for vcpus in rows.SCALE_VCPUS])
    table(measured, ("the kernel", "bytes, lines"),
          [(name.removeprefix("size."), [name]) for name in measured if name.startswith("size.")])


def qemu(measured):
    against(measured, "guest exits, AMD-V, instructions", rows.AMD, rows.AMD_PEERS)
    against(measured, "IPC on one core, instructions", rows.IPC, rows.IPC_PEERS)
    table(measured, ("IPC between cores, instructions", "first", "second"),
          [(title, [f"{name}.{who}" for who in both])
           for name, (title, *both) in rows.CORES.items()])
    table(measured, ("system calls and invocations, instructions", "measured"),
          [(title, [name]) for name, (title, _) in rows.CALLS.items()])
    split(measured)
    interrupts(measured)
    system(measured)


def parallel(measured):
    if "parallel.exits.1" in measured:
        line("VMs that make exits at once, VT-x", "a second", "of one", "target")
        for vms, target in rows.PARALLEL.items():
            exits = measured[f"parallel.exits.{vms}"]
            line(f"{vms} on {vms}", exits, f"{exits / measured['parallel.exits.1']:.2f}",
                 target or "")
        print()


def bochs(measured):
    parallel(measured)
    for model, (_, title) in vtx.MODELS.items():
        prefix = f"vtx.{model}."
        against(measured, f"VT-x, {title}",
                {name: row._replace(peers=rows.VTX.get(name, {}))
                 for name, row in rows.AMD.items()}, rows.VTX_PEERS, prefix)
        kinds = ["kernel", "monitor", *vtx.COSTLY]
        table(measured, ("of these, instructions", *kinds),
              [(row.title, [f"{prefix}{name}.{kind}" for kind in kinds])
               for name, row in rows.AMD.items()])
