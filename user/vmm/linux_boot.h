/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lays a Linux kernel, its RAM disk and everything the 64-bit boot protocol asks for into guest
 * RAM. The processor state that goes with it is in struct linux_entry; setting it is the caller's.
 *
 *      0x010000   zero page (boot parameters)
 *      0x011000   GDT
 *      0x020000   command line
 *      0x0e0000   ACPI tables (acpi.h)
 *      0x0f8000   page tables, which the guest is to keep: PML4, PDPT, four page directories:
 *                 identity, 2 MiB pages, 4 GiB; then a PDPT for them of the 32-bit kind (PAE)
 *      0x1000000  kernel (its preferred address, or the lowest suitable one above 1 MiB)
 *      top        RAM disk, page aligned, as high as kernel and RAM below 3 GiB allow
 *
 * Errors   a text that says what is wrong, or null; guest RAM is then partly written
 * Sources  Linux Documentation/arch/x86/boot.rst "64-bit boot protocol", zero-page.rst
 */
#ifndef USER_VMM_LINUX_BOOT_H
#define USER_VMM_LINUX_BOOT_H

#include "user/vmm/guest_ram.h"

#define LINUX_ZERO_PAGE   0x10000ull
#define LINUX_GDT         0x11000ull
#define LINUX_GDT_BYTES   32u
#define LINUX_PAGE_TABLES 0xf8000ull
#define LINUX_PAE_TABLE   0xfe000ull
#define LINUX_CMDLINE     0x20000ull
#define LINUX_CMDLINE_MAX 0x1000ull
#define LINUX_CS          0x10u
#define LINUX_DS          0x18u

struct linux_images {
    const uint8_t *kernel;
    uint64_t kernel_bytes;
    const uint8_t *initrd;
    uint64_t initrd_bytes;
    const char *command_line;
};

struct linux_entry {
    uint64_t rip, rsi, cr3;
};

/* mailbox: the ACPI tables name it (mailbox.h). */
const char *linux_boot_load(const struct guest_ram *ram, const struct linux_images *images,
                            bool mailbox, struct linux_entry *entry);

#endif
