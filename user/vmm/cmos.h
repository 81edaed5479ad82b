/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of the MC146818 clock with its CMOS memory. The time is derived, not kept: seconds since
 * 1970 at guest TSC zero plus elapsed TSC time, so nothing has to tick. No periodic, alarm or
 * update interrupts; the alarm registers are plain memory.
 *
 * Locking  none: one thread
 * Units    now_seconds: seconds since the VM was started
 * Errors   none; a date that does not exist is normalised to the nearest that does
 * Sources  Motorola MC146818A data sheet; century in register 0x32 as the FADT says
 */
#ifndef USER_VMM_CMOS_H
#define USER_VMM_CMOS_H

#include <stdint.h>

#define CMOS_BYTES 128u

struct cmos {
    uint8_t index;
    uint8_t memory[CMOS_BYTES]; /* time registers only while they are being set */
    int64_t epoch;              /* seconds since 1970 when now_seconds was 0 */
};

void cmos_reset(struct cmos *cmos, uint64_t boot_time);
/* The data port; the index port is cmos->index, written as a byte. */
uint8_t cmos_read(const struct cmos *cmos, uint64_t now_seconds);
void cmos_write(struct cmos *cmos, uint8_t value, uint64_t now_seconds);

static inline void cmos_select(struct cmos *cmos, uint8_t value)
{
    cmos->index = value & (CMOS_BYTES - 1); /* bit 7 masks NMI on a PC; ours has none to mask */
}

#endif
