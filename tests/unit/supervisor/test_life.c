/* SPDX-License-Identifier: BSD-2-Clause */
/* Lives of VMs: what is done when, with faked threads and servers; and at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/supervisor/life.h"

#define SECOND 1000000ull
#define NR_VMS 3u

static struct supervisor_config config = {
    .nr_vms = NR_VMS,
    .vms = {
        { .name = "never", .nr_threads = 1, .restart = SUPERVISOR_NEVER },
        { .name = "failing", .nr_threads = 2, .restart = SUPERVISOR_ON_FAILURE, .limit = 3,
          .delay_us = 2 * SECOND },
        { .name = "always", .nr_threads = 1, .restart = SUPERVISOR_ALWAYS, .limit = 1,
          .delay_us = SECOND },
    },
};

static struct lives lives;
static uint64_t now;
static struct {
    bool running, reset_wanted, reset_since_run;
    uint32_t started, resumed;
    enum control_state shown;
} vms[NR_VMS];
static bool servers_answer, server_stopped, kernel_agrees;
static char said[4096];

void life_stop_threads(unsigned vm)
{
    vms[vm].running = false;
}

void life_resume_threads(unsigned vm)
{
    assert_false(vms[vm].running);
    vms[vm].running = true;
    vms[vm].resumed++;
}

bool life_start_threads(unsigned vm)
{
    assert_false(vms[vm].running);
    assert_true(vms[vm].reset_since_run); /* L2 */
    vms[vm].reset_since_run = false;
    if (!kernel_agrees) {
        return false;
    }
    vms[vm].started++;
    vms[vm].running = true;
    return true;
}

void life_ask_resets(unsigned vm)
{
    assert_false(vms[vm].running);
    vms[vm].reset_wanted = true;
}

enum life_resets life_resets(unsigned vm)
{
    if (server_stopped) {
        return LIFE_RESETS_NEVER;
    }
    if (servers_answer && vms[vm].reset_wanted) {
        vms[vm].reset_wanted = false;
        vms[vm].reset_since_run = true;
    }
    return vms[vm].reset_wanted ? LIFE_RESETS_PENDING : LIFE_RESETS_DONE;
}

void life_show(unsigned vm, const struct life *life)
{
    vms[vm].shown = life->state;
}

void life_say(const char *line)
{
    size_t length = strlen(said);

    assert_true(length + strlen(line) + 2 < sizeof(said));
    strcpy(said + length, line);
    strcat(said, "\n");
}

static int start(void **state)
{
    (void)state;
    memset(vms, 0, sizeof(vms));
    for (unsigned i = 0; i < NR_VMS; i++) {
        vms[i].running = true;
    }
    said[0] = '\0';
    now = SECOND;
    servers_answer = true;
    server_stopped = false;
    kernel_agrees = true;
    lives_init(&lives, &config, now);
    return 0;
}

static void wait_us(uint64_t us)
{
    now += us;
    lives_tick(&lives, now);
}

static void crash(unsigned vm)
{
    lives_ended(&lives, vm, OUTCOME_FAILURE, "crashed", now);
    wait_us(0);
}

static void command(unsigned vm, uint32_t what)
{
    lives_command(&lives, vm, what);
    wait_us(0);
}

static void expect_said(const char *expected)
{
    assert_string_equal(said, expected);
    said[0] = '\0';
}

static void test_never(void **state)
{
    (void)state;
    now += 100 * SECOND;
    crash(0);
    expect_said("vm 'never': crashed\n");
    assert_int_equal(vms[0].shown, CONTROL_FAILED);
    wait_us(1000 * SECOND);
    assert_false(vms[0].running);
    assert_false(lives_wait_for_time(&lives));
    /* L3 */
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    wait_us(10 * SECOND);
    assert_false(vms[0].running);
    expect_said("");
}

/* What comes next waits for the servers, and is said only then. */
static void test_waits_for_servers(void **state)
{
    (void)state;
    servers_answer = false;
    now += 100 * SECOND;
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    wait_us(1000 * SECOND);
    assert_false(vms[0].running);
    expect_said("");
    assert_false(lives_wait_for_time(&lives)); /* a server's signal will come */
    assert_false(lives_are_over(&lives));
    servers_answer = true;
    wait_us(0);
    expect_said("vm 'never': rebooting\nvm 'never': starting, run 2\n");
    assert_true(vms[0].running);
    assert_int_equal(vms[0].shown, CONTROL_RUNNING);
}

/* One that reboots at once is not started more often than once a second. */
static void test_spacing(void **state)
{
    (void)state;
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    wait_us(0);
    assert_false(vms[0].running);
    assert_true(lives_wait_for_time(&lives));
    wait_us(SECOND - 1);
    assert_false(vms[0].running);
    wait_us(1);
    assert_true(vms[0].running);
}

static void test_back_off(void **state)
{
    (void)state;
    now += 100 * SECOND;
    crash(1);
    expect_said("vm 'failing': crashed\nvm 'failing': will be started again in 2000 ms (failure 1 "
                "in a row, 3 are allowed)\n");
    wait_us(2 * SECOND - 1);
    assert_false(vms[1].running);
    wait_us(1);
    assert_true(vms[1].running);
    crash(1);
    wait_us(4 * SECOND - 1);
    assert_false(vms[1].running);
    wait_us(1);
    assert_true(vms[1].running);
    crash(1);
    wait_us(8 * SECOND);
    assert_true(vms[1].running);
    said[0] = '\0';
    crash(1);
    expect_said("vm 'failing': crashed\nvm 'failing': given up after 4 failures in a row\n");
    assert_int_equal(vms[1].shown, CONTROL_FAILED);
    wait_us(1000 * SECOND);
    assert_false(vms[1].running);
    /* The others live on. */
    assert_true(vms[0].running);
    assert_true(vms[2].running);
}

/* A long run ends the row; a reboot does not count; a power-off is what was wanted. */
static void test_row(void **state)
{
    (void)state;
    now += 100 * SECOND;
    for (unsigned i = 0; i < 10; i++) {
        crash(1);
        wait_us(2 * SECOND);
        assert_true(vms[1].running);
        wait_us(LIFE_STEADY_MS * 1000ull);
    }
    for (unsigned i = 0; i < 10; i++) {
        lives_ended(&lives, 1, OUTCOME_REBOOT, "rebooting", now);
        wait_us(0);
        wait_us(2 * SECOND);
        assert_true(vms[1].running);
    }
    lives_ended(&lives, 1, OUTCOME_POWEROFF, "powered off", now);
    wait_us(1000 * SECOND);
    assert_false(vms[1].running);
    assert_int_equal(vms[1].shown, CONTROL_ENDED);
}

static void test_always(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        now += 100 * SECOND;
        lives_ended(&lives, 2, OUTCOME_POWEROFF, "powered off", now);
        wait_us(0);
        assert_false(vms[2].running);
        wait_us(SECOND);
        assert_true(vms[2].running);
    }
    /* What cannot be started at all is not tried again. */
    lives_ended(&lives, 2, OUTCOME_REFUSED, "could not be started", now);
    wait_us(1000 * SECOND);
    assert_int_equal(vms[2].shown, CONTROL_FAILED);
}

static void test_pause(void **state)
{
    (void)state;
    command(0, CONTROL_PAUSE);
    assert_false(vms[0].running);
    assert_int_equal(vms[0].shown, CONTROL_PAUSED);
    wait_us(1000 * SECOND);
    assert_false(vms[0].running);
    assert_false(lives_are_over(&lives));
    command(0, CONTROL_PAUSE);
    command(0, CONTROL_RESUME);
    assert_true(vms[0].running);
    assert_int_equal(vms[0].resumed, 1);
    command(0, CONTROL_RESUME);
    expect_said("vm 'never': paused\nvm 'never': does not run\nvm 'never': goes on\n"
                "vm 'never': is not paused\n");
    assert_int_equal(vms[0].started, 0);
}

static void test_stop_and_start(void **state)
{
    (void)state;
    now += 100 * SECOND;
    command(2, CONTROL_STOP);
    expect_said("vm 'always': stopped\n");
    assert_int_equal(vms[2].shown, CONTROL_STOPPED);
    wait_us(1000 * SECOND);
    assert_false(vms[2].running);
    command(2, CONTROL_STOP);
    expect_said("vm 'always': does not run\n");
    command(2, CONTROL_RESTART);
    expect_said("vm 'always': starting, run 2\n");
    now += 100 * SECOND;
    command(2, CONTROL_RESTART);
    expect_said("vm 'always': starting, run 3\n");
    /* Also from a pause, and instead of what would come. */
    now += 100 * SECOND;
    command(2, CONTROL_PAUSE);
    command(2, CONTROL_RESTART);
    assert_true(vms[2].running);
    now += 100 * SECOND;
    crash(2);
    command(2, CONTROL_STOP);
    wait_us(1000 * SECOND);
    assert_false(vms[2].running);
    command(2, CONTROL_RESTART);
    assert_true(vms[2].running);
    command(2, 0);
    command(2, 255);
    assert_true(vms[2].running);
}

/* By command all that was before is forgotten. */
static void test_restart_after_giving_up(void **state)
{
    (void)state;
    now += 100 * SECOND;
    for (unsigned i = 0; i < 2; i++) {
        crash(2);
        wait_us(10 * SECOND);
    }
    assert_int_equal(vms[2].shown, CONTROL_FAILED);
    command(2, CONTROL_RESTART);
    assert_true(vms[2].running);
    crash(2);
    wait_us(10 * SECOND);
    assert_true(vms[2].running);
}

/* While the servers are still busy with the end, the last command counts. */
static void test_command_while_ending(void **state)
{
    (void)state;
    now += 100 * SECOND;
    servers_answer = false;
    crash(0);
    command(0, CONTROL_RESTART);
    command(0, CONTROL_PAUSE);
    servers_answer = true;
    wait_us(0);
    assert_true(vms[0].running);
    assert_non_null(strstr(said, "vm 'never': crashed\n"));
    now += 100 * SECOND;
    servers_answer = false;
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    command(0, CONTROL_STOP);
    servers_answer = true;
    wait_us(1000 * SECOND);
    assert_false(vms[0].running);
    assert_int_equal(vms[0].shown, CONTROL_STOPPED);
}

/* A disk server that has stopped: its VMs are not started any more, and it is said why. */
static void test_stopped_server(void **state)
{
    (void)state;
    now += 100 * SECOND;
    server_stopped = true;
    crash(1);
    expect_said("vm 'failing': crashed\n"
                "vm 'failing': cannot be started any more: a server of it has stopped\n");
    wait_us(1000 * SECOND);
    assert_int_equal(vms[1].shown, CONTROL_FAILED);
    command(1, CONTROL_RESTART);
    expect_said("vm 'failing': cannot be started any more: a server of it has stopped\n");
    assert_false(vms[1].running);
}

static void test_refused_start(void **state)
{
    (void)state;
    now += 100 * SECOND;
    kernel_agrees = false;
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    wait_us(0);
    assert_int_equal(vms[0].shown, CONTROL_FAILED);
    kernel_agrees = true;
    now += 100 * SECOND;
    command(0, CONTROL_RESTART);
    assert_true(vms[0].running);
}

/* What goes well, or was asked for by the guest, is left out; failures are not. */
static void test_problems_only(void **state)
{
    (void)state;
    config.log = SERVER_LOG_PROBLEMS;
    now += 100 * SECOND;
    lives_ended(&lives, 0, OUTCOME_REBOOT, "rebooting", now);
    wait_us(0);
    assert_true(vms[0].running);
    lives_ended(&lives, 0, OUTCOME_POWEROFF, "powered off", now);
    wait_us(0);
    expect_said("");
    crash(2);
    assert_non_null(strstr(said, "vm 'always': crashed\n"));
    config.log = SERVER_LOG_NOTICES;
}

static void test_over(void **state)
{
    (void)state;
    assert_false(lives_are_over(&lives));
    crash(0);
    lives_ended(&lives, 1, OUTCOME_POWEROFF, "powered off", now);
    wait_us(0);
    assert_false(lives_are_over(&lives));
    command(2, CONTROL_STOP);
    assert_true(lives_are_over(&lives));
    command(0, CONTROL_RESTART);
    assert_false(lives_are_over(&lives));
}

/* Anything at any time: the fakes check L2, this L1. */
static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned vm = (unsigned)rand() % NR_VMS;

        said[0] = '\0';
        servers_answer = rand() % 4 != 0;
        if (rand() % 2 == 0) {
            lives_ended(&lives, vm, (enum outcome)(rand() % 4), "ended", now);
        } else {
            lives_command(&lives, vm, (uint32_t)rand() % 6);
        }
        wait_us((uint64_t)rand() % (3 * SECOND));
        for (unsigned n = 0; n < NR_VMS; n++) {
            assert_true(vms[n].running == (lives.vms[n].state == CONTROL_RUNNING));
            assert_int_equal(vms[n].shown, lives.vms[n].state);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_never, start),
        cmocka_unit_test_setup(test_waits_for_servers, start),
        cmocka_unit_test_setup(test_spacing, start),
        cmocka_unit_test_setup(test_back_off, start),
        cmocka_unit_test_setup(test_row, start),
        cmocka_unit_test_setup(test_always, start),
        cmocka_unit_test_setup(test_pause, start),
        cmocka_unit_test_setup(test_stop_and_start, start),
        cmocka_unit_test_setup(test_restart_after_giving_up, start),
        cmocka_unit_test_setup(test_command_while_ending, start),
        cmocka_unit_test_setup(test_stopped_server, start),
        cmocka_unit_test_setup(test_refused_start, start),
        cmocka_unit_test_setup(test_problems_only, start),
        cmocka_unit_test_setup(test_over, start),
        cmocka_unit_test_setup(test_random, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
