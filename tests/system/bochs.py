# SPDX-License-Identifier: BSD-2-Clause
"""A machine with Intel VT-x in Bochs, which runs to its end and is judged by its serial line."""

import os
import signal
import subprocess
import time

from machine import HANG_SECONDS, Failure, tail

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(SOURCE, "tools", "bochs")
MEMORY = 1024
GRACE = 10


def _end(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(process, log):
    """Until Bochs has ended; a serial line that stands still is a hang."""
    size, last = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(1)
        now = os.path.getsize(log) if os.path.exists(log) else 0
        if now != size:
            size, last = now, time.monotonic()
        if time.monotonic() - last > HANG_SECONDS:
            _end(process)
            return f"nothing for {HANG_SECONDS} s"
    return None


def run(folder, kernel, image, model, cores):
    """Boots the kernel with its first module; returns what came over the serial line."""
    os.makedirs(folder, exist_ok=True)
    iso = os.path.join(folder, "image.iso")
    log = os.path.join(folder, "serial.log")
    subprocess.run([os.path.join(TOOLS, "make-iso"), iso, kernel, image], check=True)
    if os.path.exists(log):
        os.remove(log)
    process = subprocess.Popen(
        [os.path.join(TOOLS, "run-bochs"), folder, iso, model, str(cores), str(MEMORY)])
    try:
        problem = _wait(process, log)
    finally:
        if process.poll() is None:
            _end(process)
    if not os.path.exists(log):
        raise Failure(f"Bochs did not start: see {folder}/output.txt")
    with open(log, encoding="utf-8", errors="replace") as file:
        output = file.read().replace("\r", "")
    if problem:
        raise Failure(f"{problem}; {tail(output)}")
    return output
