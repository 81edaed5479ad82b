/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CNodes and the resolution of capability addresses (ABI section 6, "CNode walk").
 * Locking: reading a CSpace needs this core's lock only where no other core can change it, that is
 * on fast paths that hold the CSpace's thread; everything else holds all cores' locks.
 */
#ifndef KERNEL_OBJECT_CNODE_H
#define KERNEL_OBJECT_CNODE_H

#include "abi/errors.h"
#include "kernel/object/cap.h"

struct tcb;

/* Why a capability address did not resolve; the words of the API's lookup failure. */
struct lookup_failure {
    u64 type; /* seL4_InvalidRoot, ... */
    u64 bits_left;
    u64 bits_found;
    u64 guard_found;
};

struct slot_lookup {
    struct slot *slot;  /* NULL when the lookup failed */
    unsigned bits_left; /* of the address when a non-CNode ended the walk early */
    struct lookup_failure failure;
};

/* Resolves depth bits of address from the CNode capability given. */
struct slot_lookup cnode_resolve(struct cap root, u64 address, unsigned depth);
/* As a system call does: 64 bits from the thread's CSpace root; an early end succeeds. */
struct slot_lookup cspace_lookup(struct tcb *thread, u64 address);
/*
 * As CNode operations and Retype do: the walk must use up all bits. A depth that is not in 1..64
 * fails with the failure seL4_NoFailure, for the API answers it with RangeError.
 */
struct slot_lookup cnode_lookup_target(struct cap root, u64 index, u64 depth);

static inline struct slot *cnode_slots(struct cap cnode)
{
    return cap_object(cnode);
}

#endif
