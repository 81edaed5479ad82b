/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of ranges, compared with a map of single units. */
#include "tests/unit/boot/machine.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/core/regions.h"

#define UNITS 100

static void assert_well_formed(const struct boot_regions *r)
{
    assert_true(r->count <= BOOT_MAX_REGIONS);
    for (unsigned i = 0; i < r->count; i++) {
        assert_true(r->at[i].start < r->at[i].end);
        if (i)
            assert_true(r->at[i - 1].end < r->at[i].start);
    }
}

static bool holds(const struct boot_regions *r, u64 unit)
{
    return regions_contain(r, unit, unit + 1);
}

static void test_like_a_map(void **state)
{
    bool map[UNITS] = { false };
    struct boot_regions r = { .count = 0 };

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned start = (unsigned)rand() % UNITS, end = start + (unsigned)rand() % (UNITS - start);
        bool add = rand() % 2;

        if (add)
            regions_add(&r, start, end);
        else
            regions_remove(&r, start, end);
        for (unsigned i = start; i < end; i++)
            map[i] = add;
        assert_well_formed(&r);
        for (unsigned i = 0; i < UNITS; i++)
            assert_int_equal(holds(&r, i), map[i]);
    }
}

static void test_full(void **state)
{
    static struct boot_regions r;

    (void)state;
    for (unsigned i = 0; i < BOOT_MAX_REGIONS; i++)
        regions_add(&r, 10 * i, 10 * i + 5);
    assert_true(PANICS(regions_add(&r, 10000, 10001)));
    assert_true(PANICS(regions_remove(&r, 1, 2)));
    assert_well_formed(&r);
    regions_add(&r, 0, 10000);
    assert_int_equal(r.count, 1);
}

static void test_empty_and_ends(void **state)
{
    struct boot_regions r = { .count = 0 };

    (void)state;
    regions_add(&r, 5, 5);
    regions_add(&r, 6, 5);
    assert_int_equal(r.count, 0);
    regions_add(&r, 0, ~0ULL);
    regions_remove(&r, 7, 7);
    assert_int_equal(r.count, 1);
    assert_true(regions_overlap(&r, ~0ULL - 1, ~0ULL));
    assert_false(regions_overlap(&r, ~0ULL, ~0ULL));
    regions_remove(&r, 1, ~0ULL);
    assert_true(regions_contain(&r, 0, 1));
    assert_false(regions_contain(&r, 0, 2));
}

static void test_take(void **state)
{
    struct boot_regions r = { 3, { { 0, 100 }, { 203, 220 }, { 300, 333 } } };

    (void)state;
    assert_int_equal(regions_take(&r, 16, 4, ~0ULL), 304);
    assert_false(regions_overlap(&r, 304, 320));
    assert_true(regions_contain(&r, 300, 304) && regions_contain(&r, 320, 333));
    assert_int_equal(regions_take(&r, 16, 0, 325), 204);   /* below the limit, in one piece */
    assert_int_equal(regions_take(&r, 1000, 0, ~0ULL), 0); /* more than there is */
    assert_int_equal(regions_take(&r, 128, 7, ~0ULL), 0);
    assert_int_equal(regions_take(&r, 64, 6, ~0ULL), 0); /* address 0 is never given */
    assert_int_equal(regions_take(&r, 32, 5, ~0ULL), 64);
    assert_well_formed(&r);
}

static void test_remove_all(void **state)
{
    struct boot_regions r = { 2, { { 0, 100 }, { 200, 300 } } };
    struct boot_regions others = { 3, { { 10, 20 }, { 90, 210 }, { 299, 400 } } };

    (void)state;
    regions_remove_all(&r, &others);
    assert_int_equal(r.count, 3);
    assert_true(regions_contain(&r, 0, 10) && regions_contain(&r, 20, 90) &&
                regions_contain(&r, 210, 299));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_map),     cmocka_unit_test(test_full),
        cmocka_unit_test(test_empty_and_ends), cmocka_unit_test(test_take),
        cmocka_unit_test(test_remove_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
