/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initial task's image: a statically linked ELF64 executable for x86-64. The file is foreign
 * data: elf_check looks at everything that elf_load relies on.
 * Units: bytes; ranges are half open.
 * Sources: System V ABI, chapters 4 and 5 (object files, program loading); AMD64 supplement.
 */
#ifndef KERNEL_CORE_ELF_H
#define KERNEL_CORE_ELF_H

#include "kernel/core/types.h"

struct elf_image {
    const u8 *file;
    u64 start, end; /* virtual addresses; end is that of the last byte used, not rounded */
    u64 entry;
    u64 headers; /* offset and number of the program headers */
    unsigned nr_headers;
};

/* Returns NULL and the image, or what is wrong with the file. */
const char *elf_check(const u8 *file, u64 size, struct elf_image *image) MUST_CHECK;
/* Lays the image's memory out at memory, which stands for image->start and is zeroed. */
void elf_load(const struct elf_image *image, u8 *memory);

#endif
