/* SPDX-License-Identifier: BSD-2-Clause */
/* user/console/reset: last words, and a channel as it was at first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/console/world.h"

static void expect_fresh(struct world *world, unsigned client)
{
    static const struct console_channel fresh;

    assert_int_equal(mux_take_resets(&world->mux), 1u << client);
    assert_memory_equal(&world->channels[client], &fresh, sizeof(fresh));
    open_rings(world, client);
}

/* Lines and what is left of one, of one that has the keyboard and of one that has not. */
static void test_last_words(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    put(world, 0, "# ");
    put(world, 1, "half");
    expect(world, "# ");
    put(world, 1, " a line\npanic: x");
    mux_reset(&world->mux, 1);
    assert_int_equal(mux_take_resets(&world->mux), 0);
    expect(world, "\r\ntwo| half a line\r\n# \r\ntwo| panic: x\r\n# "); /* though a line is amid */
    expect_fresh(world, 1);
    put(world, 1, "again\n");
    put(world, 0, "\npanic");
    mux_reset(&world->mux, 0);
    expect(world, "\npanic\r\ntwo| again\r\n");
    expect_fresh(world, 0);
    put(world, 0, "new");
    expect(world, "new");
    free(world);
}

/* Nothing that is put in after the reset began is shown, nor typed bytes taken from the port. */
static void test_not_served(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    type(world, "old");
    put(world, 0, "last\n");
    mux_reset(&world->mux, 0);
    mux_reset(&world->mux, 0);
    put(world, 0, "later\n");
    assert_false(mux_wants_input(&world->mux, world->now));
    expect(world, "last\n");
    expect_fresh(world, 0);
    type(world, "new");
    expect_input(world, 0, "new");
    free(world);
}

/* However much others put out, what a reset waits for comes before it, but for some of it. */
static void test_floods(void **state)
{
    struct world *world = begin(3, 3);
    char *last;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        put(world, 0, "flood\n");
        put(world, 1, "flood\n");
        put(world, 2, "words\n");
    }
    put(world, 2, "last");
    mux_reset(&world->mux, 2);
    run(world);
    expect_fresh(world, 2);
    last = strstr(world->shown, "three| last\r\n");
    assert_non_null(last);
    assert_in_range(last - world->shown, 2800, 2800 + MUX_OUT_BYTES / 2);
    free(world);
}

static void test_broken(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    put(world, 1, "half");
    run(world);
    world->channels[1].output.producer.index = CONSOLE_OUTPUT_BYTES + 9;
    expect(world, "[console] two broke its channel and is not listened to any more\r\n");
    mux_reset(&world->mux, 1);
    expect(world, "two| half\r\n");
    expect_fresh(world, 1);
    put(world, 1, "good\n");
    expect(world, "two| good\r\n");
    type(world, "\x1dnx");
    expect_input(world, 1, "x");
    world->length = 0;
    world->channels[1].input.consumer.index = 9; /* and is named again */
    assert_false(mux_wants_input(&world->mux, world->now));
    run(world);
    assert_non_null(strstr(world->shown, "two broke its channel"));
    free(world);
}

/* A full ring of typed bytes, of a VM that was not waited for any more, is empty again. */
static void test_full_input(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    for (unsigned i = 0; i < CONSOLE_INPUT_BYTES; i++) {
        type(world, "x");
    }
    assert_false(mux_wants_input(&world->mux, world->now));
    world->now += HOLD;
    type(world, "x");
    mux_reset(&world->mux, 0);
    run(world);
    expect_fresh(world, 0);
    type(world, "y");
    expect_input(world, 0, "y");
    free(world);
}

/* Bytes of the old ring that leave for the port after the reset are not given back to the new. */
static void test_given_back(void **state)
{
    struct world *world = begin(2, 2);
    uint8_t bytes[16];

    (void)state;
    put(world, 0, "last words\n");
    mux_pump(&world->mux, world->now);
    mux_reset(&world->mux, 0);
    mux_pump(&world->mux, world->now);
    expect_fresh(world, 0);
    put(world, 0, "new");
    while (mux_take_output(&world->mux, bytes, sizeof(bytes)) != 0) {
    }
    mux_sent(&world->mux);
    assert_int_equal(world->channels[0].output.consumer.index, 0);
    expect(world, "new");
    assert_int_equal(ring_available(&world->output[0]), CONSOLE_OUTPUT_BYTES);
    free(world);
}

/* At any moment, of anybody, and all that it needs comes to an end. */
static void test_random(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    srand(2);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned client = (unsigned)rand() % 2;
        uint8_t bytes[40];

        for (unsigned i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(rand() % 4 == 0 ? "\n\r\x1b["[rand() % 4] : rand());
        }
        for (unsigned i = 0; i < 20; i++) {
            ring_put(&world->output[(unsigned)rand() % 3], bytes, (uint32_t)rand() % sizeof(bytes));
        }
        if (rand() % 8 == 0) {
            world->channels[client].output.producer.index = (uint32_t)rand();
        }
        if (mux_wants_input(&world->mux, world->now)) {
            mux_input(&world->mux, rand() % 4 == 0 ? ESCAPE : (uint8_t)rand());
        }
        world->now += (uint64_t)rand() % QUIET;
        mux_pump(&world->mux, world->now);
        mux_take_output(&world->mux, (uint8_t *)world->shown, (uint32_t)rand() % 600);
        if (rand() % 4 == 0) {
            mux_reset(&world->mux, client);
            world->length = 0;
            run(world);
            expect_fresh(world, client);
        }
    }
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_words), cmocka_unit_test(test_not_served),
        cmocka_unit_test(test_floods),     cmocka_unit_test(test_broken),
        cmocka_unit_test(test_full_input), cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
