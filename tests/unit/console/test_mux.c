/* SPDX-License-Identifier: BSD-2-Clause */
/* user/console/mux: who is shown when, and clients that are hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/console/world.h"

static void test_labels(void **state)
{
    struct world *world = begin(3, 3);

    (void)state;
    put(world, 1, "boot\r\nhalf");
    put(world, 0, "raw\x1b[1m\r\n");
    put(world, 2,
        "\x1b[2J\x1b]0;title\x07"
        "c\x07\x08lear\tx\xc2\x9b\r\n\r\n");
    expect(world, "two| boot\r\nthree| clear\tx??\r\nraw\x1b[1m\r\nthree| \r\n");
    put(world, 1, " whole\n");
    expect(world, "two| half whole\r\n");
    free(world);
}

/* A line that is being written is not torn apart; a prompt is, and comes again. */
static void test_colours(void **state)
{
    struct world *world = begin(3, 3);

    (void)state;
    world->mux.colour = true;
    put(world, 0, "own\r\n");
    put(world, 1, "boot\r\n");
    put(world, 2, "boot\r\n");
    expect(world, "\x1b[33mtwo|\x1b[0m boot\r\n\x1b[32mthree|\x1b[0m boot\r\nown\r\n");
    free(world);
}

static void test_between_lines(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    put(world, 0, "beginning");
    expect(world, "beginning");
    put(world, 1, "other\n");
    expect(world, "");
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_POLL);
    put(world, 0, " end\n# ");
    expect(world, " end\ntwo| other\r\n# ");
    free(world);
}

static void test_prompt_comes_again(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    put(world, 0, "\x1b[1m# \x1b[m\x1b[6nls");
    expect(world, "\x1b[1m# \x1b[m\x1b[6nls");
    put(world, 1, "other\n");
    expect(world, "");
    world->now += QUIET;
    expect(world, "\r\ntwo| other\r\n\x1b[1m# \x1b[mls");
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_WAIT);
    free(world);
}

/* A client without the keyboard takes nobody's turn. */
static void test_floods(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        put(world, 0, "flood flood flood\n");
    }
    put(world, 1, "heard\n");
    run(world);
    assert_true(strstr(world->shown, "two| heard\r\n") - world->shown < 100);
    free(world);
}

static void test_long_lines(void **state)
{
    struct world *world = begin(2, 2);
    char line[2 * MUX_LINE_BYTES + 1];

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    put(world, 1, line);
    put(world, 1, "\nafter\n");
    run(world);
    assert_int_equal(world->length, 2 * (5 + MUX_LINE_BYTES + 2) + strlen("two| after\r\n"));
    world->length = 0;
    /* The one with the keyboard, without an end: others are heard all the same. */
    put(world, 0, line);
    put(world, 1, "heard\n");
    run(world);
    assert_non_null(strstr(world->shown, "two| heard\r\n"));
    free(world);
}

static void test_consumed_when_sent(void **state)
{
    struct world *world = begin(1, 1);
    uint8_t bytes[64];

    (void)state;
    put(world, 0, "last words\n");
    mux_pump(&world->mux, world->now);
    assert_int_equal(ring_available(&world->output[0]), CONSOLE_OUTPUT_BYTES - 11);
    while (mux_take_output(&world->mux, bytes, sizeof(bytes)) != 0) {
    }
    mux_sent(&world->mux);
    assert_int_equal(ring_available(&world->output[0]), CONSOLE_OUTPUT_BYTES);
    free(world);
}

static void test_broken_channel(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    world->channels[1].output.producer.index = CONSOLE_OUTPUT_BYTES + 1;
    expect(world, "[console] two broke its channel and is not listened to any more\r\n");
    put(world, 0, "on\n");
    expect(world, "on\n");
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_WAIT);
    free(world);
}

static void test_random(void **state)
{
    struct world *world = begin(3, 3);

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned client = (unsigned)rand() % 3;
        uint8_t bytes[40];

        for (unsigned i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(rand() % 4 == 0 ? "\n\r\x1b["[rand() % 4] : rand());
        }
        ring_put(&world->output[client], bytes, (uint32_t)rand() % sizeof(bytes));
        if (mux_wants_input(&world->mux, world->now)) {
            mux_input(&world->mux, rand() % 4 == 0 ? ESCAPE : (uint8_t)rand());
        }
        world->now += (uint64_t)rand() % QUIET;
        if (rand() % 500 == 0) {
            world->channels[2].input.consumer.index = (uint32_t)rand();
        }
        mux_pump(&world->mux, world->now);
        mux_take_output(&world->mux, (uint8_t *)world->shown, (uint32_t)rand() % 600);
        if (!mux_has_output(&world->mux)) {
            mux_sent(&world->mux);
        }
        assert_in_range(world->mux.out_tail - world->mux.out_head, 0, MUX_OUT_BYTES);
    }
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_between_lines),
        cmocka_unit_test(test_prompt_comes_again),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_consumed_when_sent),
        cmocka_unit_test(test_broken_channel),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
