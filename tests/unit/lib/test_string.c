/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/string against the C library, over random blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/renamed_string.h"

#define ROOM 300

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void fill_randomly(unsigned char *buffer, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buffer[i] = (unsigned char)(rand() % 4);
}

static void test_copy_and_fill(void **state)
{
    unsigned char from[ROOM], ours[ROOM], theirs[ROOM];

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t bytes = (size_t)rand() % 100;
        size_t to = (size_t)rand() % 100;
        size_t source = (size_t)rand() % 100;

        fill_randomly(from, ROOM);
        fill_randomly(ours, ROOM);
        memcpy(theirs, ours, ROOM);
        assert_ptr_equal(lib_memcpy(ours + to, from + source, bytes), ours + to);
        memcpy(theirs + to, from + source, bytes);
        assert_memory_equal(ours, theirs, ROOM);

        assert_ptr_equal(lib_memmove(ours + to, ours + source, bytes), ours + to);
        memmove(theirs + to, theirs + source, bytes);
        assert_memory_equal(ours, theirs, ROOM);

        assert_ptr_equal(lib_memset(ours + source, 0x1a5, bytes), ours + source);
        memset(theirs + source, 0xa5, bytes);
        assert_memory_equal(ours, theirs, ROOM);
    }
}

static void test_compare(void **state)
{
    unsigned char a[8], b[8];

    (void)state;
    for (int round = 0; round < 5000; round++) {
        size_t bytes = (size_t)rand() % sizeof(a);

        fill_randomly(a, sizeof(a));
        fill_randomly(b, sizeof(b));
        a[sizeof(a) - 1] = b[sizeof(b) - 1] = 0;
        assert_int_equal(sign(lib_memcmp(a, b, bytes)), sign(memcmp(a, b, bytes)));
        assert_int_equal(sign(lib_strcmp((char *)a, (char *)b)),
                         sign(strcmp((char *)a, (char *)b)));
        assert_int_equal(sign(lib_strncmp((char *)a, (char *)b, bytes)),
                         sign(strncmp((char *)a, (char *)b, bytes)));
        assert_ptr_equal(lib_memchr(a, 3, bytes), memchr(a, 3, bytes));
    }
    /* Bytes count as unsigned. */
    assert_true(lib_strcmp("\x80", "\x7f") > 0);
    assert_true(lib_memcmp("\x80", "\x7f", 1) > 0);
}

static void test_text(void **state)
{
    const char *text = "bulkhead";

    (void)state;
    assert_int_equal(lib_strlen(""), 0);
    assert_int_equal(lib_strlen(text), 8);
    assert_int_equal(lib_strnlen(text, 3), 3);
    assert_int_equal(lib_strnlen(text, 100), 8);
    assert_ptr_equal(lib_strchr(text, 'h'), text + 4);
    assert_ptr_equal(lib_strchr(text, 0), text + 8);
    assert_null(lib_strchr(text, 'z'));
    assert_ptr_equal(lib_strstr(text, "head"), text + 4);
    assert_ptr_equal(lib_strstr(text, ""), text);
    assert_null(lib_strstr(text, "heads"));
}

static void test_string_copy(void **state)
{
    char buffer[4] = "zzz";

    (void)state;
    assert_false(string_copy(buffer, "abc", 0));
    assert_string_equal(buffer, "zzz");
    assert_true(string_copy(buffer, "abc", sizeof(buffer)));
    assert_string_equal(buffer, "abc");
    assert_false(string_copy(buffer, "defg", sizeof(buffer)));
    assert_string_equal(buffer, "def");
    assert_false(string_copy(buffer, "x", 1));
    assert_string_equal(buffer, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_and_fill),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_string_copy),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
