/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/cnode.h"

#include "abi/types.h"
#include "kernel/object/tcb.h"

static struct slot_lookup lookup_failed(struct lookup_failure failure)
{
    return (struct slot_lookup){ .failure = failure };
}

/* One level: compares the guard, checks the depth. Returns the slot, or NULL and the failure. */
static struct slot *cnode_step(struct cap cnode, u64 address, unsigned depth,
                               struct lookup_failure *failure)
{
    unsigned guard_size = cnode_guard_size(cnode), radix = cnode_radix(cnode);
    unsigned level_bits = guard_size + radix;

    /* depth - guard_size may be 64, when there is no guard: the masked shift is then harmless. */
    if (guard_size > depth ||
        (address >> ((depth - guard_size) & 63) & MASK(guard_size)) != cnode_guard(cnode)) {
        *failure = (struct lookup_failure){ .type = seL4_GuardMismatch,
                                            .bits_left = depth,
                                            .guard_found = cnode_guard(cnode),
                                            .bits_found = guard_size };
        return NULL;
    }
    if (level_bits > depth) {
        *failure = (struct lookup_failure){ .type = seL4_DepthMismatch,
                                            .bits_left = depth,
                                            .bits_found = level_bits };
        return NULL;
    }
    return cnode_slots(cnode) + (address >> (depth - level_bits) & MASK(radix));
}

struct slot_lookup cnode_resolve(struct cap root, u64 address, unsigned depth)
{
    struct slot_lookup result = { 0 };
    struct cap cnode = root;

    if (root.type != CAP_CNODE)
        return lookup_failed((struct lookup_failure){ .type = seL4_InvalidRoot });
    do {
        result.slot = cnode_step(cnode, address, depth, &result.failure);
        if (!result.slot)
            return result;
        /* A CNode has at least two slots, so each level takes at least one bit. */
        depth -= cnode_guard_size(cnode) + cnode_radix(cnode);
        cnode = result.slot->cap;
    } while (depth > 0 && cnode.type == CAP_CNODE);
    result.bits_left = depth;
    return result;
}

struct slot_lookup cspace_lookup(struct tcb *thread, u64 address)
{
    return cnode_resolve(thread->slots[TCB_CSPACE].cap, address, seL4_WordBits);
}

struct slot_lookup cnode_lookup_target(struct cap root, u64 index, u64 depth)
{
    struct slot_lookup result;

    if (root.type == CAP_CNODE && (depth < 1 || depth > seL4_WordBits))
        return lookup_failed((struct lookup_failure){ .type = seL4_NoFailure });
    result = cnode_resolve(root, index, (unsigned)depth);
    if (result.slot && result.bits_left > 0)
        return lookup_failed(
            (struct lookup_failure){ .type = seL4_DepthMismatch, .bits_left = result.bits_left });
    return result;
}
