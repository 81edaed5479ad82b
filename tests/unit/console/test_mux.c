/* SPDX-License-Identifier: BSD-2-Clause */
/* user/console/mux: who is shown when, who gets what is typed, and clients that are hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/console/mux.h"

#define MHZ     1000u
#define ESCAPE  0x1du
#define QUIET   ((uint64_t)MHZ * 1000 * MUX_QUIET_MS)
#define CLIENTS 3u

struct world {
    struct mux mux;
    struct console_channel channels[CLIENTS];
    struct ring output[CLIENTS], input[CLIENTS];
    uint64_t now;
    char shown[65536];
    uint32_t length;
};

static const char *const names[CLIENTS] = { "one", "two", "three" };

/* The clients' ends are here, and what is shown so far is forgotten. */
static struct world *begin(unsigned nr_clients)
{
    struct world *world = calloc(1, sizeof(*world));

    mux_init(&world->mux, MHZ, 0, ESCAPE);
    for (unsigned i = 0; i < nr_clients; i++) {
        struct console_channel *channel = &world->channels[i];

        mux_add(&world->mux, names[i], channel);
        ring_init(&world->output[i], RING_PRODUCER, &channel->output, channel->output_bytes, 1,
                  CONSOLE_OUTPUT_BYTES);
        ring_init(&world->input[i], RING_CONSUMER, &channel->input, channel->input_bytes, 1,
                  CONSOLE_INPUT_BYTES);
    }
    world->now = QUIET;
    return world;
}

static void put(struct world *world, unsigned client, const char *text)
{
    assert_int_equal(ring_put(&world->output[client], text, (uint32_t)strlen(text)), strlen(text));
}

/* All that can be shown now. */
static void run(struct world *world)
{
    uint32_t count;

    while (mux_pump(&world->mux, world->now) || mux_has_output(&world->mux)) {
        while ((count = mux_take_output(&world->mux, (uint8_t *)world->shown + world->length,
                                        16)) != 0) {
            world->length += count;
            assert_true(world->length < sizeof(world->shown) - 16);
        }
        mux_sent(&world->mux);
    }
}

static void expect(struct world *world, const char *text)
{
    run(world);
    world->shown[world->length] = '\0';
    assert_string_equal(world->shown, text);
    world->length = 0;
}

static void type(struct world *world, const char *keys)
{
    for (; *keys != '\0'; keys++) {
        assert_true(mux_wants_input(&world->mux));
        mux_input(&world->mux, (uint8_t)*keys);
    }
}

static void expect_input(struct world *world, unsigned client, const char *text)
{
    char got[256] = "";

    ring_get(&world->input[client], got, sizeof(got) - 1);
    assert_string_equal(got, text);
}

static void test_alone(void **state)
{
    struct world *world = begin(1);

    (void)state;
    mux_greet(&world->mux);
    put(world, 0, "a\x1b[6nb\r\n\xff# ");
    expect(world, "a\x1b[6nb\r\n\xff# ");
    type(world, "\x1dn\x1d?");
    expect_input(world, 0, "\x1dn\x1d?");
    expect(world, "");
    free(world);
}

/* What does not fit waits in the port, and the port is heard again once there is room. */
static void test_alone_and_busy(void **state)
{
    struct world *world = begin(1);
    uint8_t byte;

    (void)state;
    for (unsigned i = 0; i < CONSOLE_INPUT_BYTES; i++) {
        type(world, "x");
    }
    mux_take_signals(&world->mux);
    assert_false(mux_wants_input(&world->mux));
    assert_int_equal(ring_get(&world->input[0], &byte, 1), 1);
    assert_true(ring_must_signal(&world->input[0]));
    assert_true(mux_wants_input(&world->mux));
    free(world);
}

static void test_labels(void **state)
{
    struct world *world = begin(3);

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
static void test_between_lines(void **state)
{
    struct world *world = begin(2);

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
    struct world *world = begin(2);

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

static void test_keys(void **state)
{
    struct world *world = begin(3);

    (void)state;
    put(world, 1, "login: ");
    expect(world, "");
    type(world, "a\x1dn");
    expect_input(world, 0, "a");
    expect(world, "[console] the keyboard goes to two\r\nlogin: ");
    type(world, "b\x1d\x1d");
    expect_input(world, 1, "b\x1d");
    type(world, "\x1d"
                "3c\x1dp\x1dp");
    expect_input(world, 2, "c");
    world->length = 0;
    type(world, "d\x1d"
                "9e");
    expect_input(world, 0, "de");
    run(world);
    assert_non_null(strstr(world->shown, "1 one (has the keyboard)\r\n"));
    assert_non_null(strstr(world->shown, "3 three\r\n"));
    free(world);
}

/* A client without the keyboard takes nobody's turn; one that does not read blocks no key. */
/* Another escape key, and another client that has the keyboard first. */
static void test_other_keys(void **state)
{
    struct world *world = begin(2);

    (void)state;
    world->mux.focus = 1;
    world->mux.escape = 0x01;
    mux_greet(&world->mux);
    expect(world,
           "[console] the keyboard goes to two; Ctrl-A n: to the next one, Ctrl-A ?: help\r\n");
    type(world, "\x1dx\x01\x01\x01n");
    expect(world, "[console] the keyboard goes to one\r\n");
    expect_input(world, 1, "\x1dx\x01");
    type(world, "\x01?");
    expect(world, "[console]\r\n"
                  "   1 one (has the keyboard)\r\n"
                  "   2 two\r\n"
                  "  Ctrl-A 1 .. 9  the keyboard goes to that one\r\n"
                  "  Ctrl-A n, p    to the next, to the previous one\r\n"
                  "  Ctrl-A Ctrl-A  sends Ctrl-A\r\n");
    free(world);
}

static void test_floods(void **state)
{
    struct world *world = begin(2);

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        put(world, 0, "flood flood flood\n");
    }
    put(world, 1, "heard\n");
    run(world);
    assert_true(strstr(world->shown, "two| heard\r\n") - world->shown < 100);
    world->length = 0;
    for (unsigned i = 0; i < 3 * CONSOLE_INPUT_BYTES; i++) {
        type(world, "x");
    }
    type(world, "\x1dny");
    expect_input(world, 1, "y");
    free(world);
}

static void test_long_lines(void **state)
{
    struct world *world = begin(2);
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
    struct world *world = begin(1);
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
    struct world *world = begin(2);

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
    struct world *world = begin(3);

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned client = (unsigned)rand() % 3;
        uint8_t bytes[40];

        for (unsigned i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(rand() % 4 == 0 ? "\n\r\x1b["[rand() % 4] : rand());
        }
        ring_put(&world->output[client], bytes, (uint32_t)rand() % sizeof(bytes));
        mux_input(&world->mux, rand() % 4 == 0 ? ESCAPE : (uint8_t)rand());
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
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_alone_and_busy),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_between_lines),
        cmocka_unit_test(test_prompt_comes_again),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_consumed_when_sent),
        cmocka_unit_test(test_broken_channel),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
