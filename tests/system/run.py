#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of whole systems: run.py BUILD-DIRECTORY TEST. Each boots a system in QEMU.

The console's log is kept in BUILD-DIRECTORY/test-logs/system/. `run.py BUILD-DIRECTORY --list`
names the tests.
"""

import os
import re
import shutil
import sys

import bochs
import disks
import guest_log
import life
import power_cut
from context import (COMMAND_LINE, CONSOLE, CRASH, CRASH_MONITOR, SOURCE, Context,
                     boot_to_shell, description, switch, switch_to_shell)
from drive import Drive
from machine import (CONTROL_C, COUNTED, ESCAPE, MINIMUM_CPU, PARALLEL, TAKING_TURNS, Failure,
                     Shell, tail)

VM_ENDED = r"vm 'linux': powered off"
# What a guest's kernel says when it was held up or lost time.
HELD_UP = (r"lockup|\bstall|blocked for more than|hung.task|unstable|watchdog|\bNMI\b"
           r"|BUG:|WARNING:|Call Trace")
LOAD_SECONDS = int(os.environ.get("LOAD_SECONDS", "120"))


def test_shell(context):
    """Debian's kernel reaches a shell that runs commands, with line editing and job control."""
    date = ["-rtc", "base=2031-02-03T12:00:00"]
    with context.system(boot=context.direct() + date) as machine:
        shell = boot_to_shell(machine)
        shell.check("date -u +%F", "2031-02-03")
        shell.check("echo $((6 * 7))", "42")
        shell.check("uname -m", "x86_64")
        shell.check("! grep /mnt /etc/banner")
        # Longer than any FIFO on the way.
        shell.check("echo " + "x" * 300 + " | wc -c", "301")
        output, status = shell.run("/tests/basic")
        if status or "FAIL" in output:
            raise Failure("the guest's own checks:\n" + output)
        shell.interrupt_sleep()


def test_log(context):
    """The guest's kernel warns about nothing that it does not warn about natively."""
    with context.system() as machine:
        guest = boot_to_shell(machine).check("/tests/log")
        command_line = re.search(r"Kernel command line: (.*)", guest).group(1)
    with context.native(command_line + " bulkhead.test=log") as machine:
        machine.expect(r"bulkhead-test: end log status 0")
        native = machine.output
    if not guest_log.has_log(guest) or not guest_log.has_log(native):
        raise Failure("no kernel log to compare")
    if extra := guest_log.only_in_guest(guest, native):
        raise Failure("warnings of the guest that are not there natively:\n    "
                      + "\n    ".join(extra))


def test_poweroff(context):
    """poweroff in the guest ends the virtual machine, and the system says so."""
    with context.system() as machine:
        boot_to_shell(machine)
        machine.send("poweroff\n")
        machine.expect(VM_ENDED, never=CRASH)


def test_panic(context):
    """A guest whose kernel panics ends its virtual machine, and the monitor says why."""
    with context.system() as machine:
        boot_to_shell(machine)
        machine.send("echo c > /proc/sysrq-trigger\n")
        machine.expect(r"^vmm: linux: stopped: the guest's kernel panicked .*, vCPU 0$")
        machine.expect(r"^vmm: linux: rip [0-9a-f]{16} rflags ")


def test_monitor_fault(context):
    """A monitor that its guest makes fault is stopped, and the system says where."""
    boot = context.assembled(description("linux"), components=context.crashable())
    with context.system(boot=boot) as machine:
        shell = boot_to_shell(machine)
        shell.check("printf V | dd of=/dev/port bs=1 seek=1520 2>/dev/null")
        machine.send(CRASH_MONITOR + "\n")
        machine.expect(r"vm 'linux': its monitor stopped: exception 6 at rip 0x4\w+, error")


def test_reboot(context):
    """reboot in the guest starts it afresh, as often as one likes, with nothing left over."""
    with context.system() as machine:
        shell = boot_to_shell(machine)
        for _ in range(2):
            shell.check("touch /tmp/left-over")
            machine.send("reboot\n")
            machine.expect(r"Linux version", never=CRASH)
            shell.wait(never=CRASH)
            shell.check("ls /tmp", "")


def exits(output):
    """How many exits each run of a VM has had, as it said at its end."""
    reports = output.split("vCPU 0 notifications")[:-1]
    return [sum(int(count) for count in re.findall(r"exits for reason \d+: (\d+)", report))
            for report in reports]


def test_virtio_console(context):
    """What a guest puts out through /dev/hvc0 comes complete, at a fraction of the UART's exits."""
    count = 4000
    text = "".join(f"{number:06} of {count} lines, each as long as a line is\n"
                   for number in range(count))
    boot = context.assembled(
        description("linux").rstrip("\n") + "\n    statistics: true\n")
    with context.system(boot=boot, accel=COUNTED) as machine:
        for device in "/dev/null", "/dev/hvc0", "/dev/ttyS0":
            shell = boot_to_shell(machine)
            shell.check("grep -o hvc0 /sys/class/tty/console/active", "hvc0")
            shell.check(f"i=0; while [ $i -lt {count} ]; do printf '%06d of {count} lines, each as "
                        "long as a line is\\n' $i; i=$((i + 1)); done >/run/lines")
            output = shell.check(f"cat /run/lines >{device}")
            if device != "/dev/null" and output != text:
                raise Failure(f"{len(output)} bytes have come through {device}, of {len(text)}")
            machine.send("reboot\n")
            machine.expect(r"vCPU 0 notifications", never=CRASH)
        nothing, hvc0, uart = exits(machine.output)
    of_hvc0, of_uart = hvc0 - nothing, uart - nothing
    print(f"{len(text)} bytes: {of_hvc0} exits through hvc0, {of_uart} through the UART, "
          f"{of_uart / of_hvc0:.0f} times as many; {nothing} for booting")
    if of_uart < 10 * of_hvc0:
        raise Failure("the virtio console has not spared the exits")


def test_uart(context):
    """A guest that keeps to its serial port has the keyboard there, though it has /dev/hvc0."""
    text = description("linux").replace(CONSOLE, "console=ttyS0")
    with context.system(boot=context.assembled(text)) as machine:
        shell = boot_to_shell(machine)
        shell.check("ls /dev/hvc0", "/dev/hvc0")
        shell.check("cat /sys/class/tty/console/active", "ttyS0")
        # From the first output there on what is typed is for that one.
        machine.send("exec </dev/hvc0 >/dev/hvc0 2>&1; echo mo''ved\n")
        machine.expect(r"^moved$", never=CRASH)
        shell.check("echo $((6 * 7))", "42")


def test_counted(context):
    """The same system runs where every instruction takes one nanosecond."""
    with context.system(accel=COUNTED) as machine:
        boot_to_shell(machine).check("echo $((6 * 7))", "42")


def test_minimum_cpu(context):
    """The same system runs on a CPU without SMEP, SMAP and XSAVE."""
    with context.system(cpu=MINIMUM_CPU) as machine:
        shell = boot_to_shell(machine)
        output, status = shell.run("/tests/basic")
        if status or "FAIL" in output:
            raise Failure("the guest's own checks:\n" + output)


def ipis(shell):
    """How many IPIs of all kinds the guest has counted, over all its processors."""
    lines = re.findall(r"^ *(?:RES|CAL|TLB): *([\d ]+)", shell.check("cat /proc/interrupts"), re.M)
    return sum(int(number) for line in lines for number in line.split())


def check_nmis(shell, vcpus):
    """Linux has each of the other processors say by an NMI where it is."""
    shell.check("dmesg -n 1")
    shell.run("for i in $(seq 10); do echo l > /proc/sysrq-trigger; done")
    counts = [int(count) for count in
              re.search(r"NMI: *([\d ]+)", shell.check("grep NMI: /proc/interrupts"))[1].split()]
    if len(counts) != vcpus or sum(counts) < 10 * (vcpus - 1):
        raise Failure(f"NMIs that the guest's processors have counted: {counts}")


def check_processors(shell, vcpus):
    """What a guest says of its processors is true, and they can be switched off and on."""
    shell.check("nproc", str(vcpus))
    for cpu in range(vcpus):
        shell.check(f"taskset {1 << cpu:x} cut -d' ' -f39 /proc/self/stat", str(cpu))
    if ipis(shell) == 0:
        raise Failure("the guest has counted no IPI")
    for cpu in range(1, vcpus):
        for online in (0, 1):
            shell.check(f"echo {online} > /sys/devices/system/cpu/cpu{cpu}/online")
            shell.check("nproc", str(vcpus - 1 + online))
    output, status = shell.run("/tests/basic")
    if status or "FAIL" in output:
        raise Failure("the guest's own checks:\n" + output)
    check_nmis(shell, vcpus)  # fills the log, which was one of the checks


def flags_of(shell):
    output, _ = shell.run("grep -m 1 ^flags /proc/cpuinfo")
    return set(output.split(":")[1].split())


def test_baseline(context):
    """A guest of a named baseline finds its instructions, and no others."""
    text = description("linux").rstrip("\n") + "\n    cpu: x86-64-v2\n"
    with context.system(boot=context.assembled(text)) as machine:
        shell = Shell(machine)
        shell.wait(never=CRASH)
        flags = flags_of(shell)
        missing = {"sse2", "cx16", "lahf_lm", "popcnt", "pni", "sse4_2", "ssse3", "nx"} - flags
        more = {"avx", "avx2", "xsave", "bmi1", "aes", "rdrand", "smep", "smap", "rdtscp"} & flags
        if missing or more:
            raise Failure(f"missing: {missing}, not of the baseline: {more}")


def test_baseline_missing(context):
    """A VM whose processor lacks a part of its baseline says so, and does not start."""
    text = description("linux").rstrip("\n") + "\n    cpu: x86-64-v3\n"
    with context.system(boot=context.assembled(text), cpu=MINIMUM_CPU) as machine:
        machine.expect(r"cannot start: the processor is no x86-64-v3; it lacks .*AVX2", never=CRASH)
        machine.expect(r"could not be started")


def run_multicore(context, vcpus, cores, accel=TAKING_TURNS):
    """
    vCPUs that take turns on so many cores; also after a reboot, and to the end. Where there are
    several, core 0 is left out: see docs/emulators.md, section 3.
    """
    used = [0] if cores == 1 else list(range(1, cores + 1))
    with context.system(boot=context.described(vcpus, used), accel=accel,
                        cores=used[-1] + 1) as machine:
        shell = boot_to_shell(machine)
        check_processors(shell, vcpus)
        machine.send("reboot\n")
        machine.expect(r"Linux version", never=CRASH)
        shell.wait(never=CRASH)
        shell.check("nproc", str(vcpus))
        machine.send("poweroff\n")
        machine.expect(VM_ENDED, never=CRASH)


def test_smp_2_on_1(context):
    """Two vCPUs on one core."""
    run_multicore(context, 2, 1)


def test_smp_4_on_1(context):
    """Four vCPUs on one core."""
    run_multicore(context, 4, 1)


def test_smp_2_on_2(context):
    """Two vCPUs on two cores."""
    run_multicore(context, 2, 2, accel=PARALLEL)


def test_smp_4_on_2(context):
    """Four vCPUs on two cores."""
    run_multicore(context, 4, 2)


def test_smp_4_on_4(context):
    """Four vCPUs on four cores."""
    run_multicore(context, 4, 4, accel=PARALLEL)


def run_iso(context, boot):
    with context.system(boot=boot) as machine:
        boot_to_shell(machine).check("echo $((6 * 7))", "42")


def test_missing_core(context):
    """A VM on a core that the machine lacks: init says so, and starts nothing."""
    with context.system(boot=context.described(2, [0, 2]), cores=2) as machine:
        machine.expect(r"^\[bulkhead\] 'linux[^']*' needs core 2, and this machine has 2 cores, "
                       r"numbered from 0$", never=CRASH + "|Linux version|starting$")


# What Linux says when it has started the second processor.
TWO_CPUS = r"smp: Brought up 1 node, 2 CPUs$"


def check_bochs(context, boot, model, cores, never, expected):
    """Runs the system to its end; its output has all of these lines, and none of those."""
    output = bochs.run(context.log("-bochs").removesuffix(".log"), boot[1], boot[3], model, cores)
    with open(context.log(), "w", encoding="utf-8") as file:
        file.write(output)
    bad = re.search(never, output, re.MULTILINE)
    for wanted in (r"^virtualisation: VT-x$", *expected,
                   r"all virtual machines have ended; leaving"):
        if bad or not re.search(wanted, output, re.MULTILINE):
            problem = repr(bad.group()) if bad else f"no {wanted!r}"
            raise Failure(f"{problem}; {tail(output)}")


def run_on_vtx(context, model, test, cores=1, expected=()):
    """Debian's kernel with a vCPU on each core and one of the guest's tests, in Bochs."""
    text = description("linux").replace(
        COMMAND_LINE, f'"{CONSOLE} cryptomgr.notests bulkhead.test={test}"')
    text = text.replace("vms:", "at-end: exit\nvms:", 1).rstrip("\n")
    boot = context.assembled(f"{text}\n    vcpus: {cores}\n    cores: {list(range(cores))}\n")
    check_bochs(context, boot, model, cores, CRASH, [
        rf"^bulkhead-test: end {test} status 0$", *expected, r"vm 'linux': powered off"])


def test_vtx(context):
    """Intel VT-x (Haswell, in Bochs): Debian's kernel starts, the guest's checks pass."""
    run_on_vtx(context, "corei7_haswell_4770", "basic")


def test_vtx_nehalem(context):
    """VT-x without unrestricted guest (Nehalem, in Bochs): Debian's kernel starts and ends."""
    run_on_vtx(context, "corei5_lynnfield_750", "log")


def test_vtx_two(context):
    """Two vCPUs on two cores with VT-x (Haswell, in Bochs)."""
    run_on_vtx(context, "corei7_haswell_4770", "log", 2, [TWO_CPUS])


def test_vtx_nehalem_two(context):
    """Two vCPUs without unrestricted guest (Nehalem, in Bochs), by ACPI's wake-up mailbox."""
    run_on_vtx(context, "corei5_lynnfield_750", "log", 2, [TWO_CPUS])


def test_vtx_real_mode(context):
    """What needs real mode where there is no unrestricted guest (Nehalem, in Bochs) is told so."""
    boot = context.assembled("system: real-mode\nat-end: exit\nvms:\n  - name: real-mode\n"
                             "    memory: 64M\n    kernel: real-mode.bzimage\n"
                             "    vcpus: 2\n    cores: [0]\n", context.path("guests"))
    check_bochs(context, boot, "corei5_lynnfield_750", 1, r"^panic|PANIC|assertion|still alive", [
        r"the processor lacks unrestricted guest",
        r"^vmm: real-mode: vCPU 1 stays off: it was to start in real mode, which this processor ",
        r"^guest: without paging CR0 is 31$",
        r"^vmm: real-mode: stopped: real mode, which this processor cannot run",
        r"vm 'real-mode': crashed"])


def test_iso_bios(context):
    """Booted by GRUB (multiboot 2) under SeaBIOS."""
    run_iso(context, context.iso())


def test_iso_uefi(context):
    """Booted by GRUB (multiboot 2) under OVMF."""
    run_iso(context, context.iso() + context.uefi_firmware())


def test_iso_stick_bios(context):
    """The same image on a USB stick, under SeaBIOS."""
    run_iso(context, context.iso(stick=True))


def test_iso_stick_uefi(context):
    """The same image on a USB stick, under OVMF."""
    run_iso(context, context.iso(stick=True) + context.uefi_firmware())


def test_two(context):
    """Two VMs share the console; one floods it and is switched off, and the other goes on."""
    with context.system(boot=context.direct("two"), cores=3) as machine:
        machine.expect(r"^\[console\] the keyboard goes to one;")
        one = boot_to_shell(machine)
        check_processors(one, 2)
        switch(machine, "n", "two")
        two = Shell(machine)
        two.wait(never=CRASH)
        two.check("nproc", "1")
        # A flood of whole lines, seen with its owner's name while the other one works.
        machine.send("while :; do echo fl''ood; done\n")
        machine.expect(r"^flood$")
        switch(machine, "1", "one")
        machine.expect(r"^two\| flood$", never=r"^one\| flood$")
        machine.send("echo be''hind the flood\n")
        machine.expect(r"^behind the flood$", never=CRASH)
        switch(machine, "2", "two")
        machine.send(CONTROL_C)
        two.wait(never=CRASH)
        machine.send("poweroff\n")
        machine.expect(r"vm 'two': powered off", never=CRASH)
        switch(machine, "p", "one")
        one.wait(never=CRASH)
        one.check("echo $((6 * 9))", "54")
        machine.send("poweroff\n")
        machine.expect(r"vm 'one': powered off", never=CRASH)
        machine.expect(r"all virtual machines have ended")


def test_shared_core(context):
    """Two VMs on one core by budget: one that takes all it can leaves the other its part."""
    boot = context.assembled(description("shared-core"))
    with context.system(boot=boot, cores=2) as machine:
        boot_to_shell(machine)
        rest = switch_to_shell(machine, "2", "rest")
        rest.check("sh -c 'while :; do :; done' & true")
        third = switch_to_shell(machine, "1", "third")
        third.check("nproc", "1")
        third.check("echo $((6 * 7))", "42")
        machine.send("poweroff\n")
        machine.expect(r"vm 'third': powered off", never=CRASH)
        switch_to_shell(machine, "2", "rest").check("nproc", "1")


def test_four(context):
    """Four VMs, each with a core and a partition of its own."""
    names = ["north", "east", "south", "west"]
    disk = context.disk(names)
    boot = context.assembled(description("four")) + disk.arguments()
    with context.system(boot=boot, cores=5) as machine:
        shell = boot_to_shell(machine)
        for number, name in enumerate(names):
            if number:
                shell = switch_to_shell(machine, str(number + 1), name)
            shell.check("dmesg -n 1")
            shell.check("ls /mnt", "lost+found")
            shell.check(f"echo {name} > /mnt/file && umount /mnt")
        for number, name in enumerate(names):
            shell = switch_to_shell(machine, str(number + 1), name)
            shell.check("mount /dev/vda /mnt && cat /mnt/file && umount /mnt", name)
            machine.send("poweroff\n")
            machine.expect(rf"vm '{name}': powered off", never=CRASH)
        machine.expect(r"all virtual machines have ended")
    for number in range(len(names)):
        disk.check_file_system(number)


def check_load(name, shell, output, status):
    """The programs have ended well, and the guest's kernel has nothing to complain about."""
    print(f"{name}:\n{output}")
    if (status or "successful run completed" not in output or "Max:" not in output
            or "fail:" in output):
        raise Failure(f"the load of {name}: status {status}:\n{output}")
    log = shell.check("dmesg")
    print(f"{name}, its kernel's log since then:\n{log}")
    if found := re.search(f".*(?:{HELD_UP}).*", log, re.IGNORECASE):
        raise Failure(f"the kernel of {name} says {found.group()!r}")
    shell.check("nproc", "2")


def test_console(context):
    """Another serial port, for the kernel as well; another escape key; another VM is the first."""
    text = description("two") + "console:\n  port: 0x2f8\n  escape: Ctrl-A\n  first: two\n"
    boot = context.assembled(text) + ["-append", "console_port=0x2f8"]
    with context.system(boot=boot, cores=3,
                        serial=["-serial", "null", "-serial", "stdio"]) as machine:
        machine.expect(r"^Bulkhead$")
        machine.expect(r"^\[console\] the keyboard goes to two; Ctrl-A n: to the next one")
        two = Shell(machine)
        two.wait(never=CRASH)
        two.check("nproc", "1")
        machine.send("\x01p")
        machine.expect(r"^\[console\] the keyboard goes to one$")
        machine.send("\n")
        one = Shell(machine)
        one.wait(never=CRASH)
        check_processors(one, 2)


def test_load(context):
    """Two VMs on the same two cores both work hard, and neither's kernel notices."""
    with context.system(boot=context.loaded(), accel=PARALLEL, cores=3) as machine:
        one = boot_to_shell(machine)
        two = switch_to_shell(machine, "2", "two")
        two.check("dmesg -c >/dev/null")
        two.check(f"/tests/load {LOAD_SECONDS} >/tmp/load 2>&1 & job=$!")
        switch(machine, "1", "one")
        one.check("dmesg -c >/dev/null")
        check_load("one", one, *one.run(f"/tests/load {LOAD_SECONDS}"))
        switch(machine, "2", "two")
        status = two.run("wait $job")[1]
        check_load("two", two, two.check("cat /tmp/load"), status)
        switch(machine, "1", "one")
        one.check("echo $((6 * 7))", "42")


# --- disks: one VM at a time, unless two are needed ----------------------------------------------


def with_disks(*entries):
    """systems/linux with these disks."""
    lines = "".join(f"      - {entry}\n" for entry in entries)
    return description("linux").rstrip("\n") + "\n    disks:\n" + lines


def test_disk_persistence(context):
    """What a VM has written is there when it, or the whole machine, has started again."""
    disk = context.disk(["one", "two"])
    boot = context.direct("two") + disk.arguments()
    with context.system(boot=boot, cores=3) as machine:
        one = boot_to_shell(machine)
        one.check("cat /proc/partitions | grep -c vd", "1")
        one.check("grep -c /mnt /etc/banner", "1")
        one.check("echo first > /mnt/file && sync")
        machine.send("reboot\n")
        machine.expect(r"Linux version", never=CRASH)
        one.wait(never=CRASH)
        one.check("cat /mnt/file", "first")
        one.check("dd if=/dev/urandom of=/mnt/large bs=1M count=20 && umount /mnt")
        two = switch_to_shell(machine, "2", "two")
        two.check("ls /mnt", "lost+found")
        two.check("echo second > /mnt/file && umount /mnt")
        machine.send("poweroff\n")
        machine.expect(r"vm 'two': powered off", never=CRASH)
    disk.check_file_system(0)
    disk.check_file_system(1)
    with context.system(boot=boot, cores=3) as machine:
        boot_to_shell(machine).check("cat /mnt/file", "first")
        two = switch_to_shell(machine, "2", "two")
        two.check("cat /mnt/file", "second")


def test_disk_isolation(context):
    """A VM that reads and writes all that it can reach neither sees nor changes anything else."""
    disk = context.disk(["other", "linux", "third"])
    disk.fill_others(1, b"neighbour's secret")
    before = disk.hash_others(1)
    boot = context.assembled(with_disks("partlabel: linux")) + disk.arguments()
    with context.system(boot=boot) as machine:
        shell = boot_to_shell(machine)
        shell.check("umount /mnt")
        shell.check("cat /sys/block/vda/size", str(disk.sectors(1)))
        shell.check("grep -c secret /dev/vda || true", "0")
        shell.check("dd if=/dev/urandom of=/run/seed bs=64k count=1")
        # To the end, and beyond: the last write finds no room.
        shell.check("while cat /run/seed; do :; done >/dev/vda 2>/run/full")
        shell.check("grep -q 'No space left' /run/full")
        shell.check("sync; echo 3 >/proc/sys/vm/drop_caches; cmp -n 65536 /run/seed /dev/vda")
        shell.check("grep -c secret /dev/vda || true", "0")
        shell.check("blkdiscard /dev/vda")
        shell.check("cat /sys/block/vda/size", str(disk.sectors(1)))
    if disk.hash_others(1) != before:
        raise Failure("something outside of the partition has changed")


def test_disk_read_only(context):
    """A disk that is only to be read cannot be written, and its file system can be read."""
    disk = context.disk(["linux"])
    disk.put_file(0, "greeting", "from the host")
    before = disk.hash()
    boot = context.assembled(
        with_disks("{ partlabel: linux, access: read-only }")) + disk.arguments()
    with context.system(boot=boot) as machine:
        shell = boot_to_shell(machine)
        shell.check("cat /sys/block/vda/ro", "1")
        shell.check("cat /mnt/greeting", "from the host")
        shell.check("! touch /mnt/file")
        shell.check("umount /mnt; ! dd if=/dev/zero of=/dev/vda bs=4k count=1")
    if disk.hash() != before:
        raise Failure("the disk has changed")


def test_disk_names(context):
    """Two disks with a GPT, whose primary copy is damaged, and an MBR; entries that are wrong."""
    disk = context.disk(["linux"], serial="GPT")
    disk.damage(512 + 24)
    old = context.disk([], serial="MBR", name="mbr")
    old.make_mbr()
    boot = context.assembled(with_disks(
        "partlabel: linux", "{ serial: MBR, number: 5 }", "partlabel: nowhere",
        "{ serial: GPT, number: 1 }")) + disk.arguments() + old.arguments(port=1)
    with context.system(boot=boot) as machine:
        machine.expect(r"^sataserver\| disk GPT: .*the backup is used$")
        machine.expect(r"^sataserver\| linux/vda has partition 1 of disk GPT: 32 MiB, read-write$")
        machine.expect(r"^sataserver\| linux/vdb has partition 5 of disk MBR: 3 MiB, read-write$")
        machine.expect(r"^sataserver\| linux/vdc has no disk: .*there is no such partition$")
        machine.expect(r"^sataserver\| linux/vdd has no disk: 'linux/vda' has some of the same")
        shell = boot_to_shell(machine)
        shell.check("echo text > /mnt/file && umount /mnt")
        shell.check("echo logical | dd of=/dev/vdb conv=fsync")
    disk.check_file_system(0)
    if old.read(old.logical_start(), 7) != b"logical":
        raise Failure("nothing has come to the logical partition")


def check_bad_sectors(shell):
    """Sectors 4096 and 8192 cannot be read and written; what is beside them can."""
    shell.check("umount /mnt")
    shell.check("! dd if=/dev/vda of=/dev/null bs=1M iflag=direct 2>/run/error")
    shell.check("grep -q 'Input/output error' /run/error")
    shell.check("dmesg | grep -q 'I/O error, dev vda, sector 4096 op 0x0:(READ)'")
    shell.check("! dd if=/dev/zero of=/dev/vda bs=4k seek=1024 count=1 conv=fsync 2>/run/error")
    shell.check("grep -q 'Input/output error' /run/error")
    shell.check("dmesg | grep -q 'I/O error, dev vda, sector 8192 op 0x1:(WRITE)'")
    shell.check("dd if=/dev/urandom of=/run/seed bs=4k count=2")
    for place in (510, 513, 1022, 1025):
        shell.check(f"dd if=/run/seed of=/dev/vda bs=4k seek={place} count=1 oflag=direct")
        shell.check(f"dd if=/dev/vda bs=4k skip={place} count=1 iflag=direct | "
                    "cmp -n 4096 - /run/seed")


def check_error_lines(output, first):
    """The console names disk, sectors and VM of both errors, and no others."""
    lines = re.findall(r"^sataserver\| disk TEST: (\w+) sectors (\d+) to (\d+) failed "
                       r"\((.*); error [0-9a-f]+h", output, re.M)
    for kind, sector in ("reading", first + 4096), ("writing", first + 8192):
        found = [line for line in lines if line[0] == kind]
        if not found or any(not int(line[1]) <= sector <= int(line[2]) for line in found):
            raise Failure(f"lines about {kind} sector {sector}: {lines}")
    if {line[3] for line in lines} != {"one/vda"}:
        raise Failure(f"whose errors they are: {lines}")


def test_disk_errors(context):
    """Bad sectors are errors of the requests that they concern, and of no other's, nor VM's."""
    disk = context.disk(["one", "two"])
    first = disk.start(0) // 512
    boot = context.direct("two") + disk.failing_arguments(read=first + 4096, write=first + 8192)
    with context.system(boot=boot, cores=3) as machine:
        one = boot_to_shell(machine)
        two = switch_to_shell(machine, "2", "two")
        two.check("dd if=/dev/urandom of=/run/seed bs=64k count=16")
        two.check("(until [ -e /run/stop ]; do dd if=/run/seed of=/mnt/file bs=16k oflag=direct && "
                  "dd if=/mnt/file bs=16k iflag=direct | cmp - /run/seed && "
                  "echo same >>/run/same || echo other >>/run/same; done) >/dev/null 2>&1 & job=$!")
        switch(machine, "1", "one")
        check_bad_sectors(one)
        check_error_lines(machine.output, first)
        switch(machine, "2", "two")
        two.check("touch /run/stop; wait $job; uniq /run/same", "same")
        two.check("! dmesg | grep -i 'i/o error'")
        machine.send(ESCAPE + "d")
        machine.expect(r"^sataserver\| one/vda: .* 0 refused, [1-9]\d* errors;")
        machine.expect(r"^sataserver\| two/vda: .* 0 refused, 0 errors;")


def check_takes(shell, command, seconds):
    """By the guest's clock, which is the server's; a slow host only makes it longer."""
    shell.check("cut -d. -f1 /proc/uptime >/run/start")
    shell.check(command)
    shell.check(f"test $(($(cut -d. -f1 /proc/uptime) - $(cat /run/start))) -ge {seconds}")


def test_disk_limits(context):
    """Disks with limits get no more than that, and all that they ask for in the end."""
    disk = context.disk(["linux", "second", "third"])
    boot = context.assembled(with_disks(
        "{ partlabel: linux, iops: 20 }", "{ partlabel: second, bandwidth: 1M }",
        "partlabel: third")) + disk.arguments()
    with context.system(boot=boot) as machine:
        machine.expect(r"^sataserver\| linux/vda has .* read-write, at most 20 requests/s$")
        machine.expect(r"^sataserver\| linux/vdb has .* read-write, at most 1024 KiB/s$")
        machine.expect(r"^sataserver\| linux/vdc has .* read-write$")
        shell = boot_to_shell(machine)
        shell.check("echo text > /mnt/file && umount /mnt")
        # Less the burst, the last request, and what cutting the fraction off may hide.
        check_takes(shell, "dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct", 4)
        check_takes(shell, "dd if=/dev/urandom of=/dev/vdb bs=1M count=5 oflag=direct", 3)
        shell.check("dd if=/dev/urandom of=/run/seed bs=64k count=16")
        shell.check("cat /run/seed >/dev/vdb; cat /run/seed >/dev/vdc; sync; "
                    "echo 3 >/proc/sys/vm/drop_caches")
        shell.check("cmp -n 1048576 /run/seed /dev/vdb && cmp -n 1048576 /run/seed /dev/vdc")
    disk.check_file_system(0)


def test_disk_none(context):
    """Without a disk or a controller the VM runs, and the console says what is missing."""
    boot = context.assembled(with_disks("partlabel: linux"))
    with context.system(boot=boot) as machine:
        machine.expect(r"^sataserver\| linux/vda has no disk: .*there is no such partition$")
        boot_to_shell(machine).check("echo $((6 * 7))", "42")
    with context.system(boot=boot + ["-machine", "pc"]) as machine:
        machine.expect(r"device 'ahci' cannot be used: this machine has none$")
        machine.expect(r"^sataserver\| linux/vda has no disk: there is no AHCI controller$")
        boot_to_shell(machine).check("echo $((6 * 7))", "42")


def start_writing(machine):
    """The second VM writes to its disk, and the keyboard is the first one's; both shells."""
    one = boot_to_shell(machine)
    two = switch_to_shell(machine, "2", "two")
    two.check("(while sleep 1; do date >>/mnt/file; sync; done) >/dev/null 2>&1 & true")
    switch(machine, "1", "one")
    return one, two


def check_writing(machine, two):
    """The second VM goes on writing, as if nothing had happened to the first."""
    switch(machine, "2", "two")
    machine.send("\n")
    two.wait(never=CRASH)
    lines = int(two.check("wc -l </mnt/file"))
    two.check(f"sleep 3; test $(wc -l </mnt/file) -gt {lines}")
    machine.send(ESCAPE + "d")
    machine.expect(r"^sataserver\| two/vda: .* 0 refused, 0 errors;")


def test_disk_killed(context):
    """A VM that ends, or starts afresh, amid its I/O disturbs nobody, itself included."""
    disk = context.disk(["one", "two"])
    with context.system(boot=context.direct("two") + disk.arguments(), cores=3) as machine:
        one, two = start_writing(machine)
        for _ in range(2):
            one.check("umount /mnt")
            for way in ("if=/dev/vda of=/dev/null iflag=direct",
                        "if=/dev/zero of=/dev/vda oflag=direct"):
                machine.send(f"(while dd {way} bs=1M; do :; done) >/dev/null 2>&1 &\n")
            one.check("sleep 2")
            machine.send("reboot -f\n")
            machine.expect(r"Linux version", never=CRASH)
            one.wait(never=CRASH)
            one.check("cat /sys/block/vda/size", str(disk.sectors(0)))
            one.run("grep -q ' /mnt ' /proc/mounts || mount -t tmpfs none /mnt")
        machine.send("(while dd if=/dev/vda of=/dev/null bs=1M; do :; done) >/dev/null 2>&1 &\n")
        machine.send("sleep 1; poweroff -f\n")
        machine.expect(r"vm 'one': powered off", never=CRASH)
        check_writing(machine, two)
    disk.recover(1)


def test_disk_triple_fault(context):
    """A guest that triple-faults amid its I/O costs its own VM, and no file system anything."""
    disk = context.disk(["one", "two"])
    text = description("two").replace(CONSOLE, f"{CONSOLE} reboot=t", 1)
    with context.system(boot=context.assembled(text) + disk.arguments(), cores=3) as machine:
        one, two = start_writing(machine)
        one.check("echo before >/mnt/kept && sync")
        for command in ("dd if=/dev/zero of=/mnt/file bs=1M count=8 conv=fsync",
                        "dd if=/dev/vda of=/dev/null bs=1M iflag=direct"):
            machine.send(f"(while {command}; do :; done) >/dev/null 2>&1 &\n")
        one.check("sleep 2")
        machine.send("echo b >/proc/sysrq-trigger\n")
        machine.expect(r"vmm: one: stopped: triple fault")
        machine.expect(r"^bulkhead\| vm 'one': crashed: reason 0x.* detail 0x[0-9a-f]+$")
        check_writing(machine, two)
    if disks.run("debugfs", "-R", "cat kept", disk.recover(0)).splitlines()[-1] != "before":
        raise Failure("what the guest had synchronised has gone")
    disk.recover(1)


def manual_blocks(heading):
    """The blocks of YAML in a section of the manual."""
    with open(os.path.join(SOURCE, "docs", "system-description.md"), encoding="utf-8") as file:
        section = file.read().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_first_changes(context):
    """The manual's first changes to a system, made as it says, do what it says."""
    keys, third, failing = manual_blocks("A system of your own")
    begin, second = description("two").split("  - name: two\n")
    second = re.sub(r"^    (memory|cores): .*\n", "", second, flags=re.MULTILINE)
    text = begin + "  - name: two\n" + keys + second + third + failing
    disk = context.disk(["one", "two", "three"])
    with context.system(boot=context.assembled(text) + disk.arguments(), cores=3) as machine:
        boot_to_shell(machine)
        two = switch_to_shell(machine, "2", "two")
        check_processors(two, 2)
        kib = int(two.check("grep MemTotal: /proc/meminfo").split()[1])
        if not 560 << 10 < kib < 640 << 10:
            raise Failure(f"the second VM has {kib} KiB")
        three = switch_to_shell(machine, "3", "three")
        three.check("echo third >/mnt/file && umount /mnt")
        machine.send("poweroff\n")
        machine.expect(r"vm 'three': powered off", never=CRASH)
    disk.check_file_system(2)


def run_by_front_door(context, file_name):
    """What `./bulkhead run` of a description gives to QEMU, which is not started."""
    programs = os.path.join(context.logs, context.name + "-bin")
    os.makedirs(programs, exist_ok=True)
    emulator = os.path.join(programs, "qemu-system-x86_64")
    with open(emulator, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho \"$@\"\n")
    os.chmod(emulator, 0o755)
    return disks.run("env", f"PATH={programs}:{os.environ['PATH']}",
                     os.path.join(SOURCE, "bulkhead"), "run", file_name)


def test_machine(context):
    """The front door gives QEMU the machine that the description assumes."""
    file_name = context.log("-machine").removesuffix(".log") + ".yaml"
    with open(file_name, "w", encoding="utf-8") as file:
        file.write(description("linux") + "machine:\n  cores: 3\n  memory: 3G\n")
    arguments = run_by_front_door(context, file_name)
    system = re.search(r"-initrd (build/systems/[^ ]*)/image.elf", arguments)[1]
    shutil.rmtree(os.path.join(SOURCE, system))
    if " -smp 3 -m 3072 " not in arguments:
        raise Failure(f"QEMU was given {arguments}")


def test_disk_images(context):
    """Each description has its own disk image and boot image, even beside another one."""
    folder = context.log("-descriptions").removesuffix(".log")
    os.makedirs(os.path.join(folder, "more"), exist_ok=True)
    found = []
    for name in ("system.yaml", "other.yaml", "more/system.yaml", "system.yaml"):
        file_name = os.path.join(folder, name)
        with open(file_name, "w", encoding="utf-8") as file:
            file.write(with_disks("partlabel: linux"))
        arguments = run_by_front_door(context, file_name)
        found.append((re.search(r"file=(build/disks/[^, ]*)", arguments)[1],
                      re.search(r"-initrd (build/systems/[^ ]*)/image.elf", arguments)[1]))
    for disk, system in set(found):
        os.remove(os.path.join(SOURCE, disk))
        shutil.rmtree(os.path.join(SOURCE, system))
    if found[3] != found[0] or any(len(set(names)) != 3 for names in zip(*found)):
        raise Failure(f"disk images and boot images: {found}")


def test_disk_power_cut(context):
    """What a guest was told is on the disk is there after a power cut, each of POWER_CUTS (20)."""
    wanted = int(os.environ.get("POWER_CUTS", "20"))
    of_one_boot = max(10, wanted // 20)
    disk = context.disk(["linux"])
    boot = context.assembled(with_disks("partlabel: linux"))
    done = lost = cuts = 0
    # What a cut has left is what the next machine begins with: its own recovery counts, too.
    while cuts < wanted:
        with (Drive(disk.path) as drive,
              context.system(boot=boot + drive.arguments()) as machine):
            boot_to_shell(machine)
            for cut in power_cut.cut_often(machine, drive, done, min(of_one_boot, wanted - cuts)):
                power_cut.check_cut(disk, cut)
                lost += cut.lost
                cuts += 1
        done = cut.acknowledged
    print(f"{cuts} cuts, {lost} writes lost")
    if not lost:
        raise Failure("no cut has lost anything")


def log_in(machine):
    """From the login prompt of a Debian that has booted well to a shell like the other guests'."""
    machine.expect(r"^debian login: ", never=CRASH)
    machine.send("root\n")
    machine.expect(r"root@debian:~# ", never=CRASH)
    machine.send("exec env SYSTEMD_PAGER=cat PS1=gu'est:# ' sh\n")
    machine.expect(r"guest:# ")
    shell = Shell(machine)
    shell.check("dmesg -n 1")
    shell.check("systemctl is-system-running --wait", "running")
    shell.check("systemctl list-units --failed --plain --no-legend", "")
    shell.check("findmnt -n -o SOURCE,FSTYPE /", "/dev/vda ext4")
    shell.check("! dmesg -l warn,err,crit,alert,emerg | grep -iE 'vda|virtio|ext4|I/O|blk|jbd'")
    return shell


def test_debian(context):
    """A whole Debian boots from its partition without a failed unit, and keeps its files."""
    disk = context.disk(["debian"])
    boot = context.direct("debian") + disk.arguments()
    with context.system(boot=boot, cores=3) as machine:
        shell = log_in(machine)
        shell.check("cat /etc/hostname", "debian")
        shell.check("nproc", "2")
        print(shell.check("systemd-analyze"))
        shell.check("dpkg --audit", "")
        shell.check("echo written > ~/file")
        machine.send("reboot\n")
        machine.expect(r"Linux version", never=CRASH)
        shell = log_in(machine)
        shell.check("cat ~/file", "written")
        machine.send("poweroff\n")
        machine.expect(r"vm 'debian': powered off", never=CRASH)
    disk.check_file_system(0)


TESTS = {name.removeprefix("test_").replace("_", "-"): function
         for name, function in (globals() | vars(life)).items() if name.startswith("test_")}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, name = os.path.abspath(sys.argv[1]), sys.argv[2]
    if name == "--list":
        for test, function in TESTS.items():
            print(f"{test:12} {function.__doc__}")
        return
    context = Context(build, name)
    try:
        TESTS[name](context)
    except Failure as failure:
        print(f"FAILED {name}: {failure}\n(console log: {os.path.relpath(context.log())})")
        sys.exit(1)
    print(f"passed {name}: {TESTS[name].__doc__}")


if __name__ == "__main__":
    main()
