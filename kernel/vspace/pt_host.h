/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the host's own page tables. pt_access.memory is an index into the PAT (bit 0 PWT, bit
 * 1 PCD, bit 2 PAT), which is what the API's attributes are.
 *
 * Accessed and dirty bits are set from the start: nobody reads them, and the processor then need
 * not write to tables. Dirty only together with writable: dirty and read-only marks a shadow stack.
 * Tables are always walked write-back, because the kernel reaches the same memory write-back.
 * Sources: AMD APM volume 2, 5.3 "Long-Mode Page Translation", 5.4 "Page-Translation-Table Entry
 * Fields"; Intel SDM volume 3, 4.5 "4-Level Paging".
 */
#ifndef KERNEL_VSPACE_PT_HOST_H
#define KERNEL_VSPACE_PT_HOST_H

#include "kernel/vspace/pt.h"

#define PT_HOST_P         BIT(0)
#define PT_HOST_RW        BIT(1)
#define PT_HOST_US        BIT(2)
#define PT_HOST_PWT       BIT(3)
#define PT_HOST_PCD       BIT(4)
#define PT_HOST_A         BIT(5)
#define PT_HOST_D         BIT(6)
#define PT_HOST_PS        BIT(7)  /* in a PD or PDPT: the entry is a leaf */
#define PT_HOST_PAT_4K    BIT(7)  /* in a PT */
#define PT_HOST_PAT_LARGE BIT(12) /* in a large leaf */
#define PT_HOST_NX        BIT(63)

#define PAT_INDEX_PWT 1u
#define PAT_INDEX_PCD 2u
#define PAT_INDEX_PAT 4u

static inline u64 pt_host_memory_bits(unsigned level, unsigned pat_index)
{
    return (pat_index & PAT_INDEX_PWT ? PT_HOST_PWT : 0) |
           (pat_index & PAT_INDEX_PCD ? PT_HOST_PCD : 0) |
           (pat_index & PAT_INDEX_PAT ? (level ? PT_HOST_PAT_LARGE : PT_HOST_PAT_4K) : 0);
}

static inline u64 pt_host_leaf(unsigned level, hpa_t frame, struct pt_access access)
{
    return frame.raw | PT_HOST_P | PT_HOST_A | (access.write ? PT_HOST_RW | PT_HOST_D : 0) |
           (access.user ? PT_HOST_US : 0) | (access.execute ? 0 : PT_HOST_NX) |
           (level ? PT_HOST_PS : 0) | pt_host_memory_bits(level, access.memory);
}

static inline u64 pt_host_table(hpa_t table)
{
    return table.raw | PT_HOST_P | PT_HOST_RW | PT_HOST_US | PT_HOST_A;
}

#endif
