/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of VT-x's extended page tables. pt_access.memory is an EPT memory type. The guest's own
 * PAT still counts (bit 6 stays clear); accessed and dirty flags are not in use (EPTP bit 6 is
 * clear). What nobody may access has no present entry: EPT cannot say it otherwise.
 * Sources: Intel SDM volume 3, 28.3.2 "EPT Translation Mechanism", 28.3.7 "EPT and Memory Typing".
 */
#ifndef KERNEL_VSPACE_PT_EPT_H
#define KERNEL_VSPACE_PT_EPT_H

#include "kernel/vspace/pt.h"

#define PT_EPT_R            BIT(0)
#define PT_EPT_W            BIT(1)
#define PT_EPT_X            BIT(2)
#define PT_EPT_MEMORY_SHIFT 3
#define PT_EPT_MEMORY_MASK  7u
#define PT_EPT_PS           BIT(7)

static inline u64 pt_ept_leaf(unsigned level, hpa_t frame, struct pt_access access)
{
    if (!access.user)
        return 0;
    return frame.raw | PT_EPT_R | (access.write ? PT_EPT_W : 0) | (access.execute ? PT_EPT_X : 0) |
           (u64)(access.memory & PT_EPT_MEMORY_MASK) << PT_EPT_MEMORY_SHIFT |
           (level ? PT_EPT_PS : 0);
}

static inline u64 pt_ept_table(hpa_t table)
{
    return table.raw | PT_EPT_R | PT_EPT_W | PT_EPT_X;
}

#endif
