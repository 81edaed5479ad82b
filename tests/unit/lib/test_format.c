/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/format against the C library's printf. */
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

/* Formats are built at run time here. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

static void check(const char *file, int line, const char *format, ...)
{
    char ours[256], theirs[256];
    va_list arguments;

    va_start(arguments, format);
    int our_count = format_text_v(ours, sizeof(ours), format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    int their_count = vsnprintf(theirs, sizeof(theirs), format, arguments);
    va_end(arguments);
    if (strcmp(ours, theirs) || our_count != their_count)
        print_error("%s:%d: \"%s\" gave \"%s\" (%d), expected \"%s\" (%d)\n", file, line, format,
                    ours, our_count, theirs, their_count);
    assert_string_equal(ours, theirs);
    assert_int_equal(our_count, their_count);
}
#define CHECK(...) check(__FILE__, __LINE__, __VA_ARGS__)

static void test_integers(void **state)
{
    const int64_t values[] = {
        0, 1, -1, 9, 10, 255, INT_MAX, INT_MIN, INT64_MAX, INT64_MIN, 123456
    };
    const char *lengths[] = { "hh", "h", "", "l", "ll", "z", "j", "t" };
    const char *flags[] = { "", "-", "0", "+", " ", "#", "#0", "-#", "+-", "0+", "- " };
    const char *sizes[] = { "", "1", "7", "20", ".0", ".1", ".9", "12.5", "3.7" };
    const char letters[] = "diuxXo";

    (void)state;
    for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++)
        for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++)
            for (size_t f = 0; f < sizeof(flags) / sizeof(*flags); f++)
                for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
                    for (size_t c = 0; c < sizeof(letters) - 1; c++) {
                        char format[32];

                        /* Flags whose meaning the standard leaves open for this conversion. */
                        if (strchr("ux", letters[c]) && strpbrk(flags[f], "+ "))
                            continue;
                        if (strchr("di", letters[c]) && strchr(flags[f], '#'))
                            continue;
                        snprintf(format, sizeof(format), "<%%%s%s%s%c>", flags[f], sizes[s],
                                 lengths[l], letters[c]);
                        CHECK(format, values[v]);
                    }
}

static void test_text(void **state)
{
    (void)state;
    CHECK("nothing");
    CHECK("100%%");
    CHECK("%s|%10s|%-10s|%.2s|%5.1s", "abc", "abc", "abc", "abc", "abc");
    CHECK("%c%3c%-3c|", 'a', 'b', 'c');
    CHECK("%*d|%-*d|%.*d", 6, 42, 6, 42, 4, 42);
    CHECK("%*d|%.*d", -6, 42, -1, 42);
    CHECK("%p", (void *)(uintptr_t)0x1234);
    CHECK("%" PRIx64 " %" PRIu64 " %zu", UINT64_MAX, UINT64_MAX, SIZE_MAX);
    CHECK("%.*s", 2, "not terminated after two");
}

static void test_cut(void **state)
{
    char buffer[6] = "zzzzz";

    (void)state;
    assert_int_equal(format_text(buffer, 0, "abc"), 3);
    assert_string_equal(buffer, "zzzzz");
    assert_int_equal(format_text(buffer, 1, "abc"), 3);
    assert_string_equal(buffer, "");
    assert_int_equal(format_text(buffer, sizeof(buffer), "%d", 1234567), 7);
    assert_string_equal(buffer, "12345");
}

static int format_unchecked(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int count = format_text_v(buffer, size, format, arguments);
    va_end(arguments);
    return count;
}

static void test_unknown_conversions(void **state)
{
    char buffer[64];

    (void)state;
    format_unchecked(buffer, sizeof(buffer), "a %y b");
    assert_string_equal(buffer, "a %y b");
    format_unchecked(buffer, sizeof(buffer), "50%");
    assert_string_equal(buffer, "50%");
    format_unchecked(buffer, sizeof(buffer), "%s", (char *)NULL);
    assert_string_equal(buffer, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_unknown_conversions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
