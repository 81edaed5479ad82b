/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables, page directories, PDPTs: mapping, unmapping, and address spaces of their own. */
#include "tests/kernel/calls.h"

#define VSPACE seL4_CapInitThreadVSpace

static const struct level {
    seL4_Word type;
    seL4_Error (*map)(seL4_CPtr table, seL4_CPtr vspace, seL4_Word vaddr,
                      seL4_X86_VMAttributes attr);
    seL4_Error (*unmap)(seL4_CPtr table);
    seL4_Word span_bits;
} levels[] = {
    { seL4_X86_PDPTObject, seL4_X86_PDPT_Map, seL4_X86_PDPT_Unmap, 39 },
    { seL4_X86_PageDirectoryObject, seL4_X86_PageDirectory_Map, seL4_X86_PageDirectory_Unmap, 30 },
    { seL4_X86_PageTableObject, seL4_X86_PageTable_Map, seL4_X86_PageTable_Unmap, 21 },
};

static void mapping(void)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(levels); i++) {
        const struct level *level = &levels[i];
        seL4_CPtr table = object_new(level->type, 0), other = object_new(level->type, 0);

        CHECK_CAPABILITY(level->map(table, ROOT, TEST_VADDR, 0), 1);
        CHECK_CAPABILITY(level->map(table, object_new(seL4_X64_PML4Object, 0), TEST_VADDR, 0), 1);
        CHECK_ARGUMENT(level->map(table, VSPACE, 0x800000000000, 0), 0);
        CHECK_ARGUMENT(level->map(table, VSPACE, 0xffffff8000000000, 0), 0);
        /* The address is rounded down. */
        CHECK_OK(level->map(table, VSPACE, TEST_VADDR + 0x12345, 0));
        CHECK_ERROR(level->map(other, VSPACE, TEST_VADDR, 0), seL4_DeleteFirst);
        CHECK_ERROR(level->map(other, VSPACE, TEST_VADDR + (1ul << level->span_bits) - 1, 0),
                    seL4_DeleteFirst);
        /* Mapped: not again, anywhere. That comes before the rest. */
        CHECK_CAPABILITY(level->map(table, VSPACE, TEST_VADDR, 0), 0);
        CHECK_CAPABILITY(level->map(table, ROOT, 0x800000000000, 0), 0);
    }
}

static void missing_levels(void)
{
    seL4_CPtr pdpt = object_new(seL4_X86_PDPTObject, 0);
    seL4_CPtr directory = object_new(seL4_X86_PageDirectoryObject, 0);
    seL4_CPtr table = object_new(seL4_X86_PageTableObject, 0);

    CHECK_LOOKUP(seL4_X86_PageDirectory_Map(directory, VSPACE, TEST_VADDR, 0), 0,
                 seL4_MissingCapability, 39);
    CHECK_LOOKUP(seL4_X86_PageTable_Map(table, VSPACE, TEST_VADDR, 0), 0, seL4_MissingCapability,
                 39);
    REQUIRE_OK(seL4_X86_PDPT_Map(pdpt, VSPACE, TEST_VADDR, 0));
    CHECK_LOOKUP(seL4_X86_PageTable_Map(table, VSPACE, TEST_VADDR, 0), 0, seL4_MissingCapability,
                 30);
    REQUIRE_OK(seL4_X86_PageDirectory_Map(directory, VSPACE, TEST_VADDR, 0));
    CHECK_OK(seL4_X86_PageTable_Map(table, VSPACE, TEST_VADDR, 0));
}

/* A large frame is in the way of a table. */
static void large_frame_in_the_way(void)
{
    seL4_CPtr frame = object_new(seL4_X86_LargePageObject, 0);

    REQUIRE_OK(frame_map(frame, VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    CHECK_ERROR(
        seL4_X86_PageTable_Map(object_new(seL4_X86_PageTableObject, 0), VSPACE, TEST_VADDR, 0),
        seL4_DeleteFirst);
}

static void unmapping(void)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(levels); i++) {
        const struct level *level = &levels[i];
        seL4_CPtr table = object_new(level->type, 0), copy;

        /* Not mapped: nothing to do. */
        CHECK_OK(level->unmap(table));
        REQUIRE_OK(level->map(table, VSPACE, TEST_VADDR, 0));
        copy = cap_copy(table, seL4_AllRights);
        CHECK_ERROR(level->unmap(table), seL4_RevokeFirst);
        CHECK_ERROR(level->unmap(copy), seL4_RevokeFirst);
        CHECK_OK(cap_delete(copy));
        CHECK_OK(level->unmap(table));
        CHECK_OK(level->map(table, VSPACE, TEST_VADDR, 0));
    }
}

/*
 * Unmapping a table takes what was below out of the address space; the frame's capability still
 * says mapped.
 */
static void unmapped_table(void)
{
    seL4_CPtr vspace = vspace_new();
    seL4_CPtr table = object_new(seL4_X86_PageTableObject, 0), frame = object_new(seL4_X86_4K, 0);

    REQUIRE_OK(seL4_X86_PDPT_Map(object_new(seL4_X86_PDPTObject, 0), vspace, TEST_VADDR, 0));
    REQUIRE_OK(seL4_X86_PageDirectory_Map(object_new(seL4_X86_PageDirectoryObject, 0), vspace,
                                          TEST_VADDR, 0));
    REQUIRE_OK(seL4_X86_PageTable_Map(table, vspace, TEST_VADDR, 0));
    REQUIRE_OK(seL4_X86_Page_Map(frame, vspace, TEST_VADDR, seL4_ReadWrite, 0));
    CHECK_OK(seL4_X86_PageTable_Unmap(table));
    CHECK_LOOKUP(seL4_X86_Page_Map(frame, vspace, TEST_VADDR, seL4_ReadWrite, 0), 0,
                 seL4_MissingCapability, 21);
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    /* A table that is used again is empty. */
    CHECK_OK(seL4_X86_PageTable_Map(table, vspace, TEST_VADDR, 0));
    CHECK_OK(seL4_X86_Page_Map(frame, vspace, TEST_VADDR + 0x1000, seL4_ReadWrite, 0));
    /* Deleting the address space first, then what was in it. */
    CHECK_OK(cap_delete(vspace));
    CHECK_OK(seL4_X86_Page_Unmap(frame));
    CHECK_OK(cap_delete(table));
    CHECK_OK(cap_delete(frame));
}

/* --- another address space ------------------------------------------------------------------- */

/* Code that needs no data: adds what is at rdi to rax and faults. Copied into the other space. */
extern const char other_space_code[], other_space_code_end[];
__asm__("other_space_code:\n"
        "    mov (%rdi), %rax\n"
        "    add $1, %rax\n"
        "    mov %rax, (%rdi)\n"
        "    ud2\n"
        "other_space_code_end:\n");

static void other_vspace(void)
{
    seL4_CPtr vspace = vspace_new();
    seL4_CPtr code = object_new(seL4_X86_4K, 0), data = object_new(seL4_X86_4K, 0);
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0), sc = object_new(seL4_SchedContextObject, 7);
    volatile char *page = (volatile char *)TEST_VADDR;
    volatile seL4_Word *word = (volatile seL4_Word *)(TEST_VADDR + 0x1000);
    seL4_UserContext regs = { .rip = 0x600000, .rdi = 0x700008, .rflags = 0x202 };

    /* Ours and theirs at different addresses. */
    REQUIRE_OK(frame_map(cap_copy(code, seL4_AllRights), VSPACE, TEST_VADDR, seL4_ReadWrite, 0));
    REQUIRE_OK(
        frame_map(cap_copy(data, seL4_AllRights), VSPACE, TEST_VADDR + 0x1000, seL4_ReadWrite, 0));
    REQUIRE_OK(frame_map(code, vspace, 0x600000, seL4_CanRead, 0));
    REQUIRE_OK(frame_map(data, vspace, 0x700000, seL4_ReadWrite, 0));
    for (const char *c = other_space_code; c < other_space_code_end; c++)
        *page++ = *c;
    word[1] = 41;

    REQUIRE_OK(sc_configure(sc, 5000, 5000, 0, 0, 0));
    REQUIRE_OK(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0, 0));
    REQUIRE_OK(seL4_TCB_SetSchedParams(tcb, seL4_CapInitThreadTCB, 0, HELPER_PRIORITY, sc, faults));
    REQUIRE_OK(seL4_TCB_WriteRegisters(tcb, 1, 0, 20, &regs));

    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_UserException);
    CHECK_EQ(m.word[seL4_UserException_Number], 6);
    CHECK_EQ(word[1], 42);

    /* An address that is ours is not there. */
    regs.rdi = (seL4_Word)&regs;
    REQUIRE_OK(seL4_TCB_WriteRegisters(tcb, 1, 0, 20, &regs));
    m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(m.word[seL4_VMFault_Addr], &regs);

    /* The thread holds a capability of its own; with that revoked it faults, nothing else. */
    regs.rdi = 0x700008;
    CHECK_OK(cap_revoke(vspace));
    CHECK_OK(cap_delete(vspace));
    seL4_TCB_WriteRegisters(tcb, 1, 0, 20, &regs);
    m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(word[1], 42);
}

TEST_SUITE(paging, { "mapping", mapping }, { "missing levels", missing_levels },
           { "large frame in the way", large_frame_in_the_way }, { "unmapping", unmapping },
           { "unmapped table", unmapped_table }, { "other vspace", other_vspace });
