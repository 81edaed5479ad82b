/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of physical address ranges, as boot needs them: ascending, disjoint, not touching, none
 * empty. All functions keep that. A list that would become too long ends the boot.
 */
#ifndef KERNEL_CORE_REGIONS_H
#define KERNEL_CORE_REGIONS_H

#include "kernel/core/boot.h"

void regions_add(struct boot_regions *regions, u64 start, u64 end);
void regions_remove(struct boot_regions *regions, u64 start, u64 end);
void regions_remove_all(struct boot_regions *regions, const struct boot_regions *others);
/* Takes so many aligned bytes out, the highest there are below the limit; 0 if there are none. */
u64 regions_take(struct boot_regions *regions, u64 bytes, unsigned align_bits, u64 limit);
/* Does [start, end) meet any of them; does one of them contain all of it? */
bool regions_overlap(const struct boot_regions *regions, u64 start, u64 end);
bool regions_contain(const struct boot_regions *regions, u64 start, u64 end);

#endif
