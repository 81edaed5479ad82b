/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rtc.h"

#include <stdbool.h>

#define HOUR_PM     0x80u
#define DAY_SECONDS 86400

/*
 * Days since 1970 and back. Years are counted from March, so that the leap day is the last of its
 * year; 400 such years always have 146097 days.
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

int64_t date_to_seconds(const struct date *date)
{
    return days_from_date(date->year, date->month, date->day) * DAY_SECONDS + date->hour * 3600 +
           date->minute * 60 + date->second;
}

void date_from_seconds(int64_t seconds, struct date *date)
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

static uint8_t encode(int64_t value, uint8_t status_b)
{
    bool binary = (status_b & RTC_B_BINARY) != 0;

    return (uint8_t)(binary ? value : value / 10 * 16 + value % 10);
}

static int64_t decode(uint8_t value, uint8_t status_b)
{
    bool binary = (status_b & RTC_B_BINARY) != 0;

    return binary ? value : (value >> 4) * 10 + (value & 0xf);
}

static uint8_t encode_hour(int64_t hour, uint8_t status_b)
{
    if ((status_b & RTC_B_24_HOURS) != 0) {
        return encode(hour, status_b);
    }
    return (uint8_t)(encode((hour + 11) % 12 + 1, status_b) | (hour >= 12 ? HOUR_PM : 0));
}

static int64_t decode_hour(uint8_t value, uint8_t status_b)
{
    if ((status_b & RTC_B_24_HOURS) != 0) {
        return decode(value, status_b);
    }
    return decode(value & (uint8_t)~HOUR_PM, status_b) % 12 + ((value & HOUR_PM) != 0 ? 12 : 0);
}

uint8_t rtc_encode(const struct date *date, enum rtc_register index, uint8_t status_b)
{
    switch (index) {
    case RTC_SECONDS:
        return encode(date->second, status_b);
    case RTC_MINUTES:
        return encode(date->minute, status_b);
    case RTC_HOURS:
        return encode_hour(date->hour, status_b);
    case RTC_WEEKDAY:
        return encode(date->weekday, status_b);
    case RTC_DAY:
        return encode(date->day, status_b);
    case RTC_MONTH:
        return encode(date->month, status_b);
    case RTC_YEAR:
        return encode(date->year % 100, status_b);
    default:
        return encode(date->year / 100 % 100, status_b);
    }
}

void rtc_decode(const uint8_t *registers, struct date *date)
{
    uint8_t status_b = registers[RTC_STATUS_B];
    int64_t month = decode(registers[RTC_MONTH], status_b);

    *date = (struct date){
        .year =
            decode(registers[RTC_CENTURY], status_b) * 100 + decode(registers[RTC_YEAR], status_b),
        .month = month < 1    ? 1
                 : month > 12 ? 12
                              : month,
        .day = decode(registers[RTC_DAY], status_b),
        .hour = decode_hour(registers[RTC_HOURS], status_b),
        .minute = decode(registers[RTC_MINUTES], status_b),
        .second = decode(registers[RTC_SECONDS], status_b),
    };
}
