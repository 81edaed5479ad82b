# SPDX-License-Identifier: BSD-2-Clause
"""A machine with Intel VT-x in Bochs, which runs to its end and is judged by its serial line."""

import contextlib
import os
import signal
import subprocess
import time

from machine import HANG_SECONDS, Failure, tail

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(SOURCE, "tools", "bochs")
MEMORY = 1024
# Seconds that Bochs may take to write its files after SIGINT.
GRACE = 10


@contextlib.contextmanager
def started(folder, iso, model, cores, memory, environment=None):
    """
    Bochs' process, from start to end of a with block. It ends in order, so that its log of the
    serial line, serial.log in the folder, is complete then.
    """
    process = subprocess.Popen([os.path.join(TOOLS, "run-bochs"), folder, iso, model, str(cores),
                                str(memory)], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process, log, limit):
    """Until Bochs has ended; a serial line that stands still for so many seconds is a hang."""
    size, last = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(1)
        now = os.path.getsize(log) if os.path.exists(log) else 0
        if now != size:
            size, last = now, time.monotonic()
        if time.monotonic() - last > limit:
            return f"nothing for {limit} s"
    return None


def _environment(folder, commands, linux):
    """What run-bochs is told so: what Bochs' debugger does, and that Linux reads MSRs it lacks."""
    environment = dict(os.environ)
    if commands:
        environment["DEBUGGER"] = file_name = os.path.join(folder, "commands")
        with open(file_name, "w", encoding="utf-8") as file:
            file.write(commands)
    if linux:
        environment["IGNORE_BAD_MSRS"] = "1"
    return environment


def run(folder, kernel, module, model, cores, commands=None, linux=None):
    """
    Boots the kernel with its first module; returns what came over the serial line. With commands
    for Bochs' debugger: what that says is in FOLDER/output.txt. linux is the command line of a
    Linux, whose RAM disk the module is.
    """
    os.makedirs(folder, exist_ok=True)
    iso = os.path.join(folder, "image.iso")
    log = os.path.join(folder, "serial.log")
    subprocess.run([os.path.join(TOOLS, "make-iso"), iso, kernel, module,
                    *([linux] if linux else [])], check=True)
    if os.path.exists(log):
        os.remove(log)
    environment = _environment(folder, commands, linux)
    with started(folder, iso, model, cores, MEMORY, environment) as process:
        problem = _wait(process, log, HANG_SECONDS * cores)  # which take turns in one thread
    if not os.path.exists(log):
        raise Failure(f"Bochs did not start: see {folder}/output.txt")
    with open(log, encoding="utf-8", errors="replace") as file:
        output = file.read()
    if problem:
        raise Failure(f"{problem}; {tail(output)}")
    return output
