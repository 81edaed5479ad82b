/* SPDX-License-Identifier: BSD-2-Clause */
/* Resolution of capability addresses: levels, guards, and what each failure reports. */
#include "tests/unit/kernel/cspace_world.h"

/*
 * root: radix 4, guard 0xa of 4 bits. Slot 3: middle, radix 8, guard 0x5 of 3 bits. Its slot 0x21:
 * leaf, radix 1, no guard. Slot 1 of each holds an endpoint.
 */
static struct cap root, middle, leaf;

static struct cap cnode_at(u64 base, unsigned radix, unsigned guard_size, u64 guard)
{
    return cap_make(CAP_CNODE, hpa(base), radix | guard_size << 6, guard);
}

static void put(struct cap cnode, unsigned slot, struct cap cap)
{
    slot_insert_root(&cnode_slots(cnode)[slot], cap);
}

static int set_up(void **state)
{
    struct cap endpoint = cap_make(CAP_ENDPOINT, hpa(0x100), RIGHTS_ALL, 0);

    (void)state;
    fakes_reset(BIT(20));
    root = cnode_at(0x1000, 4, 4, 0xa);
    middle = cnode_at(0x4000, 8, 3, 5);
    leaf = cnode_at(0x2000, 1, 0, 0);
    put(root, 3, middle);
    put(middle, 0x21, leaf);
    put(root, 1, endpoint);
    put(middle, 1, endpoint);
    put(leaf, 1, endpoint);
    return 0;
}

static void assert_found(struct slot_lookup lookup, struct cap cnode, unsigned slot,
                         unsigned bits_left)
{
    assert_ptr_equal(lookup.slot, &cnode_slots(cnode)[slot]);
    assert_int_equal(lookup.bits_left, bits_left);
}

static void assert_failed(struct slot_lookup lookup, u64 type, u64 left, u64 found, u64 guard)
{
    assert_null(lookup.slot);
    assert_int_equal(lookup.failure.type, type);
    assert_int_equal(lookup.failure.bits_left, left);
    assert_int_equal(lookup.failure.bits_found, found);
    assert_int_equal(lookup.failure.guard_found, guard);
}

static void finds_through_levels(void **state)
{
    (void)state;
    assert_found(cnode_resolve(root, 0xa3, 8), root, 3, 0);
    /* guard 101, index 0x21 */
    assert_found(cnode_resolve(root, 0xa3ULL << 11 | 5 << 8 | 0x21, 19), middle, 0x21, 0);
    assert_found(cnode_resolve(root, (0xa3ULL << 11 | 5 << 8 | 0x21) << 1 | 1, 20), leaf, 1, 0);
    /* Bits of the address above the depth do not count. */
    assert_found(cnode_resolve(root, 0xffffffffffffffa3ULL, 8), root, 3, 0);
}

static void ends_early_at_other_objects(void **state)
{
    (void)state;
    assert_found(cnode_resolve(root, 0xa1ULL << 56, 64), root, 1, 56);
    /* An empty slot ends the walk, too. */
    assert_found(cnode_resolve(root, 0xa7ULL << 56, 64), root, 7, 56);
}

static void reports_failures(void **state)
{
    (void)state;
    assert_failed(cnode_resolve(cap_null(), 0, 64), seL4_InvalidRoot, 0, 0, 0);
    assert_failed(cnode_resolve(root, 0xb3, 8), seL4_GuardMismatch, 8, 4, 0xa);
    /* A guard longer than what is left is a mismatch, before depth is looked at. */
    assert_failed(cnode_resolve(root, 0xa, 3), seL4_GuardMismatch, 3, 4, 0xa);
    assert_failed(cnode_resolve(root, 0xa, 4), seL4_DepthMismatch, 4, 8, 0);
    assert_failed(cnode_resolve(root, 0xa3ULL << 5 | 5 << 2, 13), seL4_DepthMismatch, 5, 11, 0);
    assert_failed(cnode_resolve(root, 0xa3ULL << 11, 19), seL4_GuardMismatch, 11, 3, 5);
}

static void target_uses_up_all_bits(void **state)
{
    (void)state;
    assert_found(cnode_lookup_target(root, 0xa1, 8), root, 1, 0);
    assert_failed(cnode_lookup_target(root, 0xa1 << 2, 10), seL4_DepthMismatch, 2, 0, 0);
    assert_failed(cnode_lookup_target(root, 0xa1, 0), seL4_NoFailure, 0, 0, 0);
    assert_failed(cnode_lookup_target(root, 0xa1, 65), seL4_NoFailure, 0, 0, 0);
    assert_failed(cnode_lookup_target(cap_null(), 0xa1, 0), seL4_InvalidRoot, 0, 0, 0);
}

static void thread_looks_up_64_bits(void **state)
{
    static struct tcb tcb;

    (void)state;
    tcb.slots[TCB_CSPACE].cap = cnode_at(0x1000, 4, 60, 0);
    assert_found(cspace_lookup(&tcb, 1), root, 1, 0);
    assert_failed(cspace_lookup(&tcb, 17), seL4_GuardMismatch, 64, 60, 0);
    /* Without guard the address begins with the index. */
    tcb.slots[TCB_CSPACE].cap = cnode_at(0x1000, 4, 0, 0);
    assert_found(cspace_lookup(&tcb, 1ULL << 60), root, 1, 60);
}

/* A CNode that contains itself uses up the address like any other. */
static void walks_circles(void **state)
{
    struct cap self = cnode_at(0x8000, 8, 0, 0);

    (void)state;
    put(self, 0x77, self);
    assert_found(cnode_resolve(self, 0x7777777777777777ULL, 64), self, 0x77, 0);
    assert_found(cnode_resolve(self, 0x7777777777777710ULL, 64), self, 0x10, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finds_through_levels, set_up),
        cmocka_unit_test_setup(ends_early_at_other_objects, set_up),
        cmocka_unit_test_setup(reports_failures, set_up),
        cmocka_unit_test_setup(target_uses_up_all_bits, set_up),
        cmocka_unit_test_setup(thread_looks_up_64_bits, set_up),
        cmocka_unit_test_setup(walks_circles, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
