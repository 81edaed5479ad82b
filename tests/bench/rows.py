# SPDX-License-Identifier: BSD-2-Clause
"""The figures that the bench takes: what each is, our target, and what others were seen to need.

The others' figures are from the same emulators: KVM is Debian's with QEMU as its device model for
ports and MMIO (taken by peers/exits.py); Xen is 4.17 and seL4 16.0 (release) with a user-mode
monitor, once and by hand.
"""

import typing


class Row(typing.NamedTuple):
    title: str
    target: int | None = None
    peers: dict = {}


# In the order in which tests/guest/exits.c measures them.
EXITS = ["exit.apic_read", "exit.apic_write", "exit.cpuid", "exit.rdmsr", "exit.port", "exit.mmio",
         "exit.kick", "exit.touch", "exit.tpr", "exit.eoi", "exit.self_ipi", "exit.held_ipi",
         "exit.timer", "exit.wake_up"]

# In QEMU, on AMD-V; peers beside these.
AMD_PEERS = ["KVM", "Xen"]
AMD = {
    "exit.cpuid": Row("CPUID", 450, {"KVM": 3142, "Xen": 6243}),
    "exit.rdmsr": Row("RDMSR of an emulated MSR", 500, {"KVM": 3221}),
    "exit.port": Row("OUT to an emulated device", 550, {"KVM": 6158}),
    "exit.mmio": Row("MMIO read of an emulated device", 900, {"KVM": 8757}),
    "exit.apic_read": Row("APIC by MMIO: read of TPR", None, {"KVM": 4089}),
    "exit.apic_write": Row("APIC by MMIO: write of EOI", None, {"KVM": 3864}),
    "exit.tpr": Row("x2APIC: write of TPR", 500, {"KVM": 3287}),
    "exit.eoi": Row("x2APIC: write of EOI", 500, {"KVM": 3284}),
    "exit.self_ipi": Row("x2APIC: self-IPI, handler, EOI", None, {"KVM": 8573}),
    "exit.held_ipi": Row("x2APIC: self-IPI amid closed interrupts, handler, EOI", None,
                         {"KVM": 10508}),
    "exit.timer": Row("x2APIC timer that is due, handler, EOI", None, {"KVM": 8839}),
    "exit.wake_up": Row("HLT until its timer is due, handler, EOI", None, {"KVM": 3978}),
    "exit.kick": Row("virtqueue kick, nothing in the queue"),
    "exit.touch": Row("first write to a page of memory (no exit)"),
}

# In Bochs, on VT-x; titles and targets are the same.
VTX_PEERS = ["KVM", "seL4", "seL4, one core"]
VTX = {
    "exit.cpuid": {"KVM": 1082, "seL4": 1869, "seL4, one core": 1573},
    "exit.rdmsr": {"KVM": 1196},
    "exit.port": {"KVM": 9925, "seL4": 1026, "seL4, one core": 844},
    "exit.mmio": {"KVM": 12616},
    "exit.apic_read": {"KVM": 15768},
    "exit.apic_write": {"KVM": 8051},
}

IPC_PEERS = ["seL4", "seL4, one core"]
IPC = {
    "ipc.call_reply.same_space": Row("Call and ReplyRecv, one address space", 400),
    "ipc.call_reply.other_space": Row("Call and ReplyRecv, two address spaces", 400,
                                      {"seL4": 757, "seL4, one core": 565}),
    "ipc.signal_and_poll": Row("Signal, then NBWait"),
    "ipc.signal_switch": Row("Signal to a waiting thread, its next Wait"),
    "ipc.send_switch": Row("Send to a waiting thread, its next Recv"),
    "ipc.invocation": Row("shortest invocation (Page_GetAddress)"),
}

# What user/ uses while guests run, and who does.
CALLS = {
    "call.yield": ("Yield", "all"),
    "call.signal": ("Signal, nobody waits", "all"),
    "call.poll": ("Poll, nothing there", "monitor, console, disk server"),
    "call.nb_receive": ("NBRecv, nobody sends", "supervisor"),
    "call.irq_ack": ("IRQHandler_Ack", "console, disk server"),
    "call.port_in": ("IOPort_In8", "console"),
    "call.port_out": ("IOPort_Out8", "console, supervisor"),
    "call.vcpu_read_field": ("VCPU_ReadVMCS", "monitor"),
    "call.vcpu_write_field": ("VCPU_WriteVMCS", "monitor"),
    "call.vcpu_read_msr": ("VCPU_ReadMSR", "monitor"),
    "call.vcpu_write_msr": ("VCPU_WriteMSR", "monitor"),
    "call.tcb_suspend": ("TCB_Suspend", "supervisor"),
    "call.tcb_resume": ("TCB_Resume", "supervisor"),
    "call.tcb_write_registers": ("TCB_WriteRegisters, all 20", "supervisor"),
}

# Name: what it is, what the first core does, what the second.
CORES = {
    "ipc.two_cores.call": ("Call to a server on another core, its reply", "client", "server"),
    "ipc.two_cores.signal": ("Signal to a thread that waits on another core", "sender",
                             "receiver"),
}

# Name: what it is. The one that is not seen step by step has only the ticks of a round trip.
IPI_TICKS = "ipi.one_core.busy"
IPI = {
    "ipi.two_cores.halted": "two cores, to a halted vCPU",
    "ipi.two_cores.busy": "two cores, to a busy vCPU",
    "ipi.one_core.halted": "one core, to a halted vCPU",
    IPI_TICKS: "one core, both busy: there and back, in ticks",
}

# VMs and vCPUs of each: the end of the row's name.
SCALE = {setting: f"{setting[0]}_vms.{setting[1]}_vcpus"
         for setting in ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))}
SCALE_VCPUS = (1, 2, 4)

# How many VMs make exits at once, in Bochs, and how many times those of one they are to be.
PARALLEL = {1: None, 2: "1.95", 4: None}

BOOT = {
    "boot.kernel": Row("kernel's entry to the initial task"),
    "boot.guest": Row("kernel's entry to the guest's first instruction"),
    "boot.guest_init": Row("guest's first instruction to its /init", 1300 * 10**6),
}

LINES_TARGET = 12000


def scale_title(vms, vcpus):
    return f"{vms} VM{'s'[:vms > 1]}, {vcpus} vCPU{'s'[:vcpus > 1]} each"


def references():
    """Name to targets and others' figures, for who reads the figures without this file."""
    rows = AMD | IPC | BOOT
    known = {name: ({"target": row.target} if row.target else {}) | row.peers
             for name, row in rows.items()}
    for name, peers in VTX.items():
        known[f"vtx.haswell.{name}"] = (
            {"target": AMD[name].target} if AMD[name].target else {}) | peers
    known["size.lines.all"] = {"target": LINES_TARGET}
    return {name: row for name, row in known.items() if row}


def expected(emulator):
    """What a complete run has figures for."""
    if emulator == "bochs":
        return [*(f"vtx.{model}.{name}" for model in ("haswell", "nehalem") for name in EXITS),
                *(f"parallel.exits.{vms}" for vms in PARALLEL)]
    return [*AMD, *IPC, *CALLS, *BOOT, "memory.kernel", "size.lines.all",
            *(f"split.{name}.all" for name in (AMD | IPC)),
            *(f"{name}.{who}" for name, (_, *both) in CORES.items() for who in both),
            *(name if name == IPI_TICKS else f"{name}.one_way" for name in IPI),
            *(f"scale.exit.{name}" for name in SCALE.values()),
            *(f"scale.kib.{vcpus}_vcpus" for vcpus in SCALE_VCPUS)]
