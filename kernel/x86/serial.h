/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port (16550) that kernel messages go to, polled. A port that is not there is silently
 * not used. After boot user programs may own it; the kernel then writes only in debug calls and
 * panics.
 */
#ifndef KERNEL_X86_SERIAL_H
#define KERNEL_X86_SERIAL_H

#include "kernel/core/types.h"

/* The port that the firmware names first, or the usual one. */
u16 serial_default_port(void);
/* 115200 baud, 8N1. */
void serial_init(u16 port);
/* Before a port has been chosen, on the firmware's. */
void serial_put(char c);

#endif
