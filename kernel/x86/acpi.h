/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel needs from ACPI tables: processors, interrupt controllers and timers. Tables are
 * checked (place, length, checksum) before anything in them is believed; a bad one counts as
 * absent.
 * Sources: ACPI Specification 6.5, sections 5.2.5 (RSDP) to 5.2.12 (MADT); IA-PC HPET Specification
 * 1.0a, section 3.2.4.
 */
#ifndef KERNEL_X86_ACPI_H
#define KERNEL_X86_ACPI_H

#include "kernel/core/config.h"
#include "kernel/core/types.h"

struct acpi {
    u8 rsdp[36];
    u64 local_apic;
    unsigned nr_processors; /* usable ones, at most CONFIG_MAX_CORES */
    u32 apic_ids[CONFIG_MAX_CORES];

    u64 io_apic;       /* the first one that the firmware names */
    u16 pm_timer_port; /* 0: none */
    u64 hpet;          /* 0: none */
};

extern struct acpi acpi;

/*
 * From the RSDP that the loader gave (bytes > 0), or searched in the BIOS's areas. Needs the final
 * tables.
 */
void acpi_init(const u8 *rsdp, u32 bytes, bool search);

#endif
