/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which untyped the next objects come from. Follows the kernel's own arithmetic: an untyped gives
 * out its bytes from the bottom up, each object at the next multiple of its size. Pure.
 *
 * Because the plan's objects never grow, each untyped's used part always ends at a multiple of the
 * next object's size, and no byte is lost to alignment.
 *
 * Invariants  M1  used <= 2^size_bits for every untyped
 *             M2  memory_take() never names an untyped without room for what it returns
 * Units       bytes, sizes as log2
 */
#ifndef USER_INIT_MEMORY_H
#define USER_INIT_MEMORY_H

#include <stdint.h>

#include "abi/bootinfo.h"

/* Most objects that one Untyped_Retype makes. */
#define MEMORY_MAX_BATCH 256u

struct memory_untyped {
    seL4_CPtr slot;
    uint64_t used;
    uint8_t size_bits;
};

struct memory {
    struct memory_untyped untypeds[CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS];
    uint32_t count;
};

/* All RAM that the kernel gives; device memory is left out. */
void memory_init(struct memory *memory, const seL4_BootInfo *bootinfo);

uint64_t memory_free_bytes(const struct memory *memory);

/*
 * Takes up to count objects of one size from one untyped: the smallest that has room for one.
 * Returns how many, and the untyped's slot; 0 if there is no room anywhere.
 */
uint32_t memory_take(struct memory *memory, uint8_t size_bits, uint32_t count, seL4_CPtr *slot);

#endif
