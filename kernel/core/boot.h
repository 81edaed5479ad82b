/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot: what kernel/x86 has found out about the machine, and the making of the initial task from
 * it (ABI section 8). Everything here runs once, on the first core, before any user code.
 *
 * The order (kernel/x86/boot.c calls it): serial line, loader's data, CPU features, final page
 * tables, ACPI, interrupt controllers, timers, virtualisation, boot_initial_task, scheduling.
 * Units: ranges are half open, [start, end), physical.
 */
#ifndef KERNEL_CORE_BOOT_H
#define KERNEL_CORE_BOOT_H

#include "kernel/core/types.h"

#define BOOT_MAX_REGIONS 128

struct boot_region {
    u64 start, end;
};

struct boot_regions {
    unsigned count;
    struct boot_region at[BOOT_MAX_REGIONS];
};

struct boot_machine {
    struct boot_regions ram;  /* usable RAM at or above 1 MiB, with what is in use of it */
    struct boot_regions free; /* RAM without the kernel, its page tables and the module */
    /* The kernel's own: registers of the local APIC, of the I/O APIC. */
    struct boot_regions reserved;
    struct boot_region module; /* the initial task's ELF image; free RAM once it has been read */

    /* For extra bootinfo: contents of the blocks, without their headers; NULL when absent. */
    const void *vbe, *rsdp, *framebuffer, *memory_map;
};

/*
 * Makes the root CNode, address space, IPC buffer, bootinfo, scheduling context and thread, and the
 * untypeds of all that is left: what is in machine->free is given away. Returns the thread, ready
 * to run. Panics with the reason when the module is no usable ELF image or memory does not suffice.
 */
struct tcb *boot_initial_task(struct boot_machine *machine);

#endif
