/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of physical address ranges, as boot needs them: ascending, disjoint, not touching, none
 * empty. Both functions keep that, and return false (list unchanged or cut short at its end) when
 * it is full.
 */
#ifndef KERNEL_CORE_REGIONS_H
#define KERNEL_CORE_REGIONS_H

#include "kernel/core/boot.h"

bool regions_add(struct boot_regions *regions, u64 start, u64 end) MUST_CHECK;
bool regions_remove(struct boot_regions *regions, u64 start, u64 end) MUST_CHECK;
/* Does [start, end) meet any of them; does one of them contain all of it? */
bool regions_overlap(const struct boot_regions *regions, u64 start, u64 end);
bool regions_contain(const struct boot_regions *regions, u64 start, u64 end);

#endif
