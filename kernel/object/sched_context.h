/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduling context: a right to processor time, as a sporadic server. In each period its
 * owner may run for budget; what is used comes back one period after it was used.
 *
 * Objects    2^n bytes, n >= 7: this structure, then the ring of refills.
 * Invariants
 *  I1  The refills' amounts always sum to the budget (while configured).
 *  I2  1 <= refill_count <= refill_max; the ring is ordered by time; refills do not overlap:
 *      refill i's time + amount <= refill i+1's time.
 *  I3  tcb->sched_context == this whenever tcb is set; the same for notification.
 * Units      ticks; period and budget of 0: not configured (inactive).
 * Locking: all cores' locks, or that of the SC's core.
 */
#ifndef KERNEL_OBJECT_SCHED_CONTEXT_H
#define KERNEL_OBJECT_SCHED_CONTEXT_H

#include "kernel/object/cap.h"

struct notification;
struct reply;
struct tcb;

struct refill {
    ticks_t time; /* from when it may be used */
    ticks_t amount;
};

struct sched_context {
    ticks_t period; /* 0: round robin */
    ticks_t budget;
    ticks_t consumed; /* since last reported */
    u64 badge;        /* in timeout fault messages */
    struct tcb *tcb;
    struct reply *reply; /* newest of the call chain it was donated along */
    struct notification *notification;
    struct tcb *yield_from; /* waits in YieldTo for this SC to be scheduled */
    u16 core;
    u16 refill_max; /* 0: not configured */
    u16 refill_head;
    u16 refill_count;
    bool sporadic;
};
_Static_assert(sizeof(struct sched_context) <= 96, "refills start at byte 96 (ABI section 10)");

#define SCHED_CONTEXT_REFILL_OFFSET 96

static inline struct refill *sched_context_refills(struct sched_context *sc)
{
    return (struct refill *)((u8 *)sc + SCHED_CONTEXT_REFILL_OFFSET);
}

static inline unsigned refills_in_size(unsigned size_bits)
{
    return (unsigned)((BIT(size_bits) - SCHED_CONTEXT_REFILL_OFFSET) / sizeof(struct refill));
}

void sched_context_finalise(struct sched_context *sc);
/* The thread has no other context, and would not be left waiting for time. */
bool sched_context_may_bind(struct sched_context *sc, const struct tcb *tcb);
void sched_context_bind_tcb(struct sched_context *sc, struct tcb *tcb);
void sched_context_unbind_tcb(struct sched_context *sc);
void sched_context_bind_notification(struct sched_context *sc, struct notification *notification);
void sched_context_unbind_notification(struct sched_context *sc);
/* Clears thread, notification and call chain. */
void sched_context_unbind_all(struct sched_context *sc);
/* Configured: it may give time. */
static inline bool sched_context_is_active(const struct sched_context *sc)
{
    return sc->refill_max != 0;
}
static inline bool sched_context_is_round_robin(const struct sched_context *sc)
{
    return sc->period == 0;
}
/* Active, and could give time now. */
bool sched_context_is_released(struct sched_context *sc);
/* The microseconds used since the last question. */
u64 sched_context_take_consumed(struct sched_context *sc);
/* Its thread, woken, may be late: a sporadic server's refills move up to now. */
void sched_context_wake(struct sched_context *sc);
/* Ends a wait in YieldTo: tells the yielder, if there is one, how much its target has used /
 * forgets about it. */
void sched_context_complete_yield(struct tcb *yielder);
void sched_context_cancel_yield(struct tcb *yielder);
/* Moves the context to another thread (call, or return by reply). */
void sched_context_donate(struct sched_context *sc, struct tcb *to);

#endif
