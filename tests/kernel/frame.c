/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of all sizes: mapping, remapping, rights, attributes, errors in their order. */
#include "tests/kernel/calls.h"

#define VSPACE seL4_CapInitThreadVSpace

static seL4_Error map(seL4_CPtr frame, seL4_CPtr vspace, seL4_Word vaddr)
{
    return seL4_X86_Page_Map(frame, vspace, vaddr, seL4_ReadWrite, 0);
}

static seL4_CPtr frame_new(void)
{
    return object_new(seL4_X86_4K, 0);
}

/* A device frame of 1 GiB: there is always some address space that large. */
static seL4_CPtr huge_frame(void)
{
    if (!(cpuid(0x80000001, 0).edx & 1u << 26))
        group_skip("the processor has no pages of 1 GiB");

    seL4_UntypedDesc desc;
    seL4_CPtr slot = slot_new();
    seL4_CPtr untyped = 0;

    /* Not above the physical addresses that the processor has. */
    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        desc = boot->untypedList[i];
        if (desc.isDevice && desc.sizeBits >= 30 && desc.paddr < 1ul << 38)
            untyped = boot->untyped.start + i;
    }
    if (!untyped)
        group_skip("no gigabyte of device addresses");
    REQUIRE_OK(retype(untyped, seL4_X64_HugePageObject, 0, slot, 1));
    return slot;
}

static void addresses(void)
{
    seL4_CPtr frame = frame_new();

    CHECK_CAPABILITY(map(frame, ROOT, TEST_VADDR), 1);
    CHECK_CAPABILITY(map(frame, object_new(seL4_X64_PML4Object, 0), TEST_VADDR), 1);
    CHECK_ARGUMENT(map(frame, VSPACE, 0x7fffffffffff), 0);
    CHECK_ARGUMENT(map(frame, VSPACE, 0x7ffffffff000), 0);
    CHECK_ARGUMENT(map(frame, VSPACE, 0x800000000000), 0);
    CHECK_ARGUMENT(map(frame, VSPACE, 0xffffffff80000000), 0);
    CHECK_ARGUMENT(map(frame, VSPACE, ~0ul - 0xfff), 0);
    CHECK_ERROR(map(frame, VSPACE, TEST_VADDR + 1), seL4_AlignmentError);
    CHECK_ERROR(map(frame, VSPACE, TEST_VADDR + 0x800), seL4_AlignmentError);
    CHECK_ERROR(map(object_new(seL4_X86_LargePageObject, 0), VSPACE, TEST_VADDR + 0x1000),
                seL4_AlignmentError);
    /* The vspace comes first, then the address, then its alignment. */
    CHECK_CAPABILITY(map(frame, ROOT, 0x800000000001), 1);
    CHECK_ARGUMENT(map(frame, VSPACE, 0x800000000001), 0);
}

static void missing_levels(void)
{
    seL4_CPtr frame = frame_new(), large = object_new(seL4_X86_LargePageObject, 0);
    seL4_Word vaddr = TEST_VADDR;

    CHECK_LOOKUP(map(frame, VSPACE, vaddr), 0, seL4_MissingCapability, 39);
    CHECK_LOOKUP(map(large, VSPACE, vaddr), 0, seL4_MissingCapability, 39);
    REQUIRE_OK(seL4_X86_PDPT_Map(object_new(seL4_X86_PDPTObject, 0), VSPACE, vaddr, 0));
    CHECK_LOOKUP(map(frame, VSPACE, vaddr), 0, seL4_MissingCapability, 30);
    CHECK_LOOKUP(map(large, VSPACE, vaddr), 0, seL4_MissingCapability, 30);
    REQUIRE_OK(
        seL4_X86_PageDirectory_Map(object_new(seL4_X86_PageDirectoryObject, 0), VSPACE, vaddr, 0));
    CHECK_LOOKUP(map(frame, VSPACE, vaddr), 0, seL4_MissingCapability, 21);
    CHECK_OK(map(large, VSPACE, vaddr));
    CHECK_OK(seL4_X86_Page_Unmap(large));
    REQUIRE_OK(seL4_X86_PageTable_Map(object_new(seL4_X86_PageTableObject, 0), VSPACE, vaddr, 0));
    CHECK_OK(map(frame, VSPACE, vaddr));
    CHECK_ERROR(map(large, VSPACE, vaddr), seL4_DeleteFirst);
    CHECK_OK(map(large, VSPACE, vaddr + (1 << 21)));
    /* Alignment comes before the level that is missing. */
    CHECK_ERROR(map(frame_new(), VSPACE, (TEST_VADDR << 1) + 1), seL4_AlignmentError);
}

static void remapping(void)
{
    seL4_CPtr frame = frame_new(), copy;
    volatile seL4_Word *word = (volatile seL4_Word *)TEST_VADDR;

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    *word = 5;
    /* The same place: rights and attributes change. */
    CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_CanRead, seL4_X86_WriteThrough));
    CHECK_EQ(*word, 5);
    CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, seL4_X86_Uncacheable));
    *word = 6;
    CHECK_EQ(*word, 6);
    /* Another place or another vspace. */
    CHECK_ARGUMENT(map(frame, VSPACE, TEST_VADDR + 0x1000), 0);
    CHECK_CAPABILITY(map(frame, vspace_new(), TEST_VADDR), 1);
    /* A copy is not mapped. */
    copy = cap_copy(frame, seL4_AllRights);
    CHECK_OK(map(copy, VSPACE, TEST_VADDR + 0x1000));
    CHECK_EQ(word[512], 6);
    word[512] = 7;
    CHECK_EQ(*word, 7);
    /* Unmapping twice is no error, and after it any place will do. */
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(map(frame, VSPACE, TEST_VADDR + 0x2000));
    CHECK_EQ(word[1024], 7);
    CHECK_EQ(word[512], 7);
}

/* A 4 KiB mapping replaces what is there; the one that was replaced then unmaps nothing. */
static void replacing(void)
{
    seL4_CPtr first = frame_new(), second = frame_new();
    volatile seL4_Word *word = (volatile seL4_Word *)TEST_VADDR;

    REQUIRE_OK(frame_map(first, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    *word = 1;
    CHECK_OK(map(second, VSPACE, TEST_VADDR));
    CHECK_EQ(*word, 0);
    *word = 2;
    CHECK_OK(seL4_X86_Page_Unmap(first));
    CHECK_EQ(*word, 2);
}

/* --- what a thread may do with a mapping ----------------------------------------------------- */

struct access {
    volatile seL4_Word *at;
    bool write;
};

static void access_main(struct thread *self, seL4_Word argument)
{
    struct access *access = (struct access *)argument;

    if (access->write)
        *access->at = 1;
    else
        self->result[0] = *access->at;
    self->done = 1;
}

/* 0 if the access works, else the page fault's error code. */
static seL4_Word try_access(seL4_Word vaddr, bool write)
{
    struct access access = { (volatile seL4_Word *)vaddr, write };
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    struct thread *t =
        thread_create(0, access_main, (seL4_Word)&access, HELPER_PRIORITY, 5000, 5000, faults);

    thread_start(t);
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    if (t->done)
        return 0;
    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(m.word[seL4_VMFault_Addr], vaddr);
    return m.word[seL4_VMFault_FSR];
}

static void rights(void)
{
    seL4_CPtr frame = frame_new();
    seL4_CPtr read_only = cap_copy(frame, seL4_CanRead);

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    CHECK_EQ(try_access(TEST_VADDR, true), 0);
    CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_CanRead, 0));
    CHECK_EQ(try_access(TEST_VADDR, false), 0);
    CHECK_EQ(try_access(TEST_VADDR, true), 7);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_EQ(try_access(TEST_VADDR, false), 4);
    /* Rights are at most the capability's. */
    CHECK_OK(seL4_X86_Page_Map(read_only, VSPACE, TEST_VADDR, seL4_AllRights, 0));
    CHECK_EQ(try_access(TEST_VADDR, false), 0);
    CHECK_EQ(try_access(TEST_VADDR, true), 7);
    CHECK_OK(cap_delete(read_only));
    CHECK_EQ(try_access(TEST_VADDR, false), 4);
}

/* Deleting or revoking unmaps. */
static void deleting(void)
{
    seL4_CPtr frame = frame_new(), copy = cap_copy(frame, seL4_AllRights);

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    REQUIRE_OK(map(copy, VSPACE, TEST_VADDR + 0x1000));
    CHECK_OK(cap_revoke(frame));
    CHECK_EQ(try_access(TEST_VADDR + 0x1000, false), 4);
    CHECK_EQ(try_access(TEST_VADDR, false), 0);
    CHECK_OK(cap_delete(frame));
    CHECK_EQ(try_access(TEST_VADDR, false), 4);
}

static void large(void)
{
    seL4_CPtr frame = object_new(seL4_X86_LargePageObject, 0);
    volatile seL4_Word *word = (volatile seL4_Word *)TEST_VADDR;

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    word[0] = 1;
    word[(1 << 21) / 8 - 1] = 2;
    CHECK_EQ(word[0], 1);
    CHECK_EQ(word[(1 << 21) / 8 - 1], 2);
    CHECK_LOOKUP(map(frame_new(), VSPACE, TEST_VADDR + 0x1000), 0, seL4_MissingCapability, 21);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_EQ(try_access(TEST_VADDR, false), 4);
    CHECK_EQ(try_access(TEST_VADDR + (1 << 20), false), 4);
    seL4_X86_Page_GetAddress_t address = seL4_X86_Page_GetAddress(frame);

    CHECK_EQ(address.error, 0);
    CHECK_EQ(address.paddr & ((1 << 21) - 1), 0);
    /* One that is there is replaced. */
    seL4_CPtr other = object_new(seL4_X86_LargePageObject, 0);

    REQUIRE_OK(map(frame, VSPACE, TEST_VADDR));
    CHECK_EQ(word[0], 1);
    CHECK_OK(map(other, VSPACE, TEST_VADDR));
    CHECK_EQ(word[0], 0);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_EQ(try_access(TEST_VADDR, true), 0);
}

static void huge(void)
{
    seL4_CPtr frame = huge_frame();

    CHECK_ERROR(map(frame, VSPACE, TEST_VADDR + 0x1000), seL4_AlignmentError);
    CHECK_ARGUMENT(map(frame, VSPACE, 0x7fffc0000000), 0);
    CHECK_LOOKUP(map(frame, VSPACE, TEST_VADDR), 0, seL4_MissingCapability, 39);
    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, seL4_X86_Uncacheable));
    CHECK_ERROR(seL4_X86_PageDirectory_Map(object_new(seL4_X86_PageDirectoryObject, 0), VSPACE,
                                           TEST_VADDR, 0),
                seL4_DeleteFirst);
    CHECK_OK(map(frame, VSPACE, TEST_VADDR));
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(seL4_X86_PageDirectory_Map(object_new(seL4_X86_PageDirectoryObject, 0), VSPACE,
                                        TEST_VADDR, 0));
    CHECK_ERROR(map(frame, VSPACE, TEST_VADDR), seL4_DeleteFirst);
}

/* The first megabyte is a device: what the BIOS left at its end. */
static void device(void)
{
    seL4_UntypedDesc desc;
    seL4_CPtr untyped = boot_untyped_find(true, 20, &desc);
    seL4_CPtr slots = slots_new(1);

    REQUIRE(desc.paddr == 0);
    REQUIRE_OK(retype(untyped, seL4_X86_4K, 0, slots, 1));
    CHECK_EQ(seL4_X86_Page_GetAddress(slots).paddr, 0);
    CHECK_OK(frame_map(slots, VSPACE, TEST_VADDR, seL4_CanRead, seL4_X86_Uncacheable));
    CHECK_EQ(try_access(TEST_VADDR, false), 0);
}

/* All attribute values are taken; which memory type they make cannot be seen from here. */
static void attributes(void)
{
    seL4_CPtr frame = frame_new();
    volatile seL4_Word *word = (volatile seL4_Word *)TEST_VADDR;

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    for (seL4_Word attribute = 0; attribute < 8; attribute++) {
        CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite,
                                   (seL4_X86_VMAttributes)attribute));
        *word = attribute;
        CHECK_EQ(*word, attribute);
    }
}

static void execute_main(struct thread *self, seL4_Word argument)
{
    ((void (*)(void))argument)();
    self->done = 1;
}

static seL4_Word try_execute(seL4_Word vaddr)
{
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    struct thread *t = thread_create(1, execute_main, vaddr, HELPER_PRIORITY, 5000, 5000, faults);

    thread_start(t);
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    if (t->done)
        return 0;
    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(m.word[seL4_VMFault_PrefetchFault], 1);
    return m.word[seL4_VMFault_FSR];
}

/* Mappings can be executed, as on seL4, unless the extension is asked for. */
static void execution(void)
{
    seL4_CPtr frame = frame_new();

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    *(volatile uint8_t *)TEST_VADDR = 0xc3;
    CHECK_EQ(try_execute(TEST_VADDR), 0);
    CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_CanRead, 0));
    CHECK_EQ(try_execute(TEST_VADDR), 0);
    if (!(extensions & BULKHEAD_EXT_EXECUTE_NEVER))
        return;
    CHECK_OK(seL4_X86_Page_Map(frame, VSPACE, TEST_VADDR, seL4_CanRead, bulkhead_X86_ExecuteNever));
    CHECK_EQ(try_execute(TEST_VADDR), 0x15);
    CHECK_EQ(try_access(TEST_VADDR, false), 0);
    CHECK_EQ(try_access(TEST_VADDR, true), 7);
}

TEST_SUITE(frame, { "addresses", addresses }, { "missing levels", missing_levels },
           { "remapping", remapping }, { "replacing", replacing }, { "rights", rights },
           { "deleting", deleting }, { "2 MiB", large }, { "1 GiB", huge }, { "device", device },
           { "attributes", attributes }, { "execution", execution });
