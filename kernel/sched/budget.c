/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: how much of it the running thread has used, and what happens when its budget is spent. */
#include "kernel/api/fault_send.h"
#include "kernel/core/core.h"
#include "kernel/core/time.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

void time_update(void)
{
    struct core *core = this_core();
    ticks_t now = time_now();

    core->consumed += now - core->now;
    core->now = now;
}

void budget_charge(void)
{
    struct core *core = this_core();
    struct sched_context *sc = core->current_sc;

    if (sc && core->consumed > 0 && sched_context_is_active(sc)) {
        refill_charge(sc, core->consumed, core->now);
        sc->consumed += core->consumed;
        core->reprogram = true;
    }
    core->consumed = 0;
}

/*
 * The head refill is spent. Round robin: its turn comes again after the others of its priority.
 * Else the thread tells its timeout handler, or waits for the next refill if that is not due.
 */
static void end_of_budget(struct core *core, bool may_fault)
{
    struct tcb *current = core->current;
    struct sched_context *sc = current->sched_context;

    core->reprogram = true;
    if (!thread_is_runnable(current) || !sc || sc != core->current_sc)
        return;
    core->choose_new = true;
    if (may_fault && !sched_context_is_round_robin(sc) && timeout_fault_send(current))
        return;
    if (refill_is_ready(sc, core->now))
        ready_queue_append(current);
    else
        sched_postpone(current);
}

bool budget_end_is_told(void)
{
    const struct core *core = this_core();
    struct sched_context *sc = core->current_sc;

    return sc && !refill_is_sufficient(sc, core->consumed) && !sched_context_is_round_robin(sc) &&
           tcb_has_timeout_handler(core->current);
}

bool budget_check(void)
{
    struct core *core = this_core();

    if (!core->current_sc || refill_is_sufficient(core->current_sc, core->consumed))
        return true;
    budget_charge();
    end_of_budget(core, true);
    return false;
}

bool budget_check_restart(void)
{
    struct tcb *current = this_core()->current;

    if (budget_check())
        return true;
    if (thread_is_runnable(current))
        current->state = THREAD_RESTART;
    return false;
}

/* Only what was really used is reported as consumed. */
void budget_yield(void)
{
    struct core *core = this_core();
    struct sched_context *sc = core->current_sc;
    ticks_t consumed;

    if (!sc)
        return;
    consumed = sc->consumed + core->consumed;
    core->consumed = refill_head(sc)->amount;
    budget_charge();
    sc->consumed = consumed;
    end_of_budget(core, false);
}
