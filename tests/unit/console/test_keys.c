/* SPDX-License-Identifier: BSD-2-Clause */
/* user/console/keys and list: who gets what is typed, and the console's own keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/console/world.h"

#define SECONDS(count) ((uint64_t)(count)*1000000 * MHZ)

static const char help[] = "[console]\r\n"
                           "  Ctrl-] l       lists VMs, with their states, and servers\r\n"
                           "  Ctrl-] n       the keyboard goes to the next VM\r\n"
                           "  Ctrl-] p       the keyboard goes to the previous VM\r\n"
                           "  Ctrl-] i       shows the counters of the VM that has the keyboard\r\n"
                           "  Ctrl-] d       shows the counters of the disk server\r\n"
                           "  Ctrl-] z       pauses the VM that has the keyboard\r\n"
                           "  Ctrl-] c       lets it continue\r\n"
                           "  Ctrl-] R       starts it anew, or again if it has ended\r\n"
                           "  Ctrl-] K       stops it, as if its power were cut\r\n"
                           "  Ctrl-] ?       shows this help\r\n"
                           "  Ctrl-] 1 .. 9  the keyboard goes to the VM of that number\r\n"
                           "  Ctrl-] Ctrl-]  sends Ctrl-]\r\n";

/* A single VM: as it is, beside servers' lines, and the escape key is still ours. */
static void test_single_vm(void **state)
{
    struct world *world = begin(2, 1);

    (void)state;
    mux_greet(&world->mux);
    expect(world, "[console] Ctrl-] ?: help\r\n");
    put(world, 0, "a\x1b[6nb\r\n\xff# ");
    expect(world, "a\x1b[6nb\r\n\xff# ");
    put(world, 1, "words\n");
    world->now += QUIET;
    expect(world, "\r\ntwo| words\r\n\xff# ");
    type(world, "x\x1dn\x1dp\x1d"
                "1\x1d\x1dy");
    expect_input(world, 0, "x\x1dy");
    expect(world, "");
    type(world, "\x1d"
                "2");
    put(world, 0, "\r\n");
    run(world);
    assert_non_null(strstr(world->shown, help));
    free(world);
}

static void test_keys(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    mux_greet(&world->mux);
    expect(world,
           "[console] the keyboard goes to one; Ctrl-] n: to the next one, Ctrl-] ?: help\r\n");
    put(world, 1, "login: ");
    expect(world, "");
    type(world, "a\x1dn");
    expect_input(world, 0, "a");
    expect(world, "[console] the keyboard goes to two\r\nlogin: ");
    type(world, "b\x1d\x1d");
    expect_input(world, 1, "b\x1d");
    type(world, "\x1dn"
                "c"); /* over the server */
    expect_input(world, 0, "c");
    type(world, "\x1dp"
                "d");
    expect_input(world, 1, "d");
    type(world, "\x1d"
                "1e");
    expect_input(world, 0, "e");
    world->length = 0;
    type(world, "\x1d?");
    run(world);
    type(world, "f");
    expect_input(world, 0, "f");
    assert_non_null(strstr(world->shown, help));
    expect_input(world, 2, "");
    free(world);
}

/* Another escape key, and another VM that has the keyboard first. */
static void test_other_keys(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    world->config.first = 1;
    world->config.escape = 0x01;
    mux_init(&world->mux, &world->config, &world->control);
    mux_add(&world->mux, "one", &world->channels[0]);
    mux_add(&world->mux, "two", &world->channels[1]);
    mux_greet(&world->mux);
    expect(world,
           "[console] the keyboard goes to two; Ctrl-A n: to the next one, Ctrl-A ?: help\r\n");
    type(world, "\x1dx\x01\x01\x01n");
    expect(world, "[console] the keyboard goes to one\r\n");
    expect_input(world, 1, "\x1dx\x01");
    type(world, "\x01l");
    expect(world, "[console]\r\n"
                  "   1 one: not started yet for 0 s, run 0 (has the keyboard)\r\n"
                  "   2 two: not started yet for 0 s, run 0\r\n");
    free(world);
}

static void test_list(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    world->now = SECONDS(400000);
    world->control.vms[0] = (struct control_vm){ CONTROL_RUNNING, 3, world->now - SECONDS(62),
                                                 world->now - SECONDS(3 * 3600 + 61) };
    world->control.vms[1] =
        (struct control_vm){ CONTROL_WAITING, 12, world->now - SECONDS(1), SECONDS(7) };
    put(world, 0, "# ");
    expect(world, "# ");
    type(world, "\x1dl");
    expect(world, "\r\n[console]\r\n"
                  "   1 one: running for 1 min 2 s, up 3 h 1 min, run 3 (has the keyboard)\r\n"
                  "   2 two: waiting to be started again for 1 s, run 12\r\n"
                  "     three (server)\r\n"
                  "# ");
    free(world);
}

static void expect_state(struct world *world, struct control_vm vm, const char *text)
{
    world->control.vms[0] = vm;
    world->length = 0;
    type(world, "\x1dl");
    run(world);
    world->shown[world->length] = '\0';
    if (strstr(world->shown, text) == NULL) {
        fail_msg("expected '%s' in '%s'", text, world->shown);
    }
}

/* In words, and whatever is there. */
static void test_states(void **state)
{
    struct world *world = begin(2, 1);

    (void)state;
    world->now = SECONDS(900000);
    expect_state(world, (struct control_vm){ CONTROL_PAUSED, 1, world->now, world->now },
                 "one: paused for 0 s, up 0 s, run 1 (has");
    expect_state(world, (struct control_vm){ CONTROL_ENDED, 2, SECONDS(1), 0 },
                 "one: powered off for 10 d 9 h, run 2 (has");
    expect_state(world, (struct control_vm){ CONTROL_STOPPED, 2, SECONDS(899999), 0 },
                 "one: stopped for 1 s, run 2 (has");
    expect_state(world, (struct control_vm){ CONTROL_FAILED, 2, SECONDS(899940), 0 },
                 "one: failed for 1 min 0 s, run 2 (has");
    expect_state(world, (struct control_vm){ 77, UINT32_MAX, UINT64_MAX, UINT64_MAX },
                 "one: in an unknown state for 0 s, run 4294967295 (has");
    expect_state(world, (struct control_vm){ CONTROL_RUNNING, 0, UINT64_MAX, 0 },
                 "one: running for 0 s, up 10 d 10 h, run 0 (has");
    world->mux.tsc_mhz = 0;
    expect_state(world, (struct control_vm){ CONTROL_RUNNING, 0, 0, 0 }, "for 0 s, up 0 s");
    free(world);
}

/* Each is told to the supervisor with a number of its own, and said. */
static void test_commands(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    assert_false(mux_take_commanded(&world->mux));
    type(world, "\x1d"
                "c");
    assert_true(mux_take_commanded(&world->mux));
    assert_int_equal(world->control.commands[0], 1u << CONTROL_COMMAND_BITS | CONTROL_RESUME);
    type(world, "\x1dn\x1dz");
    assert_int_equal(world->control.commands[1], 1u << CONTROL_COMMAND_BITS | CONTROL_PAUSE);
    type(world, "\x1dR");
    assert_int_equal(world->control.commands[1], 2u << CONTROL_COMMAND_BITS | CONTROL_RESTART);
    world->control.commands[1] = 99;
    type(world, "\x1dK\x1dK");
    assert_int_equal(world->control.commands[1], 4u << CONTROL_COMMAND_BITS | CONTROL_STOP);
    assert_true(mux_take_commanded(&world->mux));
    assert_false(mux_take_commanded(&world->mux));
    expect(world, "[console] one: resume\r\n[console] the keyboard goes to two\r\n"
                  "[console] two: pause\r\n[console] two: restart\r\n"
                  "[console] two: stop\r\n[console] two: stop\r\n");
    expect_input(world, 1, "");
    free(world);
}

/* However full the output is, nothing of an answer is left out, and nothing is shown amid it. */
static void test_answers_wait_for_room(void **state)
{
    struct world *world = begin(2, 2);
    char *at;

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        put(world, 0, "flood flood flood\n");
    }
    mux_pump(&world->mux, world->now);
    for (unsigned i = 0; i < 60; i++) {
        uint8_t bytes[64];

        for (unsigned key = 0; key < 2; key++) {
            while (!mux_wants_input(&world->mux, world->now)) {
                world->length += mux_take_output(
                    &world->mux, (uint8_t *)world->shown + world->length, sizeof(bytes));
                mux_pump(&world->mux, world->now);
            }
            mux_input(&world->mux, key == 0 ? ESCAPE : '?');
        }
    }
    run(world);
    world->shown[world->length] = '\0';
    at = world->shown;
    for (unsigned i = 0; i < 60; i++) {
        at = strstr(at, help);
        assert_non_null(at);
        at++;
    }
    free(world);
}

/* The counters of the one with the keyboard, or of the servers: a count and a signal. */
static void test_show(void **state)
{
    struct world *world = begin(3, 2);

    (void)state;
    mux_take_signals(&world->mux);
    type(world, "\x1di");
    expect(world, "[console] one: counters\r\n");
    assert_int_equal(world->channels[0].show, 1);
    assert_int_equal(mux_take_signals(&world->mux), 1);
    world->channels[2].show = 77; /* what a client makes of it concerns nobody */
    type(world, "\x1d"
                "d\x1d"
                "d");
    expect(world, "[console] servers: counters\r\n[console] servers: counters\r\n");
    assert_int_equal(world->channels[2].show, 2);
    assert_int_equal(world->channels[1].show, 0);
    assert_int_equal(mux_take_signals(&world->mux), 4);
    free(world);
}

static void fill_input(struct world *world)
{
    for (unsigned i = 0; i < CONSOLE_INPUT_BYTES; i++) {
        type(world, "x");
    }
    mux_take_signals(&world->mux);
}

/* What does not fit waits in the port, and the port is heard again once there is room. */
static void test_hold(void **state)
{
    struct world *world = begin(2, 1);
    uint8_t byte;

    (void)state;
    fill_input(world);
    assert_false(mux_wants_input(&world->mux, world->now));
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_POLL);
    assert_int_equal(ring_get(&world->input[0], &byte, 1), 1);
    assert_true(ring_must_signal(&world->input[0]));
    assert_true(mux_wants_input(&world->mux, world->now));
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_WAIT);
    free(world);
}

/* A VM that does not read keeps nobody from the escape key: a second later it is heard. */
static void test_no_reader(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    fill_input(world);
    assert_false(mux_wants_input(&world->mux, world->now));
    world->now += HOLD - 1;
    assert_false(mux_wants_input(&world->mux, world->now));
    world->now += 1;
    assert_true(mux_wants_input(&world->mux, world->now));
    assert_int_equal(mux_rest(&world->mux, world->now), MUX_WAIT);
    expect(world, "");
    type(world, "yy");
    expect(world, "[console] one: it does not read; what is typed is dropped\r\n");
    type(world, "\x1dnz");
    expect_input(world, 1, "z");
    expect(world, "[console] the keyboard goes to two\r\n");
    free(world);
}

/* What is typed for a VM that is off does not come to its next run. */
static void test_off(void **state)
{
    static const uint32_t off[] = { CONTROL_WAITING, CONTROL_ENDED, CONTROL_STOPPED, CONTROL_FAILED,
                                    CONTROL_ENDING };

    (void)state;
    for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        struct world *world = begin(2, 2);

        world->control.vms[0].state = off[i];
        type(world, "secret\r");
        expect(world, "[console] one: it is off; what is typed is dropped\r\n");
        world->control.vms[0].state = CONTROL_RUNNING;
        type(world, "z");
        expect_input(world, 0, "z");
        free(world);
    }
}

/* The escape key is heard at once if it was what found the ring full. */
static void test_escape_amid(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    fill_input(world);
    mux_input(&world->mux, ESCAPE);
    assert_true(mux_wants_input(&world->mux, world->now));
    type(world, "nz");
    expect_input(world, 1, "z");
    free(world);
}

/* So many bytes, in steps of a hundredth of the time for holding; how many steps it took. */
static unsigned paste(struct world *world, unsigned bytes, unsigned read_in_step)
{
    uint8_t got[CONSOLE_INPUT_BYTES];
    unsigned taken = 0, steps = 0;

    while (taken < bytes) {
        while (taken < bytes && mux_wants_input(&world->mux, world->now)) {
            mux_input(&world->mux, 'x');
            taken++;
        }
        ring_get(&world->input[0], got, read_in_step);
        world->now += HOLD / 100;
        assert_true(steps++ < 100000);
    }
    return steps;
}

/* Whoever reads, loses nothing, however much is pasted; one who only seems to, holds up little. */
static void test_paste(void **state)
{
    struct world *world = begin(2, 2);

    (void)state;
    assert_in_range(paste(world, 50000, 10), 4500, 5100);
    assert_false(world->mux.told);
    free(world);

    world = begin(2, 2);
    assert_in_range(paste(world, 50000, 1), 90, 120);
    assert_true(world->mux.told);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_vm),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_answers_wait_for_room),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_escape_amid),
        cmocka_unit_test(test_paste),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
