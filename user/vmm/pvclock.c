/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/pvclock.h"

#define NANOSECONDS     1000000000ull
#define FLAG_TSC_STABLE 1u

void pvclock_scale(uint32_t tsc_khz, uint32_t *multiplier, int8_t *shift)
{
    uint64_t frequency = (uint64_t)tsc_khz * 1000;

    /* Into (1, 2] GHz, so that the factor uses all of its 32 bits. */
    *shift = 0;
    while (frequency > 2 * NANOSECONDS) {
        frequency >>= 1;
        (*shift)--;
    }
    while (frequency <= NANOSECONDS) {
        frequency <<= 1;
        (*shift)++;
    }
    *multiplier = (uint32_t)((NANOSECONDS << 32) / frequency);
}

bool pvclock_write_time(const struct guest_ram *ram, gpa_t address, uint32_t tsc_khz,
                        uint64_t tsc_at_zero, uint32_t version)
{
    struct pvclock_time time = { .version = version,
                                 .tsc_timestamp = tsc_at_zero,
                                 .flags = FLAG_TSC_STABLE };

    pvclock_scale(tsc_khz, &time.tsc_to_system_mul, &time.tsc_shift);
    return guest_ram_write(ram, address, &time, sizeof(time));
}

bool pvclock_write_wall(const struct guest_ram *ram, gpa_t address, uint64_t boot_time)
{
    struct pvclock_wall wall = { .version = 2, .seconds = (uint32_t)boot_time };

    return guest_ram_write(ram, address, &wall, sizeof(wall));
}
