/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The derivation tree against a naive one: nodes with a parent each. Random copies, mints, moves,
 * swaps, retypes, deletions and revocations; after each, both must agree on what exists, who has
 * children, and which capability is an object's last.
 *
 * The model's rules: a copy of an original is its child, that of a copy its sibling; a first badge
 * is an original again. What is deleted leaves its children to its parent; they stay what they are.
 */
#include "tests/unit/kernel/cspace_world.h"

#define NR_STEPS  10000
#define NR_NODES  WORLD_SLOTS /* node i mirrors slot i */
#define NO_PARENT 0

struct node {
    bool used;
    bool original;
    unsigned parent; /* slot number */
    u64 type;        /* of the API */
    u64 object;      /* number */
    u64 badge;
    u64 size_bits; /* of untypeds */
};

static struct node nodes[NR_NODES];
static u64 next_object;
static u64 seed;

static unsigned random_below(unsigned limit)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % limit;
}

/* --- the model ------------------------------------------------------------------------------- */

static bool model_has_children(unsigned slot)
{
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (nodes[i].used && nodes[i].parent == slot)
            return true;
    }
    return false;
}

static bool model_is_final(unsigned slot)
{
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (i != slot && nodes[i].used && nodes[i].object == nodes[slot].object)
            return false;
    }
    return true;
}

static void model_delete(unsigned slot)
{
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (nodes[i].used && nodes[i].parent == slot)
            nodes[i].parent = nodes[slot].parent;
    }
    nodes[slot].used = false;
}

static void model_revoke(unsigned slot)
{
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (nodes[i].used && nodes[i].parent == slot) {
            model_revoke(i);
            nodes[i].used = false;
            i = 0;
        }
    }
}

static void model_move(unsigned from, unsigned to)
{
    nodes[to] = nodes[from];
    nodes[from].used = false;
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (nodes[i].used && nodes[i].parent == from)
            nodes[i].parent = to;
    }
}

static void model_swap(unsigned a, unsigned b)
{
    struct node old = nodes[a];

    nodes[a] = nodes[b];
    nodes[b] = old;
    for (unsigned i = 0; i < NR_NODES; i++) {
        if (!nodes[i].used)
            continue;
        if (nodes[i].parent == a)
            nodes[i].parent = b;
        else if (nodes[i].parent == b)
            nodes[i].parent = a;
    }
}

/* --- comparison ------------------------------------------------------------------------------ */

static void compare(void)
{
    world_check();
    for (unsigned i = 1; i < NR_NODES; i++) {
        struct slot *slot = &world.slots[i];

        if (slot_is_empty(slot) == nodes[i].used)
            fail_msg("slot %u: %s in the model", i, nodes[i].used ? "used" : "empty");
        if (!nodes[i].used)
            continue;
        if (slot_has_children(slot) != model_has_children(i))
            fail_msg("slot %u: model %s children", i, model_has_children(i) ? "has" : "has no");
        if (nodes[i].type != seL4_UntypedObject && slot_is_final(slot) != model_is_final(i))
            fail_msg("slot %u: model says final: %d", i, model_is_final(i));
    }
}

/* --- steps: done to both --------------------------------------------------------------------- */

static unsigned random_slot(bool used)
{
    unsigned slot;

    do {
        slot = WORLD_FREE + random_below(40);
    } while (nodes[slot].used != used);
    return slot;
}

static unsigned nr_used(void)
{
    unsigned count = 0;

    for (unsigned i = WORLD_FREE; i < NR_NODES; i++)
        count += nodes[i].used;
    return count;
}

static unsigned random_untyped(void)
{
    unsigned slot = nr_used() == 0 || random_below(2) ? WORLD_UNTYPED : random_slot(true);

    return nodes[slot].type == seL4_UntypedObject ? slot : WORLD_UNTYPED;
}

static void step_retype(void)
{
    static const u64 types[] = { seL4_UntypedObject, seL4_EndpointObject, seL4_NotificationObject,
                                 seL4_X86_4K, seL4_ReplyObject };
    unsigned untyped = random_untyped(), dest = random_slot(false);
    u64 type = types[random_below(ARRAY_LENGTH(types))];
    u64 size = 13 + random_below(4);

    if (world_invoke(untyped, UntypedRetype, EXTRA(WORLD_CNODE), type, size, 0, 0, dest, 1))
        return; /* no room */
    nodes[dest] = (struct node){ .used = true,
                                 .original = true,
                                 .parent = untyped,
                                 .type = type,
                                 .object = ++next_object,
                                 .size_bits = size };
}

static void step_copy(u64 badge)
{
    unsigned src = random_slot(true), dest = random_slot(false);
    struct node copy = nodes[src];
    bool badges = copy.type == seL4_EndpointObject || copy.type == seL4_NotificationObject;
    u64 answer = world_invoke(WORLD_CNODE, badge ? CNodeMint : CNodeCopy, EXTRA(WORLD_CNODE), dest,
                              64, src, 64, 15, badge);

    if (copy.type == seL4_UntypedObject && model_has_children(src)) {
        assert_int_equal(answer, seL4_RevokeFirst);
        return;
    }
    if (badge && badges && copy.badge) {
        assert_int_equal(answer, seL4_IllegalOperation);
        return;
    }
    assert_int_equal(answer, seL4_NoError);
    copy.parent = nodes[src].original ? src : nodes[src].parent;
    copy.original = copy.type == seL4_UntypedObject || (badge && badges);
    if (badges && badge)
        copy.badge = badge;
    nodes[dest] = copy;
}

static void step_move(void)
{
    unsigned src = random_slot(true), dest = random_slot(false);

    assert_int_equal(world_invoke(WORLD_CNODE, CNodeMove, EXTRA(WORLD_CNODE), dest, 64, src, 64),
                     seL4_NoError);
    model_move(src, dest);
}

static void step_swap(void)
{
    unsigned a = random_slot(true), b = random_slot(true);

    slot_swap(world.slots[a].cap, &world.slots[a], world.slots[b].cap, &world.slots[b]);
    if (a != b)
        model_swap(a, b);
}

static void step_delete(void)
{
    unsigned slot = random_slot(true);
    bool is_last = nodes[slot].type != seL4_UntypedObject && model_is_final(slot);
    unsigned finalised = stubs.finalised;

    world_delete(slot);
    if (nodes[slot].type == seL4_EndpointObject)
        assert_int_equal(stubs.finalised - finalised, is_last);
    model_delete(slot);
}

static void step_revoke(void)
{
    unsigned slot = random_below(50) ? random_slot(true) : WORLD_UNTYPED;

    world_revoke(slot);
    model_revoke(slot);
}

static void step(void)
{
    unsigned used = nr_used(), choice = random_below(20);

    if (used == 0 || (choice < 6 && used < 36))
        step_retype();
    else if (choice < 12 && used < 36)
        step_copy(random_below(2) ? 1 + random_below(3) : 0);
    else if (choice < 14 && used < 36)
        step_move();
    else if (choice < 16)
        step_swap();
    else if (choice < 19 || used < 10)
        step_delete();
    else
        step_revoke();
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    for (u64 run = 1; run < 5; run++) {
        seed = run;
        world_set_up(NULL);
        for (unsigned i = 0; i < NR_NODES; i++)
            nodes[i] = (struct node){ 0 };
        nodes[WORLD_UNTYPED] = (struct node){
            .used = true, .original = true, .parent = NO_PARENT, .size_bits = WORLD_UNTYPED_BITS
        };
        nodes[WORLD_CNODE] = (struct node){ .used = true,
                                            .original = true,
                                            .parent = NO_PARENT,
                                            .type = seL4_CapTableObject,
                                            .object = ~0ULL };
        for (unsigned i = 0; i < NR_STEPS; i++) {
            step();
            compare();
        }
        world_revoke(WORLD_UNTYPED);
        assert_int_equal(world_used_slots(), 0);
    }
}

/* --- cases worth a name ---------------------------------------------------------------------- */

/* Deleting a badge's first capability leaves the badge's others together, below the original. */
static void badge_families(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, 10, 1);
    world_mint(10, 11, 5);
    world_copy(11, 12);
    world_copy(12, 13);
    world_mint(10, 14, 5); /* the same badge, another family */
    assert_true(slot_has_children(&world.slots[11]));
    assert_false(slot_has_children(&world.slots[14]));
    world_revoke(14);
    assert_int_equal(world_used_slots(), 5);
    world_delete(11);
    world_revoke(12); /* a copy has no children */
    assert_int_equal(world_used_slots(), 4);
    world_revoke(10);
    assert_int_equal(world_used_slots(), 1);
}

static void neighbours_swap(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, 10, 3);
    for (unsigned i = 10; i < 12; i++) {
        slot_swap(world.slots[i].cap, &world.slots[i], world.slots[i + 1].cap, &world.slots[i + 1]);
        world_check();
        slot_swap(world.slots[i + 1].cap, &world.slots[i + 1], world.slots[i].cap, &world.slots[i]);
        world_check();
    }
    world_revoke(WORLD_UNTYPED);
    assert_int_equal(world_used_slots(), 0);
}

static void controls_are_parents(void **state)
{
    struct cap handler = cap_make(CAP_IRQ_HANDLER, hpa(0), 0, 5);

    (void)state;
    slot_insert_root(&world.slots[10], cap_make(CAP_IRQ_CONTROL, hpa(0), 0, 0));
    slot_insert_new(&world.slots[10], &world.slots[11], handler);
    handler.data = 6;
    slot_insert_new(&world.slots[10], &world.slots[12], handler);
    assert_false(slot_has_children(&world.slots[12]));
    world_copy(12, 13);
    assert_true(slot_has_children(&world.slots[12]));
    assert_false(slot_is_final(&world.slots[12]));
    assert_true(slot_is_final(&world.slots[11]));
    world_delete(12);
    assert_int_equal(stubs.finalised, 0);
    world_revoke(10);
    assert_int_equal(stubs.finalised, 2);
    assert_int_equal(world_used_slots(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(badge_families, world_set_up),
        cmocka_unit_test_setup(neighbours_swap, world_set_up),
        cmocka_unit_test_setup(controls_are_parents, world_set_up),
        cmocka_unit_test(agrees_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
