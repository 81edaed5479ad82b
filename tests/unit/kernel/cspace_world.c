/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/kernel/cspace_world.h"

#include <string.h>

#include "kernel/core/core.h"

struct world world;

static struct tcb caller;
static u64 buffer[128];

int world_set_up(void **state)
{
    struct cap cnode =
        cap_make(CAP_CNODE, hpa(PAGE_SIZE), WORLD_RADIX | (64 - WORLD_RADIX) << 6, 0);

    (void)state;
    fakes_reset(2 * WORLD_BASE);
    memset(&stubs, 0, sizeof stubs);
    memset(&world, 0, sizeof world);
    world.slots = cnode_slots(cnode);
    slot_insert_root(&world.slots[WORLD_UNTYPED],
                     untyped_cap(hpa(WORLD_BASE), WORLD_UNTYPED_BITS, false, 0));
    slot_insert_root(&world.slots[WORLD_CNODE], cnode);
    return 0;
}

u64 world_invoke_words(unsigned slot, u64 label, const int *extra, unsigned length,
                       const u64 *words)
{
    struct request *request = &world.answer;
    enum status status;

    *request = (struct request){ .caller = &caller,
                                 .slot = &world.slots[slot],
                                 .cap = world.slots[slot].cap,
                                 .label = label,
                                 .length = length,
                                 .buffer = buffer,
                                 .kind = { .is_call = true, .is_blocking = true } };
    memset(buffer, 0xee, sizeof buffer); /* words beyond the message must not be looked at */
    for (unsigned i = 0; i < length; i++)
        buffer[1 + i] = words[i];
    caller.context.r10 = buffer[1];
    caller.context.r8 = buffer[2];
    caller.context.r9 = buffer[3];
    caller.context.r15 = buffer[4];
    while (extra[request->nr_extra] != EXTRA_END) {
        request->extra[request->nr_extra] = &world.slots[extra[request->nr_extra]];
        request->nr_extra++;
    }
    status = invocation_dispatch(request);
    if (status == STATUS_PREEMPTED)
        return WORLD_PREEMPTED;
    return status == STATUS_OK ? seL4_NoError : request->error.code;
}

void world_retype(unsigned untyped, u64 type, u64 size, unsigned dest, unsigned count)
{
    assert_int_equal(
        world_invoke(untyped, UntypedRetype, EXTRA(WORLD_CNODE), type, size, 0, 0, dest, count),
        seL4_NoError);
}

void world_copy(unsigned src, unsigned dest)
{
    assert_int_equal(
        world_invoke(WORLD_CNODE, CNodeCopy, EXTRA(WORLD_CNODE), dest, 64, src, 64, RIGHTS_ALL),
        seL4_NoError);
}

void world_mint(unsigned src, unsigned dest, u64 badge)
{
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeMint, EXTRA(WORLD_CNODE), dest, 64, src, 64,
                                  RIGHTS_ALL, badge),
                     seL4_NoError);
}

void world_delete(unsigned slot)
{
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeDelete, NO_EXTRA, slot, 64), seL4_NoError);
}

void world_revoke(unsigned slot)
{
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeRevoke, NO_EXTRA, slot, 64), seL4_NoError);
}

static void check_slot(const struct slot *slot)
{
    if (slot_is_empty(slot)) {
        assert_int_equal(slot->prev, 0);
        assert_int_equal(slot->next, 0);
        return;
    }
    if (slot_next(slot))
        assert_ptr_equal(slot_prev(slot_next(slot)), slot);
    if (slot_prev(slot))
        assert_ptr_equal(slot_next(slot_prev(slot)), slot);
}

/* Every slot that a list reaches, wherever it lies, and every slot of the root CNode. */
void world_check(void)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++)
        check_slot(&world.slots[i]);
    for (struct slot *slot = &world.slots[WORLD_UNTYPED]; slot; slot = slot_next(slot)) {
        assert_false(slot_is_empty(slot));
        check_slot(slot);
    }
}

unsigned world_used_slots(void)
{
    unsigned used = 0;

    for (unsigned i = WORLD_FREE; i < WORLD_SLOTS; i++)
        used += !slot_is_empty(&world.slots[i]);
    return used;
}
