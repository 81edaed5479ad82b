/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of ranges, compared with a map of single units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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
            assert_true(regions_add(&r, start, end));
        else
            assert_true(regions_remove(&r, start, end));
        for (unsigned i = start; i < end; i++)
            map[i] = add;
        assert_well_formed(&r);
        for (unsigned i = 0; i < UNITS; i++)
            assert_int_equal(holds(&r, i), map[i]);
    }
}

static void test_full(void **state)
{
    struct boot_regions r = { .count = 0 };

    (void)state;
    for (unsigned i = 0; i < BOOT_MAX_REGIONS; i++)
        assert_true(regions_add(&r, 10 * i, 10 * i + 5));
    assert_false(regions_add(&r, 10000, 10001));
    assert_false(regions_remove(&r, 1, 2));
    assert_well_formed(&r);
    assert_true(regions_add(&r, 0, 10000));
    assert_int_equal(r.count, 1);
}

static void test_empty_and_ends(void **state)
{
    struct boot_regions r = { .count = 0 };

    (void)state;
    assert_true(regions_add(&r, 5, 5));
    assert_true(regions_add(&r, 6, 5));
    assert_int_equal(r.count, 0);
    assert_true(regions_add(&r, 0, ~0ULL));
    assert_true(regions_remove(&r, 7, 7));
    assert_true(regions_overlap(&r, ~0ULL - 1, ~0ULL));
    assert_false(regions_overlap(&r, ~0ULL, ~0ULL));
    assert_true(regions_remove(&r, 1, ~0ULL));
    assert_true(regions_contain(&r, 0, 1));
    assert_false(regions_contain(&r, 0, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_map),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_empty_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
