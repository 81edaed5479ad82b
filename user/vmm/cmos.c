/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/cmos.h"

#include <stdbool.h>

enum {
    SECONDS = 0x00,
    MINUTES = 0x02,
    HOURS = 0x04,
    WEEKDAY = 0x06,
    DAY = 0x07,
    MONTH = 0x08,
    YEAR = 0x09,
    STATUS_A = 0x0a,
    STATUS_B = 0x0b,
    STATUS_C = 0x0c,
    STATUS_D = 0x0d,
    CENTURY = 0x32,
};

#define A_DIVIDER  0x26u /* 32768 Hz, 1024 Hz periodic rate: what firmware leaves */
#define B_SET      0x80u
#define B_BINARY   0x04u
#define B_24_HOURS 0x02u
#define D_VALID    0x80u
#define HOUR_PM    0x80u

#define DAY_SECONDS 86400

struct date {
    int64_t year, month, day, hour, minute, second, weekday; /* month and day from 1, Sunday = 1 */
};

void cmos_reset(struct cmos *cmos, uint64_t boot_time)
{
    *cmos = (struct cmos){ .epoch = (int64_t)(boot_time & 0xffffffffffull) };
    cmos->memory[STATUS_A] = A_DIVIDER;
    cmos->memory[STATUS_B] = B_24_HOURS;
    cmos->memory[STATUS_D] = D_VALID;
}

/*
 * Days since 1970 and back, in the proleptic Gregorian calendar. Years are counted from March, so
 * that the leap day is the last of its year; 400 such years always have 146097 days.
 */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = (month + 9) % 12;
    int64_t shifted = year - (month <= 2);
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_seconds(int64_t seconds, struct date *date)
{
    int64_t days = (seconds >= 0 ? seconds : seconds - DAY_SECONDS + 1) / DAY_SECONDS;
    int64_t rest = seconds - days * DAY_SECONDS;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;

    date->day = day_of_year - (153 * from_march + 2) / 5 + 1;
    date->month = from_march < 10 ? from_march + 3 : from_march - 9;
    date->year = year_of_era + era * 400 + (date->month <= 2);
    date->hour = rest / 3600;
    date->minute = rest / 60 % 60;
    date->second = rest % 60;
    date->weekday = ((days + 4) % 7 + 7) % 7 + 1;
}

static uint8_t encode(const struct cmos *cmos, int64_t value)
{
    bool binary = (cmos->memory[STATUS_B] & B_BINARY) != 0;

    return (uint8_t)(binary ? value : value / 10 * 16 + value % 10);
}

static int64_t decode(const struct cmos *cmos, uint8_t value)
{
    bool binary = (cmos->memory[STATUS_B] & B_BINARY) != 0;

    return binary ? value : (value >> 4) * 10 + (value & 0xf);
}

static uint8_t encode_hour(const struct cmos *cmos, int64_t hour)
{
    if ((cmos->memory[STATUS_B] & B_24_HOURS) != 0) {
        return encode(cmos, hour);
    }
    return (uint8_t)(encode(cmos, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0));
}

static int64_t decode_hour(const struct cmos *cmos, uint8_t value)
{
    if ((cmos->memory[STATUS_B] & B_24_HOURS) != 0) {
        return decode(cmos, value);
    }
    return decode(cmos, value & (uint8_t)~HOUR_PM) % 12 + ((value & HOUR_PM) != 0 ? 12 : 0);
}

static bool is_time(uint8_t index)
{
    switch (index) {
    case SECONDS:
    case MINUTES:
    case HOURS:
    case WEEKDAY:
    case DAY:
    case MONTH:
    case YEAR:
    case CENTURY:
        return true;
    default:
        return false;
    }
}

static uint8_t time_register(const struct cmos *cmos, uint8_t index, uint64_t now_seconds)
{
    struct date date;

    date_from_seconds(cmos->epoch + (int64_t)now_seconds, &date);
    switch (index) {
    case SECONDS:
        return encode(cmos, date.second);
    case MINUTES:
        return encode(cmos, date.minute);
    case HOURS:
        return encode_hour(cmos, date.hour);
    case WEEKDAY:
        return encode(cmos, date.weekday);
    case DAY:
        return encode(cmos, date.day);
    case MONTH:
        return encode(cmos, date.month);
    case YEAR:
        return encode(cmos, date.year % 100);
    default:
        return encode(cmos, date.year / 100 % 100);
    }
}

uint8_t cmos_read(const struct cmos *cmos, uint64_t now_seconds)
{
    bool setting = (cmos->memory[STATUS_B] & B_SET) != 0;

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
    int64_t year = decode(cmos, cmos->memory[CENTURY]) * 100 + decode(cmos, cmos->memory[YEAR]);
    int64_t month = decode(cmos, cmos->memory[MONTH]);
    int64_t days;

    month = month < 1 ? 1 : month > 12 ? 12 : month;
    days = days_from_date(year, month, decode(cmos, cmos->memory[DAY]));
    cmos->epoch = days * DAY_SECONDS + decode_hour(cmos, cmos->memory[HOURS]) * 3600 +
                  decode(cmos, cmos->memory[MINUTES]) * 60 + decode(cmos, cmos->memory[SECONDS]) -
                  (int64_t)now_seconds;
}

void cmos_write(struct cmos *cmos, uint8_t value, uint64_t now_seconds)
{
    uint8_t index = cmos->index;

    switch (index) {
    case STATUS_B:
        if ((value & ~cmos->memory[STATUS_B] & B_SET) != 0) {
            freeze(cmos, now_seconds);
        } else if ((cmos->memory[STATUS_B] & ~value & B_SET) != 0) {
            thaw(cmos, now_seconds);
        }
        cmos->memory[STATUS_B] = value;
        break;
    case STATUS_C:
    case STATUS_D:
        break;
    case STATUS_A:
        cmos->memory[STATUS_A] = value & 0x7f;
        break;
    default:
        if (is_time(index) && (cmos->memory[STATUS_B] & B_SET) == 0) {
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
