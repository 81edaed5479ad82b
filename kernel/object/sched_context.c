/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/sched_context.h"

#include "kernel/core/core.h"
#include "kernel/core/time.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

/* --- threads --------------------------------------------------------------------------------- */

static void attach(struct sched_context *sc, struct tcb *tcb)
{
    sc->tcb = tcb;
    tcb->sched_context = sc;
    if (sched_context_is_active(sc))
        thread_set_core(tcb, sc->core);
}

/* A running thread whose context goes will not be chosen again before it gets one. */
void sched_context_unbind_tcb(struct sched_context *sc)
{
    struct tcb *tcb = sc->tcb;

    if (!tcb)
        return;
    sched_stop_remote(tcb);
    sched_forget(tcb);
    tcb->sched_context = NULL;
    sc->tcb = NULL;
    if (tcb == cores[tcb->core].current)
        cores[tcb->core].choose_new = true;
}

bool sched_context_may_bind(struct sched_context *sc, const struct tcb *tcb)
{
    return !tcb->sched_context && (!thread_is_blocked(tcb) || sched_context_is_released(sc));
}

void sched_context_bind_tcb(struct sched_context *sc, struct tcb *tcb)
{
    attach(sc, tcb);
    thread_wake(tcb);
}

void sched_context_donate(struct sched_context *sc, struct tcb *to)
{
    sched_context_unbind_tcb(sc);
    attach(sc, to);
}

void sched_context_wake(struct sched_context *sc)
{
    if (sc->sporadic && sched_context_is_active(sc) && sc != cores[sc->core].current_sc)
        refill_unblock(sc, this_core()->now);
}

bool sched_context_is_released(struct sched_context *sc)
{
    const struct core *core = &cores[sc->core];
    ticks_t used = sc == core->current_sc ? core->consumed : 0;

    return sched_context_is_active(sc) && refill_is_ready(sc, this_core()->now) &&
           refill_is_sufficient(sc, used);
}

/* --- notifications --------------------------------------------------------------------------- */

void sched_context_bind_notification(struct sched_context *sc, struct notification *notification)
{
    sc->notification = notification;
    notification->sched_context = sc;
}

void sched_context_unbind_notification(struct sched_context *sc)
{
    if (!sc->notification)
        return;
    sc->notification->sched_context = NULL;
    sc->notification = NULL;
}

void sched_context_unbind_all(struct sched_context *sc)
{
    sched_context_unbind_tcb(sc);
    sched_context_unbind_notification(sc);
    if (sc->reply)
        sc->reply->sched_context = NULL;
    sc->reply = NULL;
}

/* --- consumed time and YieldTo --------------------------------------------------------------- */

u64 sched_context_take_consumed(struct sched_context *sc)
{
    u64 us;

    sched_charge(sc);
    us = ticks_to_us(sc->consumed);
    sc->consumed -= us_to_ticks(us);
    return us;
}

void sched_context_cancel_yield(struct tcb *yielder)
{
    if (!yielder->yield_to)
        return;
    yielder->yield_to->yield_from = NULL;
    yielder->yield_to = NULL;
}

/* The invocation has been answered already, but for this word. */
void sched_context_complete_yield(struct tcb *yielder)
{
    if (!yielder || !yielder->yield_to)
        return;
    yielder->context.r10 = sched_context_take_consumed(yielder->yield_to);
    sched_context_cancel_yield(yielder);
}

/* --- end ------------------------------------------------------------------------------------- */

void sched_context_finalise(struct sched_context *sc)
{
    struct core *core = &cores[sc->core];

    if (sc->tcb)
        sched_stop_remote(sc->tcb);
    if (core->current_sc == sc) {
        core->current_sc = NULL;
        core->consumed = 0;
        core->reprogram = true;
    }
    sched_context_complete_yield(sc->yield_from);
    sched_context_unbind_all(sc);
    sc->refill_max = 0;
}
