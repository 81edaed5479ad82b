/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bits.h"

static void test_fields(void **state)
{
    (void)state;
    assert_true(bits_mask(0) == 0);
    assert_true(bits_mask(1) == 1);
    assert_true(bits_mask(63) == UINT64_MAX / 2);
    assert_true(bits_mask(64) == UINT64_MAX);
    assert_true(bits_get(0xabcd, 4, 8) == 0xbc);
    assert_true(bits_set(0xabcd, 4, 8, 0x123) == 0xa23d);
    assert_true(bits_set(0, 63, 1, 1) == 1ULL << 63);
}

static void test_powers(void **state)
{
    (void)state;
    assert_false(is_power_of_two(0));
    assert_false(is_power_of_two(6));
    for (unsigned n = 0; n < 64; n++) {
        uint64_t power = 1ULL << n;

        assert_true(is_power_of_two(power));
        assert_int_equal(bits_highest(power), n);
        assert_int_equal(bits_lowest(power), n);
        assert_int_equal(bits_to_hold(power), n);
        if (n > 1)
            assert_int_equal(bits_to_hold(power - 1), n);
        if (n && n < 63)
            assert_int_equal(bits_to_hold(power + 1), n + 1);
    }
}

static void test_rounding(void **state)
{
    (void)state;
    assert_true(round_down_bits(0x1fff, 12) == 0x1000);
    assert_true(round_up_bits(0x1001, 12) == 0x2000);
    assert_true(round_up_bits(0x1000, 12) == 0x1000);
    assert_true(round_up_bits(UINT64_MAX, 12) == 0);
    assert_true(is_aligned_bits(0x2000, 12));
    assert_false(is_aligned_bits(0x2001, 12));
    assert_true(range_fits(0, 10, 10));
    assert_true(range_fits(10, 0, 10));
    assert_false(range_fits(11, 0, 10));
    assert_false(range_fits(5, UINT64_MAX, 10));
    assert_false(range_fits(UINT64_MAX, 2, UINT64_MAX));
}

/* Cutting a range into blocks covers it exactly, each block aligned to its size. */
static void test_blocks(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        uint64_t start = (uint64_t)rand() % 5000;
        uint64_t end = start + 1 + (uint64_t)rand() % 5000;
        int blocks = 0;

        while (start < end) {
            unsigned bits = block_bits(start, end);

            assert_true(is_aligned_bits(start, bits));
            assert_true((1ULL << bits) <= end - start);
            start += 1ULL << bits;
            assert_true(++blocks < 64);
        }
        assert_true(start == end);
    }
    assert_int_equal(block_bits(0, 1ULL << 47), 47);
}

static void test_bitmaps(void **state)
{
    uint64_t map[BITMAP_WORDS(130)] = { 0 };

    (void)state;
    assert_int_equal(sizeof(map), 24);
    assert_int_equal(bitmap_first(map, 130), 130);
    bitmap_set(map, 129);
    assert_int_equal(bitmap_first(map, 130), 129);
    assert_int_equal(bitmap_first(map, 129), 129);
    bitmap_set(map, 64);
    assert_true(bitmap_get(map, 64));
    assert_false(bitmap_get(map, 63));
    assert_int_equal(bitmap_first(map, 130), 64);
    bitmap_clear(map, 64);
    assert_false(bitmap_get(map, 64));
    assert_int_equal(bitmap_first(map, 130), 129);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),   cmocka_unit_test(test_powers),
        cmocka_unit_test(test_rounding), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_bitmaps),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
