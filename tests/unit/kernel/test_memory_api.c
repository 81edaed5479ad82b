/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every answer of the methods of frames, paging structures, EPT objects, ASID control and pools,
 * and which of two comes first (ABI sections 5.1 and 11.1); stale capabilities; reuse of ASIDs.
 */
#include "tests/unit/kernel/memory_world.h"

#include "abi/gen/labels.h"
#include "abi/types.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/pt_ept.h"
#include "kernel/vspace/pt_host.h"
#include "kernel/vspace/pt_npt.h"

/* Where the tests keep what. */
enum {
    POOL = 1,
    SPACE,
    PDPT,
    PD,
    PT,
    FRAME,
    LARGE,
    HUGE,
    CONTROL,
    EPT,
    EPT_PDPT,
    EPT_PD,
    EPT_PT,
    OTHER,
    CNODE,
    TCB_SLOT,
    FREE,
};

enum {
    PAGE_POOL,
    PAGE_SPACE,
    PAGE_PDPT,
    PAGE_PD,
    PAGE_PT,
    PAGE_FRAME,
    PAGE_EPT,
    PAGE_EPT_PDPT,
    PAGE_EPT_PD,
    PAGE_EPT_PT,
    PAGE_OTHER,
    PAGE_TCB,
    PAGE_MORE = 16,
};

#define RW       (RIGHT_READ | RIGHT_WRITE)
#define VADDR    0x7f1234567000ULL
#define LARGE_AT 0x600000ULL
#define HUGE_AT  0x40000000ULL

static void put(unsigned slot, enum cap_type type, unsigned page)
{
    world_put(slot, cap_make(type, world_page(page), 0, 0));
}

/* One space of each kind with ASIDs, and unmapped tables and frames for them. */
static int setup(void **state)
{
    world_reset(state);
    put(POOL, CAP_ASID_POOL, PAGE_POOL);
    asid_pool_install(0, world_table(world_page(PAGE_POOL)));
    put(SPACE, CAP_PML4, PAGE_SPACE);
    pml4_create(world_table(world_page(PAGE_SPACE)));
    put(PDPT, CAP_PDPT, PAGE_PDPT);
    put(PD, CAP_PAGE_DIRECTORY, PAGE_PD);
    put(PT, CAP_PAGE_TABLE, PAGE_PT);
    put(EPT, CAP_EPT_PML4, PAGE_EPT);
    put(EPT_PDPT, CAP_EPT_PDPT, PAGE_EPT_PDPT);
    put(EPT_PD, CAP_EPT_PD, PAGE_EPT_PD);
    put(EPT_PT, CAP_EPT_PT, PAGE_EPT_PT);
    world_put(FRAME, world_frame(FRAME_4K, world_page(PAGE_FRAME), RW));
    world_put(LARGE, world_frame(FRAME_2M, hpa(LARGE_AT), RW));
    world_put(HUGE, world_frame(FRAME_1G, hpa(HUGE_AT), RW));
    world_put(CONTROL, cap_make(CAP_ASID_CONTROL, hpa(0), 0, 0));
    world_put(CNODE, world_root());
    world_put(TCB_SLOT, cap_make(CAP_TCB, world_page(PAGE_TCB), 0, 0));
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(SPACE), 0), seL4_NoError);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(EPT), 0), seL4_NoError);
    return 0;
}

/* Leaves the TCB's slot as it was. */
static int teardown(void **state)
{
    struct tcb *tcb = cap_object(world_slots[TCB_SLOT].cap);

    (void)state;
    slot_delete_simple(&tcb->slots[TCB_EPT_ROOT]);
    slot_delete_simple(&tcb->slots[TCB_VSPACE]);
    /* The world deletes slots one by one; a TCB's end needs more than that. */
    world_slots[TCB_SLOT].cap = cap_make(CAP_DOMAIN, hpa(0), 0, 0);
    world_slots[CNODE].cap = cap_make(CAP_DOMAIN, hpa(0), 0, 0);
    return 0;
}

static void map_native_tables(u64 vaddr)
{
    assert_answer(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), vaddr, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageDirectoryMap, PD, EXTRA(SPACE), vaddr, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), vaddr, 0), seL4_NoError);
}

static void map_nested_tables(u64 gpa)
{
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), gpa, 0), seL4_NoError);
    assert_answer(INVOKE(X86EPTPDMap, EPT_PD, EXTRA(EPT), gpa, 0), seL4_NoError);
    assert_answer(INVOKE(X86EPTPTMap, EPT_PT, EXTRA(EPT), gpa, 0), seL4_NoError);
}

static u64 *entry_of(unsigned table_page, u64 address, unsigned level)
{
    return world_table(world_page(table_page)) + (address >> (12 + 9 * level) & 511);
}

static u64 map_frame(u64 vaddr, u64 rights, u64 attributes)
{
    return INVOKE(X86PageMap, FRAME, EXTRA(SPACE), vaddr, rights, attributes);
}

/* --- native frames --------------------------------------------------------------------------- */

static void test_page_map(void **state)
{
    u64 *pte = entry_of(PAGE_PT, VADDR, 0);

    (void)state;
    map_native_tables(VADDR);
    assert_int_equal(fakes.flushed_spaces + fakes.flushed_pages, 0);
    assert_answer(map_frame(VADDR, RW, 0), seL4_NoError);
    assert_int_equal(*pte, world_page(PAGE_FRAME).raw | PT_HOST_P | PT_HOST_RW | PT_HOST_US |
                               PT_HOST_A | PT_HOST_D);
    assert_int_equal(fakes.flushed_pages, 0);

    /* Again, with fewer rights and other attributes: one page is flushed. */
    assert_answer(map_frame(VADDR, RIGHT_READ, seL4_X86_WriteCombining), seL4_NoError);
    assert_int_equal(*pte, world_page(PAGE_FRAME).raw | PT_HOST_P | PT_HOST_US | PT_HOST_A |
                               PT_HOST_PAT_4K);
    assert_int_equal(fakes.flushed_pages, 1);
    assert_int_equal(fakes.flushed_root.raw, world_page(PAGE_SPACE).raw);

    assert_answer(map_frame(VADDR, RW, seL4_X86_Uncacheable | bulkhead_X86_ExecuteNever),
                  seL4_NoError);
    assert_true(*pte & PT_HOST_NX);
    assert_true(*pte & PT_HOST_PWT);
    assert_true(*pte & PT_HOST_PCD);

    /* Without the right to read nothing is left to the user. */
    assert_answer(map_frame(VADDR, RIGHT_WRITE, 0), seL4_NoError);
    assert_int_equal(*pte & (PT_HOST_P | PT_HOST_RW | PT_HOST_US), PT_HOST_P);

    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_int_equal(*pte, 0);
    assert_int_equal(fakes.flushed_pages, 4);
    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_pages, 4);
}

static void test_page_map_capability_bounds_rights(void **state)
{
    (void)state;
    map_native_tables(VADDR);
    world_put(OTHER, world_frame(FRAME_4K, world_page(PAGE_OTHER), RIGHT_READ));
    assert_answer(INVOKE(X86PageMap, OTHER, EXTRA(SPACE), VADDR, RW, 0), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_PT, VADDR, 0) & (PT_HOST_RW | PT_HOST_US), PT_HOST_US);
    world_delete(OTHER);
    world_put(OTHER, world_frame(FRAME_4K, world_page(PAGE_OTHER), 0));
    assert_answer(INVOKE(X86PageMap, OTHER, EXTRA(SPACE), VADDR, RW, 0), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_PT, VADDR, 0) & (PT_HOST_RW | PT_HOST_US), 0);
}

static void test_page_map_without_nx(void **state)
{
    (void)state;
    fakes.has_nx = false;
    map_native_tables(VADDR);
    assert_answer(map_frame(VADDR, RW, bulkhead_X86_ExecuteNever), seL4_NoError);
    assert_false(*entry_of(PAGE_PT, VADDR, 0) & PT_HOST_NX);
}

static void test_page_map_errors(void **state)
{
    (void)state;
    map_native_tables(VADDR);

    assert_answer(INVOKE(X86PageMap, FRAME, EXTRA(SPACE), VADDR, RW), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86PageMap, FRAME, NULL, VADDR, RW, 0), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86PageMap, PT, EXTRA(SPACE), VADDR, RW, 0), seL4_IllegalOperation);

    /* No address space, before anything about the address. */
    assert_answer_word(INVOKE(X86PageMap, FRAME, EXTRA(FRAME), ~0ULL, RW, 0),
                       seL4_InvalidCapability, 1);
    assert_answer_word(INVOKE(X86PageMap, FRAME, EXTRA(EPT), VADDR, RW, 0), seL4_InvalidCapability,
                       1);
    put(OTHER, CAP_PML4, PAGE_OTHER);
    assert_answer_word(INVOKE(X86PageMap, FRAME, EXTRA(OTHER), VADDR, RW, 0),
                       seL4_InvalidCapability, 1);

    /* Range before alignment. */
    assert_answer_word(map_frame(0x7ffffffff000, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(0x7fffffffffff, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(0x800000000000, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(~0ULL, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(~0xfffULL, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(0xfffffffffffff000, RW, 0), seL4_InvalidArgument, 0);
    assert_answer(map_frame(VADDR + 8, RW, 0), seL4_AlignmentError);
    assert_answer(INVOKE(X86PageMap, LARGE, EXTRA(SPACE), 0x1000, RW, 0), seL4_AlignmentError);
    assert_answer(INVOKE(X86PageMap, HUGE, EXTRA(SPACE), LARGE_AT, RW, 0), seL4_AlignmentError);

    /* The highest page that can be mapped. */
    assert_missing(map_frame(0x7fffffffe000, RW, 0), 39);

    /* Missing levels, from the top; alignment comes first. */
    assert_missing(map_frame(0x1000, RW, 0), 39);
    assert_answer(map_frame(0x1001, RW, 0), seL4_AlignmentError);
    assert_missing(INVOKE(X86PageMap, LARGE, EXTRA(SPACE), 0, RW, 0), 39);
    assert_missing(INVOKE(X86PageMap, HUGE, EXTRA(SPACE), 0, RW, 0), 39);
    assert_missing(map_frame(VADDR + 0x40000000, RW, 0), 30);
    assert_missing(map_frame(VADDR + 0x200000, RW, 0), 21);

    /* A large frame never displaces a table. */
    assert_answer(INVOKE(X86PageMap, LARGE, EXTRA(SPACE), VADDR & ~MASK(21), RW, 0),
                  seL4_DeleteFirst);
    assert_answer(INVOKE(X86PageMap, HUGE, EXTRA(SPACE), VADDR & ~MASK(30), RW, 0),
                  seL4_DeleteFirst);

    /* Nothing was changed meanwhile. */
    assert_int_equal(frame_map(world_slots[FRAME].cap), FRAME_UNMAPPED);
    assert_int_equal(frame_map(world_slots[LARGE].cap), FRAME_UNMAPPED);
    assert_int_equal(fakes.flushed_pages + fakes.flushed_spaces, 0);
}

static void test_page_map_again_errors(void **state)
{
    (void)state;
    map_native_tables(VADDR);
    put(OTHER, CAP_PML4, PAGE_OTHER);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(OTHER), 0), seL4_NoError);
    assert_answer(map_frame(VADDR, RW, 0), seL4_NoError);

    /* Another space before another address. */
    assert_answer_word(INVOKE(X86PageMap, FRAME, EXTRA(OTHER), VADDR + 0x1000, RW, 0),
                       seL4_InvalidCapability, 1);
    assert_answer_word(map_frame(VADDR + 0x1000, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(map_frame(VADDR + 8, RW, 0), seL4_InvalidArgument, 0);
    assert_answer_word(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), seL4_InvalidCapability,
                       0);
    /* The table has gone: the frame cannot be mapped where it was. */
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_NoError);
    assert_missing(map_frame(VADDR, RW, 0), 21);
    /* Unmapping it finds nothing, and flushes nothing. */
    fakes.flushed_pages = 0;
    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_pages, 0);
    assert_int_equal(frame_map(world_slots[FRAME].cap), FRAME_UNMAPPED);
}

static void test_page_map_replaces(void **state)
{
    u64 *pte = entry_of(PAGE_PT, VADDR, 0);

    (void)state;
    map_native_tables(VADDR);
    assert_answer(map_frame(VADDR, RW, 0), seL4_NoError);
    world_put(OTHER, world_frame(FRAME_4K, world_page(PAGE_OTHER), RW));
    assert_answer(INVOKE(X86PageMap, OTHER, EXTRA(SPACE), VADDR, RW, 0), seL4_NoError);
    assert_int_equal(*pte & ~MASK(12), world_page(PAGE_OTHER).raw);
    assert_int_equal(fakes.flushed_pages, 1);
    /* The displaced frame's end does not touch the other's mapping. */
    world_delete(FRAME);
    assert_int_equal(*pte & ~MASK(12), world_page(PAGE_OTHER).raw);
    assert_int_equal(fakes.flushed_pages, 1);
    world_delete(OTHER);
    assert_int_equal(*pte, 0);
    assert_int_equal(fakes.flushed_pages, 2);
}

static void test_large_frames(void **state)
{
    u64 *pde = entry_of(PAGE_PD, 0, 1), *pdpte = entry_of(PAGE_PDPT, 0x40000000, 2);
    struct cap huge;

    (void)state;
    assert_answer(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), 0, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageDirectoryMap, PD, EXTRA(SPACE), 0, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageMap, LARGE, EXTRA(SPACE), 0, RW, seL4_X86_WriteCombining),
                  seL4_NoError);
    assert_int_equal(*pde, LARGE_AT | PT_HOST_P | PT_HOST_RW | PT_HOST_US | PT_HOST_A | PT_HOST_D |
                               PT_HOST_PS | PT_HOST_PAT_LARGE);
    /* No table under it, no table over it. */
    assert_missing(map_frame(0x1000, RW, 0), 21);
    assert_answer(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), 0x1ff000, 0), seL4_DeleteFirst);
    /* A large frame replaces another. */
    world_put(OTHER, world_frame(FRAME_2M, hpa(2 * LARGE_AT), RW));
    assert_answer(INVOKE(X86PageMap, OTHER, EXTRA(SPACE), 0, RW, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_pages, 1);
    world_delete(OTHER);
    assert_int_equal(*pde, 0);

    assert_answer(INVOKE(X86PageMap, HUGE, EXTRA(SPACE), 0x40000000, RW, 0), seL4_NoError);
    assert_int_equal(*pdpte & ~MASK(30), HUGE_AT);
    assert_answer(INVOKE(X86PageUnmap, HUGE, NULL, 0), seL4_NoError);
    assert_int_equal(*pdpte, 0);
    fakes.has_1g = false;
    assert_answer_word(INVOKE(X86PageMap, HUGE, EXTRA(SPACE), 0x40000000, RW, 0),
                       seL4_InvalidCapability, 0);
    huge = world_slots[HUGE].cap;
    assert_int_equal(frame_map(huge), FRAME_UNMAPPED);
}

static void test_page_other_methods(void **state)
{
    (void)state;
    assert_answer(INVOKE(X86PageGetAddress, LARGE, NULL, 0), seL4_NoError);
    assert_int_equal(world_reply.reply_length, 1);
    assert_int_equal(*ipc_register(world_reply.caller, 0), LARGE_AT);
    assert_answer(INVOKE(X86PageMapIO, FRAME, EXTRA(SPACE), 0, 0), seL4_IllegalOperation);
    assert_answer(INVOKE(X86PageMapIO, FRAME, NULL, 0, 0), seL4_TruncatedMessage);
}

/* --- native tables --------------------------------------------------------------------------- */

static void test_table_map(void **state)
{
    (void)state;
    /* Rounded down to the table's span; attributes do not matter. */
    assert_missing(INVOKE(X86PageDirectoryMap, PD, EXTRA(SPACE), VADDR, 7), 39);
    assert_missing(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), VADDR, 7), 39);
    assert_answer(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), VADDR + 5, 7), seL4_NoError);
    assert_int_equal(map_address(world_slots[PDPT].cap), VADDR & ~MASK(39));
    assert_missing(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), VADDR, 7), 30);
    assert_answer(INVOKE(X86PageDirectoryMap, PD, EXTRA(SPACE), VADDR + 5, 7), seL4_NoError);
    assert_int_equal(map_address(world_slots[PD].cap), VADDR & ~MASK(30));
    assert_answer(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), VADDR + 5, 7), seL4_NoError);
    assert_int_equal(map_address(world_slots[PT].cap), VADDR & ~MASK(21));
    assert_int_equal(*entry_of(PAGE_SPACE, VADDR, 3) & ~MASK(12), world_page(PAGE_PDPT).raw);
    assert_int_equal(*entry_of(PAGE_PDPT, VADDR, 2) & ~MASK(12), world_page(PAGE_PD).raw);
    assert_int_equal(*entry_of(PAGE_PD, VADDR, 1) & ~MASK(12), world_page(PAGE_PT).raw);
    assert_int_equal(fakes.flushed_spaces + fakes.flushed_pages, 0);
}

static void test_table_map_errors(void **state)
{
    (void)state;
    assert_answer(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), VADDR), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86PDPTMap, PDPT, NULL, VADDR, 0), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86PDPTMap, PT, EXTRA(SPACE), VADDR, 0), seL4_IllegalOperation);
    assert_answer(INVOKE(X86PDPTMap, EPT_PDPT, EXTRA(SPACE), VADDR, 0), seL4_IllegalOperation);

    assert_answer_word(INVOKE(X86PDPTMap, PDPT, EXTRA(EPT), ~0ULL, 0), seL4_InvalidCapability, 1);
    put(OTHER, CAP_PML4, PAGE_OTHER);
    assert_answer_word(INVOKE(X86PDPTMap, PDPT, EXTRA(OTHER), VADDR, 0), seL4_InvalidCapability, 1);
    /* The kernel's half and the hole are out of reach. */
    assert_answer_word(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), BIT(47), 0), seL4_InvalidArgument, 0);
    assert_answer_word(INVOKE(X86PDPTMap, PDPT, EXTRA(SPACE), ~0ULL, 0), seL4_InvalidArgument, 0);
    assert_answer_word(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), 0xffffff8000000000, 0),
                       seL4_InvalidArgument, 0);

    map_native_tables(VADDR);
    /* Mapped already, before anything else. */
    assert_answer_word(INVOKE(X86PDPTMap, PDPT, EXTRA(FRAME), ~0ULL, 0), seL4_InvalidCapability, 0);
    assert_answer_word(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), VADDR, 0), seL4_InvalidCapability,
                       0);
    /* Busy. */
    put(FREE, CAP_PDPT, PAGE_MORE);
    put(FREE + 1, CAP_PAGE_DIRECTORY, PAGE_MORE + 1);
    put(FREE + 2, CAP_PAGE_TABLE, PAGE_MORE + 2);
    assert_answer(INVOKE(X86PDPTMap, FREE, EXTRA(SPACE), VADDR, 0), seL4_DeleteFirst);
    assert_answer(INVOKE(X86PageDirectoryMap, FREE + 1, EXTRA(SPACE), VADDR, 0), seL4_DeleteFirst);
    assert_answer(INVOKE(X86PageTableMap, FREE + 2, EXTRA(SPACE), VADDR, 0), seL4_DeleteFirst);
}

static void test_table_unmap(void **state)
{
    (void)state;
    map_native_tables(VADDR);
    assert_answer(map_frame(VADDR, RW, 0), seL4_NoError);

    /* Another capability to it must go first. */
    assert_true(world_copy(PT, FREE));
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_RevokeFirst);
    assert_answer(INVOKE(X86PageTableUnmap, FREE, NULL, 0), seL4_RevokeFirst);
    world_delete(FREE);
    assert_int_not_equal(*entry_of(PAGE_PD, VADDR, 1), 0);
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_PD, VADDR, 1), 0);
    assert_int_equal(*entry_of(PAGE_PT, VADDR, 0), 0);
    assert_int_equal(fakes.flushed_spaces, 1);
    assert_false(table_is_mapped(world_slots[PT].cap));
    /* An unmapped one cannot be copied, and unmaps again without effect. */
    assert_false(world_copy(PT, FREE));
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_spaces, 1);
    /* Elsewhere it starts empty. */
    assert_answer(INVOKE(X86PageTableMap, PT, EXTRA(SPACE), VADDR + 0x200000, 0), seL4_NoError);

    /* Deleting a table that holds others. */
    world_delete(PDPT);
    assert_int_equal(*entry_of(PAGE_SPACE, VADDR, 3), 0);
    assert_int_equal(fakes.flushed_spaces, 2);
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageDirectoryUnmap, PD, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_spaces, 2);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(world_table(world_page(PAGE_PD))[i], 0);
}

/* --- nested spaces --------------------------------------------------------------------------- */

static void test_nested_map(void **state)
{
    (void)state;
    map_nested_tables(0);
    /* Rounded down to 4 KiB. */
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0x1fff, RW, 6), seL4_NoError);
    assert_int_equal(map_address(world_slots[FRAME].cap), 0x1000);
    assert_int_equal(*entry_of(PAGE_EPT_PT, 0x1000, 0), world_page(PAGE_FRAME).raw | PT_HOST_P |
                                                            PT_HOST_RW | PT_HOST_US | PT_HOST_A |
                                                            PT_HOST_D);
    assert_int_equal(fakes.flushed_nested, 0);
    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_EPT_PT, 0x1000, 0), 0);
    assert_int_equal(fakes.flushed_nested, 1);
    assert_int_equal(fakes.flushed_root.raw, world_page(PAGE_EPT).raw);

    /* Readable whatever the rights say; writable only with both. */
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0x1000, 0, 6), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_EPT_PT, 0x1000, 0) & 7, PT_HOST_P | PT_HOST_US);
    /* The capability's own lack of rights counts. */
    world_put(OTHER, world_frame(FRAME_4K, world_page(PAGE_OTHER), 0));
    assert_answer(INVOKE(X86PageMapEPT, OTHER, EXTRA(EPT), 0x2000, RW, 6), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_EPT_PT, 0x2000, 0), 0);
    assert_answer(INVOKE(X86PageUnmap, OTHER, NULL, 0), seL4_NoError);
}

static void test_ept_entries(void **state)
{
    static const struct {
        u64 attribute, type;
    } types[] = {
        { 0, 0 }, { 1, 1 }, { 2, 6 }, { 3, 6 },     { 4, 4 },
        { 5, 6 }, { 6, 6 }, { 7, 6 }, { ~0ULL, 6 },
    };

    (void)state;
    nested_format = NESTED_EPT;
    map_nested_tables(0);
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, types[i].attribute),
                      seL4_NoError);
        assert_int_equal(*entry_of(PAGE_EPT_PT, 0, 0),
                         world_page(PAGE_FRAME).raw | 7 | types[i].type << 3);
        assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    }
    assert_answer(INVOKE(X86PageMapEPT, LARGE, EXTRA(EPT), 0x200000, RIGHT_READ, 6), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_EPT_PD, 0x200000, 1), LARGE_AT | 5 | 6 << 3 | 0x80);
    assert_int_equal(*entry_of(PAGE_EPT_PD, 0, 1), world_page(PAGE_EPT_PT).raw | 7);
}

static void test_nested_map_errors(void **state)
{
    (void)state;
    /* ABI section 11.6 item 4: no words, no capability. */
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, 0), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86PageMapEPT, FRAME, NULL, 0, 0, 0), seL4_TruncatedMessage);

    assert_answer_word(INVOKE(X86PageMapEPT, FRAME, EXTRA(SPACE), ~0ULL, RW, 6),
                       seL4_InvalidCapability, 1);
    put(OTHER, CAP_EPT_PML4, PAGE_OTHER);
    assert_answer_word(INVOKE(X86PageMapEPT, FRAME, EXTRA(OTHER), 0, RW, 6), seL4_InvalidCapability,
                       1);
    assert_answer_word(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), BIT(48), RW, 6),
                       seL4_InvalidArgument, 0);
    assert_answer(INVOKE(X86PageMapEPT, LARGE, EXTRA(EPT), 0x1000, RW, 6), seL4_AlignmentError);
    assert_missing(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), 39);
    assert_missing(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), MASK(48), RW, 6), 39);
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), 0, 0), seL4_NoError);
    assert_missing(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), 30);
    assert_missing(INVOKE(X86PageMapEPT, LARGE, EXTRA(EPT), 0, RW, 6), 30);
    assert_answer(INVOKE(X86EPTPDMap, EPT_PD, EXTRA(EPT), 0, 0), seL4_NoError);
    assert_missing(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), 21);
    assert_answer(INVOKE(X86EPTPTMap, EPT_PT, EXTRA(EPT), 0, 0), seL4_NoError);

    /* Unlike native mappings nothing is replaced. */
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), seL4_NoError);
    assert_true(world_copy(FRAME, FREE));
    assert_answer(INVOKE(X86PageMapEPT, FREE, EXTRA(EPT), 0, RW, 6), seL4_DeleteFirst);
    assert_answer_word(INVOKE(X86PageMapEPT, FRAME, EXTRA(SPACE), 0, RW, 6), seL4_InvalidCapability,
                       0);
    assert_answer(INVOKE(X86PageMapEPT, LARGE, EXTRA(EPT), 0, RW, 6), seL4_DeleteFirst);
    assert_answer(INVOKE(X86PageMapEPT, LARGE, EXTRA(EPT), 0x200000, RW, 6), seL4_NoError);
    /* A frame mapped for a guest cannot be mapped again natively by the same capability. */
    assert_answer_word(map_frame(VADDR, RW, 0), seL4_InvalidCapability, 1);
}

static void test_nested_huge(void **state)
{
    (void)state;
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), 0, 0), seL4_NoError);
    nested_has_1g = false;
    assert_answer_word(INVOKE(X86PageMapEPT, HUGE, EXTRA(EPT), 0, RW, 6), seL4_InvalidCapability,
                       0);
    nested_has_1g = true;
    assert_answer(INVOKE(X86PageMapEPT, HUGE, EXTRA(EPT), 0x40000000, RW, 6), seL4_NoError);
    assert_int_equal(*entry_of(PAGE_EPT_PDPT, 0x40000000, 2) & ~MASK(30), HUGE_AT);
    assert_answer(INVOKE(X86EPTPDMap, EPT_PD, EXTRA(EPT), 0x40000000, 0), seL4_DeleteFirst);
    world_delete(HUGE);
    assert_int_equal(*entry_of(PAGE_EPT_PDPT, 0x40000000, 2), 0);
}

static void test_nested_tables(void **state)
{
    (void)state;
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), 0), seL4_TruncatedMessage);
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, NULL, 0, 0), seL4_TruncatedMessage);
    assert_answer_word(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(SPACE), 0, 0), seL4_InvalidCapability,
                       1);
    assert_answer_word(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), BIT(48), 0),
                       seL4_InvalidArgument, 0);
    assert_missing(INVOKE(X86EPTPDMap, EPT_PD, EXTRA(EPT), 0, 0), 39);
    assert_missing(INVOKE(X86EPTPTMap, EPT_PT, EXTRA(EPT), 0, 0), 39);
    map_nested_tables(0x40201000);
    assert_int_equal(map_address(world_slots[EPT_PT].cap), 0x40200000);
    assert_answer_word(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(SPACE), 0, 0), seL4_InvalidCapability,
                       0);
    put(FREE, CAP_EPT_PT, PAGE_MORE);
    assert_answer(INVOKE(X86EPTPTMap, FREE, EXTRA(EPT), 0x40200000, 0), seL4_DeleteFirst);
    assert_missing(INVOKE(X86EPTPTMap, FREE, EXTRA(EPT), 0, 0), 30);
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0x40200000, RW, 6), seL4_NoError);

    assert_true(world_copy(EPT_PT, FREE + 1));
    assert_answer(INVOKE(X86EPTPTUnmap, EPT_PT, NULL, 0), seL4_RevokeFirst);
    world_delete(FREE + 1);
    assert_answer(INVOKE(X86EPTPTUnmap, EPT_PT, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_nested, 1);
    assert_int_equal(*entry_of(PAGE_EPT_PT, 0, 0), 0);
    assert_int_equal(*entry_of(PAGE_EPT_PD, 0x40200000, 1), 0);
    world_delete(EPT_PD);
    assert_int_equal(fakes.flushed_nested, 2);
    world_delete(EPT_PDPT);
    assert_int_equal(fakes.flushed_nested, 3);
    assert_int_equal(*entry_of(PAGE_EPT, 0, 3), 0);
}

static void test_without_nested_paging(void **state)
{
    (void)state;
    nested_format = NESTED_NONE;
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), 0, 0), seL4_IllegalOperation);
    assert_answer(INVOKE(X86PageMapEPT, FRAME, EXTRA(EPT), 0, RW, 6), seL4_IllegalOperation);
    assert_answer(INVOKE(X86EPTPDPTUnmap, EPT_PDPT, NULL, 0), seL4_NoError);
}

static void test_set_ept_root(void **state)
{
    struct tcb *tcb = cap_object(world_slots[TCB_SLOT].cap);
    hpa_t empty = nested_root_for(tcb);

    (void)state;
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(((u64 *)hpa_to_ptr(empty))[i], 0);
    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, NULL, 0), seL4_TruncatedMessage);
    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, EXTRA(SPACE), 0), seL4_IllegalOperation);
    put(OTHER, CAP_EPT_PML4, PAGE_OTHER);
    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, EXTRA(OTHER), 0), seL4_IllegalOperation);
    assert_int_equal(nested_root_for(tcb).raw, empty.raw);

    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, EXTRA(EPT), 0), seL4_NoError);
    assert_int_equal(nested_root_for(tcb).raw, world_page(PAGE_EPT).raw);
    /* The same again, and another. */
    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, EXTRA(EPT), 0), seL4_NoError);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(OTHER), 0), seL4_NoError);
    fakes.flushed_nested = 0;
    assert_answer(INVOKE(TCBSetEPTRoot, TCB_SLOT, EXTRA(OTHER), 0), seL4_NoError);
    assert_int_equal(nested_root_for(tcb).raw, world_page(PAGE_OTHER).raw);
    assert_int_equal(fakes.flushed_nested, 1);
    assert_int_equal(fakes.flushed_root.raw, world_page(PAGE_EPT).raw);
    /* The pool goes: the capability in the thread names nothing any more. */
    world_delete(POOL);
    assert_int_equal(nested_root_for(tcb).raw, empty.raw);
}

/* --- ASIDs ----------------------------------------------------------------------------------- */

static void test_make_pool(void **state)
{
    (void)state;
    world_put(FREE, cap_make(CAP_UNTYPED, world_page(PAGE_MORE), 12, 0));
    memset(world_table(world_page(PAGE_MORE)), 0xff, PAGE_SIZE);

    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, CNODE), FREE + 1),
                  seL4_TruncatedMessage);
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE), FREE + 1, 64),
                  seL4_TruncatedMessage);
    /* Not an untyped, wrong size, device memory. */
    assert_answer_word(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FRAME, CNODE), FREE + 1, 64),
                       seL4_InvalidCapability, 1);
    world_put(OTHER, cap_make(CAP_UNTYPED, world_page(PAGE_OTHER), 13, 0));
    assert_answer_word(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(OTHER, CNODE), FREE + 1, 64),
                       seL4_InvalidCapability, 1);
    world_delete(OTHER);
    world_put(OTHER, cap_make(CAP_UNTYPED, world_page(PAGE_OTHER), 12 | 1 << 6, 0));
    assert_answer_word(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(OTHER, CNODE), FREE + 1, 64),
                       seL4_InvalidCapability, 1);
    /* Slot errors. */
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, FRAME), FREE + 1, 64),
                  seL4_FailedLookup);
    assert_range(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, CNODE), FREE + 1, 65), 1, 64);
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, CNODE), FRAME, 64),
                  seL4_DeleteFirst);

    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, CNODE), FREE + 1, 64),
                  seL4_NoError);
    assert_int_equal(world_slots[FREE + 1].cap.type, CAP_ASID_POOL);
    assert_int_equal(world_slots[FREE].cap.data, 4096);
    /* It has a child now; that comes before the slot. */
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE, FRAME), FRAME, 65),
                  seL4_RevokeFirst);
    /* The new pool is empty and gives its own ASIDs. */
    put(FREE + 2, CAP_PML4, PAGE_MORE + 2);
    assert_answer(INVOKE(X86ASIDPoolAssign, FREE + 1, EXTRA(FREE + 2), 0), seL4_NoError);
    assert_int_equal(map_asid(world_slots[FREE + 2].cap), 512);
}

static void test_pools_run_out(void **state)
{
    unsigned slot = FREE;

    (void)state;
    for (unsigned i = 1; i < ASID_POOLS; i++, slot += 2) {
        world_put(slot, cap_make(CAP_UNTYPED, world_page(PAGE_MORE + i), 12, 0));
        assert_answer(
            INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA((int)slot, CNODE), slot + 1, 64),
            seL4_NoError);
        assert_int_equal(cap_aux_get(world_slots[slot + 1].cap, 0, 3), i);
    }
    world_put(slot, cap_make(CAP_UNTYPED, world_page(PAGE_MORE + 8), 12, 0));
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA((int)slot, CNODE), slot + 1, 64),
                  seL4_DeleteFirst);
    /* One goes: its place is free again. */
    world_delete(FREE + 5);
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA((int)slot, CNODE), slot + 1, 64),
                  seL4_NoError);
    assert_int_equal(cap_aux_get(world_slots[slot + 1].cap, 0, 3), 3);
}

static void test_assign(void **state)
{
    unsigned slot = FREE;

    (void)state;
    assert_int_equal(map_asid(world_slots[SPACE].cap), 1);
    assert_int_equal(map_asid(world_slots[EPT].cap), 2);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, NULL, 0), seL4_TruncatedMessage);
    assert_answer_word(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(SPACE), 0), seL4_InvalidCapability, 1);
    assert_answer_word(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(EPT), 0), seL4_InvalidCapability, 1);
    assert_answer_word(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(PDPT), 0), seL4_InvalidCapability, 1);
    /* ASID 0 is nobody's: 511 in all, two taken. */
    for (unsigned i = 0; i < 509; i++) {
        put(slot, i % 2 ? CAP_PML4 : CAP_EPT_PML4, PAGE_MORE + i % 256);
        assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA((int)slot), 0), seL4_NoError);
        assert_int_equal(map_asid(world_slots[slot].cap), 3 + i);
        /* The capability goes without its end: the slots are needed again. */
        slot_move(cap_make(CAP_DOMAIN, hpa(0), 0, 0), &world_slots[slot], &world_slots[slot + 1]);
        world_delete(slot + 1);
    }
    put(slot, CAP_PML4, PAGE_MORE);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA((int)slot), 0), seL4_DeleteFirst);
    assert_false(table_is_mapped(world_slots[slot].cap));
}

static void test_space_end_frees_asid(void **state)
{
    struct tcb *tcb = cap_object(world_slots[TCB_SLOT].cap);

    (void)state;
    slot_insert(world_slots[SPACE].cap, &world_slots[SPACE], &tcb->slots[TCB_VSPACE]);
    assert_int_equal(vspace_root_for(tcb).raw, world_page(PAGE_SPACE).raw);
    map_native_tables(VADDR);
    assert_answer(map_frame(VADDR, RW, 0), seL4_NoError);

    /* Not its last capability: nothing happens. */
    world_delete(SPACE);
    assert_int_equal(fakes.flushed_spaces, 0);
    assert_int_equal(vspace_root_for(tcb).raw, world_page(PAGE_SPACE).raw);
    slot_delete_simple(&tcb->slots[TCB_VSPACE]);
    assert_int_equal(fakes.flushed_spaces, 1);
    assert_int_equal(fakes.flushed_root.raw, world_page(PAGE_SPACE).raw);
    assert_int_equal(vspace_root_for(tcb).raw, ptr_to_hpa(hpa_to_ptr(vspace_root_for(tcb))).raw);

    /* Another space gets ASID 1. What was mapped in the first is not found in it. */
    put(OTHER, CAP_PML4, PAGE_OTHER);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(OTHER), 0), seL4_NoError);
    assert_int_equal(map_asid(world_slots[OTHER].cap), 1);
    fakes.flushed_pages = fakes.flushed_spaces = 0;
    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageTableUnmap, PT, NULL, 0), seL4_NoError);
    assert_answer(INVOKE(X86PageDirectoryUnmap, PD, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_pages + fakes.flushed_spaces, 0);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(world_table(world_page(PAGE_PT))[i], 0);
}

/* An ASID that went from a native to a nested space, or back, is not taken for the other kind. */
static void test_asid_changes_kind(void **state)
{
    (void)state;
    map_native_tables(0);
    assert_answer(map_frame(0x1000, RW, 0), seL4_NoError);
    world_delete(SPACE);
    put(OTHER, CAP_EPT_PML4, PAGE_OTHER);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(OTHER), 0), seL4_NoError);
    assert_int_equal(map_asid(world_slots[OTHER].cap), 1);
    put(FREE, CAP_EPT_PDPT, PAGE_MORE);
    put(FREE + 1, CAP_EPT_PD, PAGE_MORE + 1);
    put(FREE + 2, CAP_EPT_PT, PAGE_MORE + 2);
    assert_answer(INVOKE(X86EPTPDPTMap, FREE, EXTRA(OTHER), 0, 0), seL4_NoError);
    assert_answer(INVOKE(X86EPTPDMap, FREE + 1, EXTRA(OTHER), 0, 0), seL4_NoError);
    assert_answer(INVOKE(X86EPTPTMap, FREE + 2, EXTRA(OTHER), 0, 0), seL4_NoError);
    assert_true(world_copy(FRAME, FREE + 3));
    assert_answer(INVOKE(X86PageMapEPT, FREE + 3, EXTRA(OTHER), 0x1000, RW, 6), seL4_NoError);
    fakes.flushed_nested = fakes.flushed_pages = 0;
    assert_answer(INVOKE(X86PageUnmap, FRAME, NULL, 0), seL4_NoError);
    assert_int_equal(fakes.flushed_nested + fakes.flushed_pages, 0);
    assert_int_not_equal(*entry_of(PAGE_MORE + 2, 0x1000, 0), 0);
}

/* A space whose pool has gone is no space any more, even if its ASID is another's now. */
static void test_stale_space(void **state)
{
    (void)state;
    map_native_tables(0);
    assert_answer(map_frame(0x1000, RW, 0), seL4_NoError);
    world_delete(POOL);
    assert_int_equal(fakes.flushed_spaces, 1);
    assert_int_equal(fakes.flushed_nested, 1);
    assert_answer(map_frame(0x1000, RW, 0), seL4_FailedLookup);
    assert_int_equal(world_reply.error.lookup.type, seL4_InvalidRoot);
    put(FREE, CAP_PAGE_TABLE, PAGE_MORE);
    assert_answer(INVOKE(X86PageTableMap, FREE, EXTRA(SPACE), 0, 0), seL4_FailedLookup);
    assert_answer(INVOKE(X86EPTPDPTMap, EPT_PDPT, EXTRA(EPT), 0, 0), seL4_FailedLookup);

    world_put(FREE + 1, cap_make(CAP_UNTYPED, world_page(PAGE_POOL), 12, 0));
    assert_answer(INVOKE(X86ASIDControlMakePool, CONTROL, EXTRA(FREE + 1, CNODE), POOL, 64),
                  seL4_NoError);
    assert_int_equal(cap_aux_get(world_slots[POOL].cap, 0, 3), 0);
    put(OTHER, CAP_PML4, PAGE_OTHER);
    assert_answer(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(OTHER), 0), seL4_NoError);
    assert_int_equal(map_asid(world_slots[OTHER].cap), map_asid(world_slots[SPACE].cap));
    assert_answer_word(map_frame(0x1000, RW, 0), seL4_InvalidCapability, 1);
    assert_answer_word(INVOKE(X86PageTableMap, FREE, EXTRA(SPACE), 0, 0), seL4_InvalidCapability,
                       1);
    assert_answer_word(INVOKE(X86ASIDPoolAssign, POOL, EXTRA(SPACE), 0), seL4_InvalidCapability, 1);

    /* The end of the stale space does not take the ASID from its new owner. */
    fakes.flushed_spaces = 0;
    world_delete(SPACE);
    assert_int_equal(fakes.flushed_spaces, 0);
    assert_ptr_equal(asid_root(1, ASID_NATIVE), world_table(world_page(PAGE_OTHER)));
}

static void test_kernel_part(void **state)
{
    u64 *pml4 = world_table(world_page(PAGE_SPACE));

    (void)state;
    assert_int_equal(pml4[511], 0x123003);
    for (unsigned i = 256; i < 511; i++)
        assert_int_equal(pml4[i], 0);
}

static void test_boot(void **state)
{
    u64 *pml4 = world_table(world_page(PAGE_SPACE));

    (void)state;
    vspace_boot_map_table(pml4, 0x400000, world_page(PAGE_MORE), CAP_PDPT);
    vspace_boot_map_table(pml4, 0x400000, world_page(PAGE_MORE + 1), CAP_PAGE_DIRECTORY);
    vspace_boot_map_table(pml4, 0x400000, world_page(PAGE_MORE + 2), CAP_PAGE_TABLE);
    vspace_boot_map(pml4, 0x401000, world_page(PAGE_FRAME), FRAME_4K, RW);
    assert_int_equal(*entry_of(PAGE_MORE + 2, 0x401000, 0), world_page(PAGE_FRAME).raw | PT_HOST_P |
                                                                PT_HOST_RW | PT_HOST_US |
                                                                PT_HOST_A | PT_HOST_D);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_page_map),
        TEST(test_page_map_capability_bounds_rights),
        TEST(test_page_map_without_nx),
        TEST(test_page_map_errors),
        TEST(test_page_map_again_errors),
        TEST(test_page_map_replaces),
        TEST(test_large_frames),
        TEST(test_page_other_methods),
        TEST(test_table_map),
        TEST(test_table_map_errors),
        TEST(test_table_unmap),
        TEST(test_nested_map),
        TEST(test_ept_entries),
        TEST(test_nested_map_errors),
        TEST(test_nested_huge),
        TEST(test_nested_tables),
        TEST(test_without_nested_paging),
        TEST(test_set_ept_root),
        TEST(test_make_pool),
        TEST(test_pools_run_out),
        TEST(test_assign),
        TEST(test_space_end_frees_asid),
        TEST(test_asid_changes_kind),
        TEST(test_stale_space),
        TEST(test_kernel_part),
        TEST(test_boot),
    };

    return cmocka_run_group_tests_name("memory invocations", tests, NULL, world_reset);
}
