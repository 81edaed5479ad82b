/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vspace/asid.h"

#include "kernel/core/panic.h"
#include "kernel/vspace/tlb.h"

u64 *asid_pools[ASID_POOLS];

unsigned asid_free_pool(void)
{
    unsigned index = 0;

    while (index < ASID_POOLS && asid_pools[index])
        index++;
    return index;
}

void asid_pool_install(unsigned index, void *pool)
{
    kernel_assert(index < ASID_POOLS && !asid_pools[index]);
    asid_pools[index] = pool;
}

bool asid_pool_is_installed(unsigned index, const void *pool)
{
    return index < ASID_POOLS && asid_pools[index] == pool;
}

unsigned asid_find_free(unsigned pool_index)
{
    unsigned first = pool_index << ASID_POOL_BITS;

    for (unsigned i = 0; i < ASID_POOL_ENTRIES; i++) {
        if (first + i != ASID_NONE && asid_pools[pool_index][i] == ASID_FREE)
            return first + i;
    }
    return ASID_NONE;
}

void asid_assign(unsigned asid, enum asid_kind kind, u64 *root)
{
    u64 *entry = asid_entry(asid);

    kernel_assert(asid != ASID_NONE && entry && *entry == ASID_FREE);
    *entry = ptr_to_hpa(root).raw | kind;
    known_advance();
}

/* After the entry has been cleared: whoever looks for the root now finds none. */
static void root_forget(u64 entry)
{
    hpa_t root = hpa(entry & ~(u64)ASID_ENTRY_KIND_MASK);

    known_advance();
    if ((entry & ASID_ENTRY_KIND_MASK) == ASID_NATIVE)
        tlb_flush_space(root);
    else
        tlb_flush_nested(root);
}

void vspace_finalise(struct cap cap)
{
    u64 *entry = asid_entry(map_asid(cap)), old;

    if (!entry || !asid_names(cap))
        return;
    old = *entry;
    *entry = ASID_FREE;
    root_forget(old);
}

void asid_pool_finalise(struct cap cap)
{
    unsigned index = cap_aux_get(cap, 0, 3);
    u64 *pool = cap_object(cap);

    if (!asid_pool_is_installed(index, pool))
        return;
    asid_pools[index] = NULL;
    for (unsigned i = 0; i < ASID_POOL_ENTRIES; i++) {
        if (pool[i] != ASID_FREE)
            root_forget(pool[i]);
    }
}
