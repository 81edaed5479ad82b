/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address space identifiers: how a capability names the space that something is mapped in without
 * pointing to it. An ASID names a native or a nested space, or none; a pool object holds 512 of
 * them.
 *
 * Objects    A pool is 4 KiB from an untyped; it takes one of eight places. Dies with its last
 *            capability, and its spaces then have no ASID any more: nothing is found in them.
 * Invariants
 *  I1  At most one ASID names a root table. ASID 0 names none.
 *  I2  A root table that an ASID names is a live object.
 *  I3  When a root loses its ASID, no core runs on it and none holds a translation of it.
 * Locking: all cores' locks to change; asid_root may be read under this core's.
 */
#ifndef KERNEL_VSPACE_ASID_H
#define KERNEL_VSPACE_ASID_H

#include "kernel/object/tcb.h"
#include "kernel/vspace/vspace.h"

#define ASID_NONE           0u
#define ASID_POOL_ENTRIES   BIT(ASID_POOL_BITS)
#define ASID_POOL_SIZE_BITS 12

enum asid_kind { ASID_FREE, ASID_NATIVE, ASID_NESTED };

/* An entry of a pool: the root's physical address, which is page aligned, and an enum asid_kind. */
#define ASID_ENTRY_KIND_MASK 3u

extern u64 *asid_pools[ASID_POOLS];

static inline u64 *asid_entry(unsigned asid)
{
    u64 *pool = asid_pools[asid >> ASID_POOL_BITS];

    return pool ? &pool[asid & MASK(ASID_POOL_BITS)] : NULL;
}

/* The root of the space with this ASID, or NULL if it names none of this kind. */
static inline u64 *asid_root(unsigned asid, enum asid_kind kind)
{
    const u64 *entry = asid_entry(asid);

    if (!entry || (*entry & ASID_ENTRY_KIND_MASK) != kind)
        return NULL;
    return hpa_to_ptr(hpa(*entry & ~(u64)ASID_ENTRY_KIND_MASK));
}

/* The ASID of the PML4 or EPT PML4 names it; it may have gone with its pool, even to another. */
static inline bool asid_names(struct cap space)
{
    enum asid_kind kind = space.type == CAP_PML4 ? ASID_NATIVE : ASID_NESTED;

    return asid_root(map_asid(space), kind) == cap_object(space);
}

/* The nested root of the thread's EPT slot, if it is still one; else that of an empty space. */
static inline hpa_t nested_root_for(const struct tcb *tcb)
{
    struct cap cap = tcb->slots[TCB_EPT_ROOT].cap;

    return cap.type == CAP_EPT_PML4 && asid_names(cap) ? cap_hpa(cap) : nested_empty_root();
}

/* A free place for a pool, or ASID_POOLS. */
unsigned asid_free_pool(void);
/* Puts a zeroed pool into a free place. */
void asid_pool_install(unsigned index, void *pool);
/* The pool is (still) the one in this place. */
bool asid_pool_is_installed(unsigned index, const void *pool);

/* A free ASID of the pool in this place, or ASID_NONE. */
unsigned asid_find_free(unsigned pool_index);
void asid_assign(unsigned asid, enum asid_kind kind, u64 *root);

#endif
