/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's date, from its MC146818 clock. Pure but for the function at the end.
 *
 * Trust    a machine may have no such clock, or one that was never set: reads are bounded, what
 *          they give is checked
 * Sources  Motorola MC146818A data sheet, "Update Cycle"
 */
#ifndef USER_INIT_CLOCK_H
#define USER_INIT_CLOCK_H

#include <stdint.h>

#define CLOCK_PORT_INDEX 0x70u
#define CLOCK_PORT_DATA  0x71u

/* Seconds since the beginning of 1970; 0 if the machine does not know. */
uint64_t clock_read(void);

/* devices.c; a model in host tests */
uint8_t clock_register(uint8_t index);

#endif
