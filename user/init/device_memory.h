/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device memory: which untyped holds an address, and how to cut it down to one page. An untyped
 * gives out its bytes from the bottom up, so a page in its middle is reached by halving it again
 * and again. Pure: the caller does the retyping.
 *
 * Invariants  D1  rows are disjoint; what was taken is in none, so nothing is given out twice
 * Units       bytes, sizes as log2
 */
#ifndef USER_INIT_DEVICE_MEMORY_H
#define USER_INIT_DEVICE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/bootinfo.h"

#define DEVICE_MEMORY_ROWS (CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS + 512u)

struct device_untyped {
    seL4_CPtr slot;
    uint64_t address;
    uint8_t size_bits;
};

struct device_memory {
    struct device_untyped rows[DEVICE_MEMORY_ROWS];
    uint32_t count;
};

void device_memory_init(struct device_memory *memory, const seL4_BootInfo *bootinfo);

/* The row with this page, or null. */
struct device_untyped *device_memory_find(struct device_memory *memory, uint64_t address);
/*
 * The row has been retyped to its two halves, which are in the slots low and high. False, and
 * nothing changes, if there is no room for them.
 */
bool device_memory_halve(struct device_memory *memory, struct device_untyped *row, seL4_CPtr low,
                         seL4_CPtr high);
/* The row is given out. */
void device_memory_remove(struct device_memory *memory, struct device_untyped *row);

#endif
