/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vspace/pt.h"

static unsigned index_of(u64 address, unsigned level)
{
    return (unsigned)(address >> pt_span_bits(level)) & (unsigned)MASK(PT_INDEX_BITS);
}

/*
 * What an entry of this level maps; of one that names a table, with level 0, which. All formats
 * keep physical addresses in bits 12 to 51; low bits of a large leaf's mean other things.
 */
static hpa_t address_of(u64 entry, unsigned level)
{
    return hpa(entry & MASK(52) & ~MASK(pt_span_bits(level)));
}

/* Processors set accessed and dirty bits meanwhile. */
static u64 load(const u64 *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static void store(u64 *entry, u64 value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Of a present entry: whether it maps memory rather than naming a table. */
static bool is_leaf_entry(u64 entry, unsigned level)
{
    return level == 0 || (level < PT_TOP_LEVEL && (entry & PT_LARGE));
}

/* Where a walk ended: at the level asked for, or above it where no table leads on. */
struct place {
    u64 *entry;
    unsigned level;
};

static struct place walk(u64 *root, u64 address, unsigned level)
{
    struct place place = { root + index_of(address, PT_TOP_LEVEL), PT_TOP_LEVEL };

    while (place.level > level) {
        u64 entry = load(place.entry);

        if (!entry || is_leaf_entry(entry, place.level))
            break;
        place.level--;
        place.entry = (u64 *)hpa_to_ptr(address_of(entry, 0)) + index_of(address, place.level);
    }
    return place;
}

struct pt_result pt_map(u64 *root, u64 address, unsigned level, u64 entry, bool may_replace)
{
    struct place place = walk(root, address, level);

    if (place.level != level)
        return (struct pt_result){ PT_MISSING, pt_span_bits(place.level) };

    u64 old = load(place.entry);

    if (old && (!may_replace || !is_leaf_entry(old, level)))
        return (struct pt_result){ PT_BUSY, 0 };
    store(place.entry, entry);
    return (struct pt_result){ old ? PT_REPLACED : PT_MAPPED, 0 };
}

bool pt_unmap(u64 *root, u64 address, unsigned level, bool is_leaf, hpa_t object)
{
    struct place place = walk(root, address, level);
    u64 entry = load(place.entry);

    if (place.level != level || !entry || is_leaf_entry(entry, level) != is_leaf ||
        address_of(entry, is_leaf ? level : 0).raw != object.raw)
        return false;
    store(place.entry, 0);
    return true;
}
