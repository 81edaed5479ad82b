/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paravirtual clock that Linux calls kvm-clock: how a guest computes time from its TSC. The
 * records are written when the guest names their address, and again if it shifts its TSC; the TSC
 * is invariant, so there is nothing to refresh.
 *
 * Units    nanoseconds = ((ticks shifted by tsc_shift) * tsc_to_system_mul) >> 32
 * Sources  Linux Documentation/virt/kvm/x86/msr.rst
 */
#ifndef USER_VMM_PVCLOCK_H
#define USER_VMM_PVCLOCK_H

#include "user/vmm/guest_ram.h"

#define PVCLOCK_ENABLE 1ull

struct pvclock_time {
    uint32_t version;
    uint32_t padding;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t padding_2[2];
};

struct pvclock_wall {
    uint32_t version;
    uint32_t seconds;
    uint32_t nanoseconds;
};

_Static_assert(sizeof(struct pvclock_time) == 32, "as the guest reads it");
_Static_assert(sizeof(struct pvclock_wall) == 12, "as the guest reads it");

/*
 * Time starts where the guest's TSC is tsc_at_zero. version: even, another one each time the record
 * changes. False if the record is not in RAM.
 */
bool pvclock_write_time(const struct guest_ram *ram, gpa_t address, uint32_t tsc_khz,
                        uint64_t tsc_at_zero, uint32_t version);
bool pvclock_write_wall(const struct guest_ram *ram, gpa_t address, uint64_t boot_time);
/* The factor and the shift for a frequency, as above. tsc_khz > 0 */
void pvclock_scale(uint32_t tsc_khz, uint32_t *multiplier, int8_t *shift);

#endif
