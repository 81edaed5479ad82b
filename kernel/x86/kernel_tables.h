/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own part of every address space: PML4 slot 511.
 *
 *      0xffffff8000000000   physical window: all RAM write-back, everything else below 4 GiB
 *      uncached;
 *                           writable but for the kernel's code and constants, never executable
 *                           (if the processor knows NX)
 *      0xffffffff80000000   the kernel's image: code, constants, data
 *
 * All pages are global and as large as memory types allow. Made once at boot, never changed after.
 * Sources: Intel SDM volume 3, sections 4.5 and 12.11.9 (large pages and memory types).
 */
#ifndef KERNEL_X86_KERNEL_TABLES_H
#define KERNEL_X86_KERNEL_TABLES_H

#include "kernel/core/boot.h"

/* Makes and loads them. `cached` is RAM; page tables are taken from `free`. */
void kernel_tables_init(const struct boot_regions *cached, struct boot_regions *free);
/* Physical memory that the window shows, or NULL. */
const void *kernel_window(u64 address, u64 bytes);
/* Registers of a device in the window, or NULL. */
volatile void *kernel_window_device(u64 address, u64 bytes);

#endif
