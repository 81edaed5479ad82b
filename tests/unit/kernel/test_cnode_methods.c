/* SPDX-License-Identifier: BSD-2-Clause */
/* CNode invocations: effects, error answers and their precedence (ABI section 5.1). */
#include "tests/unit/kernel/cspace_world.h"

enum { EP = 10, NTFN, FRAME, TABLE, REPLY, CHILD_UNTYPED, A = 30, B, C, D };

static int set_up(void **state)
{
    world_set_up(state);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, EP, 1);
    world_retype(WORLD_UNTYPED, seL4_NotificationObject, 0, NTFN, 1);
    world_retype(WORLD_UNTYPED, seL4_X86_4K, 0, FRAME, 1);
    world_retype(WORLD_UNTYPED, seL4_X86_PageTableObject, 0, TABLE, 1);
    world_retype(WORLD_UNTYPED, seL4_ReplyObject, 0, REPLY, 1);
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 13, CHILD_UNTYPED, 1);
    return 0;
}

static struct cap cap_in(unsigned slot)
{
    return world.slots[slot].cap;
}

static void assert_range(u64 answer, u64 min, u64 max)
{
    assert_int_equal(answer, seL4_RangeError);
    assert_int_equal(world.answer.error.word[0], min);
    assert_int_equal(world.answer.error.word[1], max);
}

static void assert_lookup(u64 answer, u64 source, u64 type, u64 bits_left)
{
    assert_int_equal(answer, seL4_FailedLookup);
    assert_int_equal(world.answer.error.word[0], source);
    assert_int_equal(world.answer.error.lookup.type, type);
    assert_int_equal(world.answer.error.lookup.bits_left, bits_left);
}

#define copy(dest, src, rights)                                                                    \
    world_invoke(WORLD_CNODE, CNodeCopy, EXTRA(WORLD_CNODE), dest, 64, src, 64, rights)
#define mint(dest, src, rights, badge)                                                             \
    world_invoke(WORLD_CNODE, CNodeMint, EXTRA(WORLD_CNODE), dest, 64, src, 64, rights, badge)
#define move(dest, src) world_invoke(WORLD_CNODE, CNodeMove, EXTRA(WORLD_CNODE), dest, 64, src, 64)
#define mutate(dest, src, data)                                                                    \
    world_invoke(WORLD_CNODE, CNodeMutate, EXTRA(WORLD_CNODE), dest, 64, src, 64, data)
#define rotate(dest, dest_data, pivot, pivot_data, src)                                            \
    world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(WORLD_CNODE, WORLD_CNODE), dest, 64, dest_data,   \
                 pivot, 64, pivot_data, src, 64)

static void dispatch_refuses(void **state)
{
    (void)state;
    assert_int_equal(world_invoke(A, CNodeCopy, NO_EXTRA, 0), seL4_InvalidCapability);
    assert_int_equal(world.answer.error.word[0], 0);
    assert_int_equal(world_invoke(WORLD_CNODE, 0, NO_EXTRA, 0), seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, 78, NO_EXTRA, 0), seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, ~0ULL, NO_EXTRA, 0), seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, UntypedRetype, NO_EXTRA, 0), seL4_IllegalOperation);
    assert_int_equal(world_invoke(EP, CNodeCopy, NO_EXTRA, 0), seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeDelete, NO_EXTRA, 1), seL4_TruncatedMessage);
}

static void target_is_checked_first(void **state)
{
    (void)state;
    for (u64 label = CNodeRevoke; label <= CNodeRotate; label++) {
        assert_range(world_invoke(WORLD_CNODE, label, NO_EXTRA, 5, 0), 1, 64);
        assert_range(world_invoke(WORLD_CNODE, label, NO_EXTRA, 5, 65), 1, 64);
        assert_lookup(world_invoke(WORLD_CNODE, label, NO_EXTRA, 5ULL << 40, 64), 0,
                      seL4_GuardMismatch, 64);
        assert_lookup(world_invoke(WORLD_CNODE, label, NO_EXTRA, 0, 60), 0, seL4_DepthMismatch, 60);
    }
}

static void transfers_check_in_order(void **state)
{
    (void)state;
    for (u64 label = CNodeCopy; label <= CNodeMutate; label++) {
        u64 words = label == CNodeMove ? 4 : label == CNodeMint ? 6 : 5;

        assert_int_equal(world_invoke(WORLD_CNODE, label, EXTRA(WORLD_CNODE), EP, 64, 0),
                         seL4_TruncatedMessage);
        assert_int_equal(world_invoke(WORLD_CNODE, label, NO_EXTRA, EP, 64, 0, 0),
                         seL4_TruncatedMessage);
        assert_int_equal(world_invoke(WORLD_CNODE, label, EXTRA(WORLD_CNODE), EP, 64, 0, 0),
                         seL4_DeleteFirst);
        assert_range(world_invoke(WORLD_CNODE, label, EXTRA(WORLD_CNODE), A, 64, 0, 0), 1, 64);
        assert_lookup(world_invoke(WORLD_CNODE, label, EXTRA(EP), A, 64, EP, 64), 1,
                      seL4_InvalidRoot, 0);
        assert_lookup(world_invoke(WORLD_CNODE, label, EXTRA(WORLD_CNODE), A, 64, B, 64), 1,
                      seL4_MissingCapability, 64);
        if (words > 4)
            assert_int_equal(world_invoke_words(WORLD_CNODE, label, EXTRA(WORLD_CNODE),
                                                (unsigned)words - 1, (u64[]){ A, 64, EP, 64, 15 }),
                             seL4_TruncatedMessage);
        assert_true(slot_is_empty(&world.slots[A]));
    }
}

static void copy_masks_rights(void **state)
{
    (void)state;
    assert_int_equal(copy(A, EP, RIGHT_WRITE | RIGHT_GRANT_REPLY), seL4_NoError);
    assert_int_equal(cap_rights(cap_in(A)), RIGHT_WRITE | RIGHT_GRANT_REPLY);
    assert_int_equal(copy(B, A, RIGHTS_ALL), seL4_NoError); /* never more than before */
    assert_int_equal(cap_rights(cap_in(B)), RIGHT_WRITE | RIGHT_GRANT_REPLY);
    assert_int_equal(copy(C, FRAME, RIGHT_WRITE), seL4_NoError);
    assert_int_equal(frame_rights(cap_in(C)), 0);
    assert_int_equal(copy(D, FRAME, RIGHT_READ | 0x10), seL4_NoError);
    assert_int_equal(frame_rights(cap_in(D)), RIGHT_READ);
    assert_int_equal(copy(D + 1, REPLY, 0), seL4_NoError);
    assert_int_equal(cap_rights(cap_in(D + 1)) & RIGHT_GRANT, 0);
    assert_int_equal(copy(D + 2, NTFN, RIGHT_READ), seL4_NoError);
    assert_int_equal(cap_rights(cap_in(D + 2)), RIGHT_READ);
    world_check();
}

static void copy_refuses(void **state)
{
    (void)state;
    /* An unmapped table; controls; zombies are made elsewhere. */
    assert_int_equal(copy(A, TABLE, 15), seL4_IllegalOperation);
    slot_insert_root(&world.slots[C], cap_make(CAP_IRQ_CONTROL, hpa(0), 0, 0));
    slot_insert_root(&world.slots[D], cap_make(CAP_IO_PORT_CONTROL, hpa(0), 0, 0));
    assert_int_equal(copy(A, C, 15), seL4_IllegalOperation);
    assert_int_equal(copy(A, D, 15), seL4_IllegalOperation);
    assert_int_equal(copy(A, WORLD_UNTYPED, 15), seL4_RevokeFirst);
    assert_true(slot_is_empty(&world.slots[A]));
}

static void copied_untyped_takes_all(void **state)
{
    (void)state;
    assert_int_equal(copy(A, CHILD_UNTYPED, 15), seL4_NoError);
    assert_int_equal(untyped_free_offset(cap_in(CHILD_UNTYPED)), BIT(13));
    assert_int_equal(untyped_free_offset(cap_in(A)), 0);
    assert_int_equal(world_invoke(CHILD_UNTYPED, UntypedRetype, EXTRA(WORLD_CNODE),
                                  seL4_EndpointObject, 0, 0, 0, B, 1),
                     seL4_NotEnoughMemory);
    assert_int_equal(world.answer.error.word[0], 0);
    world_retype(A, seL4_EndpointObject, 0, B, 1);
    world_revoke(CHILD_UNTYPED);
    assert_true(slot_is_empty(&world.slots[A]) && slot_is_empty(&world.slots[B]));
    world_check();
}

static void copied_frame_is_unmapped(void **state)
{
    (void)state;
    world.slots[FRAME].cap = cap_aux_set(cap_in(FRAME), 5, 2, FRAME_IN_VSPACE);
    world.slots[FRAME].cap.data = 0x400001;
    assert_int_equal(copy(A, FRAME, 15), seL4_NoError);
    assert_int_equal(frame_map(cap_in(A)), FRAME_UNMAPPED);
    assert_int_equal(cap_in(A).data, 0);
    assert_int_equal(move(B, FRAME), seL4_NoError); /* moved, it stays mapped */
    assert_int_equal(cap_in(B).data, 0x400001);
}

static void mint_badges_once(void **state)
{
    (void)state;
    assert_int_equal(mint(A, EP, 15, 0x123456789abcdef0), seL4_NoError);
    assert_true(cap_badge(cap_in(A)) == 0x123456789abcdef0);
    assert_int_equal(mint(B, A, 15, 7), seL4_IllegalOperation);
    assert_int_equal(mint(B, A, 15, 0), seL4_IllegalOperation);
    assert_int_equal(copy(B, A, 15), seL4_NoError);
    assert_true(cap_badge(cap_in(B)) == 0x123456789abcdef0);
    assert_int_equal(mint(C, NTFN, 15, 9), seL4_NoError);
    assert_int_equal(cap_badge(cap_in(C)), 9);
    assert_int_equal(mint(D, FRAME, 15, 99), seL4_NoError); /* data means nothing to a frame */
    world_check();
}

static void guards(void **state)
{
    struct cap cap;

    (void)state;
    /* 56 bits of guard with radix 8: the most. */
    assert_int_equal(mint(A, WORLD_CNODE, 15, 57), seL4_IllegalOperation);
    assert_int_equal(mint(A, WORLD_CNODE, 15, 0xff << 6 | 4), seL4_NoError);
    cap = cap_in(A);
    assert_int_equal(cnode_guard_size(cap), 4);
    assert_int_equal(cnode_guard(cap), 0xf);         /* cut to its size */
    assert_int_equal(mutate(B, A, 0), seL4_NoError); /* 0 is taken literally */
    assert_int_equal(cnode_guard_size(cap_in(B)), 0);
    assert_int_equal(cnode_guard(cap_in(B)), 0);
    assert_int_equal(mutate(C, B, 60), seL4_IllegalOperation);
    assert_int_equal(cap_in(B).type, CAP_CNODE);
    world_check();
}

static void move_and_mutate(void **state)
{
    (void)state;
    world_mint(EP, A, 5);
    assert_int_equal(move(B, A), seL4_NoError);
    assert_true(slot_is_empty(&world.slots[A]));
    assert_int_equal(cap_badge(cap_in(B)), 5);
    /* Endpoints and notifications cannot change while they move. */
    assert_int_equal(mutate(A, B, 0), seL4_IllegalOperation);
    assert_int_equal(mutate(A, EP, 5), seL4_IllegalOperation);
    assert_int_equal(mutate(A, NTFN, 5), seL4_IllegalOperation);
    assert_int_equal(mutate(A, FRAME, 5), seL4_NoError);
    /* A moved original stays one. */
    assert_int_equal(move(C, EP), seL4_NoError);
    world_revoke(C);
    assert_true(slot_is_empty(&world.slots[B]));
    world_check();
}

static void rotate_moves_two(void **state)
{
    (void)state;
    assert_int_equal(copy(A, FRAME, 15), seL4_NoError);
    assert_int_equal(copy(B, WORLD_CNODE, 15), seL4_NoError);
    /* pivot A -> C, source B -> A, with a new guard. */
    assert_int_equal(rotate(C, 0, A, 3 << 6 | 2, B), seL4_NoError);
    assert_int_equal(cap_in(C).type, CAP_FRAME);
    assert_int_equal(cap_in(A).type, CAP_CNODE);
    assert_int_equal(cnode_guard_size(cap_in(A)), 2);
    assert_int_equal(cnode_guard(cap_in(A)), 3);
    assert_true(slot_is_empty(&world.slots[B]));
    /* Target and source the same: they change places. */
    assert_int_equal(rotate(C, 7, A, 0, C), seL4_NoError);
    assert_int_equal(cap_in(A).type, CAP_FRAME);
    assert_int_equal(cap_in(C).type, CAP_CNODE);
    assert_int_equal(cnode_guard_size(cap_in(C)), 7);
    world_check();
}

static void rotate_checks_in_order(void **state)
{
    (void)state;
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(WORLD_CNODE, WORLD_CNODE), A, 64,
                                  0, B, 64, 0, C),
                     seL4_TruncatedMessage);
    assert_int_equal(
        world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(WORLD_CNODE), A, 64, 0, B, 64, 0, C, 64),
        seL4_TruncatedMessage);
    /* Source lookup, then pivot lookup; both say "source". */
    assert_lookup(world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(EP, EP), A, 64, 0, B, 64, 0, C, 64),
                  1, seL4_InvalidRoot, 0);
    assert_lookup(
        world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(EP, WORLD_CNODE), A, 64, 0, B, 64, 0, C, 64),
        1, seL4_InvalidRoot, 0);
    assert_range(world_invoke(WORLD_CNODE, CNodeRotate, EXTRA(WORLD_CNODE, WORLD_CNODE), A, 64, 0,
                              B, 0, 0, C, 64),
                 1, 64);
    assert_int_equal(rotate(A, 0, B, 0, B), seL4_IllegalOperation);
    assert_int_equal(rotate(B, 0, B, 0, C), seL4_IllegalOperation);
    assert_int_equal(rotate(EP, 0, B, 0, C), seL4_DeleteFirst);
    assert_lookup(rotate(A, 0, B, 0, C), 1, seL4_MissingCapability, 64);
    assert_lookup(rotate(A, 0, B, 0, FRAME), 0, seL4_MissingCapability, 64);
    assert_int_equal(rotate(A, 0, FRAME, 0, EP), seL4_IllegalOperation);
    assert_int_equal(rotate(A, 0, EP, 0, FRAME), seL4_IllegalOperation);
    world_check();
}

static void cancel_badged_sends_needs_rights(void **state)
{
    (void)state;
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCancelBadgedSends, NO_EXTRA, NTFN, 64),
                     seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCancelBadgedSends, NO_EXTRA, A, 64),
                     seL4_IllegalOperation);
    assert_int_equal(mint(A, EP, 7, 5), seL4_NoError);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCancelBadgedSends, NO_EXTRA, A, 64),
                     seL4_IllegalOperation);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCancelBadgedSends, NO_EXTRA, EP, 64),
                     seL4_NoError);
    assert_int_equal(stubs.cancelled_badge, 0);
    assert_int_equal(mint(B, EP, 15, 6), seL4_NoError);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeCancelBadgedSends, NO_EXTRA, B, 64),
                     seL4_NoError);
    assert_int_equal(stubs.cancelled_badge, 6);
}

static void delete_and_revoke_accept_empty_slots(void **state)
{
    (void)state;
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeDelete, NO_EXTRA, A, 64), seL4_NoError);
    assert_int_equal(world_invoke(WORLD_CNODE, CNodeRevoke, NO_EXTRA, A, 64), seL4_NoError);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(dispatch_refuses),
        TEST(target_is_checked_first),
        TEST(transfers_check_in_order),
        TEST(copy_masks_rights),
        TEST(copy_refuses),
        TEST(copied_untyped_takes_all),
        TEST(copied_frame_is_unmapped),
        TEST(mint_badges_once),
        TEST(guards),
        TEST(move_and_mutate),
        TEST(rotate_moves_two),
        TEST(rotate_checks_in_order),
        TEST(cancel_badged_sends_needs_rights),
        TEST(delete_and_revoke_accept_empty_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
