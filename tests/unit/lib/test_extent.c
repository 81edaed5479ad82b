/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The translation of sectors, compiled with 8-bit numbers and run on every combination of them
 * against plain arithmetic in a wide type; and with 64-bit ones at the edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#ifdef TEST_NARROW
#define EXTENT_SECTOR uint8_t
#endif
#include "lib/extent.h"

#ifdef TEST_NARROW

#define NUMBERS 256u /* of the type */

/* Disks of up to 255 sectors, which is what a disk's size can say. */
static void test_valid(void **state)
{
    (void)state;
    for (unsigned size = 0; size < NUMBERS; size++) {
        for (unsigned first = 0; first < NUMBERS; first++) {
            for (unsigned count = 0; count < NUMBERS; count++) {
                struct extent extent = { (sector_t)first, (sector_t)count };
                bool expected = count != 0 && first + count <= size;

                if (extent_valid(extent, (sector_t)size) != expected) {
                    fail_msg("size %u, extent %u + %u", size, first, count);
                }
            }
        }
    }
}

static void check_requests(struct extent extent)
{
    for (unsigned sector = 0; sector < NUMBERS; sector++) {
        for (unsigned count = 0; count < NUMBERS; count++) {
            sector_t disk = 0xa5;
            bool expected = count != 0 && sector + count <= extent.count;
            bool answer = extent_translate(extent, (sector_t)sector, (sector_t)count, &disk);

            if (answer != expected || disk != (expected ? extent.first + sector : 0xa5)) {
                fail_msg("extent %u + %u, request %u + %u: %u, %u", extent.first, extent.count,
                         sector, count, answer, disk);
            }
        }
    }
}

static void test_translate(void **state)
{
    (void)state;
    for (unsigned first = 0; first < NUMBERS; first++) {
        for (unsigned count = 1; first + count < NUMBERS; count++) {
            check_requests((struct extent){ (sector_t)first, (sector_t)count });
        }
    }
}

static void check_overlaps(struct extent a)
{
    for (unsigned first = 0; first < NUMBERS; first++) {
        for (unsigned count = 1; first + count < NUMBERS; count++) {
            struct extent b = { (sector_t)first, (sector_t)count };
            bool expected = a.first < first + count && first < (unsigned)a.first + a.count;

            if (extent_overlaps(a, b) != expected) {
                fail_msg("%u + %u, %u + %u", a.first, a.count, first, count);
            }
        }
    }
}

static void test_overlaps(void **state)
{
    (void)state;
    for (unsigned first = 0; first < NUMBERS; first++) {
        for (unsigned count = 1; first + count < NUMBERS; count++) {
            check_overlaps((struct extent){ (sector_t)first, (sector_t)count });
        }
    }
}

#else

/* Around both ends of the type and of what disks have. */
static const uint64_t edges[] = {
    0,
    1,
    2,
    3,
    0x7fffffff,
    0x80000000,
    0xfffffffe,
    0xffffffff,
    1ull << 32,
    (1ull << 48) - 1,
    1ull << 48,
    UINT64_MAX / 2,
    1ull << 63,
    UINT64_MAX - 2,
    UINT64_MAX - 1,
    UINT64_MAX,
};
#define NR_EDGES (sizeof edges / sizeof edges[0])

static void check_request(struct extent extent, uint64_t sector, uint64_t count)
{
    sector_t disk = 1;
    bool expected = count != 0 && (unsigned __int128)sector + count <= extent.count;

    assert_int_equal(extent_translate(extent, sector, count, &disk), expected);
    assert_true(disk == (expected ? extent.first + sector : 1));
}

static void test_translate(void **state)
{
    (void)state;
    for (size_t f = 0; f < NR_EDGES; f++) {
        for (size_t c = 0; c < NR_EDGES; c++) {
            struct extent extent = { edges[f], edges[c] };
            bool valid = edges[c] != 0 && (unsigned __int128)edges[f] + edges[c] <= UINT64_MAX;

            assert_int_equal(extent_valid(extent, UINT64_MAX), valid);
            for (size_t i = 0; valid && i < NR_EDGES * NR_EDGES; i++) {
                check_request(extent, edges[i / NR_EDGES], edges[i % NR_EDGES]);
            }
        }
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translate),
#ifdef TEST_NARROW
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_overlaps),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
