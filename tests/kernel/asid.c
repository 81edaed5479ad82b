/* SPDX-License-Identifier: BSD-2-Clause */
/* ASID control and pools. */
#include "tests/kernel/harness.h"

#define POOLS      8
#define POOL_ASIDS 512

static seL4_Error make_pool(seL4_CPtr untyped, seL4_CPtr slot)
{
    return seL4_X86_ASIDControl_MakePool(seL4_CapASIDControl, untyped, ROOT, slot, DEPTH);
}

static seL4_CPtr untyped_new(void)
{
    return object_new(seL4_UntypedObject, 12);
}

static void make_pool_checks(void)
{
    seL4_CPtr slot = slot_new(), untyped = untyped_new(), used = untyped_new();
    seL4_UntypedDesc desc;
    seL4_CPtr device = slot_new();

    REQUIRE_OK(retype(used, seL4_EndpointObject, 0, slot_new(), 1));
    REQUIRE_OK(retype(boot_untyped_find(true, 12, &desc), seL4_UntypedObject, 12, device, 1));
    CHECK_CAPABILITY(make_pool(ROOT, slot), 1);
    CHECK_CAPABILITY(make_pool(object_new(seL4_UntypedObject, 11), slot), 1);
    CHECK_CAPABILITY(make_pool(object_new(seL4_UntypedObject, 13), slot), 1);
    CHECK_CAPABILITY(make_pool(device, slot), 1);
    CHECK_ERROR(make_pool(used, slot), seL4_RevokeFirst);
    CHECK_ERROR(make_pool(untyped, used), seL4_DeleteFirst);
    CHECK_LOOKUP(make_pool(untyped, 1ul << 40), 0, seL4_GuardMismatch, 64, 0, 47);
    CHECK_RANGE(seL4_X86_ASIDControl_MakePool(seL4_CapASIDControl, untyped, ROOT, slot, 0), 1, 64);
    CHECK_RANGE(seL4_X86_ASIDControl_MakePool(seL4_CapASIDControl, untyped, ROOT, slot, 65), 1, 64);
    /* The untyped comes before the slot. */
    CHECK_ERROR(make_pool(used, 1ul << 40), seL4_RevokeFirst);
    CHECK_OK(make_pool(untyped, slot));
    CHECK_EQ(cap_tag(slot), TAG_ASID_POOL);
    /* The memory is used now. */
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slot_new(), 1), seL4_NotEnoughMemory, 0);
    CHECK_OK(cap_revoke(untyped));
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

static void eight_pools(void)
{
    seL4_CPtr slots = slots_new(POOLS);

    /* One exists since boot. */
    for (unsigned i = 0; i < POOLS - 1; i++)
        CHECK_OK(make_pool(untyped_new(), slots + i));
    CHECK_ERROR(make_pool(untyped_new(), slots + POOLS - 1), seL4_DeleteFirst);
    /* That comes before everything else. */
    CHECK_ERROR(make_pool(ROOT, slots), seL4_DeleteFirst);
    CHECK_OK(cap_delete(slots));
    CHECK_OK(make_pool(untyped_new(), slots));
}

static void assign(void)
{
    seL4_CPtr pool = seL4_CapInitThreadASIDPool, vspace = object_new(seL4_X64_PML4Object, 0);

    CHECK_CAPABILITY(seL4_X86_ASIDPool_Assign(pool, ROOT), 1);
    CHECK_CAPABILITY(seL4_X86_ASIDPool_Assign(pool, object_new(seL4_X86_PDPTObject, 0)), 1);
    CHECK_CAPABILITY(seL4_X86_ASIDPool_Assign(pool, seL4_CapInitThreadVSpace), 1);
    CHECK_OK(seL4_X86_ASIDPool_Assign(pool, vspace));
    CHECK_CAPABILITY(seL4_X86_ASIDPool_Assign(pool, vspace), 1);
    if (have_virtualisation()) {
        seL4_CPtr ept = object_new(seL4_X86_EPTPML4Object, 0);

        CHECK_OK(seL4_X86_ASIDPool_Assign(pool, ept));
        CHECK_CAPABILITY(seL4_X86_ASIDPool_Assign(pool, ept), 1);
    }
}

/* 512 in a pool; deleting an address space gives its ASID back. */
static void full_pool(void)
{
    seL4_CPtr pool = slot_new();
    seL4_CPtr spaces = slots_new(POOL_ASIDS + 1);

    REQUIRE_OK(make_pool(untyped_new(), pool));
    for (unsigned i = 0; i <= POOL_ASIDS; i += 256)
        REQUIRE_OK(retype(group_untyped, seL4_X64_PML4Object, 0, spaces + i, i < 512 ? 256 : 1));
    for (unsigned i = 0; i < POOL_ASIDS; i++)
        REQUIRE_OK(seL4_X86_ASIDPool_Assign(pool, spaces + i));
    CHECK_ERROR(seL4_X86_ASIDPool_Assign(pool, spaces + POOL_ASIDS), seL4_DeleteFirst);
    CHECK_OK(cap_delete(spaces + 100));
    CHECK_OK(seL4_X86_ASIDPool_Assign(pool, spaces + POOL_ASIDS));
}

/* Deleting a pool takes the ASIDs from its address spaces. */
static void deleted_pool(void)
{
    seL4_CPtr pool = slot_new(), vspace = object_new(seL4_X64_PML4Object, 0);
    seL4_CPtr frame = object_new(seL4_X86_4K, 0);

    REQUIRE_OK(make_pool(untyped_new(), pool));
    REQUIRE_OK(seL4_X86_ASIDPool_Assign(pool, vspace));
    REQUIRE_OK(frame_map(frame, vspace, TEST_VADDR, seL4_ReadWrite, 0));
    CHECK_OK(cap_delete(pool));
    /* The capability still says it has one, but there is none behind it. */
    CHECK_LOOKUP(seL4_X86_Page_Map(frame, vspace, TEST_VADDR, seL4_ReadWrite, 0), 0,
                 seL4_InvalidRoot);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(cap_delete(vspace));
}

/* Initially a page of our own pool is not taken from us when a copy of its capability goes. */
static void copied_pool(void)
{
    seL4_CPtr copy = cap_copy(seL4_CapInitThreadASIDPool, seL4_AllRights);

    CHECK_OK(cap_delete(copy));
    CHECK_OK(
        seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, object_new(seL4_X64_PML4Object, 0)));
}

TEST_SUITE(asid, { "make pool", make_pool_checks }, { "eight pools", eight_pools },
           { "assign", assign }, { "full pool", full_pool }, { "deleted pool", deleted_pool },
           { "copied pool", copied_pool });
