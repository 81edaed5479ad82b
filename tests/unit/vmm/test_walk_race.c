/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A walk through page tables that another vCPU of the guest changes: right after the walk has read
 * an entry. The walk's reads are made here, so that this happens when the test wants it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/vmm/guest_walk.h"

/* What the other vCPU stores, once, after the walk has read that entry. */
static struct {
    const void *slot; /* null: nothing any more */
    uint64_t value;
} other;

static uint64_t load_and_let_other_go(const void *slot, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, slot, bytes);
    if (slot == other.slot) {
        memcpy((void *)(uintptr_t)slot, &other.value, bytes);
        other.slot = NULL;
    }
    return value;
}

#define __atomic_load_n(slot, order)                                                               \
    ((__typeof__(*(slot) + 0))load_and_let_other_go(slot, sizeof(*(slot))))
#include "user/vmm/guest_walk.c"

#define FRAME(n) ((n)*4096ull)
#define NR_BYTES FRAME(64)

static _Alignas(4096) uint8_t memory[NR_BYTES];
static struct guest_ram ram;
static struct guest_paging paging;

static uint64_t *entry64(unsigned frame, unsigned index)
{
    return (uint64_t *)(memory + FRAME(frame)) + index;
}

static uint32_t *entry32(unsigned frame, unsigned index)
{
    return (uint32_t *)(memory + FRAME(frame)) + index;
}

/* Address 0 by the tables in frames 1 to 4 is frame 5. */
static int make_four_levels(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    guest_ram_init(&ram, memory, NR_BYTES);
    paging = (struct guest_paging){ .cr0 = CR0_PE | CR0_PG | CR0_WP,
                                    .cr3 = FRAME(1),
                                    .cr4 = CR4_PAE,
                                    .efer = EFER_LME | EFER_LMA };
    for (unsigned frame = 1; frame <= 4; frame++) {
        *entry64(frame, 0) = FRAME(frame + 1) | ENTRY_PRESENT | ENTRY_WRITE;
    }
    other.slot = NULL;
    return 0;
}

static enum walk_result walk(enum walk_access access, uint64_t *result, uint32_t *code)
{
    gpa_t address = gpa(0);
    enum walk_result outcome = guest_walk(&ram, &paging, gva(0), access, &address, code);

    *result = address.raw;
    assert_null(other.slot); /* it has had its turn */
    return outcome;
}

static void test_an_entry_that_goes_keeps_no_mark(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    for (unsigned frame = 1; frame <= 4; frame++) {
        make_four_levels(NULL);
        other.slot = entry64(frame, 0);
        other.value = 0x5555555555555000; /* the guest's own, not present */
        assert_int_equal(walk(WALK_WRITE, &result, &code), WALK_FAULT);
        assert_int_equal(code, PAGE_FAULT_WRITE);
        assert_int_equal(*entry64(frame, 0), 0x5555555555555000);
    }
}

static void test_an_entry_that_loses_rights_is_not_made_dirty(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    other.slot = entry64(4, 0);
    other.value = FRAME(5) | ENTRY_PRESENT;
    assert_int_equal(walk(WALK_WRITE, &result, &code), WALK_FAULT);
    assert_int_equal(code, PAGE_FAULT_WRITE | PAGE_FAULT_PRESENT);
    assert_int_equal(*entry64(4, 0), FRAME(5) | ENTRY_PRESENT);
}

static void test_an_entry_that_leads_elsewhere_is_followed(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    other.slot = entry64(4, 0);
    other.value = FRAME(9) | ENTRY_PRESENT | ENTRY_WRITE;
    assert_int_equal(walk(WALK_READ, &result, &code), WALK_OK);
    assert_int_equal(result, FRAME(9));
    assert_int_equal(*entry64(4, 0), other.value | ENTRY_ACCESSED);

    make_four_levels(NULL);
    *entry64(7, 0) = FRAME(8) | ENTRY_PRESENT;
    other.slot = entry64(3, 0);
    other.value = FRAME(7) | ENTRY_PRESENT;
    assert_int_equal(walk(WALK_READ, &result, &code), WALK_OK);
    assert_int_equal(result, FRAME(8));
    assert_int_equal(*entry64(4, 0), FRAME(5) | ENTRY_PRESENT | ENTRY_WRITE);
}

/* What a level allows counts once, also if it was looked at twice. */
static void test_rights_given_meanwhile_count(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    *entry64(3, 0) &= ~ENTRY_WRITE;
    other.slot = entry64(3, 0);
    other.value = *entry64(3, 0) | ENTRY_WRITE;
    assert_int_equal(walk(WALK_WRITE, &result, &code), WALK_OK);
    assert_int_equal(result, FRAME(5));
}

static void test_marks_of_another_processor_stay(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    other.slot = entry64(4, 0);
    other.value = *entry64(4, 0) | ENTRY_ACCESSED | ENTRY_DIRTY;
    assert_int_equal(walk(WALK_READ, &result, &code), WALK_OK);
    assert_int_equal(*entry64(4, 0), other.value);
}

static void test_narrow_entries(void **state)
{
    uint64_t result;
    uint32_t code;

    (void)state;
    paging.cr4 = 0;
    paging.efer = 0;
    *entry32(1, 0) = FRAME(2) | ENTRY_PRESENT | ENTRY_WRITE;
    *entry32(2, 0) = FRAME(5) | ENTRY_PRESENT | ENTRY_WRITE;
    *entry32(2, 1) = 0x12345678;
    other.slot = entry32(2, 0);
    other.value = 0x80000000;
    assert_int_equal(walk(WALK_READ, &result, &code), WALK_FAULT);
    assert_int_equal(*entry32(2, 0), 0x80000000);
    *entry32(2, 0) = FRAME(5) | ENTRY_PRESENT | ENTRY_WRITE;
    other.slot = entry32(2, 0);
    other.value = FRAME(6) | ENTRY_PRESENT | ENTRY_WRITE;
    assert_int_equal(walk(WALK_WRITE, &result, &code), WALK_OK);
    assert_int_equal(result, FRAME(6));
    assert_int_equal(*entry32(2, 0), other.value | ENTRY_ACCESSED | ENTRY_DIRTY);
    assert_int_equal(*entry32(2, 1), 0x12345678); /* its neighbour */
}

int main(void)
{
#define WALK_TEST(test) cmocka_unit_test_setup(test, make_four_levels)
    const struct CMUnitTest tests[] = {
        WALK_TEST(test_an_entry_that_goes_keeps_no_mark),
        WALK_TEST(test_an_entry_that_loses_rights_is_not_made_dirty),
        WALK_TEST(test_an_entry_that_leads_elsewhere_is_followed),
        WALK_TEST(test_rights_given_meanwhile_count),
        WALK_TEST(test_marks_of_another_processor_stay),
        WALK_TEST(test_narrow_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
