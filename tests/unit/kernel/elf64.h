/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF files that host tests give to the kernel as the initial task: described here once more, so
 * that a mistake in the kernel's own description is seen. Sources: System V ABI, chapters 4 and 5.
 */
#ifndef TESTS_UNIT_KERNEL_ELF64_H
#define TESTS_UNIT_KERNEL_ELF64_H

#include "kernel/core/types.h"

struct elf64_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};

/* A program of one page. */
struct elf64_file {
    struct elf64_header header;
    struct elf64_segment segment;
};

#define ELF64_FILE(at, entry_point)                                                                \
    {                                                                                              \
        .header = { .ident = "\177ELF\2\1\1",                                                      \
                    .type = 2,                                                                     \
                    .machine = 62,                                                                 \
                    .entry = entry_point,                                                          \
                    .phoff = 64,                                                                   \
                    .phentsize = 56,                                                               \
                    .phnum = 1 },                                                                  \
        .segment = { .type = 1, .vaddr = at, .filesz = 64, .memsz = 4096 },                        \
    }

#endif
