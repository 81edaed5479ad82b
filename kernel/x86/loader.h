/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader says about the machine, in one form for Multiboot 1 and 2.
 *
 * Nothing it says is trusted further than necessary: lengths are checked against the structure they
 * stand in, strings are cut, ranges that overlap or overflow are dropped. Everything is copied but
 * the first module itself. Read while the first 4 GiB are mapped by boot.S.
 * Sources: Multiboot Specification 0.6.96, section 3.3; Multiboot2 Specification 2.0, section 3.6.
 */
#ifndef KERNEL_X86_LOADER_H
#define KERNEL_X86_LOADER_H

#include "kernel/core/boot.h"

#define LOADER_MULTIBOOT1 0x2badb002u
#define LOADER_MULTIBOOT2 0x36d76289u

#define LOADER_COMMAND_LINE_BYTES 512
#define LOADER_MEMORY_MAP_BYTES   1200 /* 50 entries of 24 bytes: what the API's block holds */

struct loader {
    bool is_multiboot2;
    char command_line[LOADER_COMMAND_LINE_BYTES];

    struct boot_regions usable; /* whole pages of RAM, all addresses */
    struct boot_regions cached; /* that and what firmware keeps in RAM: ACPI tables */
    struct boot_regions unusable;
    struct boot_region module; /* the first one; empty if there is none */

    u8 rsdp[36]; /* Multiboot 2 only */
    u32 rsdp_bytes;
    struct {
        u32 bytes; /* of entries that there are */
        u8 entries[LOADER_MEMORY_MAP_BYTES];
    } memory_map; /* Multiboot 1 only */
    u8 framebuffer[22];
    bool has_framebuffer;
    struct {
        u8 control[512], mode[256];
        u32 words[4]; /* mode, interface segment, offset, length */
    } vbe;
    bool has_vbe;
};

extern struct loader loader;

/* Panics with the reason if what it says is not usable. */
void loader_read(u32 magic, u32 info);
/* The number after `name=` on the command line, hexadecimal with 0x; or `otherwise`. */
u64 loader_option(const char *name, u64 otherwise);

#endif
