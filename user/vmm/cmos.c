/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/cmos.h"

#include <stdbool.h>

#include "lib/rtc.h"

#define A_DIVIDER 0x26u /* 32768 Hz, 1024 Hz periodic rate: what firmware leaves */

void cmos_reset(struct cmos *cmos, uint64_t boot_time)
{
    *cmos = (struct cmos){ .epoch = (int64_t)(boot_time & 0xffffffffffull) };
    cmos->memory[RTC_STATUS_A] = A_DIVIDER;
    cmos->memory[RTC_STATUS_B] = RTC_B_24_HOURS;
    cmos->memory[RTC_STATUS_D] = RTC_D_VALID;
}

static bool is_time(uint8_t index)
{
    switch (index) {
    case RTC_SECONDS:
    case RTC_MINUTES:
    case RTC_HOURS:
    case RTC_WEEKDAY:
    case RTC_DAY:
    case RTC_MONTH:
    case RTC_YEAR:
    case RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

static uint8_t time_register(const struct cmos *cmos, uint8_t index, uint64_t now_seconds)
{
    struct date date;

    date_from_seconds(cmos->epoch + (int64_t)now_seconds, &date);
    return rtc_encode(&date, index, cmos->memory[RTC_STATUS_B]);
}

uint8_t cmos_read(const struct cmos *cmos, uint64_t now_seconds)
{
    bool setting = (cmos->memory[RTC_STATUS_B] & RTC_B_SET) != 0;

    if (is_time(cmos->index) && !setting) {
        return time_register(cmos, cmos->index, now_seconds);
    }
    return cmos->memory[cmos->index];
}

static void freeze(struct cmos *cmos, uint64_t now_seconds)
{
    for (uint8_t i = 0; i < CMOS_BYTES; i++) {
        if (is_time(i)) {
            cmos->memory[i] = time_register(cmos, i, now_seconds);
        }
    }
}

/* The time registers hold what the guest has set: the clock goes on from there. */
static void thaw(struct cmos *cmos, uint64_t now_seconds)
{
    struct date date;

    rtc_decode(cmos->memory, &date);
    cmos->epoch = date_to_seconds(&date) - (int64_t)now_seconds;
}

void cmos_write(struct cmos *cmos, uint8_t value, uint64_t now_seconds)
{
    uint8_t index = cmos->index;

    switch (index) {
    case RTC_STATUS_B:
        if ((value & ~cmos->memory[RTC_STATUS_B] & RTC_B_SET) != 0) {
            freeze(cmos, now_seconds);
        } else if ((cmos->memory[RTC_STATUS_B] & ~value & RTC_B_SET) != 0) {
            thaw(cmos, now_seconds);
        }
        cmos->memory[RTC_STATUS_B] = value;
        break;
    case RTC_STATUS_C:
    case RTC_STATUS_D:
        break;
    case RTC_STATUS_A:
        cmos->memory[RTC_STATUS_A] = value & 0x7f;
        break;
    default:
        if (is_time(index) && (cmos->memory[RTC_STATUS_B] & RTC_B_SET) == 0) {
            /* Set without stopping the clock: one register changes, the others go on. */
            freeze(cmos, now_seconds);
            cmos->memory[index] = value;
            thaw(cmos, now_seconds);
            break;
        }
        cmos->memory[index] = value;
        break;
    }
}
