/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/sched/refill.h"

#include "kernel/core/config.h"
#include "kernel/core/panic.h"
#include "kernel/core/time.h"

ticks_t refill_minimum(void)
{
    return 2 * us_to_ticks(CONFIG_KERNEL_WCET_US);
}

/* --- the ring -------------------------------------------------------------------------------- */

static struct refill *refill_at(struct sched_context *sc, unsigned i)
{
    unsigned index = sc->refill_head + i;

    return &sched_context_refills(sc)[index < sc->refill_max ? index : index - sc->refill_max];
}

struct refill *refill_head(struct sched_context *sc)
{
    return refill_at(sc, 0);
}

static struct refill *refill_tail(struct sched_context *sc)
{
    return refill_at(sc, sc->refill_count - 1u);
}

static struct refill pop(struct sched_context *sc)
{
    struct refill head = *refill_head(sc);

    sc->refill_head = (u16)(sc->refill_head + 1 == sc->refill_max ? 0 : sc->refill_head + 1);
    sc->refill_count--;
    return head;
}

static void push(struct sched_context *sc, struct refill refill)
{
    sc->refill_count++;
    *refill_tail(sc) = refill;
}

/* The ring holds just this. */
static void set_only(struct sched_context *sc, struct refill refill)
{
    sc->refill_head = 0;
    sc->refill_count = 1;
    *refill_head(sc) = refill;
}

static ticks_t end_of(const struct refill *refill)
{
    return refill->time + refill->amount;
}

static ticks_t later_by(ticks_t time, ticks_t delay)
{
    return time < REFILL_NEVER && delay < REFILL_NEVER - time ? time + delay : REFILL_NEVER;
}

/*
 * Adds what comes back at some time after all others. What touches the last refill joins it; if
 * there is no room, the last one waits for the new: a delay never gives more than was promised.
 */
static void append(struct sched_context *sc, struct refill refill)
{
    struct refill *tail;

    if (sc->refill_count == 0) {
        push(sc, refill);
        return;
    }
    tail = refill_tail(sc);
    if (end_of(tail) >= refill.time) {
        tail->amount += refill.amount;
    } else if (sc->refill_count < sc->refill_max) {
        push(sc, refill);
    } else {
        tail->time = refill.time - tail->amount;
        tail->amount += refill.amount;
    }
}

/* A head too small to run on joins the next refill, which can begin earlier by that much. */
static void restore_minimum(struct sched_context *sc)
{
    while (refill_head(sc)->amount < refill_minimum() && sc->refill_count > 1) {
        struct refill small = pop(sc);

        refill_head(sc)->time -= small.amount;
        refill_head(sc)->amount += small.amount;
    }
}

/* --- operations ------------------------------------------------------------------------------ */

void refill_new(struct sched_context *sc, unsigned max_refills, ticks_t budget, ticks_t period,
                ticks_t now)
{
    kernel_assert(max_refills >= REFILLS_MIN);
    sc->period = period;
    sc->budget = budget;
    sc->refill_max = (u16)max_refills;
    set_only(sc, (struct refill){ now, budget });
}

void refill_update(struct sched_context *sc, unsigned max_refills, ticks_t budget, ticks_t period,
                   ticks_t now)
{
    struct refill head = *refill_head(sc);
    bool was_round_robin = sc->period == 0;

    refill_new(sc, max_refills, budget, period, now);
    if (period == 0 || was_round_robin)
        return;
    if (head.time < now)
        head.time = now;
    if (head.amount > budget)
        head.amount = budget;
    set_only(sc, head);
    if (head.amount < budget)
        append(sc, (struct refill){ later_by(head.time, period), budget - head.amount });
    restore_minimum(sc);
}

static void charge_round_robin(struct sched_context *sc, ticks_t used, ticks_t now)
{
    struct refill *head = refill_head(sc);

    if (head->amount < used + refill_minimum()) {
        set_only(sc, (struct refill){ now, sc->budget });
        return;
    }
    head->amount -= used;
    if (sc->refill_count == 1)
        push(sc, (struct refill){ end_of(head), 0 });
    refill_tail(sc)->time = end_of(head);
    refill_tail(sc)->amount += used;
}

/* So late that whole budgets were used beyond the one there was: they are paid back by waiting. */
static void charge_overrun(struct sched_context *sc, ticks_t used)
{
    ticks_t start = refill_head(sc)->time;
    u64 periods = used / sc->budget + (used % sc->budget != 0);

    set_only(sc, (struct refill){
                     periods < REFILL_NEVER / sc->period ? later_by(start, periods * sc->period)
                                                         : REFILL_NEVER,
                     sc->budget,
                 });
}

void refill_charge(struct sched_context *sc, ticks_t used, ticks_t now)
{
    if (sc->period == 0) {
        charge_round_robin(sc, used, now);
        return;
    }
    if (used / 2 >= sc->budget) {
        charge_overrun(sc, used);
        return;
    }
    while (refill_head(sc)->amount <= used) {
        struct refill spent = pop(sc);

        used -= spent.amount;
        spent.time = later_by(spent.time, sc->period);
        append(sc, spent);
    }
    if (used > 0) {
        struct refill *head = refill_head(sc);
        struct refill spent = { later_by(head->time, sc->period), used };

        head->time += used;
        head->amount -= used;
        append(sc, spent);
    }
    restore_minimum(sc);
}

void refill_unblock(struct sched_context *sc, ticks_t now)
{
    if (sc->period == 0 || !refill_is_ready(sc, now))
        return;
    if (refill_head(sc)->time < now)
        refill_head(sc)->time = now;
    while (sc->refill_count > 1 && refill_at(sc, 1)->time <= end_of(refill_head(sc))) {
        struct refill first = pop(sc);

        refill_head(sc)->time = first.time;
        refill_head(sc)->amount += first.amount;
    }
}

bool refill_is_ready(struct sched_context *sc, ticks_t now)
{
    return sc->refill_max && refill_head(sc)->time <= now + us_to_ticks(CONFIG_KERNEL_WCET_US);
}

bool refill_is_sufficient(struct sched_context *sc, ticks_t used)
{
    return refill_head(sc)->amount >= used + refill_minimum();
}
