/* SPDX-License-Identifier: BSD-2-Clause */
/* Untyped_Retype: its checks in their order, and what it makes. */
#include "tests/kernel/harness.h"

/* The group's untyped, everything else right but for one thing. */
static seL4_Error make(seL4_Word type, seL4_Word size_bits, seL4_Word offset, seL4_Word count)
{
    return retype(group_untyped, type, size_bits, offset, count);
}

static void types(void)
{
    seL4_CPtr slot = slot_new();

    CHECK_ARGUMENT(make(seL4_ObjectTypeCount, 0, slot, 1), 0);
    CHECK_ARGUMENT(make(~0ul, 0, slot, 1), 0);
    /* The type comes before the size, the count and the slot. */
    CHECK_ARGUMENT(make(seL4_ObjectTypeCount, 99, ~0ul, 0), 0);
}

static void sizes(void)
{
    seL4_CPtr slot = slot_new();

    CHECK_RANGE(make(seL4_UntypedObject, 64, slot, 1), 0, 47);
    CHECK_RANGE(make(seL4_TCBObject, 64, slot, 1), 0, 47);
    CHECK_RANGE(make(seL4_UntypedObject, 48, slot, 1), 0, 47);
    CHECK_RANGE(make(seL4_CapTableObject, 43, slot, 1), 0, 47);
    CHECK_RANGE(make(seL4_SchedContextObject, ~0ul, slot, 1), 0, 47);
    CHECK_ARGUMENT(make(seL4_CapTableObject, 0, slot, 1), 1);
    CHECK_ARGUMENT(make(seL4_UntypedObject, 3, slot, 1), 1);
    CHECK_ARGUMENT(make(seL4_SchedContextObject, 6, slot, 1), 1);
    /* The size comes before the destination. */
    CHECK_RANGE(make(seL4_UntypedObject, 48, ~0ul, 0), 0, 47);
    CHECK_ARGUMENT(make(seL4_UntypedObject, 3, ~0ul, 0), 1);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
    /* The smallest of each. */
    CHECK_OK(make(seL4_UntypedObject, 4, slot, 1));
    CHECK_OK(make(seL4_CapTableObject, 1, slot_new(), 1));
    CHECK_OK(make(seL4_SchedContextObject, 7, slot_new(), 1));
}

static seL4_Error make_in(seL4_CPtr root, seL4_Word index, seL4_Word depth, seL4_Word offset,
                          seL4_Word count)
{
    return seL4_Untyped_Retype(group_untyped, seL4_EndpointObject, 0, root, index, depth, offset,
                               count);
}

static void destination(void)
{
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 4);
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);

    /* Depth 0: the root itself. */
    CHECK_OK(make_in(cnode, 0, 0, 0, 1));
    CHECK_OK(make_in(cnode, 12345, 0, 1, 1)); /* the index does not count */
    /* The CNode in a slot of ours. */
    CHECK_OK(make_in(ROOT, cnode, DEPTH, 2, 1));
    /* No CNode there. */
    CHECK_LOOKUP(make_in(ROOT, endpoint, DEPTH, 0, 1), 0, seL4_MissingCapability, DEPTH);
    CHECK_LOOKUP(make_in(ROOT, slot_new(), DEPTH, 0, 1), 0, seL4_MissingCapability, DEPTH);
    /* A root that is none. */
    CHECK_LOOKUP(make_in(endpoint, 0, 4, 0, 1), 0, seL4_InvalidRoot);
    CHECK_LOOKUP(make_in(endpoint, 0, 0, 0, 1), 0, seL4_MissingCapability, 0);
    /* Depths: 65 is out of range; 16 bits are too few for the guard and radix of ours. */
    CHECK_RANGE(make_in(ROOT, cnode, 65, 0, 1), 1, 64);
    CHECK_LOOKUP(make_in(ROOT, cnode, 16, 0, 1), 0, seL4_GuardMismatch, 16, 0, 47);
    /* Guard 0 of 47 bits: an index beyond 2^17 does not match it. */
    CHECK_LOOKUP(make_in(ROOT, 1ul << 40, DEPTH, 0, 1), 0, seL4_GuardMismatch, 64, 0, 47);
}

static void window(void)
{
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 4);

    CHECK_RANGE(make_in(cnode, 0, 0, 16, 1), 0, 15);
    CHECK_RANGE(make_in(cnode, 0, 0, ~0ul, 1), 0, 15);
    CHECK_RANGE(make_in(cnode, 0, 0, 0, 0), 1, 256);
    CHECK_RANGE(make_in(cnode, 0, 0, 0, 257), 1, 256);
    CHECK_RANGE(make_in(cnode, 0, 0, 0, 17), 1, 16);
    CHECK_RANGE(make_in(cnode, 0, 0, 10, 7), 1, 6);
    /* Offset before count before window. */
    CHECK_RANGE(make_in(cnode, 0, 0, 16, 0), 0, 15);
    CHECK_RANGE(make_in(cnode, 0, 0, 10, 257), 1, 256);
    CHECK_OK(make_in(cnode, 0, 0, 10, 6));
    CHECK_ERROR(make_in(cnode, 0, 0, 5, 6), seL4_DeleteFirst);
    CHECK_ERROR(make_in(cnode, 0, 0, 15, 1), seL4_DeleteFirst);
    CHECK_OK(make_in(cnode, 0, 0, 5, 5));
}

static void memory_is_counted(void)
{
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 10);
    seL4_CPtr slots = slots_new(70);

    CHECK_ERROR(retype(untyped, seL4_UntypedObject, 11, slots, 1), seL4_NotEnoughMemory, 1024);
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slots, 65), seL4_NotEnoughMemory, 1024);
    CHECK_OK(retype(untyped, seL4_EndpointObject, 0, slots, 63));
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slots + 63, 2), seL4_NotEnoughMemory, 16);
    /* Occupied slots come before memory. */
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slots, 65), seL4_DeleteFirst);
    CHECK_OK(retype(untyped, seL4_EndpointObject, 0, slots + 63, 1));
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slots + 64, 1), seL4_NotEnoughMemory, 0);
    /* With a child left nothing is given back. */
    for (unsigned i = 1; i < 64; i++)
        CHECK_OK(cap_delete(slots + i));
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slots + 1, 1), seL4_NotEnoughMemory, 0);
    /* Without children everything is. */
    CHECK_OK(cap_delete(slots));
    CHECK_OK(retype(untyped, seL4_EndpointObject, 0, slots, 64));
    CHECK_OK(cap_revoke(untyped));
    CHECK_EQ(cap_tag(slots), TAG_NULL);
    CHECK_EQ(cap_tag(slots + 63), TAG_NULL);
    CHECK_OK(retype(untyped, seL4_UntypedObject, 10, slots, 1));
}

static seL4_Word frame_address(seL4_CPtr frame)
{
    seL4_X86_Page_GetAddress_t answer = seL4_X86_Page_GetAddress(frame);

    CHECK_EQ(answer.error, seL4_NoError);
    return answer.paddr;
}

static void alignment(void)
{
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 14);
    seL4_CPtr slots = slots_new(8);

    CHECK_OK(retype(untyped, seL4_X86_4K, 0, slots, 1));
    CHECK_OK(retype(untyped, seL4_EndpointObject, 0, slots + 1, 1));
    /* The frame goes to the next page, and the rest of this one is lost to frames only. */
    CHECK_OK(retype(untyped, seL4_X86_4K, 0, slots + 2, 1));
    CHECK_EQ(frame_address(slots + 2), frame_address(slots) + 2 * PAGE_BYTES);
    CHECK_ERROR(retype(untyped, seL4_X86_4K, 0, slots + 3, 2), seL4_NotEnoughMemory, PAGE_BYTES);
    CHECK_OK(retype(untyped, seL4_X86_4K, 0, slots + 3, 1));
    CHECK_EQ(frame_address(slots + 3), frame_address(slots) + 3 * PAGE_BYTES);
}

/* What a program wrote must not be there for the next. */
static void memory_is_cleared(void)
{
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 14);
    seL4_CPtr frames = slots_new(4);
    volatile seL4_Word *page = (volatile seL4_Word *)TEST_VADDR;

    for (unsigned round = 0; round < 3; round++) {
        REQUIRE_OK(retype(untyped, seL4_X86_4K, 0, frames, 4));
        for (unsigned f = 0; f < 4; f++) {
            seL4_Word sum = 0;

            REQUIRE_OK(
                frame_map(frames + f, seL4_CapInitThreadVSpace, TEST_VADDR, seL4_ReadWrite, 0));
            for (unsigned i = 0; i < PAGE_BYTES / sizeof(*page); i++) {
                sum |= page[i];
                page[i] = ~0ul;
            }
            CHECK_EQ(sum, 0);
            REQUIRE_OK(seL4_X86_Page_Unmap(frames + f));
        }
        REQUIRE_OK(cap_revoke(untyped));
    }
}

static void device_memory(void)
{
    seL4_UntypedDesc desc;
    seL4_CPtr device = boot_untyped_find(true, 20, &desc);
    seL4_CPtr part = slot_new();
    seL4_CPtr slot = slot_new();

    REQUIRE(device);
    /* Its last 16 KiB would do, but an untyped is taken from its start. */
    REQUIRE_OK(retype(device, seL4_UntypedObject, 14, part, 1));
    CHECK_ARGUMENT(retype(part, seL4_TCBObject, 0, slot, 1), 1);
    CHECK_ARGUMENT(retype(part, seL4_EndpointObject, 0, slot, 1), 1);
    CHECK_ARGUMENT(retype(part, seL4_CapTableObject, 4, slot, 1), 1);
    CHECK_ARGUMENT(retype(part, seL4_X86_PageTableObject, 0, slot, 1), 1);
    /* Memory comes before its kind. */
    CHECK_ERROR(retype(part, seL4_CapTableObject, 10, slot, 1), seL4_NotEnoughMemory, 1 << 14);
    CHECK_OK(retype(part, seL4_X86_4K, 0, slot, 1));
    CHECK_EQ(frame_address(slot), desc.paddr);
    CHECK_OK(retype(part, seL4_UntypedObject, 12, slot_new(), 1));
    CHECK_OK(cap_revoke(part));
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

/* A copy may be made only while there are no children, and takes all the memory. */
static void copies(void)
{
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 12);
    seL4_CPtr copy = slot_new();
    seL4_CPtr slot = slot_new();

    REQUIRE_OK(seL4_CNode_Copy(ROOT, copy, DEPTH, ROOT, untyped, DEPTH, seL4_AllRights));
    CHECK_ERROR(retype(untyped, seL4_EndpointObject, 0, slot, 1), seL4_NotEnoughMemory, 0);
    CHECK_OK(retype(copy, seL4_EndpointObject, 0, slot, 1));
    CHECK_ERROR(seL4_CNode_Copy(ROOT, slot_new(), DEPTH, ROOT, copy, DEPTH, seL4_AllRights),
                seL4_RevokeFirst);
    CHECK_OK(cap_revoke(untyped));
    CHECK_EQ(cap_tag(copy), TAG_NULL);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

/* Every type, as many as a window of 256 takes. */
static void all_types(void)
{
    for (seL4_Word type = 0; type < seL4_ObjectTypeCount; type++) {
        seL4_Word size_bits = type == seL4_UntypedObject        ? 4
                              : type == seL4_CapTableObject     ? 1
                              : type == seL4_SchedContextObject ? 7
                                                                : 0;

        if (type == seL4_X64_HugePageObject || type == seL4_X86_IOPageTableObject)
            continue;
        if (type >= seL4_X86_VCPUObject && !have_virtualisation())
            continue;

        seL4_CPtr slots = slots_new(3);

        if (!CHECK_OK(make(type, size_bits, slots, 3)))
            print("     type %lu\n", type);
        CHECK(cap_tag(slots) != TAG_NULL);
        CHECK_EQ(cap_tag(slots), cap_tag(slots + 2));
    }

    seL4_CPtr many = slots_new(256);

    CHECK_OK(make(seL4_NotificationObject, 0, many, 256));
    CHECK_EQ(cap_tag(many + 255), TAG_NOTIFICATION);
}

TEST_SUITE(untyped, { "types", types }, { "sizes", sizes }, { "destination", destination },
           { "window", window }, { "memory is counted", memory_is_counted },
           { "alignment", alignment }, { "memory is cleared", memory_is_cleared },
           { "device memory", device_memory }, { "copies", copies }, { "all types", all_types });
