/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the machine's clock: one that was set, one in the midst of an update, none, nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/rtc.h"
#include "user/init/clock.h"

/* The seconds that the clock shows; reads until they are one more, and until its update ends. */
static int64_t shown;
static unsigned ticks_after, updating;
static uint8_t status_b;
static const uint8_t *registers; /* shown as they are, if any */

uint8_t clock_register(uint8_t index)
{
    struct date date;

    if (registers != NULL) {
        return registers[index];
    }
    if (index == RTC_STATUS_A) {
        updating -= updating != 0;
        return updating != 0 ? RTC_A_UPDATING : 0;
    }
    if (index == RTC_STATUS_B) {
        return status_b;
    }
    if (ticks_after != 0 && --ticks_after == 0) {
        shown++;
    }
    date_from_seconds(shown, &date);
    return rtc_encode(&date, index, status_b);
}

static int setup(void **state)
{
    (void)state;
    shown = 1709251199; /* 2024-02-29 23:59:59: with the next second every register changes */
    ticks_after = updating = 0;
    status_b = RTC_B_24_HOURS;
    registers = NULL;
    return 0;
}

static void test_formats(void **state)
{
    (void)state;
    for (unsigned format = 0; format < 4; format++) {
        status_b = (uint8_t)((format & 1 ? RTC_B_24_HOURS : 0) | (format & 2 ? RTC_B_BINARY : 0));
        assert_int_equal(clock_read(), shown);
    }
}

/* Whenever the second ends, what is read is the one or the other. */
static void test_tick(void **state)
{
    for (unsigned after = 1; after < 20; after++) {
        int64_t before;

        setup(state);
        before = shown;
        ticks_after = after;
        assert_in_range(clock_read(), before, before + 1);
    }
}

static void test_update(void **state)
{
    (void)state;
    updating = 1000;
    assert_int_equal(clock_read(), shown);
    updating = UINT32_MAX;
    assert_int_equal(clock_read(), 0);
}

static void test_nothing_there(void **state)
{
    uint8_t ones[RTC_REGISTERS], zeros[RTC_REGISTERS] = { 0 };

    (void)state;
    for (unsigned i = 0; i < RTC_REGISTERS; i++) {
        ones[i] = 0xff;
    }
    registers = ones;
    assert_int_equal(clock_read(), 0);
    registers = zeros;
    assert_int_equal(clock_read(), 0);
}

static void test_no_date(void **state)
{
    static const struct {
        uint8_t index, value;
    } wrong[] = {
        { RTC_SECONDS, 0x60 }, { RTC_MINUTES, 0x7a }, { RTC_HOURS, 0x24 },
        { RTC_DAY, 0x30 },     { RTC_DAY, 0 },        { RTC_YEAR, 0x19 },
    };
    uint8_t set[RTC_REGISTERS] = { [RTC_HOURS] = 0x12,
                                   [RTC_DAY] = 0x29,
                                   [RTC_MONTH] = 0x02,
                                   [RTC_YEAR] = 0x24,
                                   [RTC_STATUS_B] = RTC_B_24_HOURS };

    (void)state;
    registers = set;
    assert_int_equal(clock_read(), 1709208000);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t right = set[wrong[i].index];

        set[wrong[i].index] = wrong[i].value;
        assert_int_equal(clock_read(), 0);
        set[wrong[i].index] = right;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_formats, setup),
        cmocka_unit_test_setup(test_tick, setup),
        cmocka_unit_test_setup(test_update, setup),
        cmocka_unit_test_setup(test_nothing_there, setup),
        cmocka_unit_test_setup(test_no_date, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
