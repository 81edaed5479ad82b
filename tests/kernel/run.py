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
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))

import bochs  # noqa: E402
from machine import tail  # noqa: E402

# QEMU's isa-debug-exit: (0 << 1) | 1. Bochs has no other.
PASSED = 1


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


def wait(process, run):
    """Returns its exit status, None: hung."""
    try:
        return process.wait(int(run["limit"]))
    except subprocess.TimeoutExpired:
        return None


def run_qemu(build, run, log_path):
    """Returns the exit status, None: hung."""
    with open(log_path, "wb") as log, open(log_path + ".err", "wb") as errors:
        with subprocess.Popen(qemu_command(build, run), stdin=subprocess.DEVNULL, stdout=log,
                              stderr=errors) as process:
            status = wait(process, run)
            process.kill()
            return status


def run_bochs(build, run, log_path):
    """Returns the exit status, None: hung."""
    folder = log_path.removesuffix(".log")
    os.makedirs(folder, exist_ok=True)
    iso = f"{folder}/image.iso"
    subprocess.run(["tools/bochs/make-iso", iso, *kernel_and_tests(build)], check=True)
    with bochs.started(folder, iso, run["cpu"], run["cores"], run["memory"]) as process:
        status = wait(process, run)
    if os.path.exists(f"{folder}/serial.log"):
        shutil.move(f"{folder}/serial.log", log_path)
    return status


def run_machine(build, name, run):
    """Returns the exit status (None: hung) and the log."""
    log_path = f"{build}/tests/kernel/{name}.log"
    with open(log_path, "wb"):
        pass
    emulator = {"qemu": run_qemu, "bochs": run_bochs}[run["emulator"]]
    status = emulator(build, run, log_path)
    with open(log_path, encoding="utf-8", errors="replace") as log:
        return status, log.read()


def report(status, output):
    """Prints what a reader wants to know; returns whether the run was good."""
    verbose = "VERBOSE" in os.environ
    lines = output.splitlines()
    total = [m for m in (re.match(r"(\d+) passed, (\d+) failed$", line) for line in lines) if m]
    for line in lines:
        if verbose or line.startswith(("FAIL", "skip", "     ")):
            print(line)
    if status is None or not total:
        print("the machine " + ("hung" if status is None else f"ended with status {status}")
              + " before the tests were over; " + tail(output))
        return False
    print(total[-1].group())
    return status == PASSED and int(total[-1].group(1)) > 0 and total[-1].group(2) == "0"


def main():
    """The command."""
    build, name = sys.argv[1:]
    runs = configparser.ConfigParser()
    runs.read(os.path.join(HERE, "runs.ini"))
    return 0 if report(*run_machine(build, name, runs[name])) else 1


if __name__ == "__main__":
    sys.exit(main())
