/* SPDX-License-Identifier: BSD-2-Clause */
/* Time in TSC ticks and its conversion from and to the API's microseconds. */
#ifndef KERNEL_CORE_TIME_H
#define KERNEL_CORE_TIME_H

#include "kernel/core/types.h"

extern u32 tsc_mhz; /* ticks per microsecond; fixed after boot, never 0 */

static inline ticks_t us_to_ticks(u64 us)
{
    return us * tsc_mhz;
}

static inline u64 ticks_to_us(ticks_t ticks)
{
    return ticks / tsc_mhz;
}

/* kernel/x86 supplies these; host tests their own. */
ticks_t time_now(void);
/* Interrupts this core at the deadline, or as soon as possible if it has passed. */
void timer_set(ticks_t deadline);
/* An interrupt waits for this core. */
bool interrupt_is_pending(void);

#endif
