/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads and time of other cores. A thread that runs there owns its registers, its guest and the
 * time it uses; whoever wants to touch them has its core stop it, or settle its account, first.
 */
#include "kernel/core/core.h"
#include "kernel/core/remote.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/sched.h"

static void charge_here(u64 a, u64 b)
{
    (void)a;
    (void)b;
    time_update();
    budget_charge();
}

/*
 * The core idles from now on, until it chooses anew. If it was waiting for a lock, on the thread's
 * behalf, then the thread has not done yet what it entered the kernel for, and will begin again;
 * for one that was in user code that changes nothing. A guest is entered again by itself.
 */
static void stop_here(u64 a, u64 b)
{
    struct core *core = this_core();

    charge_here(a, b);
    if (core->current->state == THREAD_RUNNING)
        core->current->state = THREAD_RESTART;
    arch_switch_to_idle(core->idle);
    core->current = core->idle;
    core->current_sc = NULL;
    core->choose_new = true;
    core->reprogram = true;
}

bool thread_runs_elsewhere(const struct tcb *tcb)
{
    return tcb->core != this_core()->id && cores[tcb->core].current == tcb;
}

void sched_stop_remote(struct tcb *tcb)
{
    if (!thread_runs_elsewhere(tcb))
        return;
    remote_run(BIT(tcb->core), stop_here, 0, 0);
    if (thread_is_queueable(tcb))
        ready_queue_prepend(tcb);
}

void sched_charge(struct sched_context *sc)
{
    if (this_core()->current_sc == sc)
        budget_charge();
    else if (cores[sc->core].current_sc == sc)
        remote_run(BIT(sc->core), charge_here, 0, 0);
}
