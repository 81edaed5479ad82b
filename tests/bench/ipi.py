# SPDX-License-Identifier: BSD-2-Clause
"""What an interrupt from one vCPU to another costs, in instructions, and who executes them.

The guest tests/guest/ipi.c sends interrupts back and forth. While it does, QEMU logs each
instruction that it executes (one to a translation block), with the processor and its mode: guest,
user (the monitor) or kernel. Under -icount all processors take turns in one thread, so that each
run is the same. What most trips cost counts: in some a timer comes between.
"""

import collections
import itertools
import json
import os
import re
import socket
import subprocess
import tempfile

from machine import COUNTED, Failure, Machine

LINE = re.compile(r"Trace (\d+): \S+ \[\w+/(\w+)/(\w+)/")
# QEMU executes an instruction that reads or writes a device's register a second time.
AGAIN = "cpu_io_recompile"
# Flags of a translation block: privilege level, and in a guest.
CPL_MASK, IN_GUEST = 3, 1 << 21
KEY = "k"


class Qmp:
    """QEMU's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(request.encode())
        while "return" not in (answer := json.loads(self.lines.readline())):
            if "error" in answer:
                raise Failure(f"QEMU: {request}: {answer['error']}")

    def monitor(self, command):
        self.execute("human-monitor-command", **{"command-line": command})


def symbols(elf, names):
    """Their addresses."""
    listed = subprocess.run(["nm", elf], check=True, capture_output=True, text=True).stdout
    table = {line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines()
             if len(line.split()) == 3}
    return {name: table[name] for name in names}


def mode_of(flags):
    if flags & IN_GUEST:
        return "guest"
    return "monitor" if flags & CPL_MASK else "kernel"


def events(lines, first):
    """(processor, mode, address) of each instruction, from the guest's at `first` on."""
    found = []
    for line in lines:
        if match := LINE.match(line):
            event = int(match[1]), mode_of(int(match[3], 16)), int(match[2], 16)
            if found or event[1:] == ("guest", first):
                found.append(event)
        elif found and line.startswith(AGAIN):
            found.pop()
    return found


def steps(trip):
    """[mode, instructions] for each stretch in one mode, without the guest's own."""
    return [[mode, len(list(stretch))]
            for mode, stretch in itertools.groupby(event[1] for event in trip) if mode != "guest"]


def until_guest(trip):
    """To where the processor enters the guest: the send itself is the first instruction."""
    return [trip[0], *itertools.takewhile(lambda event: event[1] != "guest", trip[1:])]


def before(trip, place):
    """How many instructions come before an address in the kernel; None if it is not reached."""
    return next((n for n, event in enumerate(trip) if event[1:] == ("kernel", place)), None)


def trips(found, places):
    """Those from one interrupt's sending until it is taken, each a list of events."""
    taken = {places["smp_on_first"], places["smp_on_second"]}
    sent = [n for n, event in enumerate(found) if event[1:] == ("guest", places["smp_send_now"])]
    for begin, end in zip(sent, sent[1:] + [len(found)]):
        length = next((n for n, event in enumerate(found[begin:end])
                       if event[1] == "guest" and event[2] in taken), None)
        if length is not None:
            yield found[begin:begin + length + 1]


def divide(trip, interrupt):
    """One trip's figures by who executes: the sender until it goes on, the receiver."""
    sender, receiver = trip[0][0], trip[-1][0]
    sending = until_guest([event for event in trip if event[0] == sender])
    if sender == receiver:
        receiving = trip[len(sending):]
    else:
        receiving = [event for event in trip if event[0] == receiver]
    figures = {"sender": steps(sending), "receiver": steps(receiving)}
    figures["interrupt_after"] = before(sending, interrupt)
    return figures


def usual_trip(file, places, interrupt):
    with open(file, encoding="utf-8", errors="replace") as lines:
        found = events(lines, places["smp_send_now"])
    divided = [json.dumps(divide(trip, interrupt)) for trip in trips(found, places)]
    if not divided:
        raise Failure("no interrupt from one vCPU to the other in QEMU's log")
    return json.loads(collections.Counter(divided).most_common(1)[0][0])


def watch(machine, qmp, file, key, end):
    """
    Has QEMU log all instructions from when this is typed until the end of what it starts is on the
    console. The machine stands still in the meantime, so that the log begins and ends where the
    guest waits for what is typed.
    """
    qmp.execute("stop")
    for command in (f"logfile {file}", "singlestep on", "log exec"):
        qmp.monitor(command)
    machine.send(key)
    qmp.execute("query-status")  # by then QEMU has had a look at its input, too
    qmp.execute("cont")
    machine.expect(end)
    qmp.execute("stop")
    for command in ("log none", "singlestep off"):
        qmp.monitor(command)
    qmp.execute("cont")


def run(build, name, watched, log):
    """
    One machine. The trips of those ways to wait that are watched; of the others the ticks of a
    round trip, where all instructions count, of whomever.
    """
    figures = {}
    places = symbols(os.path.join(build, "guests", "ipi.elf"),
                     ["smp_send_now", "smp_on_first", "smp_on_second"])
    interrupt = symbols(os.path.join(build, "kernel", "bulkhead.elf64"),
                        ["core_interrupt"])["core_interrupt"]
    with tempfile.TemporaryDirectory() as folder:
        control, file = os.path.join(folder, "qmp"), os.path.join(folder, "log")
        boot = ["-kernel", os.path.join(build, "kernel", "bulkhead.elf"),
                "-initrd", os.path.join(build, "bench", name, "image.elf"),
                "-qmp", f"unix:{control},server=on,wait=off"]
        with Machine(log, boot, memory=1024, accel=COUNTED, cores=3) as machine:
            machine.expect("^bench: ready for halted\n")
            qmp = Qmp(control)
            for way in ("halted", "busy"):
                if way in watched:
                    watch(machine, qmp, file, KEY, rf"^bench: round_trip\.{way} \d+\n")
                    figures[way] = usual_trip(file, places, interrupt)
                else:
                    machine.send(KEY)
                    match = machine.expect(rf"^bench: round_trip\.{way} (\d+)\n")
                    figures[way] = int(match[1])
    return figures


def flat(name, trip):
    """Of a trip: what each side executes, step by step, and how much lies one after the other."""
    figures = {}
    for side in ("sender", "receiver"):
        counts = [count for _, count in trip[side]]
        figures[f"{name}.{side}"] = sum(counts)
        figures |= {f"{name}.{side}.{n}_{mode}": count for n, (mode, count) in
                    enumerate(trip[side], 1)}
    first = trip["interrupt_after"] or figures[f"{name}.sender"]
    if trip["interrupt_after"]:
        figures[f"{name}.interrupt_after"] = trip["interrupt_after"]
    return figures | {f"{name}.one_way": first + figures[f"{name}.receiver"]}


def measure(build, logs):
    """ipi.CORES.WAY.WHAT of a trip, or ipi.CORES.WAY: the ticks of a round trip."""
    both = {"two_cores": run(build, "ipi-two-cores", ("halted", "busy"),
                             os.path.join(logs, "ipi-two-cores.log")),
            "one_core": run(build, "ipi-one-core", ("halted",),
                            os.path.join(logs, "ipi-one-core.log"))}
    measured = {}
    for cores, ways in both.items():
        for way, figures in ways.items():
            name = f"ipi.{cores}.{way}"
            measured |= flat(name, figures) if isinstance(figures, dict) else {name: figures}
    return measured
