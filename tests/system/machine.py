# SPDX-License-Identifier: BSD-2-Clause
"""An emulated machine whose serial console a test reads and types on.

A test never judges by time. Every wait has one generous limit, HANG_SECONDS without the expected
text, after which the machine counts as hung; it is there so that a broken system ends the test.
"""

import os
import re
import signal
import subprocess
import threading

HANG_SECONDS = int(os.environ.get("HANG_SECONDS", "300"))
CPU = "EPYC,+svm,+npt,-monitor"
MINIMUM_CPU = "qemu64,+svm,+npt,-monitor"
# The machine's cores take turns. One thread for each would leave Linux with several vCPUs in code
# that another vCPU has patched (docs/emulators.md, section 3).
TAKING_TURNS = ["-accel", "tcg,thread=single"]
PARALLEL = ["-accel", "tcg,thread=multi"]
# One instruction is one nanosecond, and the wall clock has no influence.
COUNTED = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
CONTROL_C = "\x03"
# What makes a terminal change its colour; and what may become that.
COLOUR = re.compile(r"\x1b\[\d+m")
CUT_COLOUR = re.compile(r"(?:\x1b(?:\[\d*)?)?$")
ESCAPE = "\x1d"  # Ctrl-], of the console server


class Failure(Exception):
    """What a test found wrong."""


def tail(output):
    """How a machine's output ends, for what is said of its failure."""
    return "its last lines:\n    " + "\n    ".join(output.splitlines()[-25:])


class Machine:
    """QEMU from start to end of a with block; all console output goes to log_path, too."""

    def __init__(self, log_path, boot, cpu=CPU, memory=2048, accel=None, cores=1,
                 serial=("-serial", "stdio")):
        """serial: the serial ports, one of which is at QEMU's own input and output."""
        self.command = [
            "qemu-system-x86_64", "-machine", "q35", *(accel or TAKING_TURNS), "-cpu", cpu,
            "-smp", str(cores), "-m", str(memory), "-display", "none",
            *serial, "-monitor", "none", "-no-reboot", "-net", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", *boot]
        self.log_path = log_path
        self.output = ""  # without colours
        self.cut = ""
        self.position = 0
        self.ended = False
        self.changed = threading.Condition()

    def __enter__(self):
        self.log = open(self.log_path, "wb")
        self.errors = open(self.log_path + ".err", "wb")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.log.close()
        self.errors.close()

    def _read(self):
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            self.log.write(chunk)
            self.log.flush()
            text = self.cut + chunk.decode("utf-8", "replace").replace("\r", "")
            self.cut = CUT_COLOUR.search(text).group()
            with self.changed:
                self.output += COLOUR.sub("", text.removesuffix(self.cut))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def expect(self, pattern, never=None):
        """Waits for the pattern after what was already expected; returns the match.

        Text that matches never before that is a failure.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        with self.changed:
            while True:
                match = wanted.search(self.output, self.position)
                self._refuse(never, match.start() if match else len(self.output), pattern)
                if match:
                    self.position = match.end()
                    return match
                if self.ended:
                    raise Failure(f"the machine ended before {pattern!r}; {tail(self.output)}")
                if not self.changed.wait(HANG_SECONDS):
                    raise Failure(f"nothing for {HANG_SECONDS} s, hung before {pattern!r}; "
                                  + tail(self.output))

    def _refuse(self, never, end, wanted):
        if never and (found := re.compile(never, re.MULTILINE).search(
                self.output, self.position, end)):
            raise Failure(f"{found.group()!r} came before {wanted!r}; {tail(self.output)}")

    def expect_end(self):
        """Waits until QEMU has ended by itself; returns its exit status."""
        try:
            return self.process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"the machine is still on; {tail(self.output)}") from None

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()


class Shell:
    """The guest's shell on a machine's console."""

    PROMPT = r"^guest:[^\n]*# "

    def __init__(self, machine):
        self.machine = machine
        self.count = 0

    def wait(self, never=None):
        """Until the guest has booted to its prompt."""
        self.machine.expect(self.PROMPT, never)

    def run(self, command):
        """Runs a command; returns its output and exit status.

        Begin and end of the output are marked by texts that are not in the echo of what was typed.
        Lines of other VMs in between are left out.
        """
        self.count += 1
        number = self.count
        self.machine.send(f"echo be''gin-{number}; {command}; echo en''d-{number}-$?\n")
        self.machine.expect(rf"^begin-{number}\n")
        begin = self.machine.position
        match = self.machine.expect(rf"^end-{number}-(\d+)\n")
        self.machine.expect(self.PROMPT)
        output = re.sub(r"^\w+\| .*\n", "", self.machine.output[begin:match.start()],
                        flags=re.MULTILINE)
        return output, int(match.group(1))

    def interrupt_sleep(self):
        """Starts a program that would sleep for a day, and stops it by Ctrl-C."""
        # One program, in the foreground before it says so: Ctrl-C while the shell starts one may
        # reach neither of them.
        self.machine.send("sh -c \"echo sleep''ing; exec sleep 86400\"\n")
        self.machine.expect(r"^sleeping\n")
        self.machine.send(CONTROL_C)
        self.machine.expect(self.PROMPT)

    def check(self, command, expected=None):
        """Runs a command that must succeed and, if given, print exactly what is expected."""
        output, status = self.run(command)
        if status:
            raise Failure(f"guest: {command}: status {status}:\n{output}")
        if expected is not None and output.strip() != expected:
            raise Failure(f"guest: {command}: expected {expected!r}, got {output.strip()!r}")
        return output
