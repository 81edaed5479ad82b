/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/memory.h"

#include <stddef.h>

static uint32_t untyped_count(const seL4_BootInfo *bootinfo)
{
    uint64_t count = bootinfo->untyped.end - bootinfo->untyped.start;

    return count < CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS ? (uint32_t)count
                                                        : CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS;
}

void memory_init(struct memory *memory, const seL4_BootInfo *bootinfo)
{
    uint32_t count = untyped_count(bootinfo);

    memory->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const seL4_UntypedDesc *untyped = &bootinfo->untypedList[i];

        if (!untyped->isDevice && untyped->sizeBits <= seL4_MaxUntypedBits) {
            memory->untypeds[memory->count++] =
                (struct memory_untyped){ bootinfo->untyped.start + i, 0, untyped->sizeBits };
        }
    }
}

/* Bytes from the next multiple of the size on; 0 if there is none. */
static uint64_t room(const struct memory_untyped *untyped, uint8_t size_bits)
{
    uint64_t size = 1ull << size_bits;
    uint64_t start = (untyped->used + size - 1) & ~(size - 1);
    uint64_t end = 1ull << untyped->size_bits;

    return start < end ? end - start : 0;
}

uint64_t memory_free_bytes(const struct memory *memory)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < memory->count; i++) {
        bytes += room(&memory->untypeds[i], 0);
    }
    return bytes;
}

static struct memory_untyped *smallest_with_room(struct memory *memory, uint8_t size_bits)
{
    struct memory_untyped *best = NULL;

    for (uint32_t i = 0; i < memory->count; i++) {
        struct memory_untyped *untyped = &memory->untypeds[i];

        if (room(untyped, size_bits) >> size_bits != 0 &&
            (best == NULL || room(untyped, 0) < room(best, 0))) {
            best = untyped;
        }
    }
    return best;
}

uint32_t memory_take(struct memory *memory, uint8_t size_bits, uint32_t count, seL4_CPtr *slot)
{
    struct memory_untyped *untyped = smallest_with_room(memory, size_bits);
    uint64_t fits;

    if (untyped == NULL) {
        return 0;
    }
    fits = room(untyped, size_bits) >> size_bits;
    count = count < MEMORY_MAX_BATCH ? count : MEMORY_MAX_BATCH;
    count = count < fits ? count : (uint32_t)fits;
    untyped->used =
        (1ull << untyped->size_bits) - room(untyped, size_bits) + ((uint64_t)count << size_bits);
    *slot = untyped->slot;
    return count;
}
