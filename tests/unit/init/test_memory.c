/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of untypeds against a model of the kernel's own arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/init/memory.h"

static seL4_BootInfo bootinfo;

static void add(uint8_t size_bits, bool device)
{
    uint64_t index = bootinfo.untyped.end++ - bootinfo.untyped.start;

    bootinfo.untypedList[index] = (seL4_UntypedDesc){ .sizeBits = size_bits, .isDevice = device };
}

static void start(void)
{
    memset(&bootinfo, 0, sizeof(bootinfo));
    bootinfo.untyped = (seL4_SlotRegion){ 100, 100 };
}

static void test_device_memory_is_left_out(void **state)
{
    struct memory memory;
    seL4_CPtr slot;

    (void)state;
    start();
    add(30, true);
    add(12, false);
    memory_init(&memory, &bootinfo);
    assert_int_equal(memory.count, 1);
    assert_int_equal(memory_free_bytes(&memory), 4096);
    assert_int_equal(memory_take(&memory, 12, 2, &slot), 1);
    assert_int_equal(slot, 101);
    assert_int_equal(memory_take(&memory, 4, 1, &slot), 0);
}

static void test_smallest_first(void **state)
{
    struct memory memory;
    seL4_CPtr slot;

    (void)state;
    start();
    add(24, false);
    add(21, false);
    add(22, false);
    memory_init(&memory, &bootinfo);
    assert_int_equal(memory_take(&memory, 21, 100, &slot), 1);
    assert_int_equal(slot, 101);
    assert_int_equal(memory_take(&memory, 21, 100, &slot), 2);
    assert_int_equal(slot, 102);
    assert_int_equal(memory_take(&memory, 21, 3, &slot), 3);
    assert_int_equal(slot, 100);
    assert_int_equal(memory_free_bytes(&memory), 5u << 21);
}

static void test_batches(void **state)
{
    struct memory memory;
    seL4_CPtr slot;

    (void)state;
    start();
    add(40, false);
    memory_init(&memory, &bootinfo);
    assert_int_equal(memory_take(&memory, 12, 100000, &slot), MEMORY_MAX_BATCH);
    assert_int_equal(memory_take(&memory, 30, 1, &slot), 1);
    /* What lay between is lost, as in the kernel. */
    assert_int_equal(memory_free_bytes(&memory), (1ull << 40) - (2ull << 30));
}

static void test_odd_bootinfo(void **state)
{
    struct memory memory;
    seL4_CPtr slot;

    (void)state;
    start();
    add(255, false);
    add(64, false);
    memory_init(&memory, &bootinfo);
    assert_int_equal(memory.count, 0);
    bootinfo.untyped.end = UINT64_MAX;
    memory_init(&memory, &bootinfo);
    assert_true(memory.count <= CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS);
    assert_int_equal(memory_take(&memory, 47, 1, &slot), 0);
}

/* Sizes never grow, so nothing is lost: memory runs out only when all of it is in use. */
static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 300; round++) {
        uint64_t used[64] = { 0 }, total = 0, taken = 0;
        struct memory memory;
        uint8_t bits = 24;

        start();
        for (int i = 1 + rand() % 60; i > 0; i--) {
            add((uint8_t)(10 + rand() % 16), rand() % 4 == 0);
        }
        memory_init(&memory, &bootinfo);
        total = memory_free_bytes(&memory);
        while (bits >= 10) {
            uint32_t wanted = 1 + (uint32_t)rand() % 600;
            seL4_CPtr slot = 0;
            uint32_t got = memory_take(&memory, bits, wanted, &slot);
            uint64_t index = slot - 100, size = 1ull << bits;

            if (got == 0) {
                bits--;
                continue;
            }
            assert_true(got <= wanted && got <= MEMORY_MAX_BATCH);
            assert_false(bootinfo.untypedList[index].isDevice);
            used[index] = (used[index] + size - 1) / size * size + got * size;
            taken += got * size;
            assert_true(used[index] <= 1ull << bootinfo.untypedList[index].sizeBits);
            if (rand() % 3 == 0) {
                bits--;
            }
        }
        assert_int_equal(memory_free_bytes(&memory), total - taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_memory_is_left_out),
        cmocka_unit_test(test_smallest_first),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_odd_bootinfo),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
