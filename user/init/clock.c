/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/clock.h"

#include <stdbool.h>

#include "lib/rtc.h"

/* An update takes two milliseconds at most, and a port's read about one microsecond. */
#define MAX_READS      100000u
#define MAX_ATTEMPTS   10u
#define EARLIEST_YEAR  2020
#define CENTURY_BINARY 20u
#define CENTURY_BCD    0x20u

static bool wait_for_update(void)
{
    for (unsigned i = 0; i < MAX_READS; i++) {
        if ((clock_register(RTC_STATUS_A) & RTC_A_UPDATING) == 0) {
            return true;
        }
    }
    return false;
}

/* Not the century: only the FADT says where it is, if anywhere. */
static void read_registers(uint8_t registers[RTC_REGISTERS])
{
    static const uint8_t wanted[] = { RTC_SECONDS, RTC_MINUTES, RTC_HOURS,   RTC_DAY,
                                      RTC_MONTH,   RTC_YEAR,    RTC_STATUS_B };

    for (unsigned i = 0; i < sizeof(wanted); i++) {
        registers[wanted[i]] = clock_register(wanted[i]);
    }
    registers[RTC_CENTURY] =
        (registers[RTC_STATUS_B] & RTC_B_BINARY) != 0 ? CENTURY_BINARY : CENTURY_BCD;
}

/* What is no date does not survive being one. */
static bool is_sound(const struct date *date)
{
    struct date again;

    date_from_seconds(date_to_seconds(date), &again);
    return date->year >= EARLIEST_YEAR && date->year == again.year && date->month == again.month &&
           date->day == again.day && date->hour == again.hour && date->minute == again.minute &&
           date->second == again.second;
}

/* An update may begin between two reads, so that only what was read twice is believed. */
uint64_t clock_read(void)
{
    int64_t before = 0;

    for (unsigned i = 0; i < MAX_ATTEMPTS && wait_for_update(); i++) {
        uint8_t registers[RTC_REGISTERS] = { 0 };
        struct date date;
        int64_t seconds;

        read_registers(registers);
        rtc_decode(registers, &date);
        seconds = date_to_seconds(&date);
        if (i != 0 && seconds == before) {
            return is_sound(&date) ? (uint64_t)seconds : 0;
        }
        before = seconds;
    }
    return 0;
}
