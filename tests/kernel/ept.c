/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical address spaces: structures, frames, errors in their order. */
#include "tests/kernel/harness.h"

#define EPT seL4_X86_EPT_Default_VMAttributes

static const struct level {
    seL4_Word type;
    seL4_Error (*map)(seL4_CPtr table, seL4_CPtr root, seL4_Word gpa,
                      seL4_X86_EPT_VMAttributes attr);
    seL4_Error (*unmap)(seL4_CPtr table);
    seL4_Word span_bits, missing;
} levels[] = {
    { seL4_X86_EPTPDPTObject, seL4_X86_EPTPDPT_Map, seL4_X86_EPTPDPT_Unmap, 39, 0 },
    { seL4_X86_EPTPDObject, seL4_X86_EPTPD_Map, seL4_X86_EPTPD_Unmap, 30, 39 },
    { seL4_X86_EPTPTObject, seL4_X86_EPTPT_Map, seL4_X86_EPTPT_Unmap, 21, 30 },
};

static seL4_CPtr root_new(void)
{
    if (!have_virtualisation())
        group_skip("the processor has neither SVM nor VMX");
    seL4_CPtr root = object_new(seL4_X86_EPTPML4Object, 0);

    REQUIRE_OK(seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, root));
    return root;
}

static void structures(void)
{
    seL4_CPtr root = root_new();

    for (unsigned i = 0; i < ARRAY_LENGTH(levels); i++) {
        const struct level *level = &levels[i];
        seL4_CPtr table = object_new(level->type, 0), other = object_new(level->type, 0);

        CHECK_CAPABILITY(level->map(table, ROOT, 0, EPT), 1);
        CHECK_CAPABILITY(level->map(table, object_new(seL4_X86_EPTPML4Object, 0), 0, EPT), 1);
        CHECK_CAPABILITY(level->map(table, seL4_CapInitThreadVSpace, 0, EPT), 1);
        if (level->missing)
            CHECK_LOOKUP(level->map(table, root, 1ul << 45, EPT), 0, seL4_MissingCapability, 39);
        CHECK_OK(level->unmap(table));
        CHECK_OK(level->map(table, root, 0x12345, EPT));
        CHECK_CAPABILITY(level->map(table, root, 1ul << 44, EPT), 0);
        CHECK_CAPABILITY(level->map(table, ROOT, 1ul << 44, EPT), 0);
        CHECK_ERROR(level->map(other, root, (1ul << level->span_bits) - 1, EPT), seL4_DeleteFirst);
        seL4_CPtr copy = cap_copy(table, seL4_AllRights);

        CHECK_ERROR(level->unmap(table), seL4_RevokeFirst);
        CHECK_OK(cap_delete(copy));
        CHECK_OK(level->unmap(table));
        CHECK_OK(level->map(table, root, 0, EPT));
    }
    /* One level there, the next not. */
    REQUIRE_OK(seL4_X86_EPTPDPT_Map(object_new(seL4_X86_EPTPDPTObject, 0), root, 1ul << 40, EPT));
    CHECK_LOOKUP(seL4_X86_EPTPT_Map(object_new(seL4_X86_EPTPTObject, 0), root, 1ul << 40, EPT), 0,
                 seL4_MissingCapability, 30);
}

static seL4_Error map(seL4_CPtr frame, seL4_CPtr root, seL4_Word gpa)
{
    return seL4_X86_Page_MapEPT(frame, root, gpa, seL4_AllRights, EPT);
}

static void frames(void)
{
    seL4_CPtr root = root_new();
    seL4_CPtr frame = object_new(seL4_X86_4K, 0), large = object_new(seL4_X86_LargePageObject, 0);

    CHECK_CAPABILITY(map(frame, ROOT, 0), 1);
    CHECK_CAPABILITY(map(frame, object_new(seL4_X86_EPTPML4Object, 0), 0), 1);
    CHECK_CAPABILITY(map(frame, seL4_CapInitThreadVSpace, 0), 1);
    CHECK_LOOKUP(map(frame, root, 0), 0, seL4_MissingCapability, 39);
    REQUIRE_OK(seL4_X86_EPTPDPT_Map(object_new(seL4_X86_EPTPDPTObject, 0), root, 0, EPT));
    CHECK_LOOKUP(map(frame, root, 0), 0, seL4_MissingCapability, 30);
    CHECK_LOOKUP(map(large, root, 0), 0, seL4_MissingCapability, 30);
    REQUIRE_OK(seL4_X86_EPTPD_Map(object_new(seL4_X86_EPTPDObject, 0), root, 0, EPT));
    CHECK_LOOKUP(map(frame, root, 0), 0, seL4_MissingCapability, 21);
    CHECK_ERROR(map(large, root, 0x1000), seL4_AlignmentError);
    CHECK_OK(map(large, root, 0));
    CHECK_CAPABILITY(map(large, root, 1 << 21), 0);
    CHECK_ERROR(map(cap_copy(large, seL4_AllRights), root, 0), seL4_DeleteFirst);
    CHECK_ERROR(seL4_X86_EPTPT_Map(object_new(seL4_X86_EPTPTObject, 0), root, 0, EPT),
                seL4_DeleteFirst);
    REQUIRE_OK(seL4_X86_EPTPT_Map(object_new(seL4_X86_EPTPTObject, 0), root, 1 << 21, EPT));
    CHECK_ERROR(map(cap_copy(large, seL4_AllRights), root, 1 << 21), seL4_DeleteFirst);
    /* A 4 KiB address is rounded down. */
    CHECK_OK(map(frame, root, (1 << 21) + 0x123));
    CHECK_CAPABILITY(map(frame, root, (1 << 21) + 0x1000), 0);
    CHECK_ERROR(map(object_new(seL4_X86_4K, 0), root, 1 << 21), seL4_DeleteFirst);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(map(object_new(seL4_X86_4K, 0), root, 1 << 21));
    /* Mapped in a vspace is mapped; and the other way round. */
    REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, TEST_VADDR, seL4_ReadWrite, 0));
    CHECK_CAPABILITY(map(frame, root, (1 << 21) + 0x2000), 0);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(map(frame, root, (1 << 21) + 0x2000));
    /* All memory types are taken. */
    for (seL4_Word type = 0; type < 8; type++) {
        seL4_CPtr one = object_new(seL4_X86_4K, 0);

        CHECK_OK(seL4_X86_Page_MapEPT(one, root, (1 << 21) + 0x10000 + type * 0x1000,
                                      seL4_AllRights, (seL4_X86_EPT_VMAttributes)type));
    }
}

/* The order: frame, root, alignment, levels. */
static void precedence(void)
{
    seL4_CPtr root = root_new(), large = object_new(seL4_X86_LargePageObject, 0);

    CHECK_CAPABILITY(map(large, ROOT, 0x1000), 1);
    CHECK_ERROR(map(large, root, 0x1000), seL4_AlignmentError);
    CHECK_LOOKUP(map(large, root, 0), 0, seL4_MissingCapability, 39);
    /* No message can be short enough to be trusted. */
    static const seL4_CPtr caps[1] = { ROOT };
    seL4_Word words[3] = { 0, 3, 6 };

    CHECK_EQ(invoke(large, X86PageMapEPT, 0, NULL, 3, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(large, X86PageMapEPT, 1, caps, 2, words), seL4_TruncatedMessage);
}

/* Deleting from above, from below, and the frame first. */
static void deleting(void)
{
    for (unsigned order = 0; order < 3; order++) {
        seL4_CPtr root = root_new(), pdpt = object_new(seL4_X86_EPTPDPTObject, 0);
        seL4_CPtr pd = object_new(seL4_X86_EPTPDObject, 0),
                  pt = object_new(seL4_X86_EPTPTObject, 0);
        seL4_CPtr frame = object_new(seL4_X86_4K, 0);
        seL4_CPtr victims[5] = { root, pdpt, pd, pt, frame };

        REQUIRE_OK(seL4_X86_EPTPDPT_Map(pdpt, root, 0, EPT));
        REQUIRE_OK(seL4_X86_EPTPD_Map(pd, root, 0, EPT));
        REQUIRE_OK(seL4_X86_EPTPT_Map(pt, root, 0, EPT));
        REQUIRE_OK(map(frame, root, 0));
        for (unsigned i = 0; i < 5; i++)
            CHECK_OK(cap_delete(victims[order == 0 ? i : order == 1 ? 4 - i : (i * 2) % 5]));
    }
}

/* 1 GiB for guests is an extension. */
static void huge(void)
{
    seL4_CPtr root = root_new(), slot = slot_new(), untyped = 0;

    if (!(cpuid(0x80000001, 0).edx & 1u << 26))
        group_skip("the processor has no pages of 1 GiB");
    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];

        if (d->isDevice && d->sizeBits >= 30 && d->paddr < 1ul << 38)
            untyped = boot->untyped.start + i;
    }
    if (!untyped)
        group_skip("no gigabyte of device addresses");
    REQUIRE_OK(retype(untyped, seL4_X64_HugePageObject, 0, slot, 1));
    if (!(extensions & BULKHEAD_EXT_GUEST_1G_FRAMES)) {
        CHECK_CAPABILITY(map(slot, root, 0), 0);
        return;
    }
    CHECK_ERROR(map(slot, root, 1 << 21), seL4_AlignmentError);
    CHECK_LOOKUP(map(slot, root, 0), 0, seL4_MissingCapability, 39);
    REQUIRE_OK(seL4_X86_EPTPDPT_Map(object_new(seL4_X86_EPTPDPTObject, 0), root, 0, EPT));
    CHECK_OK(map(slot, root, 0));
    CHECK_ERROR(seL4_X86_EPTPD_Map(object_new(seL4_X86_EPTPDObject, 0), root, 0, EPT),
                seL4_DeleteFirst);
    CHECK_OK(seL4_X86_Page_Unmap(slot));
    CHECK_OK(seL4_X86_EPTPD_Map(object_new(seL4_X86_EPTPDObject, 0), root, 0, EPT));
}

TEST_SUITE(ept, { "structures", structures }, { "frames", frames }, { "precedence", precedence },
           { "deleting", deleting }, { "1 GiB", huge });
