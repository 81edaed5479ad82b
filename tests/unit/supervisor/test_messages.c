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
#include "user/supervisor/messages.h"
#include "user/vmm/config.h"

static char text[MESSAGE_BYTES];

static struct message message(uint64_t label, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    memset(text, '?', sizeof(text));
    return (struct message){ 1, label, { a, b, c, d, 5 } };
}

static void test_reports(void **state)
{
    static const struct {
        uint64_t label;
        enum outcome outcome;
        const char *text;
    } rows[] = {
        { VMM_REPORT_POWEROFF, OUTCOME_POWEROFF, "powered off" },
        { VMM_REPORT_REBOOT, OUTCOME_REBOOT, "rebooting" },
        { VMM_REPORT_CRASH, OUTCOME_FAILURE, "crashed: reason 0x2, rip 0x1000, detail 0x2000" },
        { VMM_REPORT_PANIC, OUTCOME_FAILURE, "the guest's kernel panicked: rip 0x1000" },
        { VMM_REPORT_STUCK, OUTCOME_FAILURE, "stuck: vCPU 0 keeps interrupts out, rip 0x1000" },
        { VMM_REPORT_REFUSED, OUTCOME_REFUSED, "could not be started: cause 0x2, detail 0x2000" },
        { 4711, OUTCOME_FAILURE, "its monitor sends nonsense" },
        { 0, OUTCOME_FAILURE, "its monitor sends nonsense" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct message said = message(rows[i].label, 0, 2, 0x1000, 0x2000);

        assert_int_equal(message_report(&said, text), rows[i].outcome);
        assert_string_equal(text, rows[i].text);
    }
}

static void expect_fault(uint64_t label, uint64_t a, uint64_t b, uint64_t d, const char *expected)
{
    const struct message said = message(label, a, b, 0, d);

    message_fault(&said, "its monitor", text);
    assert_string_equal(text, expected);
}

static void test_faults(void **state)
{
    (void)state;
    expect_fault(seL4_Fault_VMFault, 0x400100, 0x10, 4,
                 "its monitor stopped: page fault at rip 0x400100, address 0x10");
    expect_fault(seL4_Fault_UserException, 0x400200, 0, 13,
                 "its monitor stopped: exception 13 at rip 0x400200, error code 0x5");
    expect_fault(seL4_Fault_CapFault, 0x400300, 77, 0,
                 "its monitor stopped: capability fault at rip 0x400300, cptr 0x4d");
    expect_fault(seL4_Fault_UnknownSyscall, 0, 0, 0, "its monitor stopped: unknown system call");
    expect_fault(99, 0, 0, 0, "its monitor stopped: fault 99");
}

/* The longest words there are still end within the text. */
static void test_extremes(void **state)
{
    (void)state;
    for (uint64_t label = 0; label < 16; label++) {
        const struct message said = message(label, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);

        message_report(&said, text);
        assert_non_null(memchr(text, '\0', sizeof(text)));
        message_fault(&said, "its monitor", text);
        assert_non_null(memchr(text, '\0', sizeof(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
