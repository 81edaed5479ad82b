# SPDX-License-Identifier: BSD-2-Clause
"""Tests of how VMs end, fail, are stopped and started, and that others do not notice."""

import re

from context import CRASH, CRASH_MONITOR, boot_to_shell, description, switch, switch_to_shell
from machine import COUNTED, ESCAPE, Failure, Shell

# Text of a description that a VM's own keys follow.
FIRST_VM = "  - name: third\n"
# Seconds of the guest's clock in which it counts, and how much less others' trouble may leave it.
COUNTING_SECONDS = 2
KEPT = 0.9
POLICY = ["restart: on-failure", "restart-delay: 100ms", "restart-limit: 2"]


def with_keys(text, before, *keys):
    """The description with further keys for the VM that begins with `before`."""
    return text.replace(before, before + "".join(f"    {key}\n" for key in keys), 1)


def say(machine, name, what, never=None):
    """Waits for what the supervisor says of a VM."""
    return machine.expect(rf"bulkhead\| vm '{name}': {what}", never=never)


def count(shell):
    """How far a shell of the guest counts in a while of the guest's own time."""
    output, _ = shell.run(
        "sh -c 'i=0; trap \"echo counted \\$i; exit\" TERM; while :; do i=$((i+1)); done' & "
        f"sleep {COUNTING_SECONDS}; kill $!; wait")
    return int(re.search(r"^counted (\d+)$", output, re.MULTILINE).group(1))


def check_kept(alone, counts):
    """A VM's neighbour has counted nearly as far beside its trouble as alone."""
    print(f"counted alone: {alone}, beside the other's trouble: {counts}")
    if min(counts) < KEPT * alone:
        raise Failure(f"the neighbour counted {counts}, and {alone} undisturbed")


def fail_once(machine, shell, trouble):
    """Gives the first VM its trouble, which comes while its neighbour counts; what that counted."""
    machine.send(f"(sleep 1; {trouble}) &\n")
    shell.wait()
    switch(machine, "2", "rest")
    return count(Shell(machine))


def check_neighbour(context, trouble, outcome, components=None):
    """
    A VM that fails, and is started again twice and given up after that, leaves its neighbour on the
    same core what it has otherwise. trouble: typed into the VM's shell; outcome: what is said.
    """
    text = with_keys(description("shared-core"), FIRST_VM, *POLICY)
    boot = context.assembled(text, components=components)
    with context.system(boot=boot, cores=2, accel=COUNTED) as machine:
        boot_to_shell(machine)
        rest = switch_to_shell(machine, "2", "rest")
        alone, counts = count(rest), []
        for run in range(2, 5):
            first = switch_to_shell(machine, "1", "third")
            start = machine.position
            counts.append(fail_once(machine, first, trouble))
            machine.position = start
            say(machine, "third", outcome)
            if run < 4:
                say(machine, "third", "will be started again in")
                say(machine, "third", f"starting, run {run}")
        say(machine, "third", "given up after 3 failures in a row")
        check_kept(alone, counts)


def test_life_panic(context):
    """A VM whose kernel panics is started again by policy; its neighbour keeps its throughput."""
    check_neighbour(context, "echo c > /proc/sysrq-trigger", "the guest's kernel panicked")


def test_life_monitor(context):
    """The same when a VM's monitor is made to crash."""
    check_neighbour(context, CRASH_MONITOR, "its monitor stopped: exception 6",
                    components=context.crashable())


def test_life_stuck(context):
    """The watchdog finds a guest that spins, interrupts off; its neighbour keeps its throughput."""
    text = with_keys(description("shared-core"), FIRST_VM, *POLICY, "watchdog: 1s")
    stuck = context.path("guests", "stuck.bzimage")
    text = text.replace("kernel: vmlinuz", f"kernel: {stuck}", 1)
    with context.system(boot=context.assembled(text), cores=2, accel=COUNTED) as machine:
        for run in 2, 3:
            say(machine, "third", "stuck: vCPU 0 keeps interrupts out")
            say(machine, "third", f"starting, run {run}")
        say(machine, "third", "given up after 3 failures in a row")
        rest = switch_to_shell(machine, "2", "rest")
        alone = count(rest)
        switch(machine, "1", "third")
        machine.send(ESCAPE + "R")
        say(machine, "third", "starting, run 4")
        switch(machine, "2", "rest")
        check_kept(alone, [count(rest)])


def keys(machine, text):
    """A command of the console server's."""
    machine.send(ESCAPE + text)


def check_listed(machine, name, state):
    """The list says so of a VM."""
    keys(machine, "l")
    if state not in (line := machine.expect(rf"^ +\d+ {name}: .*\n").group()):
        raise Failure(f"the list says: {line}")


def test_life_commands(context):
    """A VM is paused, resumed, stopped and started by keys, and its neighbour goes on."""
    with context.system(boot=context.direct("two"), cores=3) as machine:
        one = boot_to_shell(machine)
        two = switch_to_shell(machine, "2", "two")
        check_listed(machine, "one", "running")
        # It counts in a variable, so that a restart would show.
        two.check("kept=before")
        keys(machine, "z")
        say(machine, "two", "paused", never=CRASH)
        check_listed(machine, "two", "paused")
        machine.send("echo ty''ped while it was paused\n")
        switch(machine, "1", "one")
        one.check("sleep 2; echo $((6 * 7))", "42")
        if "typed while" in machine.output:
            raise Failure("a paused VM has answered")
        switch(machine, "2", "two")
        keys(machine, "c")
        # The VM's answer may come before the supervisor's.
        said, typed = r"bulkhead\| vm 'two': goes on", r"^typed while it was paused$"
        machine.expect(rf"(?s:{said}.*?{typed}|{typed}.*?{said})", never=CRASH)
        two.wait()
        two.check("echo $kept", "before")
        keys(machine, "i")
        machine.expect(r"^vmm: two: .*vCPU 0 exits for reason \d+: \d+$", never=CRASH)
        keys(machine, "d")
        machine.expect(r"^sataserver\| ", never=CRASH)
        keys(machine, "K")
        say(machine, "two", "stopped", never=CRASH)
        check_listed(machine, "two", "stopped")
        keys(machine, "R")
        say(machine, "two", "starting, run 2", never=CRASH)
        two.wait(never=CRASH)
        two.check("echo now $kept", "now")
        keys(machine, "R")
        say(machine, "two", "starting, run 3", never=CRASH)
        two.wait(never=CRASH)
        switch(machine, "1", "one")
        one.check("echo $((6 * 9))", "54")
