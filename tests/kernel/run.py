#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the kernel tests on one of the machines of runs.ini: run.py BUILD_DIRECTORY RUN

Prints failed and skipped groups and the last line; everything is in BUILD/tests/kernel/RUN.log.
The run is good if the machine ended by itself after a line "N passed, 0 failed" with N > 0.
Bochs' own files are in BUILD/tests/kernel/RUN/.
Environment: KERNEL, another kernel than BUILD/kernel/bulkhead.elf; VERBOSE, to see every line.
"""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

# QEMU's isa-debug-exit: (0 << 1) | 1. Bochs has no other.
PASSED = 1
# Seconds that Bochs may take to write its files after SIGINT.
GRACE = 10


def kernel_and_tests(build):
    """What is booted: the kernel and its initial task."""
    return [os.environ.get("KERNEL", f"{build}/kernel/bulkhead.elf"),
            f"{build}/tests/kernel/kernel-tests.elf"]


def qemu_command(build, run):
    """QEMU's command line."""
    kernel, tests = kernel_and_tests(build)
    return [
        "qemu-system-x86_64", "-machine", "q35", *shlex.split(run["accel"]), "-cpu", run["cpu"],
        "-smp", run["cores"], "-m", run["memory"], "-display", "none", "-serial", "stdio",
        "-monitor", "none", "-no-reboot", "-net", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-device", "edu",  # sends MSIs when it is told to (tests/kernel/irq.c)
        "-kernel", kernel, "-initrd", tests]


def run_qemu(build, run, log_path):
    """Returns the exit status, None: hung."""
    with open(log_path, "wb") as log, open(log_path + ".err", "wb") as errors:
        process = subprocess.Popen(qemu_command(build, run), stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=errors)
        try:
            return process.wait(int(run["limit"]))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None


def end_bochs(process):
    """Ends it in order, so that its log of the serial line is complete."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_bochs(build, run, log_path):
    """Returns the exit status, None: hung."""
    folder = log_path.removesuffix(".log")
    os.makedirs(folder, exist_ok=True)
    iso = f"{folder}/image.iso"
    subprocess.run(["tools/bochs/make-iso", iso, *kernel_and_tests(build)], check=True)
    process = subprocess.Popen(
        ["tools/bochs/run-bochs", folder, iso, run["cpu"], run["cores"], run["memory"]])
    try:
        status = process.wait(int(run["limit"]))
    except subprocess.TimeoutExpired:
        end_bochs(process)
        status = None
    if os.path.exists(f"{folder}/serial.log"):
        shutil.move(f"{folder}/serial.log", log_path)
    return status


def run_machine(build, name, run):
    """Returns the exit status (None: hung) and the lines of the log."""
    log_path = f"{build}/tests/kernel/{name}.log"
    with open(log_path, "wb"):
        pass
    emulator = {"qemu": run_qemu, "bochs": run_bochs}[run["emulator"]]
    status = emulator(build, run, log_path)
    with open(log_path, encoding="utf-8", errors="replace") as log:
        return status, [line.rstrip("\r\n") for line in log]


def report(status, lines):
    """Prints what a reader wants to know; returns whether the run was good."""
    verbose = "VERBOSE" in os.environ
    total = [m for m in (re.match(r"(\d+) passed, (\d+) failed$", line) for line in lines) if m]
    for line in lines:
        if verbose or line.startswith(("FAIL", "skip", "     ")):
            print(line)
    if status is None or not total:
        print("the machine " + ("hung" if status is None else f"ended with status {status}")
              + " before the tests were over; its last lines:")
        print("\n".join("    " + line for line in lines[-25:]))
        return False
    print(total[-1].group())
    return status == PASSED and int(total[-1].group(1)) > 0 and total[-1].group(2) == "0"


def main():
    """The command."""
    build, name = sys.argv[1:]
    runs = configparser.ConfigParser()
    runs.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "runs.ini"))
    status, lines = run_machine(build, name, runs[name])
    return 0 if report(status, lines) else 1


if __name__ == "__main__":
    sys.exit(main())
