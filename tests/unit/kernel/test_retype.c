/* SPDX-License-Identifier: BSD-2-Clause */
/* Untyped memory: Retype's checks in the published order, where objects come to lie, clearing. */
#include <string.h>

#include "kernel/core/config.h"
#include "tests/unit/kernel/cspace_world.h"

enum { A = 10, B, C, D, DEVICE = 20, SMALL, NODE = 40 };

static u64 retype_at(unsigned untyped, u64 type, u64 size, u64 index, u64 depth, u64 offset,
                     u64 count)
{
    return world_invoke(untyped, UntypedRetype, EXTRA(WORLD_CNODE), type, size, index, depth,
                        offset, count);
}

static u64 retype(unsigned untyped, u64 type, u64 size, u64 offset, u64 count)
{
    return retype_at(untyped, type, size, 0, 0, offset, count);
}

static void assert_words(u64 answer, u64 error, u64 word0, u64 word1)
{
    assert_int_equal(answer, error);
    assert_int_equal(world.answer.error.word[0], word0);
    if (error == seL4_RangeError)
        assert_int_equal(world.answer.error.word[1], word1);
}

static struct cap cap_in(unsigned slot)
{
    return world.slots[slot].cap;
}

/* --- checks ---------------------------------------------------------------------------------- */

/* Each message is wrong in every later check, too: the earlier one must speak. */
static void checks_come_in_order(void **state)
{
    (void)state;
    assert_int_equal(
        world_invoke(WORLD_UNTYPED, UntypedRetype, EXTRA(WORLD_CNODE), 99, 99, 0, 0, 999),
        seL4_TruncatedMessage);
    assert_int_equal(world_invoke(WORLD_UNTYPED, UntypedRetype, NO_EXTRA, 99, 99, 0, 0, 999, 999),
                     seL4_TruncatedMessage);
    assert_words(retype_at(WORLD_UNTYPED, 20, 99, 9, 99, 999, 999), seL4_InvalidArgument, 0, 0);
    assert_words(retype_at(WORLD_UNTYPED, ~0ULL, 99, 9, 99, 999, 999), seL4_InvalidArgument, 0, 0);
    assert_words(retype_at(WORLD_UNTYPED, seL4_TCBObject, 64, 9, 99, 999, 999), seL4_RangeError, 0,
                 47);
    assert_words(retype_at(WORLD_UNTYPED, seL4_UntypedObject, 48, 9, 99, 999, 999), seL4_RangeError,
                 0, 47);
    assert_words(retype_at(WORLD_UNTYPED, seL4_CapTableObject, 43, 9, 99, 999, 999),
                 seL4_RangeError, 0, 47);
    assert_words(retype_at(WORLD_UNTYPED, seL4_CapTableObject, 0, 9, 99, 999, 999),
                 seL4_InvalidArgument, 1, 0);
    assert_words(retype_at(WORLD_UNTYPED, seL4_UntypedObject, 3, 9, 99, 999, 999),
                 seL4_InvalidArgument, 1, 0);
    assert_words(retype_at(WORLD_UNTYPED, seL4_SchedContextObject, 6, 9, 99, 999, 999),
                 seL4_InvalidArgument, 1, 0);
    assert_words(retype_at(WORLD_UNTYPED, seL4_UntypedObject, 47, 9, 99, 999, 999), seL4_RangeError,
                 1, 64);
    assert_words(retype_at(WORLD_UNTYPED, seL4_UntypedObject, 47, 9ULL << 32, 64, 999, 999),
                 seL4_FailedLookup, 0, 0);
    assert_int_equal(world.answer.error.lookup.type, seL4_GuardMismatch);
    assert_words(retype_at(WORLD_UNTYPED, seL4_UntypedObject, 47, A, 64, 999, 999),
                 seL4_FailedLookup, 0, 0);
    assert_int_equal(world.answer.error.lookup.type, seL4_MissingCapability);
    assert_int_equal(world.answer.error.lookup.bits_left, 64);
    assert_words(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 256, 999), seL4_RangeError, 0, 255);
    assert_words(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 250, 0), seL4_RangeError, 1, 256);
    assert_words(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 250, 257), seL4_RangeError, 1, 256);
    assert_words(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 250, 7), seL4_RangeError, 1, 6);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, 252, 1);
    assert_int_equal(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 250, 6), seL4_DeleteFirst);
    assert_words(retype(WORLD_UNTYPED, seL4_UntypedObject, 47, 253, 3), seL4_NotEnoughMemory,
                 BIT(WORLD_UNTYPED_BITS) - 16, 0);
}

static void root_must_be_a_cnode(void **state)
{
    (void)state;
    assert_words(world_invoke(WORLD_UNTYPED, UntypedRetype, EXTRA(WORLD_UNTYPED),
                              seL4_EndpointObject, 0, 0, 0, A, 1),
                 seL4_FailedLookup, 0, 0);
    assert_int_equal(world.answer.error.lookup.type, seL4_MissingCapability);
    assert_int_equal(world.answer.error.lookup.bits_left, 0);
    assert_words(world_invoke(WORLD_UNTYPED, UntypedRetype, EXTRA(WORLD_UNTYPED),
                              seL4_EndpointObject, 0, 0, 8, A, 1),
                 seL4_FailedLookup, 0, 0);
    assert_int_equal(world.answer.error.lookup.type, seL4_InvalidRoot);
}

static void finds_a_cnode_below_the_root(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_CapTableObject, 4, NODE, 1);
    assert_int_equal(retype_at(WORLD_UNTYPED, seL4_EndpointObject, 0, NODE, 64, 14, 2),
                     seL4_NoError);
    assert_int_equal(cnode_slots(cap_in(NODE))[15].cap.type, CAP_ENDPOINT);
    assert_words(retype_at(WORLD_UNTYPED, seL4_EndpointObject, 0, NODE, 64, 16, 1), seL4_RangeError,
                 0, 15);
}

static void device_memory_makes_frames_and_untypeds(void **state)
{
    (void)state;
    slot_insert_root(&world.slots[DEVICE], untyped_cap(hpa(BIT(40)), 30, true, 0));
    for (u64 type = 0; type < seL4_ObjectTypeCount; type++) {
        u64 size = type == seL4_UntypedObject || type == seL4_SchedContextObject ? 12 : 1;

        if (object_may_be_device(type))
            continue;
        assert_words(retype(DEVICE, type, size, A, 1), seL4_InvalidArgument, 1, 0);
    }
    /* Room is checked before. */
    assert_words(retype(DEVICE, seL4_CapTableObject, 40, A, 1), seL4_NotEnoughMemory, BIT(30), 0);
    world_retype(DEVICE, seL4_UntypedObject, 20, A, 1);
    world_retype(DEVICE, seL4_X86_4K, 0, B, 1);
    world_retype(DEVICE, seL4_X86_LargePageObject, 0, C, 1);
    world_retype(A, seL4_X86_4K, 0, D, 1);
    assert_true(untyped_is_device(cap_in(A)));
    assert_true(frame_is_device(cap_in(B)) && frame_is_device(cap_in(D)));
    assert_int_equal(cap_hpa(cap_in(B)).raw, BIT(40) + BIT(20));
    assert_int_equal(cap_hpa(cap_in(C)).raw, BIT(40) + BIT(21));
    assert_int_equal(cap_hpa(cap_in(D)).raw, BIT(40));
    world_revoke(DEVICE); /* and again, without clearing what is no memory */
    world_retype(DEVICE, seL4_X64_HugePageObject, 0, A, 1);
    assert_int_equal(frame_size(cap_in(A)), FRAME_1G);
    assert_words(retype(DEVICE, seL4_X86_4K, 0, B, 1), seL4_NotEnoughMemory, 0, 0);
}

/* --- placement ------------------------------------------------------------------------------- */

static void objects_are_aligned_and_apart(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, A, 1);
    world_retype(WORLD_UNTYPED, seL4_X86_4K, 0, B, 2);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, D, 1);
    assert_int_equal(cap_hpa(cap_in(A)).raw, WORLD_BASE);
    assert_int_equal(cap_hpa(cap_in(B)).raw, WORLD_BASE + PAGE_SIZE);
    assert_int_equal(cap_hpa(cap_in(C)).raw, WORLD_BASE + 2 * PAGE_SIZE);
    assert_int_equal(cap_hpa(cap_in(D)).raw, WORLD_BASE + 3 * PAGE_SIZE);
    assert_int_equal(untyped_free_offset(cap_in(WORLD_UNTYPED)), 3 * PAGE_SIZE + 16);
}

/* As many as fit, to the last byte. */
static void room_is_exact(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 10, SMALL, 1);
    world_retype(SMALL, seL4_EndpointObject, 0, A, 1);
    assert_words(retype(SMALL, seL4_UntypedObject, 8, B, 4), seL4_NotEnoughMemory, 1008, 0);
    world_retype(SMALL, seL4_UntypedObject, 8, B, 3);
    assert_words(retype(SMALL, seL4_UntypedObject, 4, B + 3, 1), seL4_NotEnoughMemory, 0, 0);
    world_revoke(SMALL);
    world_retype(SMALL, seL4_UntypedObject, 10, A, 1);
    world_revoke(SMALL);
    world_retype(SMALL, seL4_EndpointObject, 0, A, 1);
    world_revoke(SMALL);
    world_retype(SMALL, seL4_EndpointObject, 0, 100, 64);
}

static void untyped_arithmetic(void **state)
{
    (void)state;
    for (unsigned bits = 4; bits <= 12; bits++) {
        struct cap untyped = untyped_cap(hpa(0x100000), bits, false, 0);

        for (unsigned size = 4; size <= 13; size++) {
            for (u64 offset = 0; offset <= BIT(bits); offset += 16) {
                u64 naive = 0;

                for (u64 at = 0; at + BIT(size) <= BIT(bits); at += BIT(size))
                    naive += at >= offset;
                assert_true(untyped_has_room(untyped, offset, size, naive));
                assert_false(untyped_has_room(untyped, offset, size, naive + 1));
                if (naive)
                    assert_true(untyped_align(offset, size) + naive * BIT(size) == BIT(bits) ||
                                untyped_align(offset, size) + naive * BIT(size) < BIT(bits));
            }
        }
    }
}

static void creates_every_type(void **state)
{
    static const struct {
        u64 type, size;
        enum cap_type cap;
        unsigned bits;
    } expected[] = {
        { seL4_UntypedObject, 5, CAP_UNTYPED, 5 },
        { seL4_TCBObject, 0, CAP_TCB, 11 },
        { seL4_EndpointObject, 0, CAP_ENDPOINT, 4 },
        { seL4_NotificationObject, 0, CAP_NOTIFICATION, 6 },
        { seL4_CapTableObject, 3, CAP_CNODE, 8 },
        { seL4_SchedContextObject, 8, CAP_SCHED_CONTEXT, 8 },
        { seL4_ReplyObject, 0, CAP_REPLY, 5 },
        { seL4_X86_PDPTObject, 0, CAP_PDPT, 12 },
        { seL4_X64_PML4Object, 0, CAP_PML4, 12 },
        { seL4_X86_4K, 0, CAP_FRAME, 12 },
        { seL4_X86_LargePageObject, 0, CAP_FRAME, 21 },
        { seL4_X86_PageTableObject, 0, CAP_PAGE_TABLE, 12 },
        { seL4_X86_PageDirectoryObject, 0, CAP_PAGE_DIRECTORY, 12 },
        { seL4_X86_IOPageTableObject, 0, CAP_IO_PAGE_TABLE, 12 },
        { seL4_X86_VCPUObject, 0, CAP_VCPU, 14 },
        { seL4_X86_EPTPML4Object, 0, CAP_EPT_PML4, 12 },
        { seL4_X86_EPTPDPTObject, 0, CAP_EPT_PDPT, 12 },
        { seL4_X86_EPTPDObject, 0, CAP_EPT_PD, 12 },
        { seL4_X86_EPTPTObject, 0, CAP_EPT_PT, 12 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(expected); i++) {
        world_retype(WORLD_UNTYPED, expected[i].type, expected[i].size, 100 + i, 1);
        assert_int_equal(cap_in(100 + i).type, expected[i].cap);
        assert_int_equal(cap_size_bits(cap_in(100 + i)), expected[i].bits);
        assert_true(cap_same_region(cap_in(WORLD_UNTYPED), cap_in(100 + i)));
    }
    assert_int_equal(cap_rights(cap_in(102)), RIGHTS_ALL);
    assert_int_equal(frame_rights(cap_in(109)), RIGHT_READ | RIGHT_WRITE);
    world_check();
    world_revoke(WORLD_UNTYPED);
    assert_int_equal(world_used_slots(), 0);
}

/* --- clearing -------------------------------------------------------------------------------- */

static bool is_zero(const u8 *memory, u64 bytes)
{
    return memory[0] == 0 && memcmp(memory, memory + 1, bytes - 1) == 0;
}

/* Memory is cleared before it is used again, from the top down, stopping anywhere in between. */
static void reset_can_be_preempted_anywhere(void **state)
{
    u8 *memory;
    u64 points;

    (void)state;
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 14, SMALL, 1);
    memory = cap_object(cap_in(SMALL));
    for (u64 at = 1;; at++) {
        world.slots[SMALL].cap.data = 5000; /* used up to there, without children now */
        memset(memory, 0xff, 5000);
        stubs.points = 0;
        stubs.preempt_at = at;
        if (retype(SMALL, seL4_X86_4K, 0, A, 1) == seL4_NoError)
            break;
        u64 offset = untyped_free_offset(cap_in(SMALL));

        assert_true(slot_is_empty(&world.slots[A]));
        assert_int_equal(offset, (5000 - 1) / 256 * 256 - (at - 1) * 256);
        assert_true(is_zero(memory + offset, BIT(14) - offset));
        if (offset)
            assert_int_equal(memory[offset - 1], 0xff);
        assert_int_equal(retype(SMALL, seL4_X86_4K, 0, A, 1), seL4_NoError);
        assert_true(is_zero(memory, BIT(14)));
        world_delete(A);
    }
    points = stubs.points;
    assert_int_equal(points, (5000 + 255) / 256);
    assert_true(is_zero(memory, BIT(14)));
}

/* A new untyped counts as used; one of fewer than 256 bytes is cleared whole. */
static void small_untypeds_are_cleared(void **state)
{
    u8 *memory;

    (void)state;
    world_retype(WORLD_UNTYPED, seL4_UntypedObject, 6, SMALL, 2);
    memory = cap_object(cap_in(SMALL));
    memset(memory, 0xff, 128);
    world.slots[SMALL].cap.data = 64;
    world_retype(SMALL, seL4_EndpointObject, 0, A, 1);
    assert_true(is_zero(memory, 64));
    assert_int_equal(memory[64], 0xff);
}

/* With children, nothing is cleared and nothing handed out twice. */
static void no_reset_with_children(void **state)
{
    (void)state;
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, A, 2);
    memset(cap_object(cap_in(A)), 0x54, 32); /* an idle endpoint, going by the low bits */
    world_delete(A);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, A, 1);
    assert_int_equal(cap_hpa(cap_in(A)).raw, WORLD_BASE + 32);
    world_delete(A);
    world_delete(B);
    world_retype(WORLD_UNTYPED, seL4_EndpointObject, 0, A, 1);
    assert_int_equal(cap_hpa(cap_in(A)).raw, WORLD_BASE);
    assert_true(is_zero(hpa_to_ptr(hpa(WORLD_BASE)), 48));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, world_set_up)
    const struct CMUnitTest tests[] = {
        TEST(checks_come_in_order),
        TEST(root_must_be_a_cnode),
        TEST(finds_a_cnode_below_the_root),
        TEST(device_memory_makes_frames_and_untypeds),
        TEST(objects_are_aligned_and_apart),
        TEST(room_is_exact),
        TEST(untyped_arithmetic),
        TEST(creates_every_type),
        TEST(reset_can_be_preempted_anywhere),
        TEST(small_untypeds_are_cleared),
        TEST(no_reset_with_children),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
