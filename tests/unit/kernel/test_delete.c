/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deleting and revoking, above all CNodes and TCBs that hold capabilities to themselves and to one
 * another, preempted at every point: whatever happens, the tree stays well formed, no object is
 * used after its end, and revoking the untyped ends everything exactly once.
 */
#include <string.h>

#include "kernel/object/ipc_objects.h"
#include "tests/unit/kernel/cspace_world.h"

enum { A = 10, B, C, COPY = 20, EP = 30, TCB = 40, UNTYPED = 50 };

#define NODE_RADIX 2
#define NODE_SLOTS 4

static struct slot *node_slot(struct cap cnode, unsigned i)
{
    return &cnode_slots(cnode)[i];
}

static struct slot *in(unsigned slot)
{
    return &world.slots[slot];
}

static void make_cnodes(unsigned count)
{
    world_retype(WORLD_UNTYPED, seL4_CapTableObject, NODE_RADIX, A, count);
}

/* Copies a capability to anywhere, as CNode_Copy does. */
static void put(struct slot *src, struct slot *dest)
{
    struct cap cap = src->cap;

    assert_int_equal(cap_derive(src, &cap), seL4_NoError);
    slot_insert(cap, src, dest);
}

/* As a system call that is preempted and repeated. Returns how often it was preempted. */
static unsigned repeat(u64 label, unsigned slot)
{
    unsigned repetitions = 0;

    for (;;) {
        u64 answer = world_invoke(WORLD_CNODE, label, NO_EXTRA, slot, 64);

        world_check();
        if (answer == seL4_NoError)
            return repetitions;
        assert_int_equal(answer, WORLD_PREEMPTED);
        assert_true(++repetitions < 10000);
    }
}

/* After this nothing is left of what the untyped was made into. */
static void revoke_everything(void)
{
    repeat(CNodeRevoke, WORLD_UNTYPED);
    assert_false(slot_has_children(in(WORLD_UNTYPED)));
    assert_null(slot_next(in(WORLD_UNTYPED)));
}

/*
 * Runs a scenario without preemption, then once with a preemption at each point that it passes;
 * build prepares and returns the slot to be deleted. All runs must end the same number of objects.
 */
static void at_every_point(unsigned (*build)(void), u64 label)
{
    u64 points;
    unsigned slot, finalised, used;

    world_set_up(NULL);
    slot = build();
    stubs.points = 0;
    assert_int_equal(repeat(label, slot), 0);
    points = stubs.points;
    finalised = stubs.finalised;
    used = world_used_slots();
    revoke_everything();
    for (u64 at = 1; at <= points; at++) {
        world_set_up(NULL);
        slot = build();
        stubs.points = 0;
        stubs.preempt_at = at;
        assert_int_equal(repeat(label, slot), 1);
        assert_int_equal(stubs.finalised, finalised);
        assert_int_equal(world_used_slots(), used);
        if (label == CNodeDelete)
            assert_true(slot_is_empty(in(slot)));
        revoke_everything();
    }
}

/* --- shapes ---------------------------------------------------------------------------------- */

static void endpoints_into(struct cap cnode, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        put(in(EP), node_slot(cnode, i));
}

static unsigned build_full_cnode(void)
{
    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    endpoints_into(in(A)->cap, 0, NODE_SLOTS);
    world_delete(EP);
    return A;
}

static unsigned build_self_first(void)
{
    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    endpoints_into(in(A)->cap, 1, NODE_SLOTS);
    put(in(A), node_slot(in(A)->cap, 0));
    return A;
}

static unsigned build_self_last(void)
{
    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    endpoints_into(in(A)->cap, 0, NODE_SLOTS - 1);
    put(in(A), node_slot(in(A)->cap, NODE_SLOTS - 1));
    return A;
}

/* A holds the last capabilities of B, B that of C, and C is full. */
static unsigned build_chain(void)
{
    make_cnodes(3);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    endpoints_into(in(C)->cap, 0, NODE_SLOTS);
    slot_move(in(C)->cap, in(C), node_slot(in(B)->cap, 2));
    slot_move(in(B)->cap, in(B), node_slot(in(A)->cap, 1));
    return A;
}

/* A in B and B in A, each the last one of its object but for A's own slot. */
static unsigned build_mutual(void)
{
    struct cap a, b;

    make_cnodes(2);
    a = in(A)->cap;
    b = in(B)->cap;
    put(in(A), node_slot(b, 0));
    slot_move(b, in(B), node_slot(a, 3));
    return A;
}

/* Three that hold one another in their first slots, and all of them in the last. */
static unsigned build_ring(void)
{
    make_cnodes(3);
    for (unsigned i = 0; i < 3; i++) {
        put(in(A + (i + 1) % 3), node_slot(in(A + i)->cap, 0));
        put(in(A + i), node_slot(in(A + i)->cap, 3));
    }
    world_delete(B);
    world_delete(C);
    return A;
}

/* A thread whose CSpace holds the thread. */
static unsigned build_thread(void)
{
    struct slot *slots;

    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_TCBObject, 0, TCB, 1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    slots = cap_tcb(in(TCB)->cap)->slots;
    put(in(A), &slots[TCB_CSPACE]);
    put(in(EP), &slots[TCB_FAULT_HANDLER]);
    put(in(TCB), node_slot(in(A)->cap, 2));
    world_delete(A);
    return TCB;
}

/* Five threads wait at the last capability, which lies in a CNode. */
static unsigned build_queue(void)
{
    struct endpoint *endpoint;

    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    endpoint = cap_object(in(EP)->cap);
    endpoint->head_state = ENDPOINT_SENDING;
    endpoint->tail = 5;
    slot_move(in(EP)->cap, in(EP), node_slot(in(A)->cap, 2));
    return A;
}

static void shapes_end_at_every_point(void **state)
{
    static unsigned (*const shapes[])(void) = {
        build_full_cnode, build_self_first, build_self_last, build_chain,
        build_mutual,     build_ring,       build_thread,    build_queue,
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(shapes); i++)
        at_every_point(shapes[i], CNodeDelete);
}

static unsigned build_for_revoke(void)
{
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 16, UNTYPED, 1);
    world_retype(UNTYPED, seL4_CapTableObject, NODE_RADIX, A, 3);
    world_retype(UNTYPED, seL4_TCBObject, 0, TCB, 2);
    world_retype(UNTYPED, seL4_EndpointObject, 0, EP, 3);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned s = 0; s < NODE_SLOTS; s++)
            put(in((i + s) % 2 ? A + (i + s) % 3 : TCB + s % 2), node_slot(in(A + i)->cap, s));
    }
    put(in(B), &cap_tcb(in(TCB)->cap)->slots[TCB_CSPACE]);
    world_mint(EP, COPY, 7);
    world_copy(COPY, COPY + 1);
    return UNTYPED;
}

static void revoke_can_be_preempted_anywhere(void **state)
{
    (void)state;
    at_every_point(build_for_revoke, CNodeRevoke);
    world_set_up(NULL);
    build_for_revoke();
    world_revoke(UNTYPED);
    assert_int_equal(world_used_slots(), 1);
    assert_int_equal(stubs.finalised, 5); /* two threads, three endpoints */
}

/* The capability that is revoked lies in what it is the origin of. */
static void build_revoked_from_within(void)
{
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 16, UNTYPED, 1);
    world_retype(UNTYPED, seL4_CapTableObject, 8, A, 1);
    slot_move(in(UNTYPED)->cap, in(UNTYPED), node_slot(in(A)->cap, 200));
}

static void revoke_may_delete_its_own_slot(void **state)
{
    struct slot *slot;

    (void)state;
    for (u64 at = 0; at < 300; at++) {
        world_set_up(NULL);
        build_revoked_from_within();
        slot = node_slot(in(A)->cap, 200);
        stubs.points = 0;
        stubs.preempt_at = at;
        /* A repetition would not find the slot any more; the kernel must not mind. */
        if (slot_revoke(slot) == STATUS_PREEMPTED)
            assert_int_equal(slot_revoke(slot), STATUS_OK);
        world_check();
        revoke_everything();
    }
}

/* --- what deletion does not do --------------------------------------------------------------- */

static void only_the_last_one_ends_the_object(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    world_mint(EP, COPY, 5);
    world_delete(EP);
    assert_int_equal(stubs.finalised, 0);
    world_delete(COPY);
    assert_int_equal(stubs.finalised, 1);
}

/* Deleting a CNode ends what only it held; what others hold as well goes on. */
static void cnode_takes_its_contents_along(void **state)
{
    (void)state;
    make_cnodes(1);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 2);
    slot_move(in(EP)->cap, in(EP), node_slot(in(A)->cap, 0));
    put(in(EP + 1), node_slot(in(A)->cap, 1));
    world_copy(A, COPY);
    world_delete(A);
    assert_int_equal(stubs.finalised, 0);
    world_delete(COPY);
    assert_int_equal(stubs.finalised, 1);
    assert_int_equal(world_used_slots(), 1);
}

/* While a preempted deletion waits to be repeated, its slot answers, but is of no use. */
static void zombies_cannot_be_used(void **state)
{
    (void)state;
    build_full_cnode();
    stubs.points = 0;
    stubs.preempt_at = 2;
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeDelete, NO_EXTRA, A, 64), WORLD_PREEMPTED);
    assert_int_equal(in(A)->cap.type, CAP_ZOMBIE);
    assert_int_equal(world_invoke(A, CNodeDelete, NO_EXTRA, 0, 2), seL4_InvalidCapability);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCopy, EXTRA(WORLD_CNODE), B, 64, A, 64, 15),
                     seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCopy, EXTRA(A), B, 64, 0, 2, 15),
                     seL4_FailedLookup);
    assert_int_equal(
        world_invoke(WORLD_UNTYPED, UntypedRetype, EXTRA(A), seL4_EndpointObject, 0, 0, 0, 0, 1),
        seL4_FailedLookup);
    /* It may be moved, and deleted there. */
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeMove, EXTRA(WORLD_CNODE), C, 64, A, 64),
                     seL4_NoError);
    world_delete(C);
    assert_int_equal(stubs.finalised, 1);
    assert_int_equal(world_used_slots(), 0);
}

/* --- random shapes --------------------------------------------------------------------------- */

static u64 seed;

static unsigned random_below(unsigned limit)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % limit;
}

#define NR_NODES 6

static struct slot *random_slot(const struct cap *nodes)
{
    unsigned which = random_below(NR_NODES + 1);

    if (which == NR_NODES)
        return in(60 + random_below(NODE_SLOTS));
    return node_slot(nodes[which], random_below(NODE_SLOTS));
}

static void random_step(const struct cap *nodes)
{
    struct slot *a = random_slot(nodes), *b = random_slot(nodes);
    struct cap cap = a->cap;

    stubs.points = 0;
    stubs.preempt_at = random_below(6);
    switch (random_below(8)) {
    case 0:
    case 1:
    case 2:
        if (!slot_is_empty(a) && slot_is_empty(b) && cap_derive(a, &cap) == seL4_NoError)
            slot_insert(cap, a, b);
        break;
    case 3:
    case 4:
        if (!slot_is_empty(a) && slot_is_empty(b) && a != b)
            slot_move(a->cap, a, b);
        break;
    case 5:
        slot_swap(a->cap, a, b->cap, b);
        break;
    case 6:
        (void)!slot_delete(a);
        break;
    default:
        (void)!slot_revoke(a);
        break;
    }
    world_check();
}

/* Zombies of every kind arise here, since preempted deletions are not always repeated. */
static void random_webs_end(void **state)
{
    (void)state;
    for (u64 run = 1; run <= 400; run++) {
        struct cap nodes[NR_NODES];

        seed = run;
        world_set_up(NULL);
        world_retype(WORLD_UNTYPED, seL4_CapTableObject, NODE_RADIX, A, NR_NODES);
        for (unsigned i = 0; i < NR_NODES; i++) {
            nodes[i] = in(A + i)->cap;
        }
        for (unsigned i = 0; i < NR_NODES; i++)
            put(in(A + i), node_slot(nodes[(i + 1) % NR_NODES], i % NODE_SLOTS));
        for (unsigned i = 0; i < NODE_SLOTS; i++)
            put(in(A + i), in(60 + i));
        for (unsigned i = 0; i < NR_NODES; i++)
            world_delete(A + i);
        for (unsigned i = 0; i < 200; i++)
            random_step(nodes);
        stubs.preempt_at = 0;
        revoke_everything();
        for (unsigned i = 0; i < NR_NODES; i++) {
            for (unsigned s = 0; s < NODE_SLOTS; s++)
                assert_true(slot_is_empty(node_slot(nodes[i], s)));
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_set_up)
    const struct CMUnitTest tests[] = {
        TEST(shapes_end_at_every_point),
        TEST(revoke_can_be_preempted_anywhere),
        TEST(revoke_may_delete_its_own_slot),
        TEST(only_the_last_one_ends_the_object),
        TEST(cnode_takes_its_contents_along),
        TEST(zombies_cannot_be_used),
        TEST(random_webs_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
