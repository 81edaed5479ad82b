/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaves of AMD-V's nested page tables. The tables have the host's format (pt_host); every guest
 * access counts as a user's. pt_access.memory is an EPT memory type, as in pt_ept.h; it becomes an
 * index into the host's PAT, whose type the processor then combines with that of the guest.
 * Sources: AMD APM volume 2, 15.25.5 "Nested Table Walk", 15.25.6 "Nested versus Guest Page
 * Faults", 15.25.8 "Combining Memory Types, MTRRs".
 */
#ifndef KERNEL_VSPACE_PT_NPT_H
#define KERNEL_VSPACE_PT_NPT_H

#include "abi/types.h"
#include "kernel/vspace/pt_host.h"

/* By EPT memory type: its index in the PAT as the kernel sets it (0 WB, 1 WT, 3 UC, 4 WC). */
static const u8 pt_npt_pat_index[] = {
    [seL4_X86_EPT_Uncacheable] = 3,
    [seL4_X86_EPT_WriteCombining] = 4,
    [seL4_X86_EPT_WriteThrough] = 1,
    [seL4_X86_EPT_WriteBack] = 0,
};

static inline u64 pt_npt_leaf(unsigned level, hpa_t frame, struct pt_access access)
{
    if (!access.user)
        return 0;
    access.memory = pt_npt_pat_index[access.memory];
    return pt_host_leaf(level, frame, access);
}

#endif
