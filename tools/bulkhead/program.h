/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Component programs: static ELF64 files for x86-64, as the build makes them. Read with suspicion
 * all the same, because --components may name any folder.
 */
#ifndef TOOLS_BULKHEAD_PROGRAM_H
#define TOOLS_BULKHEAD_PROGRAM_H

#include "tools/bulkhead/file.h"

#define PROGRAM_MAX_SEGMENTS 8u

struct program_segment {
    uint64_t address; /* a multiple of the page size */
    uint64_t memory_bytes;
    const uint8_t *bytes;
    uint64_t file_bytes; /* <= memory_bytes; the rest is zero */
    bool write;
    bool execute;
};

struct program {
    uint64_t entry;
    struct program_segment segments[PROGRAM_MAX_SEGMENTS]; /* ascending, no page shared */
    size_t nr_segments;
};

/* Null, or what is wrong with the file. */
const char *program_read(const struct file *file, struct program *program);
/* First page behind the program. */
uint64_t program_end(const struct program *program);

#endif
