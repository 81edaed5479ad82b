/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of the MC146818 clock, and dates in the proleptic Gregorian calendar.
 *
 * Units    seconds: since the beginning of 1970, without leap seconds; month, day and weekday count
 *          from 1, Sunday is weekday 1
 * Errors   none; a date that does not exist is taken as days past the one that does
 * Sources  Motorola MC146818A data sheet, "Address Map"
 */
#ifndef LIB_RTC_H
#define LIB_RTC_H

#include <stdint.h>

enum rtc_register {
    RTC_SECONDS = 0x00,
    RTC_MINUTES = 0x02,
    RTC_HOURS = 0x04,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_STATUS_A = 0x0a,
    RTC_STATUS_B = 0x0b,
    RTC_STATUS_C = 0x0c,
    RTC_STATUS_D = 0x0d,
    RTC_CENTURY = 0x32, /* where PCs have it, and the FADT says so */
};
#define RTC_REGISTERS  0x33u
#define RTC_A_UPDATING 0x80u
#define RTC_B_SET      0x80u
#define RTC_B_BINARY   0x04u
#define RTC_B_24_HOURS 0x02u
#define RTC_D_VALID    0x80u

struct date {
    int64_t year, month, day, hour, minute, second, weekday;
};

void date_from_seconds(int64_t seconds, struct date *date);
/* The weekday does not matter. Month: 1 to 12. */
int64_t date_to_seconds(const struct date *date);

/* One register's value of the date, as status register B says that it is written. */
uint8_t rtc_encode(const struct date *date, enum rtc_register index, uint8_t status_b);
/* From RTC_REGISTERS registers, status register B among them. No month is taken for the nearest. */
void rtc_decode(const uint8_t *registers, struct date *date);

#endif
