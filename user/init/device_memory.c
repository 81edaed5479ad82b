/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/device_memory.h"

#include <stddef.h>

void device_memory_init(struct device_memory *memory, const seL4_BootInfo *bootinfo)
{
    uint64_t count = bootinfo->untyped.end - bootinfo->untyped.start;

    memory->count = 0;
    for (uint64_t i = 0; i < count && i < CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS; i++) {
        const seL4_UntypedDesc *untyped = &bootinfo->untypedList[i];

        if (untyped->isDevice && untyped->sizeBits >= seL4_PageBits &&
            untyped->sizeBits <= seL4_MaxUntypedBits) {
            memory->rows[memory->count++] =
                (struct device_untyped){ bootinfo->untyped.start + i, untyped->paddr,
                                         untyped->sizeBits };
        }
    }
}

struct device_untyped *device_memory_find(struct device_memory *memory, uint64_t address)
{
    for (uint32_t i = 0; i < memory->count; i++) {
        struct device_untyped *row = &memory->rows[i];

        if (address >= row->address && (address - row->address) >> row->size_bits == 0) {
            return row;
        }
    }
    return NULL;
}

bool device_memory_halve(struct device_memory *memory, struct device_untyped *row, seL4_CPtr low,
                         seL4_CPtr high)
{
    uint8_t bits = (uint8_t)(row->size_bits - 1);

    if (memory->count == DEVICE_MEMORY_ROWS) {
        return false;
    }
    memory->rows[memory->count++] =
        (struct device_untyped){ high, row->address + (1ull << bits), bits };
    *row = (struct device_untyped){ low, row->address, bits };
    return true;
}

void device_memory_remove(struct device_memory *memory, struct device_untyped *row)
{
    *row = memory->rows[--memory->count];
}
