/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows: against a map of single bytes, and at the edges of 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/sataserver/window.h"

static struct segment_list list;

static bool append(const struct window *rows, uint32_t count, uint64_t address, uint64_t bytes)
{
    const struct windows windows = { rows, count };

    return window_append(&windows, address, bytes, &list);
}

static void test_valid(void **state)
{
    static const struct {
        struct window rows[2];
        bool valid;
    } cases[] = {
        { { { 0, 0x1000, 16 }, { 16, 0x5000, 16 } }, true },
        { { { 0, 0x1000, 16 }, { 14, 0x5000, 16 } }, false },
        { { { 16, 0x1000, 16 }, { 0, 0x5000, 16 } }, false },
        { { { 0, 0x1000, 16 }, { 16, 0x5000, 0 } }, false },
        { { { 0, 0x1000, 15 }, { 16, 0x5000, 16 } }, false },
        { { { 0, 0x1001, 16 }, { 16, 0x5000, 16 } }, false },
        { { { 1, 0x1000, 14 }, { 16, 0x5000, 16 } }, false },
        { { { 0, 0x1000, 16 }, { UINT64_MAX - 15, 0x5000, 16 } }, false },
        { { { 0, 0x1000, 16 }, { UINT64_MAX - 15, 0x5000, 18 } }, false },
        { { { 0, UINT64_MAX - 1, 16 }, { 16, 0x5000, 16 } }, false },
        { { { 0, 0x1000, 16 }, { 16, UINT64_MAX - 17, 16 } }, true },
    };
    const struct windows none = { NULL, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct windows windows = { cases[i].rows, 2 };

        if (windows_valid(&windows) != cases[i].valid) {
            fail_msg("case %zu", i);
        }
    }
    assert_true(windows_valid(&none));
}

static void test_edges(void **state)
{
    static const struct window rows[] = { { 0x1000, 0x90000000, 0x1000 },
                                          { UINT64_MAX - 0x1fff, 0x80000000, 0x1000 } };

    (void)state;
    memset(&list, 0, sizeof list);
    assert_false(append(rows, 2, 0, 16));
    assert_false(append(rows, 2, 0xffe, 4));
    assert_false(append(rows, 2, 0x1ffe, 4));
    assert_false(append(rows, 2, 0x1000, 0));
    assert_false(append(rows, 2, 0x1001, 2));
    assert_false(append(rows, 2, 0x1000, 3));
    assert_false(append(rows, 2, 0x1000, UINT64_MAX - 1));
    assert_false(append(rows, 2, UINT64_MAX - 0x1fff, 0x2000));
    assert_false(append(rows, 2, UINT64_MAX - 0x1fff, 0x1002));
    assert_false(append(rows, 0, 0x1000, 16));
    assert_int_equal(list.count, 0);
    assert_int_equal(list.bytes, 0);
    assert_true(append(rows, 2, 0x1000, 0x1000));
    assert_true(append(rows, 2, UINT64_MAX - 0x1fff, 0x1000));
    assert_int_equal(list.count, 2);
    assert_true(list.segments[1].address == 0x80000000);
}

/* Long pieces are cut to what one region takes, and neighbours joined up to that. */
static void test_lengths(void **state)
{
    static const struct window rows[] = { { 0, 1ull << 32, 16u << 20 } };

    (void)state;
    memset(&list, 0, sizeof list);
    assert_true(append(rows, 1, 0, 2));
    assert_true(append(rows, 1, 2, (10u << 20) - 2));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.segments[0].bytes, PRD_MAX_LENGTH);
    assert_int_equal(list.segments[1].bytes, PRD_MAX_LENGTH);
    assert_int_equal(list.segments[2].bytes, 2u << 20);
    assert_int_equal(list.bytes, 10u << 20);
    assert_false(append(rows, 1, 10u << 20, (6u << 20) + 2)); /* joins, then falls off the end */
    assert_int_equal(list.count, 3);
    assert_int_equal(list.segments[2].bytes, 2u << 20);
    assert_int_equal(list.bytes, 10u << 20);
}

static void test_room(void **state)
{
    static const struct window rows[] = { { 0, 1ull << 32, 1u << 20 } };

    (void)state;
    memset(&list, 0, sizeof list);
    for (uint64_t i = 0; i < TRANSFER_MAX_SEGMENTS; i++) {
        assert_true(append(rows, 1, i * 4, 2));
    }
    assert_false(append(rows, 1, 0x8000, 2));
    assert_int_equal(list.count, TRANSFER_MAX_SEGMENTS);
    assert_true(append(rows, 1, (TRANSFER_MAX_SEGMENTS - 1) * 4 + 2, 2)); /* joins the last */
}

/* Frames one after the other: windows are as long as they can be. */
static void test_adding(void **state)
{
    static const struct window frames[] = {
        { 0, 0x1000, 0x1000 },      { 0x1000, 0x2000, 0x1000 }, { 0x2000, 0x8000, 0x1000 },
        { 0x4000, 0x9000, 0x1000 }, { 0x5000, 0xa000, 0x1000 }, { 0x6000, 0x1000, 0x1000 },
    };
    struct window rows[3];
    uint32_t count = 0;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(windows_add(rows, &count, 3, frames[i]));
    }
    assert_false(windows_add(rows, &count, 3, frames[5]));
    assert_int_equal(count, 3);
    assert_memory_equal(&rows[0], &((struct window){ 0, 0x1000, 0x2000 }), sizeof rows[0]);
    assert_memory_equal(&rows[1], &((struct window){ 0x2000, 0x8000, 0x1000 }), sizeof rows[0]);
    assert_memory_equal(&rows[2], &((struct window){ 0x4000, 0x9000, 0x2000 }), sizeof rows[0]);
}

#define SPACE 256u

/* Random windows in a small space, where a map of bytes says what each address means. */
static void check_random(void)
{
    struct window rows[8];
    uint64_t map[SPACE];
    uint32_t count = 0;
    uint64_t at = 0, address = (uint64_t)rand() % SPACE, bytes = (uint64_t)rand() % SPACE;
    bool expected = bytes != 0 && address % 2 == 0 && bytes % 2 == 0;
    uint64_t position = address;

    memset(map, 0, sizeof map);
    while (count < 8 && at < SPACE - 40) {
        struct window *row = &rows[count++];

        row->client = at + (uint64_t)(rand() % 3 == 0 ? rand() % 8 * 2 : 0);
        row->bytes = 2 + (uint64_t)rand() % 11 * 2;
        row->bus = rand() % 3 == 0 && count > 1 ? row[-1].bus + row[-1].bytes
                                                : 0x10000u + (uint64_t)rand() % 4096 * 2;
        for (uint64_t i = 0; i < row->bytes; i++) {
            map[row->client + i] = row->bus + i;
        }
        at = row->client + row->bytes;
    }
    for (uint64_t i = 0; i < bytes; i++) {
        expected = expected && address + i < SPACE && map[address + i] != 0;
    }
    memset(&list, 0, sizeof list);
    assert_true(windows_valid(&(struct windows){ rows, count }));
    assert_int_equal(append(rows, count, address, bytes), expected);
    for (uint32_t i = 0; i < list.count; i++) {
        for (uint64_t j = 0; j < list.segments[i].bytes; j++) {
            assert_true(map[position++] == list.segments[i].address + j);
        }
    }
    assert_int_equal(position - address, expected ? bytes : 0);
}

static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        check_random();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),  cmocka_unit_test(test_valid), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_room),  cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
