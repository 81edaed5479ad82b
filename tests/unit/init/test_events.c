/* SPDX-License-Identifier: BSD-2-Clause */
/* What the supervisor makes of messages, honest and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/faults.h"
#include "user/init/events.h"
#include "user/vmm/config.h"

static const char strings[] = "linux\0a-name-of-31-characters-exactly\0server";
static const struct plan_component components[] = { { 0, PLAN_COMPONENT_VM },
                                                    { 6, PLAN_COMPONENT_VM },
                                                    { 38, PLAN_COMPONENT_SERVER } };

static struct {
    struct plan_header header;
    char strings[sizeof(strings)];
} bytes;

static struct plan plan;
static struct events events;
static char line[EVENT_LINE_BYTES];

static int start(void **state)
{
    (void)state;
    memcpy(bytes.strings, strings, sizeof(strings));
    bytes.header.strings_offset = offsetof(__typeof__(bytes), strings);
    bytes.header.strings_bytes = sizeof(strings);
    plan = (struct plan){ .bytes = (const uint8_t *)&bytes,
                          .header = &bytes.header,
                          .components = components,
                          .nr_components = 3 };
    events_init(&events, &plan);
    memset(line, '?', sizeof(line));
    return 0;
}

static bool take(uint64_t badge, uint64_t label, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct event_message message = { badge, label, { a, b, c, d, 5 } };
    bool told = events_take(&events, &plan, &message, line);

    assert_true(!told || memchr(line, '\0', sizeof(line)) != NULL);
    return told;
}

static void test_poweroff(void **state)
{
    (void)state;
    assert_true(take(1, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
    assert_string_equal(line, "vm 'linux': powered off");
    assert_int_equal(events.running, 1);
    /* E1 */
    assert_false(take(1, VMM_REPORT_CRASH, 0, 0, 0, 0));
    assert_false(take(1 | PLAN_BADGE_FAULT, seL4_Fault_VMFault, 0, 0, 0, 0));
    assert_int_equal(events.running, 1);
    assert_true(take(2, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
    assert_int_equal(events.running, 0);
}

/* A server is no VM: that it ends ends nothing else. */
static void test_server(void **state)
{
    (void)state;
    assert_true(take(3 | PLAN_BADGE_FAULT, seL4_Fault_VMFault, 0x1000, 0x2000, 0, 0));
    assert_string_equal(
        line, "server 'server': its program stopped: page fault at rip 0x1000, address 0x2000");
    assert_int_equal(events.running, 2);
    assert_false(take(3, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
}

static void test_reports(void **state)
{
    (void)state;
    assert_true(take(1, VMM_REPORT_REBOOT, 0, 0, 0, 0));
    assert_string_equal(line, "vm 'linux': rebooting");
    assert_int_equal(events.running, 2);
    assert_true(take(1, VMM_REPORT_CRASH, 0, 2, 0x1000, 0x2000));
    assert_string_equal(line, "vm 'linux': crashed: reason 0x2, rip 0x1000, detail 0x2000");
    assert_true(take(2, VMM_REPORT_REFUSED, 0, VMM_CAUSE_IMAGE, 0, 7));
    assert_string_equal(line, "vm 'a-name-of-31-characters-exactly': could not be started: "
                              "cause 0x10002, detail 0x7");
    assert_int_equal(events.running, 0);
}

static void test_faults(void **state)
{
    (void)state;
    assert_true(take(1 | PLAN_BADGE_FAULT, seL4_Fault_VMFault, 0x400100, 0x10, 0, 4));
    assert_string_equal(
        line, "vm 'linux': its monitor stopped: page fault at rip 0x400100, address 0x10");
    assert_int_equal(events.running, 1);
    assert_true(take(2 | PLAN_BADGE_FAULT, seL4_Fault_UserException, 0x400200, 0, 0, 13));
    assert_string_equal(line,
                        "vm 'a-name-of-31-characters-exactly': its monitor stopped: exception 13 "
                        "at rip 0x400200, error code 0x5");
    start(NULL);
    assert_true(take(1 | PLAN_BADGE_FAULT, seL4_Fault_CapFault, 0x400300, 77, 0, 0));
    assert_string_equal(line, "vm 'linux': its monitor stopped: capability fault at rip 0x400300, "
                              "cptr 0x4d");
    assert_true(take(2 | PLAN_BADGE_FAULT, seL4_Fault_UnknownSyscall, 0, 0, 0, 0));
    start(NULL);
    assert_true(take(1 | PLAN_BADGE_FAULT, 99, 0, 0, 0, 0));
    assert_int_equal(events.running, 1);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_true(take(0, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
    assert_string_equal(line, "message from nobody: badge 0x0");
    assert_true(take(4, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
    assert_true(take(UINT64_MAX, VMM_REPORT_POWEROFF, 0, 0, 0, 0));
    assert_true(take(PLAN_BADGE_FAULT, seL4_Fault_VMFault, 0, 0, 0, 0));
    assert_int_equal(events.running, 2);
}

/* A monitor that talks without end is printed a few dozen times. */
static void test_flood(void **state)
{
    unsigned printed = 0;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        printed += take(1, i % 2 == 0 ? VMM_REPORT_REBOOT : 1000, 0, 0, 0, 0);
    }
    assert_int_equal(printed, 8 + 16);
    assert_int_equal(events.running, 2);
    assert_true(take(2, VMM_REPORT_REBOOT, 0, 0, 0, 0));
}

static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 100000; i++) {
        uint64_t badge = (uint64_t)rand() % 4 | (rand() % 2 == 0 ? PLAN_BADGE_FAULT : 0);
        uint32_t before = events.running;

        take(badge, (uint64_t)rand() % 9, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
        assert_true(events.running <= before);
    }
    assert_int_equal(events.running, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_server, start),  cmocka_unit_test_setup(test_poweroff, start),
        cmocka_unit_test_setup(test_reports, start), cmocka_unit_test_setup(test_faults, start),
        cmocka_unit_test_setup(test_nobody, start),  cmocka_unit_test_setup(test_flood, start),
        cmocka_unit_test_setup(test_random, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
