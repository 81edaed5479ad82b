/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The refills of a scheduling context: pure arithmetic on its ring.
 *
 * A sporadic server: what is used from the head refill comes back one period after it began to be
 * used. Round robin (period 0): the head is what is left of the slice, a second refill what has
 * been used of it; when less than the kernel's worst case is left, the slice begins anew.
 *
 * Invariants (of a configured context, whenever no function of this module runs)
 *  I1  The amounts sum to the budget.
 *  I2  In order of time, without overlap; 1 <= refill_count <= refill_max, refill_max >= 2.
 *  I3  The head has at least refill_minimum().
 * Locking: as the scheduling context's. Units: ticks. Nothing can fail; times end at REFILL_NEVER.
 * Sources: seL4 reference manual, "Scheduling Contexts"; B. Sprunt et al., "Aperiodic Task
 * Scheduling for Hard-Real-Time Systems" (1989), and the repair by M. Stanovich et al., "Defects of
 * the POSIX Sporadic Server and How to Correct Them" (2010).
 */
#ifndef KERNEL_SCHED_REFILL_H
#define KERNEL_SCHED_REFILL_H

#include "kernel/object/sched_context.h"

#define REFILL_NEVER BIT(63)
#define REFILLS_MIN  2

/* The smallest budget and head: the kernel may run on it twice, to enter and to leave. */
ticks_t refill_minimum(void);

/* A new, full budget from time now on. */
void refill_new(struct sched_context *sc, unsigned max_refills, ticks_t budget, ticks_t period,
                ticks_t now);
/* Changed parameters of a context that may be in use; keeps the law. */
void refill_update(struct sched_context *sc, unsigned max_refills, ticks_t budget, ticks_t period,
                   ticks_t now);
/* used has been consumed from the head: it comes back a period later. */
void refill_charge(struct sched_context *sc, ticks_t used, ticks_t now);
/* If the head may be used now: counts from now on as its time, and merges what is due meanwhile. */
void refill_unblock(struct sched_context *sc, ticks_t now);
/* Configured, and the head refill may be used now (or so soon that waiting costs more). */
bool refill_is_ready(struct sched_context *sc, ticks_t now);
/* After used, the head still covers the kernel's worst case. */
bool refill_is_sufficient(struct sched_context *sc, ticks_t used);
struct refill *refill_head(struct sched_context *sc);

#endif
