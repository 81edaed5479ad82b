# SPDX-License-Identifier: BSD-2-Clause
#
# The monitor without system calls: what the program and the host's tests and fuzzers share.

set(VMM_SOURCES
    acpi.c baseline.c bus.c bzimage.c cmos.c console.c control.c cpuid.c disk_client.c dsdt.c
    emulate.c events.c exits.c guest_ram.c guest_walk.c insn.c insn_exec.c interrupts.c ioapic.c
    lapic.c linux_boot.c lock.c mailbox.c mmio.c msix.c msr.c paravirt.c pci.c platform.c ports.c
    pvclock.c report.c serial.c uart.c vcpu_reset.c virtio_blk.c virtio_console.c virtio_pci.c
    virtqueue.c virtual_apic.c vm.c)
list(TRANSFORM VMM_SOURCES PREPEND user/vmm/)
list(APPEND VMM_SOURCES lib/ring.c lib/rtc.c)
