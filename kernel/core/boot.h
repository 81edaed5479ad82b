/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot: what kernel/x86 has found out about the machine, and the making of the initial task from
 * it (ABI section 8). Everything here runs once, on the first core, before any user code.
 *
 * The order (kernel/x86/boot.c calls it): early serial, CPU features, loader's data, ACPI, final
 * page tables, interrupt controllers, timers, virtualisation, boot_initial_task, scheduling.
 * Units: ranges are half open, [start, end), physical.
 */
#ifndef KERNEL_CORE_BOOT_H
#define KERNEL_CORE_BOOT_H

#include "kernel/core/types.h"

#define BOOT_MAX_REGIONS 64

struct boot_region {
    u64 start, end;
};

struct boot_regions {
    unsigned count;
    struct boot_region at[BOOT_MAX_REGIONS];
};

struct boot_machine {
    struct boot_regions
        ram; /* usable RAM at or above 1 MiB, ascending, no overlap (whole, with what is in use) */
    struct boot_regions
        in_use; /* parts of RAM that are not free: kernel image, boot-time page tables */
    struct boot_regions
        reserved; /* not RAM, but the kernel's own: local APIC, I/O APIC, IOMMU registers */
    struct boot_region discarded; /* the kernel's boot code and data: free RAM after boot */
    const u8 *module; /* the initial task's ELF image, in the physical window; its pages are free
                       * RAM once it has been read, even if in_use names them */
    u64 module_size;
    unsigned nr_cores;

    /* For extra bootinfo; sizes 0 when absent. */
    u8 rsdp[36];
    bool has_rsdp;
    const u8 *memory_map; /* multiboot 1 entries, copied verbatim */
    u32 memory_map_bytes;
    bool has_framebuffer;
    u8 framebuffer[22]; /* u64 address, u32 pitch, width, height, u8 bpp, u8 type */
    const u8 *vbe;      /* 784 bytes of block 1 after its header, or NULL */
};

/*
 * Makes the root CNode, address space, IPC buffer, bootinfo, scheduling context and thread, and the
 * untypeds of all that is left. Returns the thread, ready to run. Panics with the reason when
 * the module is no usable ELF image or memory does not suffice.
 */
struct tcb *boot_initial_task(const struct boot_machine *machine);

#endif
