/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table walker: four levels of 512 entries, in whatever entry format. It looks places up,
 * fills and clears them; it knows neither capabilities nor ASIDs, and flushes nothing: each change
 * tells its caller whether the processor may hold a translation that has become stale.
 *
 * The format is a constant argument of functions that are always inlined, so no indirect call is
 * left. A level is that of the table an entry lies in: 0 PT, 1 PD, 2 PDPT, 3 PML4. An entry of
 * level n spans 2^(12 + 9n) bytes.
 *
 * Invariants
 *  I1  An entry is written in one store: another core's walk sees the old one or the new one.
 *  I2  A table is empty, and that store visible, before it is hooked in.
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
#define PT_INLINE     static inline __attribute__((always_inline))

/* What a leaf allows. The meaning of memory is the format's. */
struct pt_access {
    bool user; /* accessible at all to the code the space is for */
    bool write;
    bool execute;
    u8 memory;
};

/* How entries are read; each format's header has functions that make them, too. */
struct pt_format {
    bool (*is_present)(u64 entry);
    /* Of a present entry: whether it maps memory rather than naming a table. */
    bool (*is_leaf)(u64 entry, unsigned level);
};

static inline unsigned pt_span_bits(unsigned level)
{
    return PAGE_BITS + PT_INDEX_BITS * level;
}

static inline unsigned pt_index(u64 address, unsigned level)
{
    return (unsigned)(address >> pt_span_bits(level)) & (unsigned)MASK(PT_INDEX_BITS);
}

/*
 * All formats keep physical addresses in bits 12 to 51; low bits of a large leaf's mean other
 * things.
 */
static inline hpa_t pt_table_address(u64 entry)
{
    return hpa(entry & MASK(52) & ~MASK(PAGE_BITS));
}

static inline hpa_t pt_leaf_address(u64 entry, unsigned level)
{
    return hpa(entry & MASK(52) & ~MASK(pt_span_bits(level)));
}

/* Processors set accessed and dirty bits meanwhile. */
static inline u64 pt_load(const u64 *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static inline void pt_store(u64 *entry, u64 value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Where a walk ended: at the level asked for, or above it where no table leads on. */
struct pt_place {
    u64 *entry;
    unsigned level;
};

PT_INLINE struct pt_place pt_walk(const struct pt_format *format, u64 *root, u64 address,
                                  unsigned level)
{
    struct pt_place place = { root + pt_index(address, PT_TOP_LEVEL), PT_TOP_LEVEL };

    while (place.level > level) {
        u64 entry = pt_load(place.entry);

        if (!format->is_present(entry) || format->is_leaf(entry, place.level))
            break;
        place.level--;
        place.entry = (u64 *)hpa_to_ptr(pt_table_address(entry)) + pt_index(address, place.level);
    }
    return place;
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
PT_INLINE struct pt_result pt_map(const struct pt_format *format, u64 *root, u64 address,
                                  unsigned level, u64 entry, bool may_replace)
{
    struct pt_place place = pt_walk(format, root, address, level);

    if (place.level != level)
        return (struct pt_result){ PT_MISSING, pt_span_bits(place.level) };

    u64 old = pt_load(place.entry);
    bool was_present = format->is_present(old);

    if (was_present && (!may_replace || !format->is_leaf(old, level)))
        return (struct pt_result){ PT_BUSY, 0 };
    pt_store(place.entry, entry);
    return (struct pt_result){ was_present ? PT_REPLACED : PT_MAPPED, 0 };
}

/*
 * Clears the entry of this level if it is a leaf for just this frame, or names just this table.
 * Returns whether it was so.
 */
PT_INLINE bool pt_unmap(const struct pt_format *format, u64 *root, u64 address, unsigned level,
                        bool is_leaf, hpa_t object)
{
    struct pt_place place = pt_walk(format, root, address, level);
    u64 entry = pt_load(place.entry);
    hpa_t found = is_leaf ? pt_leaf_address(entry, level) : pt_table_address(entry);

    if (place.level != level || !format->is_present(entry) ||
        format->is_leaf(entry, level) != is_leaf || found.raw != object.raw)
        return false;
    pt_store(place.entry, 0);
    return true;
}

#endif
