# SPDX-License-Identifier: BSD-2-Clause
"""Where the instructions of a hot path go: by program, by function, and the costly ones among them.

QEMU stops at the start of a benchmark's measuring, by its gdb server, and from there on logs each
instruction that it executes, under -icount. What it lists between the two ends of an operation is
one round; of all rounds the one of median length is taken. For VT-x it is Bochs that lists them
(vtx.py), and the shortest round. A disassembly of kernel and programs says which function an
instruction belongs to, and which are costly.
"""

import bisect
import collections
import os
import re
import socket
import subprocess
import tempfile

import vtx
from ipi import AGAIN, LINE, Qmp, mode_of, symbols
from machine import COUNTED, Failure, Machine
from rows import EXITS, IPC

# Functions of the assembler stubs; all else of the kernel is C.
STUBS = {"entry": ["syscall_entry"],
         "return": ["kernel_leave", "leave_now", "kernel_resume", "leave_to_user",
                     "kernel_exchange_and_resume"],
         "switch": ["svm_enter", "vmx_resume", "vmx_exit_point"]}
PARTS = ["entry", "kernel", "switch", "return", "monitor"]
COSTLY = {
    "VMRUN": r"vmrun",
    "VMLOAD": r"vmload",
    "VMSAVE": r"vmsave",
    "GIF": r"stgi|clgi",
    "VMREAD": r"vmread",
    "VMWRITE": r"vmwrite",
    "VMRESUME": r"vmresume|vmlaunch",
    "LGDT": r"lgdt",
    "CR": r"mov .*%cr[0234]",
    "MSR": r"rdmsr|wrmsr",
    "TLB": r"invlpg|invpcid",
    "XSAVE": r"xsave|xrstor|xsetbv|xgetbv|fxsave|fxrstor",
    "SWAPGS": r"swapgs",
    "SYSCALL": r"syscall",
    "SYSRET": r"sysret|iretq",
    "BASES": r"(rd|wr)[fg]sbase",
    "SEGMENT": r"mov %[defgs]s,|mov .*,%[defgs]s$",
    "LOCK": r"lock |xchg .*\(",
    "DIVIDE": r"i?div",
    "RDTSC": r"rdtsc",
}
# The functions of ipc.c that do them, in its order.
IPC_FUNCTIONS = ["do_call", "do_call", "do_signal_and_poll", "do_signal", "do_send",
                 "do_invocation"]
ROUNDS = 64
# The guest runs its program so far above where it is linked (tests/guest/guest.h).
GUEST_HIGH_BASE = 1 << 40
MARK = re.compile(r"xchg +%bx,%bx")


class Debugger:
    """QEMU's gdb server: runs the machine to an address."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def _receive(self):
        while (byte := self.socket.recv(1)) != b"$":
            if not byte:
                raise Failure("QEMU's gdb server has gone")
        text = b""
        while (byte := self.socket.recv(1)) != b"#":
            text += byte
        self.socket.recv(2)
        self.socket.sendall(b"+")
        return text.decode()

    def _send(self, text):
        self.socket.sendall(f"${text}#{sum(text.encode()) & 0xff:02x}".encode())

    def _ask(self, text):
        self._send(text)
        if (answer := self._receive()) != "OK":
            raise Failure(f"gdb server: {text}: {answer}")

    def run_to(self, address):
        self._ask(f"Z0,{address:x},1")
        self._send("c")
        self._receive()
        self._ask(f"z0,{address:x},1")

    def leave(self):
        """The machine goes on by itself."""
        self._ask("D")
        self.socket.close()


class Program:
    """The text of an ELF file: functions and instructions by address."""

    FUNCTION = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
    INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(.*?) *$")

    def __init__(self, elf):
        self.starts, self.names, self.instructions = [], [], {}
        listed = subprocess.run(["objdump", "-d", "--no-show-raw-insn", elf], check=True,
                                capture_output=True, text=True).stdout
        for line in listed.splitlines():
            if match := self.INSTRUCTION.match(line):
                self.instructions[int(match[1], 16)] = match[2]
            elif match := self.FUNCTION.match(line):
                self.starts.append(int(match[1], 16))
                self.names.append(match[2])

    def function(self, address):
        place = bisect.bisect_right(self.starts, address) - 1
        return self.names[place] if place >= 0 else f"{address:#x}"

    def marks(self):
        return {address for address, text in self.instructions.items() if MARK.match(text)}


def connect(kind, path, machine):
    """QEMU listens there sooner or later."""
    while True:
        try:
            return kind(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if machine.ended:
                raise Failure(f"QEMU has not started: see {machine.log_path}.err") from None


def record(build, module, start, log, end, cores=1):
    """
    (processor, mode, address) of each instruction from `start` on until `end` is on the console.
    """
    with tempfile.TemporaryDirectory() as folder:
        control, debug, file = (os.path.join(folder, name) for name in ("qmp", "gdb", "log"))
        boot = ["-kernel", os.path.join(build, "kernel", "bulkhead.elf"), "-initrd", module,
                "-S", "-qmp", f"unix:{control},server=on,wait=off",
                "-gdb", f"unix:{debug},server=on,wait=off"]
        with Machine(log, boot, memory=1024, accel=COUNTED, cores=cores) as machine:
            debugger, qmp = connect(Debugger, debug, machine), connect(Qmp, control, machine)
            debugger.run_to(start)
            for command in (f"logfile {file}", "singlestep on", "log exec"):
                qmp.monitor(command)
            debugger.leave()
            machine.expect(end)
        return list(read(file))


def read(file):
    """
    What QEMU's log says; an instruction that reads or writes a device's register is in there twice.
    """
    last = None
    with open(file, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if match := LINE.match(line):
                if last:
                    yield last
                last = int(match[1]), mode_of(int(match[3], 16)), int(match[2], 16)
            elif line.startswith(AGAIN):
                last = None


def listing(*arguments):
    """(mode, address) of each instruction, on one core."""
    return [event[1:] for event in record(*arguments)]


def median(rounds):
    return sorted(rounds, key=len)[len(rounds) // 2]


def exit_rounds(events, marks):
    """Name to the rounds of an exit: what is not the guest's, between two marks."""
    rounds, inside = [], False
    for event in events:
        if event[0] == "guest" and event[1] in marks:
            inside = not inside
            if inside:
                rounds.append([])
        elif inside and event[0] != "guest":
            rounds[-1].append(event)
    if len(rounds) < 2 * ROUNDS * len(EXITS):
        raise Failure(f"{len(rounds)} rounds of exits in QEMU's log")
    return {name: rounds[2 * n * ROUNDS:(2 * n + 1) * ROUNDS] for n, name in enumerate(EXITS)}


def ipc_rounds(events, places, loop):
    """
    Name to the rounds of an operation: from its function's first instruction until the loop that
    calls it goes on.
    """
    rounds, position = collections.defaultdict(list), 0
    for name, function in zip(IPC, IPC_FUNCTIONS):
        for _ in range(ROUNDS):
            begin = events.index(("monitor", places[function]), position)
            position = next(n for n in range(begin, len(events))
                            if events[n][0] == "monitor" and events[n][1] in loop)
            rounds[name].append(events[begin:position])
    return rounds


def divide(events, kernel, program):
    """One round: instructions by part, by function, the costly ones, and all of them in order."""
    stub = {name: part for part, names in STUBS.items() for name in names}
    parts, functions, costly = (collections.Counter() for _ in range(3))
    listed = []
    for mode, address in events:
        owner = kernel if mode == "kernel" else program
        function, text = owner.function(address), owner.instructions.get(address, "")
        functions[f"{mode}: {function}"] += 1
        parts[stub.get(function, mode) if mode == "kernel" else mode] += 1
        costly.update(name for name, pattern in COSTLY.items() if re.match(pattern, text))
        listed.append(f"{function:24} {address:16x} {text}")
    return {"all": len(events), "parts": dict(parts), "costly": dict(costly),
            "functions": dict(functions), "listing": listed}


def measure_exits(build, logs, kernel):
    elf = os.path.join(build, "guests", "exits.elf")
    events = listing(build, os.path.join(build, "bench", "exits", "image.elf"),
                     symbols(elf, ["guest_main"])["guest_main"],
                     os.path.join(logs, "exits-listing.log"), r"bench: done")
    marks = {GUEST_HIGH_BASE + address for address in Program(elf).marks()}
    monitor = Program(os.path.join(build, "user", "vmm.elf"))
    return {name: divide(median(rounds), kernel, monitor)
            for name, rounds in exit_rounds(events, marks).items()}


def measure_ipc(build, logs, kernel):
    elf = os.path.join(build, "bench", "ipc.elf")
    program = Program(elf)
    places = symbols(elf, ["bench_report", *IPC_FUNCTIONS])
    events = listing(build, elf, places["bench_report"], os.path.join(logs, "ipc-listing.log"),
                     r"bench: done")
    loop = {address for address in program.instructions if program.function(address) == "least"}
    return {name: divide(median(rounds), kernel, program)
            for name, rounds in ipc_rounds(events, places, loop).items()}


def measure(build, logs):
    """Row to what divide() says of it."""
    kernel = Program(os.path.join(build, "kernel", "bulkhead.elf64"))
    return measure_exits(build, logs, kernel) | measure_ipc(build, logs, kernel)


def measure_vtx(build, logs, model):
    """The same for Intel's VT-x, in Bochs; exits only."""
    kernel = Program(os.path.join(build, "kernel", "bulkhead.elf64"))
    monitor = Program(os.path.join(build, "user", "vmm.elf"))
    return {name: divide([event[:2] for event in vtx.events(listed)], kernel, monitor)
            for name, (_, listed) in vtx.shortest(build, logs, vtx.MODELS[model][0]).items()}


def flat(measured):
    """split.ROW.PART and costly.ROW.KIND to instructions."""
    return {f"{kind}.{name}.{key}": count for name, row in measured.items()
            for kind, counts in (("split", {"all": row["all"]} | row["parts"]),
                                 ("costly", row["costly"]))
            for key, count in counts.items()}


def table(measured, titles):
    cell = ("{:44}" + " {:>8}" * (len(PARTS) + 1)).format
    print(cell("instructions", "all", *PARTS))
    for name, row in measured.items():
        print(cell(titles[name], row["all"], *(row["parts"].get(part, 0) for part in PARTS)))
    print()
    used = [kind for kind in COSTLY if any(row["costly"].get(kind) for row in measured.values())]
    cell = ("{:44}" + " {:>8}" * len(used)).format
    print(cell("costly ones among them", *used))
    for name, row in measured.items():
        print(cell(titles[name], *(row["costly"].get(kind, 0) for kind in used)))


def functions(name, row):
    """Of one row: which functions execute how many, the most first."""
    print(f"{name}: {row['all']}")
    for function, count in sorted(row["functions"].items(), key=lambda item: -item[1]):
        print(f"{count:6}  {function}")
