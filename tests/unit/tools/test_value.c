/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/bulkhead/value.h"

static void test_numbers(void **state)
{
    uint64_t number;

    (void)state;
    assert_true(value_number("0", &number) && number == 0);
    assert_true(value_number("18446744073709551615", &number) && number == UINT64_MAX);
    assert_false(value_number("18446744073709551616", &number));
    assert_false(value_number("99999999999999999999", &number));
    assert_false(value_number("", &number));
    assert_false(value_number("-1", &number));
    assert_false(value_number(" 1", &number));
    assert_false(value_number("1 ", &number));
    assert_false(value_number("0x10", &number));
}

static void test_sizes(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_true(value_size("3K", &bytes) && bytes == 3072);
    assert_true(value_size("512M", &bytes) && bytes == 512ull << 20);
    assert_true(value_size("512MiB", &bytes) && bytes == 512ull << 20);
    assert_true(value_size("2GB", &bytes) && bytes == 2ull << 30);
    assert_true(value_size("16777215T", &bytes) && bytes == 16777215ull << 40);
    assert_false(value_size("16777216T", &bytes));
    assert_false(value_size("512", &bytes));
    assert_false(value_size("M", &bytes));
    assert_false(value_size("512m", &bytes));
    assert_false(value_size("1.5G", &bytes));
}

static void test_times(void **state)
{
    uint64_t microseconds;

    (void)state;
    assert_true(value_time("20us", &microseconds) && microseconds == 20);
    assert_true(value_time("10ms", &microseconds) && microseconds == 10000);
    assert_true(value_time("2s", &microseconds) && microseconds == 2000000);
    assert_false(value_time("18446744073710s", &microseconds));
    assert_false(value_time("10", &microseconds));
    assert_false(value_time("10 ms", &microseconds));
}

static void test_flags(void **state)
{
    uint64_t flag;

    (void)state;
    assert_true(value_flag("true", &flag) && flag == 1);
    assert_true(value_flag("false", &flag) && flag == 0);
    assert_false(value_flag("True", &flag));
    assert_false(value_flag("", &flag));
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(value_distance("memory", "memory"), 0);
    assert_int_equal(value_distance("memory", "memroy"), 1);
    assert_int_equal(value_distance("memory", "memor"), 1);
    assert_int_equal(value_distance("memory", "memmory"), 1);
    assert_int_equal(value_distance("memory", "nemory"), 1);
    assert_int_equal(value_distance("", "abc"), 3);
    assert_int_equal(value_distance("abc", ""), 3);
    assert_int_equal(value_distance("kitten", "sitting"), 3);
    assert_int_equal(value_distance("0123456789012345678901234567890123456789x", "a"), 40);
}

static void test_patterns(void **state)
{
    (void)state;
    assert_true(value_matches("a-1", "^[a-z][a-z0-9-]*$"));
    assert_false(value_matches("", "^[a-z][a-z0-9-]*$"));
    assert_false(value_matches("a\n", "^[a-z][a-z0-9-]*$"));
    assert_false(value_matches("\nabc", "^[a-z]+$"));
    assert_false(value_matches("a", "^(a$"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_times),    cmocka_unit_test(test_flags),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
