/* SPDX-License-Identifier: BSD-2-Clause */
/* SchedControl: gives scheduling contexts their time (ABI section 10). */
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/core/core.h"
#include "kernel/core/time.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

#define BUDGET_MIN_US (2 * CONFIG_KERNEL_WCET_US)

/* So that times of refills never overflow. */
static u64 longest_period_us(void)
{
    return UINT64_MAX / tsc_mhz / 8;
}

struct parameters {
    u64 budget_us, period_us, extra_refills, badge, flags;
};

static enum status check(struct request *request, const struct parameters *p, struct cap cap)
{
    u64 longest = longest_period_us(), room;

    if (cap.type != CAP_SCHED_CONTEXT)
        return error_capability(request, 1);
    if (p->budget_us < BUDGET_MIN_US || p->budget_us > longest || p->period_us < BUDGET_MIN_US ||
        p->period_us > longest)
        return error_range(request, BUDGET_MIN_US, longest);
    if (p->budget_us > p->period_us)
        return error_range(request, BUDGET_MIN_US, p->period_us);
    room = refills_in_size(sched_context_size_bits(cap)) - REFILLS_MIN;
    if (p->extra_refills > room)
        return error_range(request, 0, room);
    return STATUS_OK;
}

/* budget == period: round robin, which needs no more than two refills. */
static void set_refills(struct sched_context *sc, const struct parameters *p, bool keep)
{
    ticks_t budget = us_to_ticks(p->budget_us), now = this_core()->now;
    bool round_robin = p->budget_us == p->period_us;
    ticks_t period = round_robin ? 0 : us_to_ticks(p->period_us);
    unsigned refills = round_robin ? REFILLS_MIN : REFILLS_MIN + (unsigned)p->extra_refills;

    if (keep)
        refill_update(sc, refills, budget, period, now);
    else
        refill_new(sc, refills, budget, period, now);
}

static void configure(struct sched_context *sc, const struct parameters *p, unsigned core)
{
    struct tcb *tcb = sc->tcb;
    bool keep = sched_context_is_active(sc) && sc->core == core && tcb && thread_is_runnable(tcb);

    /* What has been used was used under the old parameters. */
    sched_charge(sc);
    if (tcb) {
        sched_stop_remote(tcb);
        sched_forget(tcb);
    }
    if (sc->core != core)
        sched_context_complete_yield(sc->yield_from);
    sc->badge = p->badge;
    sc->sporadic = p->flags & seL4_SchedContext_Sporadic;
    sc->core = (u16)core;
    set_refills(sc, p, keep);
    if (!tcb)
        return;
    thread_set_core(tcb, core);
    cores[core].reprogram = true;
    possible_switch_to(tcb);
}

enum status invoke_sched_control_configure_flags(struct request *request)
{
    struct cap cap = request->extra[0]->cap;
    struct parameters p = {
        .budget_us = request_word(request, 0),
        .period_us = request_word(request, 1),
        .extra_refills = request_word(request, 2),
        .badge = request_word(request, 3),
        .flags = request_word(request, 4),
    };

    if (check(request, &p, cap) != STATUS_OK)
        return STATUS_ERROR;
    /* There is no such core: its threads would never run. */
    if (sched_control_core(request->cap) >= nr_cores)
        return error_code(request, seL4_IllegalOperation);
    configure(cap_object(cap), &p, sched_control_core(request->cap));
    return STATUS_OK;
}
