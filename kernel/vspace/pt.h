/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table walker: four levels of 512 entries. It looks places up, fills and clears them; it
 * knows neither capabilities nor ASIDs, and flushes nothing: each change tells its caller whether
 * the processor may hold a translation that has become stale.
 *
 * It works on host's, EPT's and NPT's entries alike: what they differ in is how a leaf or a table
 * is written (pt_host.h, pt_ept.h, pt_npt.h). A level is that of the table an entry lies in: 0 PT,
 * 1 PD, 2 PDPT, 3 PML4. An entry of level n spans 2^(12 + 9n) bytes.
 *
 * Invariants
 *  I1  An entry is written in one store: another core's walk sees the old one or the new one.
 *  I2  A table is empty, and that store visible, before it is hooked in.
 *  I3  An entry is present, or 0.
 * Locking: as kernel/vspace/vspace.h.
 */
#ifndef KERNEL_VSPACE_PT_H
#define KERNEL_VSPACE_PT_H

#include "kernel/core/memory.h"
#include "kernel/core/types.h"

#define PT_LEVELS     4
#define PT_TOP_LEVEL  (PT_LEVELS - 1)
#define PT_INDEX_BITS 9
#define PT_ENTRIES    BIT(PT_INDEX_BITS)
#define PT_LARGE      BIT(7) /* in a PD or PDPT, of any format: the entry is a leaf */

/* What a leaf allows. The meaning of memory is the format's. */
struct pt_access {
    bool user; /* accessible at all to the code the space is for */
    bool write;
    bool execute;
    u8 memory;
};

static inline unsigned pt_span_bits(unsigned level)
{
    return PAGE_BITS + PT_INDEX_BITS * level;
}

enum pt_status {
    PT_MAPPED,
    PT_REPLACED, /* as PT_MAPPED, but the processor may hold what was there before */
    PT_MISSING,  /* the table that should hold the entry; nothing was changed */
    PT_BUSY,     /* something is there; nothing was changed */
};

struct pt_result {
    enum pt_status status;
    unsigned missing_bits; /* with PT_MISSING: log2 of what the missing table would span */
};

/* Fills the entry of this level with a leaf or a table; may replace another leaf, never a table. */
struct pt_result pt_map(u64 *root, u64 address, unsigned level, u64 entry, bool may_replace);
/*
 * Clears the entry of this level if it is a leaf for just this frame, or names just this table.
 * Returns whether it was so.
 */
bool pt_unmap(u64 *root, u64 address, unsigned level, bool is_leaf, hpa_t object);

#endif
